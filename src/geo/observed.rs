//! What a tracker answers to a fix.

use super::decision::{Account, Transition};
use super::plausibility::{Difference, Reason};

/// What became of a fix, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What became of it.
    pub fate: Fate,
    /// What it set off; nearly always nothing.
    pub transitions: Vec<Transition>,
    /// How the rule set on trial, if any, would have judged otherwise.
    pub shadow: Option<Difference>,
}

/// What became of a fix.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It counted.
    Accepted {
        /// 0 to 1; 1 when nothing is to be said against it.
        score: f64,
        /// What lowered the score.
        flags: Vec<Reason>,
    },
    /// It was taken before; answer as then.
    Repeated,
    /// Older than one that was taken, or than 10 minutes: history.
    Late,
    /// It waits for a second one that agrees.
    Held(Reason),
    /// It decides nothing.
    Refused(Reason),
}

impl Fate {
    /// For accounts of whole tracks.
    pub fn account(&self) -> Account {
        let plain = |fate, reason| Account { fate, reason, score: None, flags: Vec::new() };
        match self {
            Self::Accepted { score, flags } => {
                Account { fate: "accepted", reason: None, score: Some(*score), flags: flags.clone() }
            }
            Self::Repeated => plain("repeated", None),
            Self::Late => plain("late", None),
            Self::Held(reason) => plain("held", Some(*reason)),
            Self::Refused(reason) => plain("refused", Some(*reason)),
        }
    }
}
