//! Placeholder until the fence engine lands.

/// One position report.
#[derive(Debug, Clone)]
pub struct Fix;
