//! What a run counts: commands, answers, faults, latencies.
//!
//! Latencies are counted twice: from the moment at which a command was due, which is what a player feels, and from
//! the moment at which it was sent, which shows how far the harness itself was behind.

use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Histograms that phones share, so that they seldom wait for one another.
const SHARDS: usize = 8;
/// Longest latency told apart, in microseconds: a minute.
const LATENCY_MAX: u64 = 60_000_000;

/// Latencies from two starting points.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// From when it was due.
    pub due: Histogram<u64>,
    /// From when it was sent.
    pub sent: Histogram<u64>,
}

impl Latencies {
    fn new() -> Self {
        // The bounds are constants: 1 us to a minute, three digits.
        let empty = || Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("constant bounds are valid");
        Self { due: empty(), sent: empty() }
    }

    fn record(&mut self, due: Duration, sent: Duration) {
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(LATENCY_MAX).max(1);
        self.due.saturating_record(us(due));
        self.sent.saturating_record(us(sent));
    }

    fn add(&mut self, other: &Self) {
        // All of them have the same bounds.
        let added = self.due.add(&other.due).and_then(|()| self.sent.add(&other.sent));
        added.expect("histograms of equal bounds add up");
    }
}

/// The counts of one kind of command or notice.
#[derive(Debug)]
pub struct Tally {
    shards: [Mutex<Latencies>; SHARDS],
    /// Sent.
    pub sent: AtomicU64,
    /// Answered, and well.
    pub answered: AtomicU64,
    /// Pushes that came beside answers.
    pub pushes: AtomicU64,
    faults: AtomicU64,
    first_fault: Mutex<Option<String>>,
    /// Latencies of what was due outside of this span are not recorded.
    from: Instant,
    to: Instant,
}

impl Tally {
    /// Counts latencies of what is due between two moments; everything else is always counted.
    pub fn new(from: Instant, to: Instant) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Latencies::new())),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            pushes: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            first_fault: Mutex::new(None),
            from,
            to,
        }
    }

    /// Something was sent.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A push came.
    pub fn pushed(&self) {
        self.pushes.fetch_add(1, Ordering::Relaxed);
    }

    /// A good answer came just now.
    pub fn answered(&self, phone: usize, due: Instant, sent: Instant) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if due >= self.from && due < self.to {
            let now = Instant::now();
            lock(&self.shards[phone % SHARDS]).record(now - due, now.saturating_duration_since(sent));
        }
    }

    /// Something went wrong.
    pub fn fault(&self, what: impl std::fmt::Display) {
        self.faults.fetch_add(1, Ordering::Relaxed);
        lock(&self.first_fault).get_or_insert_with(|| what.to_string());
    }

    /// How many faults there were, and the first.
    pub fn faults(&self) -> (u64, Option<String>) {
        (self.faults.load(Ordering::Relaxed), lock(&self.first_fault).clone())
    }

    /// All latencies.
    pub fn latencies(&self) -> Latencies {
        let mut all = Latencies::new();
        self.shards.iter().for_each(|shard| all.add(&lock(shard)));
        all
    }

    /// Answers so far.
    pub fn answers(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_was_due_in_the_span_has_a_latency() {
        let from = Instant::now();
        let tally = Tally::new(from, from + Duration::from_secs(1));
        tally.answered(1, from, from);
        tally.answered(2, from + Duration::from_secs(1), from);
        tally.fault("first");
        tally.fault("second");
        assert_eq!((tally.answers(), tally.latencies().due.len()), (2, 1));
        assert_eq!(tally.faults(), (2, Some("first".to_owned())));
    }
}
