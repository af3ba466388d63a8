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
    /// After a jump one fix is never enough for an enter or an exit, however sure it is.
    pub wary_after_jump: bool,
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
        wary_after_jump: false,
    };
    /// As the first, and wary after a jump.
    pub const V2: Self = Self { version: 2, wary_after_jump: true, ..Self::V1 };
    /// A draft on trial, for games on foot and by city transport: stricter on speed, and a word on coarse fixes.
    pub const V3: Self = Self {
        version: 3,
        fast: MetersPerSecond::lossy(45.0),
        teleport: MetersPerSecond::lossy(120.0),
        acceleration: 3.0,
        too_coarse: Some(Meters::lossy(100.0)),
        ..Self::V2
    };
    /// All sets, the oldest first.
    pub const ALL: [&'static Self; 3] = [&Self::V1, &Self::V2, &Self::V3];
    /// The set that decides.
    pub const CURRENT: &'static Self = &Self::V2;

    /// The set of that number.
    pub fn of_version(version: u16) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|set| set.version == version)
    }
}
