//! What the fence tells: transitions, the evidence of each, and the account of every decision, also of those that
//! changed nothing.
//!
//! Promise: every transition and every decision carries what it was decided on, and no coordinates.

use super::plausibility::Reason;
use crate::ids::RegionId;
use crate::units::{Meters, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that happened between a player and a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Transition {
    /// Where.
    pub region: RegionId,
    /// Which of its rings; `None`: the region itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<String>,
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
    Cross {
        /// Whether the region's rules take that as a visit.
        counts: bool,
    },
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
    /// The player was inside when the region opened.
    Opened,
}

/// How an exit came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitCause {
    /// Fixes outside.
    Fixes,
    /// No fix for 24 hours.
    Expired,
    /// The region closed while the player was inside.
    Closed,
}

/// Which rule decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// One fix left no doubt.
    Sure,
    /// Fixes in a row agreed: two, or as many as the region's `confirm` says.
    Twice,
    /// As many of the last fixes agreed as the region's `confirm` says.
    Votes,
    /// Fixes agreed for as long as the region's `confirm` says.
    Lasting,
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
    /// The region opened or closed.
    Hours,
}

impl Rule {
    /// Its stable name: the same as on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sure => "sure",
            Self::Twice => "twice",
            Self::Votes => "votes",
            Self::Lasting => "lasting",
            Self::AlreadyInside => "already_inside",
            Self::Expired => "expired",
            Self::Dwell => "dwell",
            Self::Cross => "cross",
            Self::Along => "along",
            Self::Hours => "hours",
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
    /// How many fixes in the confirmation agreed, this one included; 0 where none was asked.
    #[serde(default)]
    pub fixes: u8,
    /// The probability that the fix had to reach to count for an enter, or to keep below for an exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Metres that the fix had to lie outside to count for an exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Meters>,
}

/// Where a player stands with a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Known to be outside, or nothing speaks for inside.
    Outside,
    /// Fixes do not tell, or speak for a change that is not confirmed yet.
    Maybe,
    /// Known to be inside.
    Inside,
}

/// What one fix meant for one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It decided: there is a transition.
    Decided,
    /// It agrees with what was known.
    Agrees,
    /// Too near the edge for its accuracy to speak for either side.
    Unclear,
    /// It speaks for a change and more must agree.
    Counted,
    /// It would enter, but the last exit at the edge is not long enough ago.
    Guarded,
    /// It would count, but a jump was not long ago.
    Wary,
    /// Less accurate than the region allows; it decides nothing.
    Inaccurate,
    /// Far less accurate than a fix just before; it decides nothing.
    Dim,
    /// Faster than the region allows; it decides nothing.
    TooFast,
    /// It would count for an enter, but is less plausible than the region asks.
    Untrusted,
    /// It decided, but the region is closed: nobody is told.
    Closed,
}

/// The account of one fix against one region: what was measured, asked for and concluded. No coordinates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Decision {
    /// Which region.
    pub region: RegionId,
    /// Which of its rings; `None`: the region itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<String>,
    /// Device time of the fix.
    pub fix_time: Timestamp,
    /// Metres to the edge, inside positive.
    pub distance: Meters,
    /// Accuracy as calculated with.
    pub accuracy: Meters,
    /// Probability of being inside.
    pub probability: f64,
    /// State before the fix.
    pub before: State,
    /// State after it.
    pub after: State,
    /// What the fix meant.
    pub finding: Finding,
    /// How many fixes in the confirmation agree, this one included.
    pub fixes: u8,
    /// What was asked.
    pub asked: Asked,
}

/// The thresholds of a decision, as they stood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Asked {
    /// Probability to count for an enter.
    pub enter_at: f64,
    /// Probability that is enough alone; `None`: none is.
    pub enter_sure: Option<f64>,
    /// Probability to count for an exit.
    pub exit_at: f64,
    /// Probability that is enough alone; `None`: none is.
    pub exit_sure: Option<f64>,
    /// Metres outside to count for an exit, for this fix's accuracy.
    pub margin: Meters,
    /// Worst accuracy that decides.
    pub max_accuracy: Meters,
    /// So many fixes,
    pub need: u8,
    /// of so many; 0: all for `for_ms`.
    pub of: u8,
    /// Milliseconds for which all fixes must agree; 0: they are counted instead.
    pub for_ms: u64,
}

/// What the gate said of a fix, for accounts of whole tracks.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Account {
    /// `accepted`, `repeated`, `late`, `held` or `refused`.
    pub fate: &'static str,
    /// Why it was held or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// How plausible it was, 0 to 1; of accepted fixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// What lowered the score.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Reason>,
}
