//! One fix against one region, and what becomes of it with memory: the rules of entering and leaving.
//!
//! With s the signed distance to the edge in metres (inside positive) and a the accuracy (68 % radius), the
//! probability of being inside is p = Phi(1.515 s / a): the error of each axis is a / 1.515 where the 68 % radius is
//! a (Rayleigh), and the edge is taken as straight. Enter and exit need a margin or repetition, so that a person who
//! stands at the edge is not thrown in and out.
//! Promise: every transition carries the evidence it was decided on, and no coordinates.

use super::position::Fix;
use super::region::{FenceRules, Region};
use crate::ids::RegionId;
use crate::units::{Meters, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Accuracies in one standard deviation of one axis, for a 68 % radius: sqrt(-2 ln 0.32) = 1.51.
pub(super) const SIGMAS: f64 = 1.515;
/// Accuracies that a fix must at least lie outside to count for an exit: p = 0.25.
const EXIT_ACCURACIES: f64 = 0.445;
/// After an exit at the edge, an enter at the edge waits so long; so does a cross after an exit or a cross.
pub const FLAP_GUARD: Duration = Duration::from_secs(30);

/// Something that happened between a player and a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Transition {
    /// Where.
    pub region: RegionId,
    /// What.
    pub kind: TransitionKind,
    /// On what evidence.
    pub why: Why,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// The player is inside now.
    Enter {
        /// How we came to know.
        cause: EnterCause,
    },
    /// The player is outside now.
    Exit {
        /// How we came to know.
        cause: ExitCause,
    },
    /// The player has stayed as long as was asked for; once for each time it is armed.
    Dwell {
        /// Event time of the enter.
        since: Timestamp,
    },
    /// Between two fixes outside, the way led through.
    Cross,
    /// Another quarter of a corridor is done.
    Along {
        /// All quarters done so far: bit 0 is the start of the line, 15 is all of it.
        quarters: u8,
    },
}

/// How an enter came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnterCause {
    /// Fixes outside, then inside.
    Fixes,
    /// The player was inside when we first looked.
    AlreadyInside,
}

/// How an exit came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitCause {
    /// Fixes outside.
    Fixes,
    /// No fix for 24 hours.
    Expired,
}

/// Which rule decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// One fix left no doubt.
    Sure,
    /// Fixes in a row agreed: two, or as many as the region's `confirm` says.
    Twice,
    /// As `Twice`, and the player was inside from the first.
    AlreadyInside,
    /// 24 hours without a fix.
    Expired,
    /// The stay was long enough.
    Dwell,
    /// The way between two fixes touched the region.
    Cross,
    /// All checkpoints of a quarter were passed.
    Along,
}

impl Rule {
    /// Its stable name: the same as on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sure => "sure",
            Self::Twice => "twice",
            Self::AlreadyInside => "already_inside",
            Self::Expired => "expired",
            Self::Dwell => "dwell",
            Self::Cross => "cross",
            Self::Along => "along",
        }
    }
}

/// The evidence of a decision: what a player may be told and the journal keeps. No coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Why {
    /// Metres to the region's edge, inside positive.
    pub distance: Meters,
    /// Accuracy of the fix in metres, as calculated with (3 m at best).
    pub accuracy: Meters,
    /// Probability of being inside.
    pub probability: f64,
    /// What decided.
    pub rule: Rule,
    /// Device time of the fix.
    pub fix_time: Timestamp,
}

/// An accepted fix and its speed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) fix: Fix,
    /// Metres per second: the greater of what the phone says and what the way since the last fix implies.
    pub(super) speed: f64,
}

impl Sample {
    /// Whether this fix may decide anything for the region: accurate and slow enough.
    pub(super) fn decides(&self, region: &Region) -> bool {
        self.fix.believed_accuracy() <= region.accuracy_limit()
            && region.rules.max_speed.is_none_or(|max| self.speed <= max.get())
    }
}

/// What one fix says of one region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    pub(super) distance: f64,
    accuracy: f64,
    probability: f64,
    time: Timestamp,
}

impl Evidence {
    /// Measures.
    pub(super) fn of(region: &Region, fix: &Fix) -> Self {
        let distance = region.shape.signed_distance(fix.position()).get();
        let accuracy = fix.believed_accuracy().get();
        Self { distance, accuracy, probability: normal_cdf(SIGMAS * distance / accuracy), time: fix.time() }
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
        }
    }

    /// Which way it points.
    pub(super) fn lean(&self, rules: &FenceRules) -> Lean {
        let margin = rules.exit_margin.get().max(EXIT_ACCURACIES * self.accuracy);
        let clear = self.distance <= -margin;
        if self.probability >= rules.enter_sure {
            Lean::SurelyInside
        } else if self.probability >= rules.enter_at {
            Lean::Inside
        } else if clear && self.probability <= rules.exit_sure {
            Lean::SurelyOutside
        } else if clear && self.probability <= rules.exit_at {
            Lean::Outside
        } else {
            Lean::Unclear
        }
    }

    /// Whether the edge is so near that the next fix may well say the opposite.
    fn at_edge(&self, rules: &FenceRules) -> bool {
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

    fn is_outside(self) -> bool {
        match self {
            Self::SurelyOutside | Self::Outside => true,
            Self::Unclear | Self::Inside | Self::SurelyInside => false,
        }
    }
}

/// Where a player stands with a region, and how many fixes in a row spoke against it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Presence {
    Outside { streak: u8, first_sight: bool },
    Inside { since: Timestamp, streak: u8 },
}

/// The end of the last visit, for the guard against flapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) at: Timestamp,
    pub(super) at_edge: bool,
}

impl Left {
    /// Whether the guard still stands at that event time.
    pub(super) fn guards(&self, time: Timestamp) -> bool {
        time.since(self.at) < FLAP_GUARD
    }
}

/// Moves a presence by one fix that decides; says what happened. `first_sight` is asked only when a streak begins.
pub(super) fn step(
    presence: &mut Presence,
    left: &mut Option<Left>,
    evidence: &Evidence,
    rules: &FenceRules,
    first_sight: impl FnOnce() -> bool,
) -> Option<(TransitionKind, Rule)> {
    let lean = evidence.lean(rules);
    let confirm = rules.confirm.max(1);
    match presence {
        Presence::Outside { streak, first_sight: first } => {
            if !lean.is_inside() {
                *streak = 0;
                return None;
            }
            if *streak == 0 {
                *first = first_sight();
            }
            *streak = streak.saturating_add(1);
            // At first sight nothing tells a wild first fix from a true one, so being sure is not enough.
            let sure = lean == Lean::SurelyInside && !*first;
            let guarded =
                left.is_some_and(|left| left.at_edge && left.guards(evidence.time) && evidence.at_edge(rules));
            if guarded || !(sure || *streak >= confirm) {
                return None;
            }
            let (cause, rule) = match (*first, sure) {
                (true, _) => (EnterCause::AlreadyInside, Rule::AlreadyInside),
                (false, true) => (EnterCause::Fixes, Rule::Sure),
                (false, false) => (EnterCause::Fixes, Rule::Twice),
            };
            *presence = Presence::Inside { since: evidence.time, streak: 0 };
            Some((TransitionKind::Enter { cause }, rule))
        }
        Presence::Inside { streak, .. } => {
            if !lean.is_outside() {
                *streak = 0;
                return None;
            }
            *streak = streak.saturating_add(1);
            let sure = lean == Lean::SurelyOutside;
            if !sure && *streak < confirm {
                return None;
            }
            *presence = Presence::Outside { streak: 0, first_sight: false };
            *left = Some(Left { at: evidence.time, at_edge: evidence.at_edge(rules) });
            Some((TransitionKind::Exit { cause: ExitCause::Fixes }, if sure { Rule::Sure } else { Rule::Twice }))
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
    }
}
