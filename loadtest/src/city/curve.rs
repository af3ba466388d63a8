//! When people come and go: the share of all players that is in the city, over the time of a run.
//!
//! The same curve for every size and length: a share of players over a share of the time. The n-th of N players is there
//! while the curve is at least at n/N, so who comes first also leaves last, and members of a team come together.

/// How the city fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    /// Everybody from the beginning, let in over the warm-up
    Steady,
    /// More and more, everybody at 80 % of the time
    Ramp,
    /// Five equal steps
    Step5,
    /// A third of them; in the middle of the run all others at once, and after a fifth of the time they are gone
    Storm,
    /// A tenth at first, everybody after 60 % of the time, a fifth at the end
    Evening,
    /// Everybody within one second
    AllAtOnce,
}

impl Curve {
    /// The share of players that is there at a share of the time.
    pub fn share(self, at: f64) -> f64 {
        let line = |from: (f64, f64), to: (f64, f64)| {
            let part = ((at - from.0) / (to.0 - from.0)).clamp(0.0, 1.0);
            from.1 + (to.1 - from.1) * part
        };
        match self {
            Self::Steady | Self::AllAtOnce => 1.0,
            Self::Ramp => line((0.0, 0.02), (0.8, 1.0)),
            Self::Step5 => ((at * 5.0).floor() + 1.0).clamp(1.0, 5.0) / 5.0,
            Self::Storm if (0.5..0.7).contains(&at) => 1.0,
            Self::Storm => 1.0 / 3.0,
            Self::Evening if at < 0.6 => line((0.0, 0.1), (0.6, 1.0)),
            Self::Evening => line((0.7, 1.0), (1.0, 0.2)),
        }
    }

    /// Whether the player at this place among all (0 to 1) is there.
    pub fn has(self, place: f64, at: f64) -> bool {
        place < self.share(at)
    }

    /// Whether those who are there from the beginning are let in one after the other.
    pub fn is_gentle(self) -> bool {
        self != Self::AllAtOnce
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_curve_is_full_at_some_time_and_never_empty() {
        for curve in Curve::value_variants() {
            let shares: Vec<f64> = (0..=100_u32).map(|percent| curve.share(f64::from(percent) / 100.0)).collect();
            assert!(shares.iter().all(|share| (0.02..=1.0).contains(share)), "{curve:?} {shares:?}");
            assert!(shares.contains(&1.0), "{curve:?}");
        }
    }

    #[test]
    fn a_storm_comes_at_once_and_goes() {
        let there = |at| (0..90_u32).filter(|player| Curve::Storm.has(f64::from(*player) / 90.0, at)).count();
        assert_eq!([there(0.49), there(0.5), there(0.7)], [30, 90, 30]);
        assert_eq!((Curve::Step5.share(0.0), Curve::Step5.share(0.21), Curve::Step5.share(1.0)), (0.2, 0.4, 1.0));
    }
}
