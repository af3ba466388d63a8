//! What people see of a game on the console: cards of teams, stock, photos and players, and lines of what happened.
//! Made from committed facts and live sessions; never the truth itself.

use crate::ids::{PlayerId, QuestId, StepId, TeamId};
use crate::quest::evidence::Evidence;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// What a console shows at its start: of the whole cluster, if the node is a member of one.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The name of the node that serves it.
    pub node: String,
    /// The nodes of the cluster, by name; none for a single server.
    pub nodes: Vec<NodeCard>,
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

/// A node of a cluster on the console.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeCard {
    /// Its name.
    pub name: String,
    /// How it stands, as the node sees it that serves the console.
    pub state: NodeState,
    /// Shards that it owns; those of a node that is down are served again when they are another's.
    pub shards: u32,
    /// Live sessions, as it said last.
    pub sessions: u64,
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It lives and answers.
    Up,
    /// It is ending, and hands its shards over.
    Draining,
    /// It lives by the database, and does not answer.
    Silent,
    /// Its lease has ended.
    Down,
}

/// A team on the console.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeamCard {
    /// Which.
    pub id: TeamId,
    /// Name for people.
    pub name: String,
    /// Members now.
    pub members: Vec<PlayerId>,
    /// The quest it plays or played last.
    pub quest: Option<QuestId>,
    /// Quests that it has played besides.
    #[serde(skip)]
    pub others: Vec<QuestId>,
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// A live player on the operator's map, or a team-mate who shares. Never logged, never stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// `entered`, `left`, `step`, `badge`, `code`, `started`, `finished`, `photo`, `hint`, `points`, `team`.
    pub kind: Cow<'static, str>,
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
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Fixes judged.
    pub fixes: u64,
    /// Journal entries committed.
    pub entries: u64,
    /// Live sessions.
    pub sessions: u64,
    /// Awake entities.
    pub entities: u64,
    /// Entities that are parked.
    pub parked: u64,
    /// Fix to notice, the last thousand: median, in milliseconds.
    pub notice_p50_ms: f64,
    /// And the 99th percentile.
    pub notice_p99_ms: f64,
    /// Fixes that the plausibility rules on trial judge otherwise, in the order of `Difference::ALL`.
    pub trials: [u64; 4],
    /// The Redis of a cluster, if this node uses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisCounts>,
}

/// What is counted of the calls to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RedisCounts {
    /// Calls that went out.
    pub calls: u64,
    /// Those that failed, or came too late.
    pub failures: u64,
    /// How often it was given up for a while.
    pub opened: u64,
    /// Whether it is given up now.
    pub open: bool,
}

impl Counts {
    /// Takes another node's into the sum; of latencies the worse one counts.
    pub fn add(&mut self, other: &Self) {
        self.fixes += other.fixes;
        self.entries += other.entries;
        self.sessions += other.sessions;
        self.entities += other.entities;
        self.notice_p50_ms = self.notice_p50_ms.max(other.notice_p50_ms);
        self.notice_p99_ms = self.notice_p99_ms.max(other.notice_p99_ms);
        for (sum, count) in self.trials.iter_mut().zip(other.trials) {
            *sum += count;
        }
    }
}
