//! The words between the edge and the actors: who connects, what is pushed, why a session ends, what became of fixes.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::actors::access::Credential;
use crate::actors::cards::PlayerDot;
use crate::geo::plausibility::Reason;
use crate::ids::{PlaceId, PlayerId, QuestId, TeamId};
use crate::quest::notice::Notice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Where a session's pushes go; the edge implements it over its outbound queue.
///
/// Both calls return at once. A sink that is full closes its connection by itself; what it could not take is
/// recovered from the player's stream at the next connect.
pub trait Sink: Send + Sync + std::fmt::Debug + 'static {
    /// Something for the client.
    fn push(&self, push: Push);
    /// The session is over.
    fn close(&self, reason: CloseReason);
}

/// What is pushed to a client.
#[derive(Debug, Clone)]
pub enum Push {
    /// A notice of the player's own recoverable channel.
    Notice { offset: u64, notice: Arc<Notice> },
    /// A publication of a live channel (`team:<id>`, `board:<quest>`): droppable, without an offset.
    Live { channel: String, data: Arc<Value> },
    /// A subscription has ended, for instance since its player left the team.
    Unsubscribed { channel: String },
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// A newer connection of the same player has taken over; do not come back.
    Replaced,
    /// The node drains; come back, here or elsewhere.
    Draining,
    /// The session's actor has died; come back.
    Failed,
    /// An operator has revoked the token; come back with another one.
    Revoked,
}

/// Who connects.
#[derive(Debug, Clone)]
pub struct Hello {
    /// From the token.
    pub player: PlayerId,
    /// A name for people, if the token or the client gives one.
    pub name: Option<String>,
    /// The language wanted.
    pub lang: Option<String>,
    /// What the client saw last.
    pub resume: Option<StreamPosition>,
    /// What its token can be revoked by.
    pub credential: Credential,
}

/// A place in a player's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPosition {
    /// Which stream; changes when the journal is not the same any more.
    pub epoch: String,
    /// The last offset seen; 0 before the first.
    pub offset: u64,
}

/// The state of the player's stream at the moment of connecting. Everything later comes through the sink.
#[derive(Debug, Clone)]
pub struct Welcome {
    /// The stream's epoch and its last offset.
    pub position: StreamPosition,
    /// Whether `missed` is all that the client has missed. False without `resume`, or when it is too long ago.
    pub recovered: bool,
    /// What it missed, in order.
    pub missed: Vec<(u64, Arc<Notice>)>,
}

/// `team:<id>`: where the members are who share.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TeamLive {
    /// Which team.
    pub team: TeamId,
    /// Those who share, and whose session has sent a position.
    pub members: Vec<PlayerDot>,
    /// Other nodes may know more, or newer: there only when it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// `map:<west>,<south>,<east>,<north>`: who is in that window, of those who share with the player.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MapLive {
    /// Team-mates who share, and the player, in the window; the newest position of each.
    pub players: Vec<PlayerDot>,
    /// Other nodes may know more, or newer: there only when it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// `board:<quest>`: the scores.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BoardLive {
    /// Which quest.
    pub quest: QuestId,
    /// Most points first, 100 at most.
    pub rows: Vec<BoardLiveRow>,
    /// Other nodes may know more, or newer: there only when it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// A team on a board.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BoardLiveRow {
    /// Which team.
    pub team: TeamId,
    /// Its name.
    pub name: String,
    /// Its points in this quest.
    pub points: i64,
}

/// What became of fixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FixReply {
    /// The highest sequence number that need not be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// How many were taken.
    pub accepted: u32,
    /// Those that were not taken, and why; sending them again is no use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<IgnoredFix>,
    /// Rings around places that these fixes crossed, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<RingCrossed>,
    /// When the next fix matters; absent until a fix has counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextFix>,
}

/// A ring around a place that was crossed: a word for the app ("warm"), nothing that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RingCrossed {
    /// Of which quest.
    pub quest: QuestId,
    /// Around which place.
    pub place: PlaceId,
    /// Its name in the quest file.
    pub ring: String,
    /// In or out.
    pub moved: RingMove,
}

/// Which way a ring was crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingMove {
    /// Towards the place.
    Enter,
    /// Away from it.
    Exit,
}

/// A fix that counted for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IgnoredFix {
    /// Its place in the batch, from 0.
    pub index: u32,
    /// Why.
    pub reason: WhyIgnored,
}

/// Why a fix counted for nothing. The codes are stable; new ones may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhyIgnored {
    /// It is malformed, or out of range.
    BadFix,
    /// Its time is more than 30 seconds ahead of the server's.
    Future,
    /// It is more than 10 minutes old, or older than one that has counted.
    Late,
    /// Its number is new, and its time is not later than that of the one before.
    NotRising,
    /// Nothing moves like that; it counts once a second one agrees.
    Teleport,
    /// Neither its accuracy nor any walk explains the step; it counts once a second one agrees.
    Jump,
    /// Another rule wants a second one that agrees.
    Held,
}

impl From<Reason> for WhyIgnored {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Future => Self::Future,
            // A repeat is not ignored: it was answered before, and is answered the same.
            Reason::Late | Reason::Repeated => Self::Late,
            Reason::NotRising => Self::NotRising,
            Reason::Teleport => Self::Teleport,
            Reason::Jump => Self::Jump,
            Reason::CoolDown
            | Reason::TooFast
            | Reason::Mock
            | Reason::TooPerfect
            | Reason::TooExact
            | Reason::TooCoarse => Self::Held,
        }
    }
}

/// When the next fix matters: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextFix {
    /// After so many metres, 10 to 5,000: no edge of a place that the player may know is nearer.
    pub distance: u32,
    /// After so many seconds, also without moving: the last fix left something open, or a stay is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u32>,
}

/// What a phone is to watch while its app sleeps: the reply of `wake`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Wake {
    /// Circles to be woken at: places of open steps first, then the others, each from near to far.
    pub circles: Vec<WakeCircle>,
    /// Only when there are more places than were listed: on leaving it, ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roam: Option<Roam>,
    /// When the next fix matters while the app is awake.
    pub next: NextFix,
}

/// A circle that holds a place and its rings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WakeCircle {
    /// Of which quest.
    pub quest: QuestId,
    /// Which place.
    pub place: PlaceId,
    /// Latitude of its middle.
    pub lat: f64,
    /// Longitude of its middle.
    pub lon: f64,
    /// Metres, 200 or more.
    pub radius: u32,
    /// Metres from the last fix to its edge; negative inside.
    pub distance: i32,
    /// Whether the player can do something there now.
    pub open: bool,
}

/// A circle round the last fix that ends where the nearest circle begins that was not listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Roam {
    /// Latitude of its middle.
    pub lat: f64,
    /// Longitude of its middle.
    pub lon: f64,
    /// Metres; below 200 no phone watches it reliably, so stay awake.
    pub radius: u32,
}
