//! What has happened: the facts that the journal keeps, one enum for each kind of entity.
//!
//! Facts carry all that `evolve` needs, so replay never asks the quest file what it said at the time.
//! Stored forms: a variant or field is added, never renamed or removed; a new field has a serde default.
//! An unknown variant is a fault that stops its entity; it is never skipped.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::{BadgeId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::quest::definition::{Give, QuestRef};
use crate::quest::evidence::{Evidence, Nearness};
use crate::quest::notice::EndReason;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// A fact of one entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Of a player.
    Player(PlayerEvent),
    /// Of a team.
    Team(TeamEvent),
    /// Of a region.
    Region(RegionEvent),
}

/// A run: which version of a quest, and the how-manyeth time (1 unless the quest may be repeated).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunRef {
    /// The quest and its version.
    pub quest: QuestRef,
    /// Occurrence, from 1.
    pub run: u32,
}

impl RunRef {
    /// The natural key of an award: the journal refuses a second one of it for the same entity.
    pub fn award(&self, what: &str) -> String {
        format!("{}@{}#{}:{what}", self.quest.id, self.quest.version, self.run)
    }
}

/// Facts of a player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayerEvent {
    /// Name or language were set; `None` leaves as it was.
    ProfileSet { name: Option<String>, lang: Option<String> },
    /// Position sharing with the team was switched.
    Shared { on: bool },
    /// Is inside a region, since when (server time).
    Entered { region: RegionId, since: Timestamp, why: Evidence },
    /// Has left it.
    Left { region: RegionId, why: Evidence },
    /// Is a member of a team, and of no other.
    TeamJoined { team: TeamId },
    /// Is a member no more.
    TeamLeft { team: TeamId },
    /// Takes part in a run of the team.
    RunJoined { run: RunRef, team: TeamId, ends_at: Option<Timestamp>, done: Vec<StepId> },
    /// A step is open for the team, since when.
    StepOpened { quest: QuestId, step: StepId, opened: Timestamp },
    /// A step is not open any more.
    StepClosed { quest: QuestId, step: StepId },
    /// Tried an answer in vain; after too many, until when to wait.
    AnswerFailed { quest: QuestId, step: StepId, wait_until: Option<Timestamp> },
    /// Has walked these quarters of a corridor (bits, together with those before).
    Walked { quest: QuestId, step: StepId, quarters: u8 },
    /// Sent a photo for review.
    PhotoSubmitted { quest: QuestId, step: StepId, photo: String },
    /// An operator turned it down.
    PhotoRejected { quest: QuestId, step: StepId },
    /// Own part of a step is done; the team decides the rest.
    StepReached { quest: QuestId, step: StepId, choice: Option<String> },
    /// Left the place of a step that the team must do together; own part must be done again.
    WentAway { quest: QuestId, step: StepId },
    /// The team's step is done; `points` are this player's own share, 0 when not `mine`.
    StepCompleted { quest: QuestId, step: StepId, mine: bool, points: i64 },
    /// Points beside a step's.
    PointsGiven { quest: QuestId, points: i64 },
    /// A badge.
    BadgeGiven { quest: QuestId, badge: BadgeId },
    /// The team's run is over.
    RunEnded { quest: QuestId, finished: bool },
}

/// Facts of a team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamEvent {
    /// Came to be; `secret` is the second half of the invite code.
    Created { name: String, secret: String },
    /// A member came.
    MemberJoined { player: PlayerId, name: String },
    /// A member went.
    MemberLeft { player: PlayerId },
    /// A member said something.
    Said { player: PlayerId, text: String },
    /// A run began.
    RunStarted { run: RunRef, ends_at: Option<Timestamp> },
    /// A step can be done now.
    StepOpened { quest: QuestId, step: StepId },
    /// It cannot any more.
    StepClosed { quest: QuestId, step: StepId },
    /// A member has done their part.
    MemberReached { quest: QuestId, step: StepId, player: PlayerId },
    /// A member who had done their part has left the place.
    MemberWentAway { quest: QuestId, step: StepId, player: PlayerId },
    /// Members have come together: one of them, and who is near.
    Met { quest: QuestId, step: StepId, center: PlayerId, near: Vec<Nearness> },
    /// Done. `points` are the team's; `by` are those who did it.
    StepCompleted { quest: QuestId, step: StepId, by: Vec<PlayerId>, points: i64, choice: Option<String> },
    /// A hint was bought.
    HintTaken { quest: QuestId, step: StepId, hint: u16, cost: u32, by: PlayerId },
    /// A limited reward was asked of the quest's area.
    RewardAsked { quest: QuestId, reward: u16 },
    /// A reward was given; `number` counts a limited one, from 1.
    RewardGiven { quest: QuestId, reward: u16, give: Give, points: i64, number: Option<u32> },
    /// A limited reward had run out; `points` stand in for it.
    RewardGone { quest: QuestId, reward: u16, points: i64 },
    /// The run is over: finished when there is no reason.
    RunEnded { quest: QuestId, reason: Option<EndReason> },
}

/// Facts of a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionEvent {
    /// A player came in.
    Entered { player: PlayerId, why: Evidence },
    /// A player went out.
    Left { player: PlayerId, why: Evidence },
    /// A player has stayed as long as was asked.
    Stayed { player: PlayerId, why: Evidence },
    /// A player has walked these quarters of it.
    Walked { player: PlayerId, quarters: u8, why: Evidence },
    /// A team got one of the stock: the `number`th.
    StockGiven { reward: String, team: TeamId, number: u32 },
    /// A team came too late.
    StockRefused { reward: String, team: TeamId },
}
