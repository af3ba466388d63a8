//! `Game`: what the edge may ask of the actors. `net` knows this handle and nothing below it.
//!
//! Promise: a reply that says yes speaks of something durable. Every call has a deadline and answers with a
//! `Refusal` when it passes; a refused call changed nothing or is recognised when repeated with its command id.

use crate::ids::{PlayerId, QuestId, StepId, TeamId};
use crate::quest::act::{Act, CommandId};
use crate::quest::evidence::Evidence;
use crate::quest::notice::Notice;
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast;

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

/// What became of fixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FixReply {
    /// The highest sequence number that need not be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// How many were taken.
    pub accepted: u32,
    /// Those that were not taken, and why; sending them again is no use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<IgnoredFix>,
}

/// A fix that counted for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IgnoredFix {
    /// Its place in the batch, from 0.
    pub index: u32,
    /// A stable reason code such as `late`, `repeated`, `held`, `teleport`.
    pub reason: &'static str,
}

/// The one handle on the actors; cheap to clone.
#[derive(Debug, Clone)]
pub struct Game {}

/// A live session; dropping it ends it.
#[derive(Debug)]
pub struct Session {}

impl Game {
    /// Opens a session. A session of the same player that is still there is closed as `Replaced`.
    pub async fn connect(&self, hello: Hello, sink: Arc<dyn Sink>) -> Result<(Session, Welcome), Refusal> {
        let _ = (hello, sink);
        todo!()
    }

    /// An operator's verdict on a photo.
    pub async fn review(&self, review: Review) -> Result<(), Refusal> {
        let _ = review;
        todo!()
    }

    /// Everything a console shows at its start.
    pub fn overview(&self) -> Overview {
        todo!()
    }

    /// What happens from now on, for consoles; a slow reader loses the oldest and is told how many.
    pub fn watch(&self) -> broadcast::Receiver<Arc<Happening>> {
        todo!()
    }

    /// The codes of a quest's scan steps, for printing them.
    pub fn scan_codes(&self, quest: &QuestId) -> Option<Vec<(StepId, String)>> {
        let _ = quest;
        todo!()
    }

    /// Whether the journal takes writes and the node does not drain; `Err` says what is wrong.
    pub fn ready(&self) -> Result<(), &'static str> {
        todo!()
    }
}

impl Session {
    /// Judges fixes in order. Answers when every transition among them is durable at its region.
    pub async fn fixes(&self, fixes: Vec<crate::geo::position::Fix>) -> Result<FixReply, Refusal> {
        let _ = fixes;
        todo!()
    }

    /// A command. `Ok` bears the method's documented reply.
    pub async fn act(&self, cmd: Option<CommandId>, act: Act) -> Result<Value, Refusal> {
        let _ = (cmd, act);
        todo!()
    }

    /// All that the player may know now: `state.get`.
    pub async fn state(&self) -> Result<Value, Refusal> {
        todo!()
    }

    /// Subscribes to a live channel; `Ok` bears its present content.
    pub async fn subscribe(&self, channel: &str) -> Result<Value, Refusal> {
        let _ = channel;
        todo!()
    }

    /// Ends a subscription; unknown ones are no error.
    pub fn unsubscribe(&self, channel: &str) {
        let _ = channel;
        todo!()
    }
}

/// An operator's verdict on a photo.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Whose photo.
    pub player: PlayerId,
    /// Of which quest.
    pub quest: QuestId,
    /// Of which step.
    pub step: StepId,
    /// Taken or not.
    pub approve: bool,
    /// For the player, when not.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a console shows at its start. Made from committed facts and live sessions; never the truth itself.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The node's name.
    pub node: String,
    /// Published quests, each with its places (GeoJSON outlines) and steps.
    pub quests: Vec<Value>,
    /// Teams with members, score, steps done and open for each run.
    pub teams: Vec<TeamCard>,
    /// Limited rewards.
    pub stock: Vec<StockCard>,
    /// Photos that wait.
    pub reviews: Vec<ReviewCard>,
    /// Where live players are now.
    pub players: Vec<PlayerDot>,
    /// The latest happenings, oldest first.
    pub recent: Vec<Arc<Happening>>,
    /// Counters since the start.
    pub counts: Counts,
}

/// A team on the console.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TeamCard {
    /// Which.
    pub id: TeamId,
    /// Name for people.
    pub name: String,
    /// Members now.
    pub members: Vec<PlayerId>,
    /// The quest it plays or played last.
    pub quest: Option<QuestId>,
    /// Points in that run.
    pub points: i64,
    /// Steps done.
    pub done: Vec<StepId>,
    /// Steps open.
    pub open: Vec<StepId>,
    /// Whether the run is finished.
    pub finished: bool,
}

/// A limited reward on the console.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StockCard {
    /// The quest.
    pub quest: QuestId,
    /// The reward's name.
    pub reward: String,
    /// Given.
    pub given: u32,
    /// Of how many.
    pub of: u32,
}

/// A photo that waits for a verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewCard {
    /// Whose.
    pub player: PlayerId,
    /// Of which quest.
    pub quest: QuestId,
    /// Of which step.
    pub step: StepId,
    /// The reference that the client gave.
    pub photo: String,
    /// Since when.
    pub at: Timestamp,
}

/// A live player on the operator's map. Never logged, never stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayerDot {
    /// Who.
    pub id: PlayerId,
    /// Team, if any.
    pub team: Option<TeamId>,
    /// Longitude, degrees.
    pub lon: f64,
    /// Latitude, degrees.
    pub lat: f64,
    /// Accuracy, metres.
    pub acc: f64,
}

/// One line of the console's stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// `entered`, `left`, `step`, `badge`, `code`, `started`, `finished`, `photo`, `hint`, `points`, `team`.
    pub kind: &'static str,
    /// A sentence for people.
    pub text: String,
    /// Who, if one player.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub player: Option<PlayerId>,
    /// Which team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// Which quest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quest: Option<QuestId>,
    /// Which step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// Why, where a fix decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Evidence>,
}

/// Counters since the start; the console turns them into rates.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Counts {
    /// Fixes judged.
    pub fixes: u64,
    /// Journal entries committed.
    pub entries: u64,
    /// Live sessions.
    pub sessions: u64,
    /// Awake entities.
    pub entities: u64,
    /// Fix to notice, the last thousand: median, in milliseconds.
    pub notice_p50_ms: f64,
    /// And the 99th percentile.
    pub notice_p99_ms: f64,
}
