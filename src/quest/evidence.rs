//! Why we believe that a player is somewhere, or near another: what the fence engine saw, without coordinates.
//!
//! The journal keeps facts, not positions. The session makes this from `geo`'s decision, so rules know no geometry.

use crate::ids::PlayerId;
use crate::units::{Meters, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One decision of the fence engine, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Distance of the fix to the region's edge; inside is positive.
    pub distance: Meters,
    /// Accuracy of the fix (68 % radius).
    pub accuracy: Meters,
    /// Probability of being inside.
    pub probability: f64,
    /// Which rule decided.
    pub rule: String,
    /// Device time of the deciding fix.
    pub fix_time: Timestamp,
    /// How plausible the player's movement was, 0 to 1.
    pub score: f64,
    /// Reason codes of the plausibility rules that spoke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Version of the plausibility rules.
    pub rules: u16,
    /// How many fixes of the confirmation agreed; 0 where none was asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fixes: u8,
    /// The probability that was asked for: to reach for an enter, to keep below for an exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Metres that had to lie between fix and edge for an exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Meters>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u8) -> bool {
    *count == 0
}

/// Why we believe that a player is near the centre of a meeting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nearness {
    /// Who.
    pub player: PlayerId,
    /// Metres between the two fixes.
    pub distance: Meters,
    /// Accuracies of the two fixes, the centre's first.
    pub accuracy: (Meters, Meters),
    /// Probability of being within the distance.
    pub probability: f64,
    /// Which rule decided.
    pub rule: String,
    /// Device times of the two fixes, the centre's first.
    pub fix_times: (Timestamp, Timestamp),
    /// Since when they have been near.
    pub since: Timestamp,
}
