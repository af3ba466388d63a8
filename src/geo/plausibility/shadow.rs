//! A rule set on trial: it sees every fix that the deciding one sees, and only its differences are counted.
//!
//! Promise: a shadow never changes what is decided.

use super::rule_set::RuleSet;
use super::{Gate, Verdict};
use crate::geo::position::Fix;
use crate::units::Timestamp;

/// How the set on trial would have judged a fix otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It would have held or refused what was accepted.
    Stricter,
    /// It would have accepted what was held or refused.
    Laxer,
    /// Both accept, with another score.
    Score,
    /// Both do not accept, for another reason.
    Reason,
}

impl Difference {
    /// Every kind, for counters.
    pub const ALL: [Self; 4] = [Self::Stricter, Self::Laxer, Self::Score, Self::Reason];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stricter => "stricter",
            Self::Laxer => "laxer",
            Self::Score => "score",
            Self::Reason => "reason",
        }
    }

    fn between(decided: &Verdict, trial: &Verdict) -> Option<Self> {
        match (decided, trial) {
            (Verdict::Accept { score: a, .. }, Verdict::Accept { score: b, .. }) => (a != b).then_some(Self::Score),
            (Verdict::Accept { .. }, _) => Some(Self::Stricter),
            (_, Verdict::Accept { .. }) => Some(Self::Laxer),
            (a, b) => (a != b).then_some(Self::Reason),
        }
    }
}

/// The gate of the set on trial.
#[derive(Debug, Clone)]
pub struct Shadow(Gate);

impl Shadow {
    /// A shadow that judges by these rules.
    pub fn new(rules: &'static RuleSet) -> Self {
        Self(Gate::new(rules))
    }

    /// Judges a fix as well; says how it differs from what was decided.
    pub fn judge(&mut self, fix: &Fix, now: Timestamp, decided: &Verdict) -> Option<Difference> {
        Difference::between(decided, &self.0.judge(fix, now))
    }
}
