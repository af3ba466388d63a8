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

/// How far a steered clock may be off: machines that keep time at all do so within milliseconds, and what counts in a
/// game is seconds.
pub const OFF_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
enum Source {
    System,
    /// The machine's, and by how many milliseconds it is put right.
    Steered(Arc<AtomicI64>),
    Manual(Arc<AtomicI64>),
    Timers(Timestamp, Instant),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The machine's clock, until [`Self::compare`] finds it wrong.
    pub fn steered() -> Self {
        Self(Source::Steered(Arc::default()))
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
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => machine(),
            Source::Steered(off) => later(machine(), off.load(Ordering::Relaxed)),
            Source::Manual(ms) => Timestamp::from_millis(ms.load(Ordering::SeqCst)),
            Source::Timers(start, since) => *start + since.elapsed(),
        }
    }

    /// Compares a steered clock with a better one, which told its time between two moments of this one. If this one is
    /// off for certain, by more than [`OFF_MAX`], it is put right; gives by how many milliseconds. Others stay.
    pub fn compare(&self, asked: Timestamp, told: Timestamp, heard: Timestamp) -> Option<i64> {
        let Source::Steered(off) = &self.0 else { return None };
        if told + OFF_MAX >= asked && told <= heard + OFF_MAX {
            return None;
        }
        let between = asked.as_millis() + (heard.as_millis() - asked.as_millis()) / 2;
        let wrong = told.as_millis().saturating_sub(between);
        off.fetch_add(wrong, Ordering::Relaxed);
        Some(wrong)
    }

    /// Moves a manual clock on; others stay as they are.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(ms) = &self.0 {
            ms.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// What the machine's clock shows.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
fn machine() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    later(Timestamp::from_millis(0) + since, faults::clock_off_ms())
}

fn later(time: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(time.as_millis().saturating_add(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steered_clock_is_put_right_when_it_is_off_for_certain() {
        let clock = Clock::steered();
        let hour = 3_600_000;
        let now = clock.now();
        // Within the time that the question took, and a second more, it may be right.
        assert_eq!(clock.compare(now, later(now, -1_000), later(now, 5_000)), None);
        assert_eq!(clock.compare(now, later(now, 6_000), later(now, 5_000)), None);
        assert_eq!(clock.compare(now, later(now, hour), later(now, 10)), Some(hour - 5));
        let right = clock.now().as_millis() - now.as_millis();
        assert!((hour - 5..hour + 60_000).contains(&right), "{right}");
        // The machine's clock is set, and what was added is too much.
        let now = clock.now();
        assert_eq!(clock.compare(now, later(now, -hour), now), Some(-hour));
        assert!(clock.clone().now() < now, "clones share it");
        assert_eq!(Clock::system().compare(now, later(now, hour), now), None);
    }
}
