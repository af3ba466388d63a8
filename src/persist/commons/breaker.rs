//! When Redis is not even asked: after failures in a row, for a while.
//!
//! Promise: a Redis that does not answer costs [`FAILURES`] calls, and then one each [`PAUSE`]; the first that is
//! answered ends it. Told in the log once when it begins and once when it ends.

use super::Trouble;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Failures in a row that open it: one may be a dropped connection or a moment's stall.
const FAILURES: u32 = 2;
/// How long Redis is left alone before it is tried again. What it holds is stale after three seconds in any case.
const PAUSE: Duration = Duration::from_secs(2);

/// What is counted of the calls.
#[derive(Debug, Default)]
pub struct Tally {
    calls: AtomicU64,
    failures: AtomicU64,
    opened: AtomicU64,
    open: AtomicBool,
}

impl Tally {
    /// Calls that went out.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Those that failed, or came too late.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How often Redis was given up for a while.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Whether it is given up now.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }
}

/// The breaker of one node.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    tally: Arc<Tally>,
    /// In a row, up to now.
    failures: u32,
    /// Not before then.
    until: Option<Instant>,
}

impl Breaker {
    pub(super) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Whether a call may go out now; it then must be told what came of it.
    pub(super) fn admit(&self) -> Result<(), Trouble> {
        if self.until.is_some_and(|until| Instant::now() < until) {
            return Err(Trouble::GivenUp);
        }
        self.tally.calls.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A call was answered.
    pub(super) fn passed(&mut self) {
        self.failures = 0;
        self.until = None;
        if self.tally.open.swap(false, Ordering::Relaxed) {
            tracing::info!("Redis answers again; boards and positions of other nodes come back");
        }
    }

    /// A call has failed. True: Redis is given up for a while.
    pub(super) fn failed(&mut self, trouble: &Trouble) -> bool {
        self.tally.failures.fetch_add(1, Ordering::Relaxed);
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES {
            return false;
        }
        self.until = Some(Instant::now() + PAUSE);
        if !self.tally.open.swap(true, Ordering::Relaxed) {
            self.tally.opened.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(reason = %trouble, "Redis is not used for now; live channels show this node's own and say so");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn opens_after_two_failures_and_tries_again_after_a_pause() {
        let mut breaker = Breaker::default();
        let tally = breaker.tally();
        assert!(!breaker.failed(&Trouble::Late), "one is none");
        breaker.passed();
        assert!(!breaker.failed(&Trouble::Late), "they were not in a row");
        assert!(breaker.admit().is_ok() && !tally.is_open());
        assert!(breaker.failed(&Trouble::Late));
        assert!(breaker.admit().is_err() && tally.is_open());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.admit().is_ok(), "one call may try");
        assert!(breaker.failed(&Trouble::Late), "and one failure is enough then");
        assert!(breaker.admit().is_err());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.admit().is_ok());
        breaker.passed();
        assert!(breaker.admit().is_ok() && !tally.is_open());
        assert_eq!((tally.calls(), tally.failures(), tally.opened()), (4, 4, 1));
    }
}
