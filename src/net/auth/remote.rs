//! Keys that an identity provider serves: fetched at the start, again from time to time, and when a token names one
//! that is not known yet.
//!
//! Promises: one fetch at a time, whoever asks; two begin at least [`RemoteConfig::gap`] apart, so a stranger's made-up ids cost the
//! provider six requests a minute; a fetch that fails leaves the keys as they were, until they are older than
//! [`RemoteConfig::keep`]: a provider that is down locks nobody out at once, and one that is gone is not trusted for ever.

use super::fetch::{Fetcher, SetupError, Url};
use super::key::Key;
use crate::net::listener::told;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How often the set is fetched when nobody asks, if nothing else is configured: a revoked key is out after that.
pub const REFRESH_DEFAULT: Duration = Duration::from_secs(300);
/// Least time between the beginnings of two fetches, if nothing else is asked for.
pub const GAP_DEFAULT: Duration = Duration::from_secs(10);
/// Pause after a fetch that failed.
const RETRY: Duration = Duration::from_secs(15);
/// How long someone waits who shows a token of an unknown key: as long as a fetch may take.
const ASK: Duration = Duration::from_secs(6);

/// Where keys are fetched, and for how long they are good.
#[derive(Debug, Clone)]
pub struct RemoteConfig {
    /// Where.
    pub url: Url,
    /// The authority that the server's certificate is of; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Time between fetches.
    pub refresh: Duration,
    /// Least time between the beginnings of two, whoever asks.
    pub gap: Duration,
    /// How long keys are used after the last fetch that succeeded.
    pub keep: Duration,
}

/// The fetched part of the keys.
#[derive(Debug)]
pub(super) struct Remote {
    fetcher: Fetcher,
    config: RemoteConfig,
    wanted: Notify,
    progress: watch::Sender<Progress>,
    begun: Mutex<Option<Instant>>,
    fetches: AtomicU64,
    failures: AtomicU64,
}

/// Fetches that have begun and ended.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    begun: u64,
    done: u64,
    /// Whether the last one succeeded.
    good: bool,
}

impl Remote {
    pub(super) fn new(config: RemoteConfig) -> Result<Self, SetupError> {
        let fetcher = Fetcher::new(&config.url, config.ca_file.as_deref())?;
        let (fetches, failures) = Default::default();
        let progress = watch::Sender::default();
        Ok(Self { fetcher, config, wanted: Notify::new(), progress, begun: Mutex::default(), fetches, failures })
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        (self.fetches.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// Wants the newest keys. True when a fetch has succeeded since; false when it failed, or may not begin yet.
    pub(super) async fn ask(&self) -> bool {
        let mut progress = self.progress.subscribe();
        let Progress { begun, done, .. } = *progress.borrow_and_update();
        let wanted = if begun > done { begun } else { begun + 1 };
        if begun == done && self.last_begun().is_some_and(|begun| begun.elapsed() < self.config.gap) {
            return false;
        }
        self.wanted.notify_one();
        let ended = timeout(ASK, progress.wait_for(|progress| progress.done >= wanted)).await;
        matches!(ended, Ok(Ok(progress)) if progress.good)
    }

    fn last_begun(&self) -> Option<Instant> {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches until `stop` says so, and hands over what is to be used from then on.
    pub(super) async fn run(&self, install: &(dyn Fn(Vec<Key>) + Send + Sync), mut stop: watch::Receiver<bool>) {
        let mut held: Option<Instant> = None;
        loop {
            let good = tokio::select! {
                good = self.fetch(install) => good,
                () = told(&mut stop) => return,
            };
            if good {
                held = Some(Instant::now());
            } else if held.is_some_and(|since| since.elapsed() > self.config.keep) {
                tracing::error!("the fetched keys are too old to be trusted: tokens that they signed are not taken");
                install(Vec::new());
                held = None;
            }
            self.progress.send_modify(|progress| (progress.done, progress.good) = (progress.begun, good));
            let pause = if good { self.config.refresh } else { RETRY.min(self.config.refresh) };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wanted.notified() => {
                    let due = self.last_begun().map_or_else(Instant::now, |begun| begun + self.config.gap);
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = told(&mut stop) => return,
                    }
                }
                () = told(&mut stop) => return,
            }
        }
    }

    async fn fetch(&self, install: &(dyn Fn(Vec<Key>) + Send + Sync)) -> bool {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.progress.send_modify(|progress| progress.begun += 1);
        self.fetches.fetch_add(1, Ordering::Relaxed);
        match self.fetcher.key_set().await {
            Ok(set) => {
                tracing::debug!(keys = set.keys.len(), passed_over = set.passed_over, "key set fetched");
                install(set.keys);
                true
            }
            Err(err) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%err, "the key set was not fetched; the keys that are here stay");
                false
            }
        }
    }
}
