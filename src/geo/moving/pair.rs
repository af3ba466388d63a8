//! One pair of movers: what their two last fixes say, and what becomes of it with memory.

use crate::geo::evidence::{SIGMAS, normal_cdf};
use crate::ids::PlayerId;
use crate::units::{Meters, Timestamp};
use std::time::Duration;

/// Probability from which two verdicts in a row bring a pair together.
const LIKELY: f64 = 0.75;
/// Probability from which one verdict decides.
const SURE: f64 = 0.95;

/// What happened between two players.
#[derive(Debug, Clone, PartialEq)]
pub struct Meeting {
    /// Both, in the order of their names.
    pub pair: (PlayerId, PlayerId),
    /// What.
    pub kind: MeetingKind,
    /// On what evidence.
    pub why: MeetingWhy,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingKind {
    /// They are near one another now.
    Near {
        /// They were near when first looked at, or when one came back from silence.
        already: bool,
    },
    /// They have been near for as long as was asked for; once for each time they come near.
    Stayed {
        /// Event time of coming near.
        since: Timestamp,
    },
    /// They are apart now.
    Apart,
    /// One has not been heard of for a minute: nobody knows.
    Suspended,
}

/// The evidence, without coordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeetingWhy {
    /// Metres between the two fixes.
    pub distance: Meters,
    /// Their accuracies, in the order of the pair.
    pub accuracy: (Meters, Meters),
    /// Probability of being within the radius.
    pub probability: f64,
    /// Device times of the two fixes, in the order of the pair.
    pub times: (Timestamp, Timestamp),
    /// `sure`, `twice`, `dwell` or `stale`.
    pub rule: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum State {
    Unknown,
    Apart,
    Near { since: Timestamp, stayed: bool },
}

pub(super) struct Pair {
    pub(super) state: State,
    /// Verdicts in a row that speak against the state.
    pub(super) streak: u8,
    /// The newest time that has been judged.
    pub(super) judged: Timestamp,
    pub(super) why: MeetingWhy,
}

/// One judged distance.
pub(super) struct Verdict {
    pub(super) near: f64,
    /// Probability of being beyond the outer radius.
    pub(super) apart: f64,
    pub(super) why: MeetingWhy,
}

impl Verdict {
    /// From metres between two fixes and their common accuracy, the radius and where apart begins.
    pub(super) fn of(
        distance: f64,
        both: f64,
        (within, outer): (f64, f64),
        accuracy: (Meters, Meters),
        times: (Timestamp, Timestamp),
    ) -> Self {
        let near = normal_cdf(SIGMAS * (within - distance) / both);
        let apart = normal_cdf(SIGMAS * (distance - outer) / both);
        let why = MeetingWhy { distance: Meters::lossy(distance), accuracy, probability: near, times, rule: "twice" };
        Self { near, apart, why }
    }
}

impl Pair {
    /// Takes a verdict in.
    pub(super) fn step(
        &mut self,
        key: &(PlayerId, PlayerId),
        verdict: Verdict,
        time: Timestamp,
        stay: Option<Duration>,
        told: &mut Vec<Meeting>,
    ) {
        let near = matches!(self.state, State::Near { .. });
        let (likely, sure) = match near {
            true => (verdict.apart > 0.5, verdict.apart >= SURE),
            false => (verdict.near >= LIKELY, verdict.near >= SURE),
        };
        self.why = verdict.why;
        self.streak = if likely { self.streak + 1 } else { 0 };
        if sure || self.streak >= 2 {
            let why = MeetingWhy { rule: if sure { "sure" } else { "twice" }, ..verdict.why };
            let already = self.state == State::Unknown;
            let kind = if near { MeetingKind::Apart } else { MeetingKind::Near { already } };
            told.push(Meeting { pair: key.clone(), kind, why });
            self.state = if near { State::Apart } else { State::Near { since: time, stayed: false } };
            self.streak = 0;
        } else if self.state == State::Unknown && verdict.near < 0.5 {
            self.state = State::Apart;
        }
        self.stay(key, time, stay, told);
    }

    /// Tells once that a pair has been near for long enough, unless a fix speaks against it.
    pub(super) fn stay(
        &mut self,
        key: &(PlayerId, PlayerId),
        time: Timestamp,
        stay: Option<Duration>,
        told: &mut Vec<Meeting>,
    ) {
        if let (State::Near { since, stayed: false }, 0, Some(stay)) = (self.state, self.streak, stay)
            && time.since(since) >= stay
        {
            self.state = State::Near { since, stayed: true };
            let why = MeetingWhy { rule: "dwell", ..self.why };
            told.push(Meeting { pair: key.clone(), kind: MeetingKind::Stayed { since }, why });
        }
    }
}
