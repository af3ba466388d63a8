//! How someone gets about: at a stroll, in sprints, by tram. Speeds as people have them, as a function of time.
//!
//! A city of steady strollers never meets the limits of speed and never has a phone that stands still among moving
//! ones. Promise: pure, and without memory; the same share and the same time give the same speed.

use crate::units::MetersPerSecond;

/// A way to get about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gait {
    /// On foot, each at a pace of their own: 1.1 to 1.9 m/s.
    Stroll,
    /// On foot, and running for a quarter of each minute: 4 to 6 m/s, below what a quest for runners allows.
    Sprint,
    /// A minute between two stops at 7 to 12 m/s, half a minute at the stop. Over most quests' limit while it moves.
    Tram,
}

/// Seconds of a sprinter's round, and of the sprint in it.
const ROUND: (f64, f64) = (60.0, 15.0);
/// Seconds from stop to stop, and of the ride in them.
const STOPS: (f64, f64) = (90.0, 60.0);

impl Gait {
    /// The speed at a time. `share`, from 0 to 1, tells one traveller from the next: their pace and where in a round
    /// they are.
    pub fn speed_at(self, share: f64, seconds: f64) -> MetersPerSecond {
        let between = |slow: f64, fast: f64| slow + (fast - slow) * share;
        let in_first_part = |(round, part): (f64, f64)| (seconds + share * round).rem_euclid(round) < part;
        let speed = match self {
            Self::Sprint if in_first_part(ROUND) => between(4.0, 6.0),
            Self::Stroll | Self::Sprint => between(1.1, 1.9),
            Self::Tram if in_first_part(STOPS) => between(7.0, 12.0),
            Self::Tram => 0.0,
        };
        MetersPerSecond::lossy(speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Metres gone in ten minutes, and the highest speed.
    fn ridden(gait: Gait, share: f64) -> (f64, f64) {
        let speeds = (0..600).map(|second| gait.speed_at(share, f64::from(second)).get());
        speeds.fold((0.0, 0.0), |(way, most): (f64, f64), speed| (way + speed, most.max(speed)))
    }

    #[test]
    fn sprinters_run_a_quarter_of_the_time_and_trams_stop() {
        assert_eq!(ridden(Gait::Stroll, 0.0), (ridden(Gait::Stroll, 0.0).0, 1.1));
        let (way, most) = ridden(Gait::Sprint, 1.0);
        assert!((way - (150.0 * 6.0 + 450.0 * 1.9)).abs() < 1.0 && most == 6.0, "{way} {most}");
        let (way, most) = ridden(Gait::Tram, 0.0);
        assert!((way - 7.0 * 420.0).abs() < 1.0 && most == 7.0, "{way} {most}");
        assert_eq!(Gait::Tram.speed_at(0.0, 75.0).get(), 0.0);
    }
}
