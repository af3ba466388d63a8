//! Files that are read again while the server runs: when one of them has changed, or when somebody sends SIGHUP.
//!
//! By looking, not by being told by the system: what a symbolic link leads to, or a folder that a cluster's manager
//! exchanges whole, is seen the same way as a file that is written over. Promise: a change is seen within [`LOOK`], and
//! is told once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often files are looked at: who renews a certificate or a key does so long before the old one ends.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// When a file was written, and how long it is; `None` if it is not there.
type Stamp = Option<(SystemTime, u64)>;

/// Waits for changes of some files.
pub(super) struct Changes {
    paths: Vec<PathBuf>,
    seen: Vec<Stamp>,
    clock: Interval,
    hangups: Hangups,
}

impl Changes {
    /// Of these files, from now on.
    pub(super) fn of(paths: Vec<PathBuf>) -> Self {
        let mut clock = interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = paths.iter().map(|path| stamp(path)).collect();
        Self { paths, seen, clock, hangups: Hangups::new() }
    }

    /// Resolves when the files are to be read again. It may be dropped and called anew.
    pub(super) async fn next(&mut self) {
        loop {
            let told_to = tokio::select! {
                () = self.hangups.next() => true,
                _ = self.clock.tick() => false,
            };
            let stamps: Vec<Stamp> = self.paths.iter().map(|path| stamp(path)).collect();
            if told_to || stamps != self.seen {
                self.seen = stamps;
                return;
            }
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// SIGHUP, where there is such a thing.
struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    #[cfg(unix)]
    fn new() -> Self {
        Self { signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok() }
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let heard = match &mut self.signal {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending().await
        }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        std::future::pending().await
    }
}
