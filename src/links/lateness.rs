//! How late a message is, when the clocks of the two machines have nothing to do with each other.
//!
//! Each message bears the sender's time since the stream began. The smallest difference to the receiver's own time is
//! that of the fastest message so far; what a later one needs beyond that is its lateness. A message that lay in a
//! socket while the receiver was frozen is seen to be late as soon as it is read.
//! Two clocks drift apart, by 500 ppm each at most (what NTP may slew), so the smallest difference is let grow by
//! 1 ms a second. Senders speak at least once a second, so this hides no delay: ten frozen seconds hide 10 ms.

use std::time::Duration;
use tokio::time::Instant;

/// What drift adds to the smallest difference: 1 ms a second.
const DRIFT: i128 = 1_000;

/// Of one stream.
#[derive(Debug)]
pub(super) struct Lateness {
    began: Instant,
    /// The smallest difference in microseconds, and when it held.
    base: Option<(i128, Instant)>,
}

impl Lateness {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, base: None }
    }

    /// How late a message of `sent_ms` is that is read now.
    pub(super) fn of(&mut self, sent_ms: u64, now: Instant) -> Duration {
        let difference = micros(now - self.began) - i128::from(sent_ms) * 1_000;
        let base = match self.base {
            Some((base, at)) => difference.min(base + micros(now - at) / DRIFT),
            None => difference,
        };
        self.base = Some((base, now));
        Duration::from_micros(u64::try_from(difference - base).unwrap_or(0))
    }
}

fn micros(span: Duration) -> i128 {
    i128::try_from(span.as_micros()).unwrap_or(i128::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn is_counted_from_the_fastest_message() {
        let began = Instant::now();
        let mut lateness = Lateness::new(began);
        assert_eq!(lateness.of(0, began + ms(300)), ms(0), "the first is the measure");
        assert_eq!(lateness.of(1_000, began + ms(1_010)), ms(0), "a faster one is the new measure");
        let late = lateness.of(2_000, began + ms(12_010));
        assert!(late > ms(9_980) && late <= ms(10_000), "{late:?}");
    }

    #[test]
    fn drift_of_clocks_is_not_lateness() {
        let began = Instant::now();
        let mut lateness = Lateness::new(began);
        for second in 0..200_000_u64 {
            // The receiver's clock is 400 ppm fast.
            let now = began + ms(second * 1_000) + Duration::from_micros(second * 400);
            assert!(lateness.of(second * 1_000, now) < ms(2), "at {second}");
        }
    }
}
