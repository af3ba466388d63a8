//! What is wrong with the configuration: where it was written, what it is, and what to write instead.
//!
//! Promise: a fault never repeats the value of a key that could be a secret; the list is in the order of the layers
//! and, within the file, of its lines.

use serde::{Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// In the file; line and column from 1, if it is about a place in it.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Line and column.
        at: Option<(u32, u32)>,
    },
    /// In a variable of the environment.
    Variable(String),
    /// In a flag.
    Flag(&'static str),
    /// Nowhere: something is missing, or two settings do not go together.
    Nowhere,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, at: Some((line, column)) } => write!(f, "{}:{line}:{column}", path.display()),
            Self::File { path, at: None } => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where.
    pub source: Source,
    /// What.
    pub message: String,
    /// The remedy.
    pub help: String,
}

impl Fault {
    pub(super) fn new(source: Source, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { source, message: message.into(), help: help.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  help: {}", self.source, self.message, self.help)
    }
}

/// All that is wrong; at least one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Faults {
    faults: Vec<Fault>,
}

impl Faults {
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| a.source.cmp(&b.source));
        faults.dedup();
        Self { faults }
    }

    /// The faults, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        match self.faults.len() {
            1 => write!(f, "the configuration has a fault"),
            count => write!(f, "the configuration has {count} faults"),
        }
    }
}

impl std::error::Error for Faults {}
