//! The only reader of time. Everything else is handed a `Timestamp`, so rules replay and tests command the hour.

use crate::faults;
use crate::units::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// A source of the present; clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
    Timers(Timestamp, Instant),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that moves only when told to.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.as_millis()))))
    }

    /// A clock that starts at an hour and goes on with the runtime's timers: where a test pauses those, it stands.
    pub fn with_timers(start: Timestamp) -> Self {
        Self(Source::Timers(start, Instant::now()))
    }

    /// The present.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                let now = Timestamp::from_millis(0) + since;
                Timestamp::from_millis(now.as_millis().saturating_add(faults::clock_off_ms()))
            }
            Source::Manual(ms) => Timestamp::from_millis(ms.load(Ordering::SeqCst)),
            Source::Timers(start, since) => *start + since.elapsed(),
        }
    }

    /// Moves a manual clock on; others stay as they are.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(ms) = &self.0 {
            ms.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}
