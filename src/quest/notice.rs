//! What a player is told. A notice has an offset in its player's own stream and is never lost; it is stored with
//! the events that caused it, in the player's language, so that telling it again tells the same.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::{BadgeId, PlaceId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::quest::evidence::Evidence;
use crate::units::{Meters, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A notice with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Server time at which it came to be.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum What {
    /// You are a member now.
    #[serde(rename = "team.joined")]
    TeamJoined { team: TeamId, name: String, invite: String },
    /// You are no member any more.
    #[serde(rename = "team.left")]
    TeamLeft { team: TeamId },
    /// A member came or went.
    #[serde(rename = "team.member")]
    TeamMember { team: TeamId, player: PlayerId, name: String, present: bool },
    /// A member said something.
    #[serde(rename = "team.said")]
    TeamSaid { team: TeamId, player: PlayerId, text: String },

    /// Your team has started.
    #[serde(rename = "quest.started")]
    QuestStarted { quest: QuestId, version: u32, title: String, ends_at: Option<Timestamp> },
    /// Your team has finished; `points` is the team's total in this run.
    #[serde(rename = "quest.finished")]
    QuestFinished { quest: QuestId, points: i64 },
    /// The run is over unfinished.
    #[serde(rename = "quest.ended")]
    QuestEnded { quest: QuestId, reason: EndReason },

    /// A step can be done now. A hidden place is told here for the first time.
    #[serde(rename = "step.opened")]
    StepOpened { quest: QuestId, step: StepView },
    /// A step cannot be done for now (its hours have ended).
    #[serde(rename = "step.closed")]
    StepClosed { quest: QuestId, step: StepId },
    /// Your own part is done; the team needs more.
    #[serde(rename = "step.reached")]
    StepReached { quest: QuestId, step: StepId, have: u16, need: u16 },
    /// Done, for the whole team. `points` are yours when `mine`.
    #[serde(rename = "step.completed")]
    StepCompleted { quest: QuestId, step: StepId, by: Vec<PlayerId>, points: i64, mine: bool },

    /// You are inside a region, and why we think so.
    #[serde(rename = "region.entered")]
    RegionEntered { quest: QuestId, place: PlaceId, region: RegionId, why: Evidence },
    /// You have left.
    #[serde(rename = "region.left")]
    RegionLeft { quest: QuestId, place: PlaceId, region: RegionId, why: Evidence },
    /// Content to show here (AR anchor, model, fallback), as the quest file has it.
    #[serde(rename = "content")]
    Content { quest: QuestId, step: StepId, content: serde_json::Value },

    /// A hint that your team has bought.
    #[serde(rename = "hint.given")]
    HintGiven { quest: QuestId, step: StepId, hint: u16, text: String, cost: u32 },
    /// A photo waits for an operator.
    #[serde(rename = "photo.submitted")]
    PhotoSubmitted { quest: QuestId, step: StepId },
    /// The operator wants another photo.
    #[serde(rename = "photo.rejected")]
    PhotoRejected { quest: QuestId, step: StepId, reason: String },

    /// A badge for you.
    #[serde(rename = "badge.given")]
    BadgeGiven { quest: QuestId, badge: BadgeId },
    /// Points beside a step's: a reward, or what stands in for one that ran out.
    #[serde(rename = "points.given")]
    PointsGiven { quest: QuestId, points: i64, team: bool },
    /// A code from a limited stock, for the team.
    #[serde(rename = "code.given")]
    CodeGiven { quest: QuestId, pool: String, number: u32, code: String },
    /// A limited reward had run out.
    #[serde(rename = "reward.gone")]
    RewardGone { quest: QuestId, pool: String },
}

/// Why a run ended unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The time limit.
    TimeOver,
    /// The team gave up.
    Abandoned,
}

/// A step as a player sees it, in the player's language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// Its name.
    pub id: StepId,
    /// Its title.
    pub title: String,
    /// `visit`, `answer`, `scan`, `photo`, `follow`, `choose`, `meet`, or a group.
    pub verb: String,
    /// Points for it.
    pub points: u32,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceView>,
    /// The question of an answer or a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The options of a choice: id and label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<(String, String)>,
    /// How long to stay, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stay_s: Option<u64>,
    /// How many members must do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u16>,
    /// `meet`: how near the others must be to one of them, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Meters>,
    /// Hints: when each can be had, and what it costs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<(Timestamp, u32)>,
}

/// A place as a player sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceView {
    /// Its name in the quest.
    pub id: PlaceId,
    /// Its name for people.
    pub name: String,
    /// Its shape: GeoJSON geometry; a circle is a `Point` with `radius`.
    pub outline: serde_json::Value,
}
