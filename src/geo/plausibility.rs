//! Is the player really there? Each fix passes this gate before it may move anything.
//!
//! Rules are deterministic and numbered as a set: evidence in the journal names [`RULES_VERSION`]. A fix is accepted
//! with a score, held until a second one agrees, or refused. Flags only lower the score, which a reward may ask for;
//! nobody is thrown out. A patient spoofer at walking speed on a clean phone is not detected, and we say so.
//! Not judged here: a device clock that is behind (it cannot be told from a queue of old fixes) and a replayed track.

use super::position::Fix;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The rule set below; it grows by one whenever a decision could change.
pub const RULES_VERSION: u16 = 1;

/// How far a fix may be ahead of the server.
pub const FUTURE_MAX: Duration = Duration::from_secs(30);
/// Older fixes are history and decide nothing.
pub const AGE_MAX: Duration = Duration::from_secs(600);
/// Metres per second that only a plane or a fast train reaches; flagged.
pub const FAST: f64 = 70.0;
/// Metres per second that nothing on the ground reaches; held.
pub const TELEPORT: f64 = 300.0;
/// Metres per second squared that a vehicle can brake or gain; what a jump may owe to speed not yet seen.
pub const ACCELERATION: f64 = 4.0;
/// How long fixes stay flagged after a teleport.
pub const COOL_DOWN: Duration = Duration::from_secs(60);
/// Claimed metres of accuracy below which a phone is not believed.
pub const TOO_EXACT: f64 = 1.0;
/// How long steps, pace and accuracy must all stay the same to be too perfect, and in how many fixes at least.
pub const PERFECT_FOR: (Duration, u32) = (Duration::from_secs(60), 10);

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
        }
    }

    /// What is left of the score under this flag; flags multiply.
    fn weight(self) -> f64 {
        match self {
            Self::Future | Self::Late | Self::Repeated | Self::NotRising => 0.0,
            Self::Mock => 0.1,
            Self::TooPerfect => 0.3,
            Self::Teleport | Self::TooFast | Self::CoolDown => 0.5,
            Self::Jump | Self::TooExact => 0.8,
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
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// Number and time of the newest fix accepted or held; orders the next.
    head: Option<(Option<u64>, Timestamp)>,
    last: Option<Fix>,
    held: Option<Fix>,
    /// Metres per second between the last two accepted fixes, at least.
    pace: f64,
    cool_until: Option<Timestamp>,
    cadence: Cadence,
}

impl Gate {
    /// The gate before the first fix.
    pub fn new() -> Self {
        Self::default()
    }

    /// The last fix that was accepted.
    pub fn last(&self) -> Option<&Fix> {
        self.last.as_ref()
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
        let perfect = self.cadence.sees(fix);
        let mut flags = Vec::new();
        if let Some(last) = self.last
            && let Some(reason) = self.step(&last, fix, &mut flags)
        {
            self.held = Some(*fix);
            return Verdict::Hold(reason);
        }
        self.last = Some(*fix);
        self.held = None;
        let others = [
            (Reason::CoolDown, self.cool_until.is_some_and(|until| fix.time() < until)),
            (Reason::Mock, fix.mock()),
            (Reason::TooPerfect, perfect),
            (Reason::TooExact, fix.accuracy().get() < TOO_EXACT),
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
        let speed = implied_speed(last, fix);
        if speed <= TELEPORT && self.explains(last, fix) {
            self.pace = speed;
            flags.extend((speed > FAST).then_some(Reason::TooFast));
            return None;
        }
        let teleport = speed > TELEPORT;
        match self.held {
            Some(held) if implied_speed(&held, fix) <= TELEPORT && self.explains(&held, fix) => {
                self.pace = implied_speed(&held, fix);
                flags.push(Reason::Jump);
                if teleport {
                    flags.push(Reason::Teleport);
                    self.cool_until = Some(fix.time() + COOL_DOWN);
                }
                None
            }
            Some(_) | None => Some(if teleport { Reason::Teleport } else { Reason::Jump }),
        }
    }

    /// Whether twice the joint accuracy (98 % of honest steps), the speed known (the phone's word or the last pace,
    /// up to 70 m/s) and what could be gained meanwhile cover the way: d <= 2 hypot(a1, a2) + v dt + 4 dt^2 / 2.
    fn explains(&self, from: &Fix, to: &Fix) -> bool {
        let seconds = to.time().since(from.time()).as_secs_f64();
        let said = |fix: &Fix| fix.speed().map_or(0.0, |speed| speed.get());
        let speed = self.pace.max(said(from)).max(said(to)).min(FAST);
        let blur = 2.0 * from.believed_accuracy().get().hypot(to.believed_accuracy().get());
        let reach = blur + speed * seconds + 0.5 * ACCELERATION * seconds * seconds;
        from.position().distance(to.position()).get() <= reach
    }
}

/// The least speed in m/s that leads from one fix to a later one: max(0, d - a1 - a2) / dt.
pub(super) fn implied_speed(from: &Fix, to: &Fix) -> f64 {
    let way = from.position().distance(to.position()).get();
    let surplus = way - from.believed_accuracy().get() - to.believed_accuracy().get();
    if surplus <= 0.0 {
        return 0.0;
    }
    // Accepted fixes rise in time by a millisecond at least, so this does not divide by zero.
    surplus / to.time().since(from.time()).as_secs_f64().max(0.001)
}

/// Watches for steps that repeat exactly, as a script makes them.
#[derive(Debug, Clone, Default)]
struct Cadence {
    last: Option<Fix>,
    /// East, north (1e-7 degrees) and milliseconds of the last step.
    step: (i64, i64, u128),
    since: Option<Timestamp>,
    repeats: u32,
}

impl Cadence {
    /// Whether, with this fix, steps have been the same for too long.
    fn sees(&mut self, fix: &Fix) -> bool {
        let Some(last) = self.last.replace(*fix) else { return false };
        let (from, to) = (last.position().grid(), fix.position().grid());
        let step = (to.x - from.x, to.y - from.y, fix.time().since(last.time()).as_millis());
        // A straight line rounded to the grid varies by one unit.
        let near = |a: i64, b: i64| (a - b).abs() <= 1;
        let same = near(step.0, self.step.0) && near(step.1, self.step.1) && step.2 == self.step.2;
        self.step = step;
        if !same || fix.accuracy() != last.accuracy() {
            self.repeats = 0;
            self.since = Some(fix.time());
            return false;
        }
        self.repeats = self.repeats.saturating_add(1);
        let (span, least) = PERFECT_FOR;
        self.repeats >= least && self.since.is_some_and(|since| fix.time().since(since) >= span)
    }
}

#[cfg(test)]
mod tests;
