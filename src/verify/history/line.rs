//! The lines of a history file: what one client did, saw and was told, each as one JSON object.
//!
//! A line names the player and the player's device, so that files of many clients can be read together. Promise: there
//! is no place in a line for a position or a token, and what a client asks is kept only if it is a command of ours.

use crate::ids::{BadgeId, PlayerId, QuestId, TeamId};
use crate::quest::act::CommandId;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// The form that this version writes and reads.
pub const FORM: u32 = 1;

/// The first line of a file: its form, and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The form's number.
    pub history: u32,
    /// For people: which program.
    pub by: String,
}

/// Every line but the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The client's time, for people: no check goes by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who.
    pub player: PlayerId,
    /// Which of the player's devices; each resumes by itself.
    #[serde(default, skip_serializing_if = "is_first")]
    pub device: u32,
    /// What happened there.
    pub what: Did,
}

fn is_first(device: &u32) -> bool {
    *device == 0
}

/// What a client did, saw or was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// The server has welcomed it.
    Connected(Connected),
    /// It is about to send a call; written before it is sent.
    Asked(Asked),
    /// A call has its outcome.
    Answered(Answered),
    /// A notice came.
    Told(Told),
    /// `state.get` was answered.
    State(StateSeen),
    /// A board came.
    Board(BoardSeen),
    /// The game is at rest and the client has waited for all that it is owed: nobody will do anything any more that
    /// changes anything. What it sees from here on must be final.
    Settled,
    /// The connection is gone.
    Disconnected(Disconnected),
}

/// A place in a player's stream of notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which stream.
    pub epoch: String,
    /// The last offset seen.
    pub offset: u64,
}

/// The server's welcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connected {
    /// The stream's epoch.
    pub epoch: String,
    /// Where the client asked to resume, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Position>,
    /// Whether the server says that the stream goes on from there.
    pub recovered: bool,
    /// The offset before the first notice that follows: where it was resumed, or else the end of the stream, as the
    /// welcome says.
    pub offset: u64,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its number: unlike that of any other call of this device that has no outcome yet.
    pub request: u64,
    /// The method.
    pub method: String,
    /// The client's own id of the command; without one it leaves no trace in the journal that could be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<CommandId>,
    /// The command's data; never that of a fix.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The call's number.
    pub request: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done; the answer.
    Done(Value),
    /// It was refused, under a documented code.
    Refused(u32),
    /// Nobody knows: no answer came.
    Unknown,
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Its offset.
    pub offset: u64,
    /// The notice as it came.
    pub notice: Value,
}

/// What `state.get` showed, as far as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSeen {
    /// The number of the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// The offset of the player's last notice then.
    pub offset: u64,
    /// The player's points.
    pub points: i64,
    /// The player's badges.
    pub badges: BTreeSet<BadgeId>,
    /// The player's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamSeen>,
}

/// A team as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamSeen {
    /// Which.
    pub id: TeamId,
    /// Its members.
    pub members: BTreeSet<PlayerId>,
    /// Its runs.
    pub runs: Vec<RunSeen>,
}

/// A team's run of a quest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSeen {
    /// The quest.
    pub quest: QuestId,
    /// The team's points in it.
    pub points: i64,
    /// Whether it is over.
    pub over: bool,
}

/// A board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardSeen {
    /// The number of the call that it answers, if it was not pushed: pushes come in their order, answers among them
    /// as they may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Of which quest.
    pub quest: QuestId,
    /// Its rows, from the top.
    pub rows: Vec<RowSeen>,
}

/// A row of a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSeen {
    /// The team.
    pub team: TeamId,
    /// Its points.
    pub points: i64,
}

/// The end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disconnected {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl StateSeen {
    /// From the answer to `state.get`; `None` if that is another thing.
    pub fn of(request: Option<u64>, state: &Value) -> Option<Self> {
        let team = match &state["team"] {
            Value::Null => None,
            team => Some(TeamSeen::of(team)?),
        };
        Some(Self {
            request,
            offset: state["offset"].as_u64()?,
            points: state["points"].as_i64()?,
            badges: ids(&state["badges"], |badge| BadgeId::new(badge.as_str()?).ok())?,
            team,
        })
    }
}

impl TeamSeen {
    fn of(team: &Value) -> Option<Self> {
        let run = |run: &Value| {
            let (points, over) = (run["points"].as_i64()?, run["over"].as_bool()?);
            Some(RunSeen { quest: QuestId::new(run["quest"].as_str()?).ok()?, points, over })
        };
        Some(Self {
            id: TeamId::new(team["id"].as_str()?).ok()?,
            members: ids(&team["members"], |member| PlayerId::new(member["player"].as_str()?).ok())?,
            runs: team["runs"].as_array()?.iter().map(run).collect::<Option<_>>()?,
        })
    }
}

impl BoardSeen {
    /// From what a board's channel bears; `None` if that is another thing.
    pub fn of(request: Option<u64>, board: &Value) -> Option<Self> {
        let row = |row: &Value| {
            let points = row["points"].as_i64()?;
            Some(RowSeen { team: TeamId::new(row["team"].as_str()?).ok()?, points })
        };
        let rows = board["rows"].as_array()?.iter().map(row).collect::<Option<_>>()?;
        Some(Self { request, quest: QuestId::new(board["quest"].as_str()?).ok()?, rows })
    }
}

fn ids<T: Ord>(list: &Value, id: impl Fn(&Value) -> Option<T>) -> Option<BTreeSet<T>> {
    list.as_array()?.iter().map(id).collect()
}
