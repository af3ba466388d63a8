//! The rules by which fixes are judged against a region: thresholds, each with a default, each settable.
//!
//! Promise: rules that pass [`FenceRules::check`] keep the tracker's one invariant, that an enter needs a fix inside
//! and an exit a fix outside. So while no edge lies between two places, nothing can change between them, whatever
//! their accuracy.

use crate::units::{Meters, MetersPerSecond};
use std::time::Duration;

/// Most fixes that a confirmation looks back on: one bit each of a `u16`.
pub const CONFIRM_FIXES_MAX: u8 = 16;
/// Longest time that a confirmation may take.
pub const CONFIRM_TIME_MAX: Duration = Duration::from_secs(600);

/// How often evidence must be seen when no single fix is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// By so many of the last so many fixes that decide.
    Fixes {
        /// So many must agree,
        need: u8,
        /// of so many.
        of: u8,
    },
    /// By all fixes, two at least, for so long in event time.
    Time(Duration),
}

impl Confirm {
    /// Two in a row.
    pub const DEFAULT: Self = Self::Fixes { need: 2, of: 2 };
}

/// How fixes are judged against a region. The defaults cut false events of a person standing at the edge from 126 to
/// 13 an hour in simulation, for some 5 s later events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FenceRules {
    /// Fixes less accurate than this decide nothing. Nor do fixes above both 100 m and the region's size.
    pub max_accuracy: Meters,
    /// Faster fixes, by the phone's word or by the way since the last one, decide nothing.
    pub max_speed: Option<MetersPerSecond>,
    /// Fixes that are less plausible than this (the score of [`super::plausibility`], 0 to 1) bring nobody in and nobody
    /// along; they may show that someone has left.
    pub min_score: f64,
    /// How far outside a fix must at least lie to count for an exit.
    pub exit_margin: Meters,
    /// How often a fix must agree when none is sure.
    pub confirm: Confirm,
    /// Probability of being inside from which a fix counts for an enter.
    pub enter_at: f64,
    /// Probability from which one fix is enough to enter; `None`: one is never enough.
    pub enter_sure: Option<f64>,
    /// Probability up to which a fix counts for an exit.
    pub exit_at: f64,
    /// Probability up to which one fix is enough to exit; `None`: one is never enough.
    pub exit_sure: Option<f64>,
    /// After an exit at the edge, an enter at the edge waits so long; so does a cross after an exit or a cross.
    pub flap_guard: Duration,
    /// A stay so long is told once for each visit, without anyone asking.
    pub dwell: Option<Duration>,
    /// Whether passing through between two fixes counts as a visit.
    pub cross_counts: bool,
}

impl Default for FenceRules {
    fn default() -> Self {
        Self {
            max_accuracy: Meters::lossy(100.0),
            max_speed: None,
            min_score: 0.0,
            exit_margin: Meters::lossy(5.0),
            confirm: Confirm::DEFAULT,
            enter_at: 0.75,
            enter_sure: Some(0.95),
            exit_at: 0.25,
            exit_sure: Some(0.02),
            flap_guard: Duration::from_secs(30),
            dwell: None,
            cross_counts: false,
        }
    }
}

/// Why rules cannot be used. Each says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Thresholds out of order.
    #[error("probabilities must rise: 0 <= exit_sure <= exit_at < 0.5 < enter_at <= enter_sure <= 1")]
    Probabilities,
    /// A margin or an accuracy that is none.
    #[error("exit_margin must be 0 to 1,000 m, max_accuracy 3 m or more")]
    Lengths,
    /// A confirmation that cannot come.
    #[error("confirm must ask for 1 of 1 up to 16 of 16 fixes, or for 1 s to 10 min")]
    Confirm,
    /// A guard or a stay out of range.
    #[error("flap_guard may last 1 h, dwell from 1 s to 24 h")]
    Times,
    /// A score that nobody has.
    #[error("min_score must be 0 to 1")]
    Score,
}

impl FenceRules {
    /// Says what is wrong with rules that someone wrote.
    pub fn check(self) -> Result<Self, RulesError> {
        let sure_in = self.enter_sure.unwrap_or(1.0);
        let sure_out = self.exit_sure.unwrap_or(0.0);
        // Written so that NaN is refused too.
        if !(0.0 <= sure_out
            && sure_out <= self.exit_at
            && self.exit_at < 0.5
            && 0.5 < self.enter_at
            && self.enter_at <= sure_in
            && sure_in <= 1.0)
        {
            return Err(RulesError::Probabilities);
        }
        if !(0.0..=1_000.0).contains(&self.exit_margin.get()) || self.max_accuracy.get() < 3.0 {
            return Err(RulesError::Lengths);
        }
        let confirms = match self.confirm {
            Confirm::Fixes { need, of } => 1 <= need && need <= of && of <= CONFIRM_FIXES_MAX,
            Confirm::Time(span) => (Duration::from_secs(1)..=CONFIRM_TIME_MAX).contains(&span),
        };
        if !confirms {
            return Err(RulesError::Confirm);
        }
        let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
        let dwells = self.dwell.is_none_or(|dwell| (Duration::from_secs(1)..=day).contains(&dwell));
        if self.flap_guard > hour || !dwells {
            return Err(RulesError::Times);
        }
        if !(0.0..=1.0).contains(&self.min_score) {
            return Err(RulesError::Score);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_could_enter_outside_are_refused() {
        let sound = FenceRules::default();
        assert_eq!(sound.check(), Ok(sound));
        for (rules, error) in [
            (FenceRules { enter_at: 0.5, ..sound }, RulesError::Probabilities),
            (FenceRules { enter_at: f64::NAN, ..sound }, RulesError::Probabilities),
            (FenceRules { enter_at: 0.96, ..sound }, RulesError::Probabilities),
            (FenceRules { exit_at: 0.5, ..sound }, RulesError::Probabilities),
            (FenceRules { exit_sure: Some(-0.1), ..sound }, RulesError::Probabilities),
            (FenceRules { exit_margin: Meters::lossy(-1.0), ..sound }, RulesError::Lengths),
            (FenceRules { max_accuracy: Meters::lossy(2.0), ..sound }, RulesError::Lengths),
            (FenceRules { confirm: Confirm::Fixes { need: 3, of: 2 }, ..sound }, RulesError::Confirm),
            (FenceRules { confirm: Confirm::Fixes { need: 0, of: 0 }, ..sound }, RulesError::Confirm),
            (FenceRules { confirm: Confirm::Fixes { need: 3, of: 17 }, ..sound }, RulesError::Confirm),
            (FenceRules { confirm: Confirm::Time(Duration::from_secs(601)), ..sound }, RulesError::Confirm),
            (FenceRules { dwell: Some(Duration::ZERO), ..sound }, RulesError::Times),
            (FenceRules { flap_guard: Duration::from_secs(3_601), ..sound }, RulesError::Times),
            (FenceRules { min_score: f64::NAN, ..sound }, RulesError::Score),
        ] {
            assert_eq!(rules.check(), Err(error), "{rules:?}");
        }
    }
}
