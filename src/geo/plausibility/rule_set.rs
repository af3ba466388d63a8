//! The numbered rule sets of plausibility: the same rules with other numbers.
//!
//! Promise: a set is never changed once it has decided; a better one gets the next number, runs as a shadow first,
//! and then becomes [`RuleSet::CURRENT`].

use crate::units::{Meters, MetersPerSecond};
use std::time::Duration;

/// One set.
#[derive(Debug, PartialEq)]
pub struct RuleSet {
    /// Its number, which evidence names.
    pub version: u16,
    /// What only a plane or a fast train reaches; flagged.
    pub fast: MetersPerSecond,
    /// What nothing on the ground reaches; held.
    pub teleport: MetersPerSecond,
    /// Metres per second squared that a vehicle can brake or gain; what a jump may owe to speed not yet seen.
    pub acceleration: f64,
    /// How long fixes stay flagged after a teleport.
    pub cool_down: Duration,
    /// Claimed accuracy below which a phone is not believed.
    pub too_exact: Meters,
    /// Claimed accuracy above which nobody is placed; `None`: no flag for that.
    pub too_coarse: Option<Meters>,
    /// How long steps, pace and accuracy must all stay the same to be too perfect, and in how many fixes at least.
    pub perfect_for: (Duration, u32),
    /// For so long after a jump no enter and no exit is decided: wild fixes come in rows of a few seconds, all claimed
    /// to be exact, and mostly the way back is a jump too.
    pub wary_after_jump: Duration,
    /// A fix whose accuracy is worse than `times` what is known without it (the accuracy of the last fix that was not
    /// dim, grown by so many metres per second since) is dim: it decides nothing. `None`: none is.
    pub dim: Option<Dim>,
    /// For so long after a speed was seen a player still counts as that fast, for places with a `max_speed`; and their
    /// way is measured over some seconds too. Zero: only the step from the last fix counts.
    pub fast_for: Duration,
    /// After so many fixes in a row that were held, each at odds with the one before, the next that is taken counts as a
    /// jump, though it be where the last one was. `None`: it does not.
    pub contradictions: Option<u32>,
}

/// When a fix is too coarse beside the ones before it: their errors last, so two coarse fixes are no two witnesses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dim {
    /// So many times worse than what is known.
    pub times: f64,
    /// What is known gets worse by this, a brisk walk.
    pub growth: MetersPerSecond,
}

impl RuleSet {
    /// The first set. It let two wild fixes in a row, claimed to 2 m, enter at once.
    pub const V1: Self = Self {
        version: 1,
        fast: MetersPerSecond::lossy(70.0),
        teleport: MetersPerSecond::lossy(300.0),
        acceleration: 4.0,
        cool_down: Duration::from_secs(60),
        too_exact: Meters::lossy(1.0),
        too_coarse: None,
        perfect_for: (Duration::from_secs(60), 10),
        wary_after_jump: Duration::ZERO,
        dim: None,
        fast_for: Duration::ZERO,
        contradictions: None,
    };
    /// As the first, but wary after a jump and of dim fixes: of 200 made walks with a phone's noise 153 told just what
    /// was right by the first set, and 198 by this one (tests/tracks/made.rs).
    pub const V2: Self = Self {
        version: 2,
        wary_after_jump: Duration::from_secs(10),
        dim: Some(Dim { times: 3.0, growth: MetersPerSecond::lossy(2.5) }),
        ..Self::V1
    };
    /// A draft on trial, for games on foot and by city transport: stricter on speed, and a word on coarse fixes.
    pub const V3: Self = Self {
        version: 3,
        fast: MetersPerSecond::lossy(45.0),
        teleport: MetersPerSecond::lossy(120.0),
        acceleration: 3.0,
        too_coarse: Some(Meters::lossy(100.0)),
        ..Self::V2
    };
    /// As the second, but who rushes through a place with a `max_speed`, or turns round in it, is not taken for somebody
    /// who stands there: of 100 who rushed through a city at 25 to 45 m/s for three minutes the second set let 40 win. And
    /// who hops through all places several times a second is not believed because one of them comes round again.
    pub const V4: Self = Self { version: 4, fast_for: Duration::from_secs(3), contradictions: Some(3), ..Self::V2 };
    /// All sets, the oldest first.
    pub const ALL: [&'static Self; 4] = [&Self::V1, &Self::V2, &Self::V3, &Self::V4];
    /// The set that decides.
    pub const CURRENT: &'static Self = &Self::V4;

    /// The set of that number.
    pub fn of_version(version: u16) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|set| set.version == version)
    }
}
