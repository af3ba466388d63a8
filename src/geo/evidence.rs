//! What one fix says of one edge: the distance, the probability, and which way it points.
//!
//! With s the signed distance to the edge in metres (inside positive) and a the accuracy (68 % radius), the
//! probability of being inside is p = Phi(1.515 s / a): the error of each axis is a / 1.515 where the 68 % radius is
//! a (Rayleigh), and the edge is taken as straight. An exit needs a margin too.

use super::decision::{Rule, Why};
use super::position::Fix;
use super::region::Region;
use super::rules::FenceRules;
use crate::units::{Meters, Timestamp};

/// Accuracies in one standard deviation of one axis, for a 68 % radius: sqrt(-2 ln 0.32) = 1.51.
pub(super) const SIGMAS: f64 = 1.515;
/// Accuracies that a fix must at least lie outside to count for an exit: p = 0.25.
const EXIT_ACCURACIES: f64 = 0.445;

/// An accepted fix and its speed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) fix: Fix,
    /// Metres per second, the greatest of what the phone says and what the way to it implies, now and just before.
    pub(super) speed: f64,
    /// Whether it is too coarse beside the fixes before it.
    pub(super) dim: bool,
    /// How plausible it is, 0 to 1.
    pub(super) score: f64,
}

impl Sample {
    /// Whether this fix is slow enough to decide anything for the region.
    pub(super) fn slow_enough(&self, region: &Region) -> bool {
        region.rules.max_speed.is_none_or(|max| self.speed <= max.get())
    }

    /// Whether this fix is plausible enough to bring someone in.
    pub(super) fn is_trusted(&self, region: &Region) -> bool {
        self.score >= region.rules.min_score
    }

    /// Whether this fix may decide anything for the region: accurate and slow enough.
    pub(super) fn decides(&self, region: &Region) -> bool {
        !self.dim && self.fix.believed_accuracy() <= region.accuracy_limit() && self.slow_enough(region)
    }
}

/// What one fix says of one edge of a region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// Metres to the edge, inside positive.
    pub(super) distance: f64,
    pub(super) accuracy: f64,
    pub(super) probability: f64,
    pub(super) time: Timestamp,
}

impl Evidence {
    /// Measures a fix against the region's own edge.
    pub(super) fn of(region: &Region, fix: &Fix) -> Self {
        Self::at(region.shape.signed_distance(fix.position()).get(), fix)
    }

    /// Of a fix whose distance is known.
    fn at(distance: f64, fix: &Fix) -> Self {
        let accuracy = fix.believed_accuracy().get();
        Self { distance, accuracy, probability: normal_cdf(SIGMAS * distance / accuracy), time: fix.time() }
    }

    /// The same fix against an edge that lies so many metres farther out.
    pub(super) fn grown(&self, reach: Meters) -> Self {
        let distance = self.distance + reach.get();
        Self { distance, probability: normal_cdf(SIGMAS * distance / self.accuracy), ..*self }
    }

    /// For what was known before any fix was judged.
    pub(super) fn none(time: Timestamp) -> Self {
        Self { distance: 0.0, accuracy: 0.0, probability: 0.0, time }
    }

    /// As the reason of a transition.
    pub(super) fn why(&self, rule: Rule) -> Why {
        Why {
            distance: Meters::lossy(self.distance),
            accuracy: Meters::lossy(self.accuracy),
            probability: self.probability,
            rule,
            fix_time: self.time,
            fixes: 0,
            threshold: None,
            margin: None,
        }
    }

    /// Metres outside from which the fix counts for an exit.
    pub(super) fn margin(&self, rules: &FenceRules) -> f64 {
        rules.exit_margin.get().max(EXIT_ACCURACIES * self.accuracy)
    }

    /// Which way it points.
    pub(super) fn lean(&self, rules: &FenceRules) -> Lean {
        let clear = self.distance <= -self.margin(rules);
        if rules.enter_sure.is_some_and(|sure| self.probability >= sure) {
            Lean::SurelyInside
        } else if self.probability >= rules.enter_at {
            Lean::Inside
        } else if clear && rules.exit_sure.is_some_and(|sure| self.probability <= sure) {
            Lean::SurelyOutside
        } else if clear && self.probability <= rules.exit_at {
            Lean::Outside
        } else {
            Lean::Unclear
        }
    }

    /// Whether the edge is so near that the next fix may well say the opposite.
    pub(super) fn at_edge(&self, rules: &FenceRules) -> bool {
        self.distance.abs() <= 2.0 * self.accuracy.max(rules.exit_margin.get())
    }
}

/// Which way evidence points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lean {
    SurelyInside,
    Inside,
    Unclear,
    Outside,
    SurelyOutside,
}

impl Lean {
    /// Whether it counts for an enter.
    pub(super) fn is_inside(self) -> bool {
        match self {
            Self::SurelyInside | Self::Inside => true,
            Self::Unclear | Self::Outside | Self::SurelyOutside => false,
        }
    }

    /// Whether it counts for an exit.
    pub(super) fn is_outside(self) -> bool {
        match self {
            Self::SurelyOutside | Self::Outside => true,
            Self::Unclear | Self::Inside | Self::SurelyInside => false,
        }
    }
}

/// The normal distribution function, within 7.5e-8: Abramowitz and Stegun, Handbook of Mathematical Functions,
/// formula 7.1.26.
pub(super) fn normal_cdf(z: f64) -> f64 {
    let x = z.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let tail = 0.5 * series.iter().fold(0.0, |sum, c| (sum + c) * t) * (-x * x).exp();
    if z < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_cdf_matches_the_tables() {
        for (z, p) in
            [(0.0, 0.5), (0.6745, 0.75), (1.644_854, 0.95), (-2.053_749, 0.02), (3.0, 0.998_650_1), (-40.0, 0.0)]
        {
            assert!((normal_cdf(z) - p).abs() < 1e-5, "{z}: {}", normal_cdf(z));
        }
    }

    #[test]
    fn lean_follows_the_page() {
        let rules = FenceRules::default();
        let lean = |s: f64, a: f64| {
            let probability = normal_cdf(SIGMAS * s / a);
            Evidence { distance: s, accuracy: a, probability, time: Timestamp::from_millis(0) }.lean(&rules)
        };
        // a = 10 m: 4.45 m inside is 0.75, 10.86 m is 0.95; 13.6 m outside is 0.02.
        assert_eq!([lean(4.4, 10.0), lean(4.5, 10.0), lean(10.8, 10.0)], [Lean::Unclear, Lean::Inside, Lean::Inside]);
        assert_eq!([lean(10.9, 10.0), lean(-4.9, 10.0)], [Lean::SurelyInside, Lean::Unclear]);
        assert_eq!([lean(-5.1, 10.0), lean(-13.6, 10.0)], [Lean::Outside, Lean::SurelyOutside]);
        // The margin holds even where the accuracy would be sure.
        assert_eq!([lean(-4.9, 3.0), lean(-5.0, 3.0)], [Lean::Unclear, Lean::SurelyOutside]);
        // The invariant of rules.rs: whatever the accuracy, an enter needs a fix inside, an exit one outside.
        for a in [3.0, 10.0, 100.0] {
            assert!(!lean(-0.001, a).is_inside() && !lean(0.0, a).is_inside() && !lean(0.0, a).is_outside());
        }
    }
}
