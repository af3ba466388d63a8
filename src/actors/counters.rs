//! Counters since the start, for metrics and the console. Plain atomics: nothing here may slow a fix down.

use crate::actors::cards::Counts;
use crate::geo::plausibility::Difference;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Latencies kept: enough for a 99th percentile that means something.
const LATENCIES_KEPT: usize = 1_000;

/// The counters of a node.
#[derive(Debug, Default)]
pub struct Counters {
    fixes: AtomicU64,
    entries: AtomicU64,
    entities: AtomicI64,
    /// In the order of [`Difference::ALL`].
    trials: [AtomicU64; Difference::ALL.len()],
    notice_us: Mutex<VecDeque<u32>>,
}

impl Counters {
    /// A fix was judged.
    pub fn fix(&self) {
        self.fixes.fetch_add(1, Ordering::Relaxed);
    }

    /// The rule set on trial would have judged a fix otherwise.
    pub fn trial(&self, difference: Difference) {
        self.trials[difference as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// An entry was committed.
    pub fn entry(&self) {
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    /// Entities woke or went.
    pub fn entities(&self, change: i64) {
        self.entities.fetch_add(change, Ordering::Relaxed);
    }

    /// A fix has led to a notice after so long.
    pub fn fix_to_notice(&self, took: Duration) {
        let mut kept = self.notice_us.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == LATENCIES_KEPT {
            kept.pop_front();
        }
        kept.push_back(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// All of them now.
    pub fn read(&self, sessions: usize) -> Counts {
        let kept = self.notice_us.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<u32> = kept.iter().copied().collect();
        drop(kept);
        sorted.sort_unstable();
        let at = |share: f64| {
            // Nearest rank; an empty list has no latency.
            let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
            sorted.get(rank - 1).map_or(0.0, |us| f64::from(*us) / 1_000.0)
        };
        Counts {
            fixes: self.fixes.load(Ordering::Relaxed),
            entries: self.entries.load(Ordering::Relaxed),
            sessions: sessions as u64,
            entities: u64::try_from(self.entities.load(Ordering::Relaxed)).unwrap_or(0),
            parked: 0,
            trials: Difference::ALL.map(|kind| self.trials[kind as usize].load(Ordering::Relaxed)),
            notice_p50_ms: at(0.50),
            notice_p99_ms: at(0.99),
            redis: None,
        }
    }
}
