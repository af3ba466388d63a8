//! Is the player really there? Each fix passes this gate before it may move anything.
//!
//! Rules are deterministic and numbered as a set ([`RuleSet`]): evidence in the journal names the version. A fix is
//! accepted with a score, held until a second one agrees, or refused. Flags only lower the score, which a reward may
//! ask for; nobody is thrown out. A patient spoofer at walking speed on a clean phone is not detected, and we say so.
//! Not judged here: a device clock that is behind (it cannot be told from a queue of old fixes) and a replayed track.

use super::position::Fix;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod cadence;
mod rule_set;
mod shadow;

use cadence::Cadence;
pub use rule_set::{Dim, RuleSet};
pub use shadow::{Difference, Shadow};

/// How far a fix may be ahead of the server.
pub const FUTURE_MAX: Duration = Duration::from_secs(30);
/// Older fixes are history and decide nothing.
pub const AGE_MAX: Duration = Duration::from_secs(600);

/// Why a fix was held, refused or flagged. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Refused: more than 30 s ahead of the server.
    Future,
    /// Refused: older than 10 minutes, or behind one that was taken.
    Late,
    /// Refused: taken before.
    Repeated,
    /// Refused: a newer number with a time that did not rise.
    NotRising,
    /// Held: no vehicle moves like that. Flag: so it did, and a second fix agreed.
    Teleport,
    /// Held: neither the claimed accuracy nor a plausible speed explains the step. Flag: a second fix agreed.
    Jump,
    /// Flag: a teleport not long ago.
    CoolDown,
    /// Flag: faster than 70 m/s.
    TooFast,
    /// Flag: the phone says that the position is made up.
    Mock,
    /// Flag: equal steps at equal times for a minute.
    TooPerfect,
    /// Flag: an accuracy below 1 m was claimed.
    TooExact,
    /// Flag: an accuracy was claimed that places nobody.
    TooCoarse,
}

impl Reason {
    /// The code, as in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Future => "future",
            Self::Late => "late",
            Self::Repeated => "repeated",
            Self::NotRising => "not_rising",
            Self::Teleport => "teleport",
            Self::Jump => "jump",
            Self::CoolDown => "cool_down",
            Self::TooFast => "too_fast",
            Self::Mock => "mock",
            Self::TooPerfect => "too_perfect",
            Self::TooExact => "too_exact",
            Self::TooCoarse => "too_coarse",
        }
    }

    /// What is left of the score under this flag; flags multiply.
    fn weight(self) -> f64 {
        match self {
            Self::Future | Self::Late | Self::Repeated | Self::NotRising => 0.0,
            Self::Mock => 0.1,
            Self::TooPerfect => 0.3,
            Self::Teleport | Self::TooFast | Self::CoolDown => 0.5,
            Self::Jump | Self::TooExact | Self::TooCoarse => 0.8,
        }
    }
}

/// What the gate says of a fix.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It counts. The score is 1 when nothing is to be said against it.
    Accept {
        /// 0 to 1.
        score: f64,
        /// What lowered it.
        flags: Vec<Reason>,
    },
    /// It waits for a second one that agrees.
    Hold(Reason),
    /// It decides nothing.
    Refuse(Reason),
}

/// The gate of one player: the last accepted fix, one held, and what too perfect needs.
#[derive(Debug, Clone)]
pub struct Gate {
    rules: &'static RuleSet,
    /// Number and time of the newest fix accepted or held; orders the next.
    head: Option<(Option<u64>, Timestamp)>,
    last: Option<Fix>,
    held: Option<Fix>,
    /// How many were held since one was accepted.
    contradictions: u32,
    /// Metres per second between the last two accepted fixes, at least.
    pace: f64,
    cool_until: Option<Timestamp>,
    cadence: Cadence,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(RuleSet::CURRENT)
    }
}

impl Gate {
    /// The gate before the first fix.
    pub fn new(rules: &'static RuleSet) -> Self {
        let (cool_until, cadence) = (None, Cadence::default());
        Self { rules, head: None, last: None, held: None, contradictions: 0, pace: 0.0, cool_until, cadence }
    }

    /// The rules that it judges by.
    pub fn rules(&self) -> &'static RuleSet {
        self.rules
    }

    /// Metres per second between the last two accepted fixes, at least: the way less both accuracies.
    pub(super) fn pace(&self) -> f64 {
        self.pace
    }

    /// Judges the next fix against those before it and the server's time.
    pub fn judge(&mut self, fix: &Fix, now: Timestamp) -> Verdict {
        if fix.time() > now + FUTURE_MAX {
            return Verdict::Refuse(Reason::Future);
        }
        if now.since(fix.time()) > AGE_MAX {
            return Verdict::Refuse(Reason::Late);
        }
        if let Some(reason) = self.out_of_order(fix) {
            return Verdict::Refuse(reason);
        }
        self.head = Some((fix.seq(), fix.time()));
        let perfect = self.cadence.sees(fix, self.rules);
        let mut flags = Vec::new();
        if let Some(last) = self.last
            && let Some(reason) = self.step(&last, fix, &mut flags)
        {
            self.held = Some(*fix);
            self.contradictions = self.contradictions.saturating_add(1);
            return Verdict::Hold(reason);
        }
        let contradictions = std::mem::take(&mut self.contradictions);
        if self.rules.contradictions.is_some_and(|most| contradictions >= most) && !flags.contains(&Reason::Jump) {
            flags.push(Reason::Jump);
        }
        self.last = Some(*fix);
        self.held = None;
        let others = [
            (Reason::CoolDown, self.cool_until.is_some_and(|until| fix.time() < until)),
            (Reason::Mock, fix.mock()),
            (Reason::TooPerfect, perfect),
            (Reason::TooExact, fix.accuracy() < self.rules.too_exact),
            (Reason::TooCoarse, self.rules.too_coarse.is_some_and(|most| fix.accuracy() > most)),
        ];
        flags.extend(others.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason));
        let score = flags.iter().map(|reason| reason.weight()).product();
        Verdict::Accept { score, flags }
    }

    /// Orders by number where both have one, else by time.
    fn out_of_order(&self, fix: &Fix) -> Option<Reason> {
        let (seq, time) = self.head?;
        let rises = fix.time() > time;
        match (fix.seq(), seq) {
            (Some(new), Some(old)) if new == old => Some(Reason::Repeated),
            (Some(new), Some(old)) if new < old => Some(Reason::Late),
            (Some(_), Some(_)) => (!rises).then_some(Reason::NotRising),
            (Some(_) | None, _) if fix.time() == time => Some(Reason::Repeated),
            (Some(_) | None, _) => (!rises).then_some(Reason::Late),
        }
    }

    /// Judges the step from the last fix: why to hold the new one, if so; else notes pace and flags.
    fn step(&mut self, last: &Fix, fix: &Fix, flags: &mut Vec<Reason>) -> Option<Reason> {
        let (speed, explained) = self.way(last, fix);
        let (teleport, fast) = (self.rules.teleport.get(), self.rules.fast.get());
        if speed <= teleport && explained {
            self.pace = speed;
            flags.extend((speed > fast).then_some(Reason::TooFast));
            return None;
        }
        let teleported = speed > teleport;
        let agreed = self.held.map(|held| self.way(&held, fix));
        match agreed.filter(|(speed, explained)| *speed <= teleport && *explained) {
            Some((pace, _)) => {
                self.pace = pace;
                flags.push(Reason::Jump);
                if teleported {
                    flags.push(Reason::Teleport);
                    self.cool_until = Some(fix.time() + self.rules.cool_down);
                }
                None
            }
            None => Some(if teleported { Reason::Teleport } else { Reason::Jump }),
        }
    }

    /// The speed that a way implies, and whether it is explained: whether twice the joint accuracy (98 % of honest
    /// steps), the speed known (the phone's word or the last pace, up to `fast`) and what could be gained meanwhile
    /// cover it: d <= 2 hypot(a1, a2) + v dt + acceleration dt^2 / 2.
    fn way(&self, from: &Fix, to: &Fix) -> (f64, bool) {
        let distance = from.position().distance(to.position()).get();
        let seconds = to.time().since(from.time()).as_secs_f64();
        let said = |fix: &Fix| fix.speed().map_or(0.0, |speed| speed.get());
        let speed = self.pace.max(said(from)).max(said(to)).min(self.rules.fast.get());
        let blur = 2.0 * from.believed_accuracy().get().hypot(to.believed_accuracy().get());
        let reach = blur + speed * seconds + 0.5 * self.rules.acceleration * seconds * seconds;
        (implied(distance, from, to), distance <= reach)
    }
}

/// The least speed in m/s that leads from one fix to a later one: max(0, d - a1 - a2) / dt.
pub(super) fn implied_speed(from: &Fix, to: &Fix) -> f64 {
    implied(from.position().distance(to.position()).get(), from, to)
}

fn implied(distance: f64, from: &Fix, to: &Fix) -> f64 {
    let surplus = distance - from.believed_accuracy().get() - to.believed_accuracy().get();
    if surplus <= 0.0 {
        return 0.0;
    }
    // Accepted fixes rise in time by a millisecond at least, so this does not divide by zero.
    surplus / to.time().since(from.time()).as_secs_f64().max(0.001)
}

#[cfg(test)]
mod tests;
