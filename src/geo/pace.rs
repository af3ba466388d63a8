//! How fast a player goes, for places that have a `max_speed`: from fix to fix, over a few seconds, and just before.
//!
//! A single step says too little: fixes that follow each other quickly differ by less than their accuracies, and who turns
//! round between two fixes seems to stand. So the way over the last seconds counts too, and who was fast is not slow in the
//! same moment.

use super::plausibility::implied_speed;
use super::position::Fix;
use crate::units::Timestamp;
use std::time::Duration;

/// A way is measured over so long at least, besides from fix to fix: 5 Hz on a bus are 2 m a fix and 30 m in this time.
const OVER: Duration = Duration::from_secs(3);
/// A way over more than this says nothing about now.
const OVER_MAX: Duration = Duration::from_secs(10);

/// What is known of a player's speed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// A fix that is [`OVER`] old or older, and the one that takes its place next.
    past: Option<Fix>,
    coming: Option<Fix>,
    /// The fastest step lately, in m/s, and its event time.
    fastest: Option<(f64, Timestamp)>,
}

impl Pace {
    /// Takes in an accepted fix, when the one before was, and the speed that its own step says, m/s; gives the greatest
    /// speed that is known of now and of the last `lately` before the last fix. After a jump nothing from before it is a
    /// way.
    pub(super) fn see(&mut self, fix: &Fix, last: Timestamp, step: f64, jumped: bool, lately: Duration) -> f64 {
        if lately.is_zero() {
            return step;
        }
        if jumped {
            *self = Self::default();
        }
        match self.coming {
            None => self.coming = Some(*fix),
            Some(coming) if fix.time().since(coming.time()) >= OVER => {
                (self.past, self.coming) = (Some(coming), Some(*fix));
            }
            Some(_) => {}
        }
        let way = self.past.filter(|past| fix.time().since(past.time()) <= OVER_MAX);
        let way = way.map_or(0.0, |past| implied_speed(&past, fix));
        // The first step after it is never enough, however long it took: it may have led there and back.
        let held = |at: Timestamp| last.since(at) < lately && fix.time().since(at) <= OVER_MAX;
        let fastest = self.fastest.filter(|(speed, at)| *speed > step && held(*at));
        let (fastest, _) = *self.fastest.insert(fastest.unwrap_or((step, fix.time())));
        fastest.max(way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::position::Position;
    use crate::units::Meters;

    const LATELY: Duration = Duration::from_secs(3);

    /// The speeds that fixes at these metres along a line and these milliseconds are thought to have, 6 m accurate.
    fn seen(fixes: impl IntoIterator<Item = (f64, i64)>) -> Vec<f64> {
        let mut pace = Pace::default();
        let mut before: Option<Fix> = None;
        let see = |(meters, ms): (f64, i64)| {
            let at = Position::new(24.94 + meters / 55_508.0, 60.17).expect("on earth");
            let fix = Fix::new(at, Timestamp::from_millis(ms)).with_accuracy(Meters::lossy(6.0)).expect("positive");
            let before = before.replace(fix).unwrap_or(fix);
            pace.see(&fix, before.time(), implied_speed(&before, &fix), false, LATELY)
        };
        fixes.into_iter().map(see).collect()
    }

    #[test]
    fn who_turns_round_between_two_fixes_does_not_stand() {
        // 35 m a second to and fro: 0, 35, 70, and back again within the next second.
        let speeds = seen([(0.0, 0), (35.0, 1_000), (70.0, 2_000), (73.0, 3_000), (40.0, 4_000)]);
        assert!(speeds[1..].iter().all(|speed| *speed > 15.0), "{speeds:?}");
    }

    #[test]
    fn a_gap_in_which_somebody_went_there_and_back_is_no_rest() {
        let speeds = seen([(0.0, 0), (35.0, 1_000), (38.0, 5_500), (40.0, 6_500), (41.0, 7_500)]);
        assert!(speeds[2] > 15.0 && speeds[3..].iter().all(|speed| *speed < 8.0), "{speeds:?}");
    }

    #[test]
    fn a_bus_is_no_slower_for_a_phone_that_sends_often() {
        let speeds = seen((0..40_i32).map(|n| (f64::from(n) * 3.0, i64::from(n) * 200)));
        assert!(speeds[..15].iter().all(|speed| *speed == 0.0), "one step says nothing: {speeds:?}");
        assert!(speeds[16..].iter().all(|speed| *speed > 8.0), "{speeds:?}");
    }

    #[test]
    fn who_gets_off_is_slow_three_seconds_later() {
        let ride = (0..10_i32).map(|n| (f64::from(n) * 30.0, i64::from(n) * 1_000));
        let stay = (10..16).map(|n| (275.0, n * 1_000));
        let speeds = seen(ride.chain(stay));
        let slow = speeds.iter().rposition(|speed| *speed > 8.0).expect("it was fast");
        assert_eq!(slow, 12, "{speeds:?}");
    }

    #[test]
    fn a_gap_is_no_ride() {
        let speeds = seen([(0.0, 0), (900.0, 60_000), (901.0, 64_000), (902.0, 68_000)]);
        assert!(speeds[3..].iter().all(|speed| *speed < 1.0), "{speeds:?}");
    }
}
