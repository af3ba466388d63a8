//! Keys of files, which are read again when one of them changes or at SIGHUP.
//!
//! Who knows the forms of key files hands in how they are read; what is done with the keys is the same as at the start.
//! Promise: files that have become useless while it runs leave the keys in use that were there, and the log says so;
//! all files are read, or none counts.

use super::key::Key;
use crate::net::changes::Changes;
use crate::net::listener::told;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Why key files are of no use, in words that repeat nothing of them.
pub type Unreadable = Box<dyn std::error::Error + Send + Sync>;

type Read = dyn Fn() -> Result<Vec<Key>, Unreadable> + Send + Sync;

/// Key files, and how they are read.
#[derive(Clone)]
pub struct KeyFiles {
    paths: Vec<PathBuf>,
    read: Arc<Read>,
}

impl KeyFiles {
    /// These, all of which `read` reads.
    pub fn new(paths: Vec<PathBuf>, read: impl Fn() -> Result<Vec<Key>, Unreadable> + Send + Sync + 'static) -> Self {
        Self { paths, read: Arc::new(read) }
    }

    pub(super) fn read(&self) -> Result<Vec<Key>, Unreadable> {
        (self.read)()
    }
}

impl fmt::Debug for KeyFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFiles").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// Key files that are looked at again and again.
#[derive(Debug)]
pub(super) struct Watched {
    files: KeyFiles,
    renewed: AtomicU64,
    failed: AtomicU64,
}

impl Watched {
    pub(super) fn new(files: KeyFiles) -> Self {
        Self { files, renewed: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        (self.renewed.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// Until `stop` says so.
    pub(super) async fn run(&self, install: &(dyn Fn(Vec<Key>) + Send + Sync), mut stop: watch::Receiver<bool>) {
        let mut changes = Changes::of(self.files.paths.clone());
        loop {
            tokio::select! {
                () = told(&mut stop) => return,
                () = changes.next() => {}
            }
            match self.files.read() {
                Ok(keys) => {
                    self.renewed.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(keys = keys.len(), "the key files have been read again");
                    install(keys);
                }
                Err(err) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%err, "the keys in use stay");
                }
            }
        }
    }
}
