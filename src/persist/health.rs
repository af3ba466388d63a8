//! Whether writes are taken, and in a few words why not; said once in the log at each change.

use std::sync::atomic::{AtomicU8, Ordering};

/// What keeps the store from writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Trouble {
    Full = 1,
    Disk,
    Busy,
    ReadOnly,
    Damaged,
    Closed,
    Unreachable,
    Crowded,
    Expired,
    Other,
}

const ALL: [Trouble; 10] = [
    Trouble::Full,
    Trouble::Disk,
    Trouble::Busy,
    Trouble::ReadOnly,
    Trouble::Damaged,
    Trouble::Closed,
    Trouble::Unreachable,
    Trouble::Crowded,
    Trouble::Expired,
    Trouble::Other,
];

impl Trouble {
    /// In a few words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Full => "the disk is full",
            Self::Disk => "the disk does not answer as it should",
            Self::Busy => "another program has locked the database",
            Self::ReadOnly => "the journal is read-only",
            Self::Damaged => "the database is damaged",
            Self::Closed => "the journal is closed",
            Self::Unreachable => "the database cannot be reached",
            Self::Crowded => "the database has no connection free",
            Self::Expired => "this node's lease on the journal has run out",
            Self::Other => "the database refuses to write",
        }
    }
}

/// The state as the writer last saw it.
#[derive(Debug, Default)]
pub(super) struct Health(AtomicU8);

impl Health {
    /// Of who only reads, as was asked for: no trouble to speak of.
    pub(super) fn read_only() -> Self {
        Self(AtomicU8::new(Trouble::ReadOnly as u8))
    }

    /// Notes a trouble, or with `None` that a write has worked.
    pub(super) fn set(&self, trouble: Option<Trouble>) {
        let code = trouble.map_or(0, |trouble| trouble as u8);
        if self.0.swap(code, Ordering::AcqRel) == code {
            return;
        }
        match trouble {
            None => tracing::info!("journal can be written again"),
            Some(Trouble::Closed) => tracing::info!("journal closed"),
            Some(trouble) => tracing::error!(reason = trouble.text(), "journal cannot be written"),
        }
    }

    /// Whether writes are taken.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let code = self.0.load(Ordering::Acquire);
        ALL.into_iter().find(|trouble| *trouble as u8 == code).map_or(Ok(()), |trouble| Err(trouble.text()))
    }
}
