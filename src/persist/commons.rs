//! What the nodes of a cluster have in common beside the journal: boards, and where players are who share it with their
//! team-mates. In a Redis, which may hang, forget or be gone at any moment; nothing here is the truth.
//!
//! Promises:
//! - **Absolute**: all that is put is what holds, never a change of it, so a command that runs late or twice does no
//!   lasting harm: what holds is put again.
//! - **Bounded**: a call takes `CALL` at most, a new connection `CONNECT`; after two failures in a row Redis is
//!   left alone for a while (`breaker`).
//! - **Noticed**: [`Commons::begin`] tells when Redis may have lost what this node had put.
//! - **Apart**: every key bears the cluster's id. All but marks of moments live a day without a node, positions 15
//!   seconds.
//! - **Silent**: no error or log line bears the URL, whose password may be in it, or a position.

mod breaker;
#[cfg(test)]
mod tests;

pub use breaker::Tally;

use super::new_id;
use crate::cluster::member::NodeId;
use crate::ids::{QuestId, TeamId};
use breaker::Breaker;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Longest call: some hundred times what one takes, and no longer than a reader waits without noticing.
const CALL: Duration = Duration::from_millis(200);
/// Longest way to a new connection: name, TCP, TLS, password.
const CONNECT: Duration = Duration::from_millis(500);
/// Teams, or keys, in one call: one or two milliseconds of Redis, which does one thing at a time.
pub const BATCH: usize = 500;
/// How long a position lives: what a player stops sharing while this node cannot reach Redis is gone then.
const POSITION_MS: u64 = 15_000;
/// How long a node's word holds that all it knows is in: a few rounds.
const WHOLE_MS: u64 = 5_000;
/// How long the rest is kept of a cluster that does not run.
const KEPT_S: u64 = 86_400;
/// Happenings kept for readers outside, about so many.
const HAPPENINGS: u32 = 10_000;

/// Where a Redis is. Never shown: it may bear a password.
#[derive(Clone)]
pub struct RedisUrl(Client);

/// A URL that is none of a Redis.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "store.redis is not the URL of a Redis: write it as \"redis://host:6379\", or \"rediss://host:6380\" for TLS, with \
     `:password@` before the host if it asks for one"
)]
pub struct BadUrl;

impl RedisUrl {
    /// Looks at a URL; nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, BadUrl> {
        // The reason may repeat what is written there.
        Client::open(url).map(Self).map_err(|_| BadUrl)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(..)")
    }
}

/// Why something was not put or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// No answer in time. It may still come to pass.
    #[error("it does not answer in time")]
    Late,
    /// Not asked: it has failed a moment ago.
    #[error("it has failed a moment ago")]
    GivenUp,
    /// No connection.
    #[error("it cannot be reached ({0})")]
    Gone(String),
    /// It says no.
    #[error("it refuses ({0})")]
    Refused(String),
}

impl Trouble {
    /// By kind only: the whole error may bear names of hosts and what was sent.
    fn of(error: &RedisError) -> Self {
        match error.code() {
            Some(code) => Self::Refused(code.to_owned()),
            None if error.is_io_error() => Self::Gone(error.category().to_owned()),
            None => Self::Refused(error.category().to_owned()),
        }
    }
}

/// A team on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    /// Which.
    pub team: TeamId,
    /// Its name for people.
    pub name: String,
    /// What it has.
    pub points: i64,
}

/// Where a team stands now, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamPut {
    /// Its row.
    pub row: BoardRow,
    /// On which board; `None`: on none.
    pub quest: Option<QuestId>,
    /// Boards on which it may have stood before.
    pub others: Vec<QuestId>,
}

/// The way to the Redis of a cluster, of one node. One task uses it.
pub struct Commons {
    client: Client,
    /// Before every key.
    prefix: String,
    me: NodeId,
    connection: Option<MultiplexedConnection>,
    breaker: Breaker,
    /// What the mark was when last looked: another one means that Redis began anew.
    mark: Option<String>,
    /// What was put may be lost, and nobody has been told yet.
    lost: bool,
    /// Longest call.
    cap: Duration,
}

impl fmt::Debug for Commons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commons").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Commons {
    /// Of a node of the cluster with this id. Nothing is connected yet.
    pub fn new(url: RedisUrl, cluster: &str, me: NodeId) -> Self {
        Self {
            client: url.0,
            prefix: format!("waystone:{cluster}:"),
            me,
            connection: None,
            breaker: Breaker::default(),
            mark: None,
            lost: true,
            cap: CALL,
        }
    }

    /// The node whose it is.
    pub fn me(&self) -> &NodeId {
        &self.me
    }

    /// What is counted.
    pub fn tally(&self) -> Arc<Tally> {
        self.breaker.tally()
    }

    /// Begins a round: connects if need be, and looks whether Redis still is the one that it was. `true`, once: what
    /// this node has put may be lost, put it anew. A connection may have ended since another server stands there now,
    /// with other contents; an emptied one has another mark.
    pub async fn begin(&mut self) -> Result<bool, Trouble> {
        self.connect().await?;
        let (key, new) = (self.key("mark"), new_id().map_err(Trouble::Refused)?);
        let mut pipe = Pipeline::new();
        pipe.cmd("SET").arg(&key).arg(new).arg("NX").ignore();
        pipe.cmd("EXPIRE").arg(&key).arg(KEPT_S).ignore();
        pipe.cmd("GET").arg(&key);
        let (mark,): (Option<String>,) = self.call(&pipe).await?;
        self.lost |= mark.is_none() || mark != self.mark;
        self.mark = mark;
        Ok(std::mem::take(&mut self.lost))
    }

    /// Puts teams where they stand now, [`BATCH`] at most.
    pub async fn put_teams(&mut self, teams: &[TeamPut]) -> Result<(), Trouble> {
        let mut pipe = Pipeline::new();
        for put in teams {
            let team = put.row.team.as_str();
            for other in &put.others {
                pipe.cmd("ZREM").arg(self.board(other)).arg(team).ignore();
                pipe.cmd("HDEL").arg(self.names(other)).arg(team).ignore();
            }
        }
        let mut quests: Vec<&QuestId> = teams.iter().filter_map(|put| put.quest.as_ref()).collect();
        quests.sort();
        quests.dedup();
        for quest in quests {
            let rows = || teams.iter().filter(|put| put.quest.as_ref() == Some(quest)).map(|put| &put.row);
            let (board, names) = (self.board(quest), self.names(quest));
            let scores = pipe.cmd("ZADD").arg(&board);
            // Turned round, for Redis sorts upwards, and as many points by name: so the order is the one of our boards.
            rows().for_each(|row| _ = scores.arg(row.points.saturating_neg()).arg(row.team.as_str()));
            let named = pipe.ignore().cmd("HSET").arg(&names);
            rows().for_each(|row| _ = named.arg(row.team.as_str()).arg(&row.name));
            pipe.ignore().cmd("EXPIRE").arg(&board).arg(KEPT_S).ignore();
            pipe.cmd("EXPIRE").arg(&names).arg(KEPT_S).ignore();
        }
        self.call(&pipe).await
    }

    /// Puts where members of teams are whose sessions are on this node, [`BATCH`] teams at most; `None`: of that team
    /// nobody shares here any more.
    pub async fn put_positions(&mut self, teams: &[(TeamId, Option<String>)]) -> Result<(), Trouble> {
        let mut pipe = Pipeline::new();
        for (team, positions) in teams {
            let key = self.positions(&self.me, team);
            match positions {
                Some(positions) => pipe.cmd("SET").arg(key).arg(positions).arg("PX").arg(POSITION_MS).ignore(),
                None => pipe.cmd("DEL").arg(key).ignore(),
            };
        }
        self.call(&pipe).await
    }

    /// Says that all that this node knows is in.
    pub async fn put_whole(&mut self) -> Result<(), Trouble> {
        let mut pipe = Pipeline::new();
        pipe.cmd("SET").arg(self.whole(&self.me)).arg(&self.mark).arg("PX").arg(WHOLE_MS).ignore();
        self.call(&pipe).await
    }

    /// Whether these nodes said so a moment ago, of the Redis that stands there now.
    pub async fn is_whole(&mut self, nodes: &[NodeId]) -> Result<bool, Trouble> {
        if nodes.is_empty() {
            return Ok(true);
        }
        let mut pipe = Pipeline::new();
        pipe.cmd("MGET").arg(nodes.iter().map(|node| self.whole(node)).collect::<Vec<_>>());
        let (marks,): (Vec<Option<String>>,) = self.call(&pipe).await?;
        Ok(marks.len() == nodes.len() && marks.iter().all(|mark| mark.is_some() && *mark == self.mark))
    }

    /// The first of each of these boards, `rows` at most; [`BATCH`] boards at most.
    pub async fn tops(&mut self, quests: &[QuestId], rows: usize) -> Result<Vec<Vec<BoardRow>>, Trouble> {
        let mut pipe = Pipeline::new();
        for quest in quests {
            pipe.cmd("ZRANGE").arg(self.board(quest)).arg(0).arg(rows.saturating_sub(1)).arg("WITHSCORES");
        }
        let boards: Vec<Vec<(String, f64)>> = self.call(&pipe).await?;
        let mut pipe = Pipeline::new();
        for (quest, board) in quests.iter().zip(&boards).filter(|(_, board)| !board.is_empty()) {
            pipe.cmd("HMGET").arg(self.names(quest)).arg(board.iter().map(|(team, _)| team).collect::<Vec<_>>());
        }
        let names: Vec<Vec<Option<String>>> = self.call(&pipe).await?;
        let mut names = names.into_iter();
        let named = |board: Vec<(String, f64)>| {
            let names = if board.is_empty() { None } else { names.next() }.unwrap_or_default();
            board.into_iter().zip(names).filter_map(|(scored, name)| row(scored, name)).collect()
        };
        Ok(boards.into_iter().map(named).collect())
    }

    /// What these nodes have put of where members of each of these teams are; [`BATCH`] teams at most.
    pub async fn positions_of(&mut self, teams: &[TeamId], nodes: &[NodeId]) -> Result<Vec<Vec<String>>, Trouble> {
        if teams.is_empty() || nodes.is_empty() {
            return Ok(vec![Vec::new(); teams.len()]);
        }
        let mut pipe = Pipeline::new();
        for team in teams {
            pipe.cmd("MGET").arg(nodes.iter().map(|node| self.positions(node, team)).collect::<Vec<_>>());
        }
        let put: Vec<Vec<Option<String>>> = self.call(&pipe).await?;
        Ok(put.into_iter().map(|put| put.into_iter().flatten().collect()).collect())
    }

    /// Adds happenings, each as JSON, to the stream for readers outside; [`BATCH`] at most. What fails is not added
    /// again: it may have come to pass.
    pub async fn tell(&mut self, happenings: &[String]) -> Result<(), Trouble> {
        let mut pipe = Pipeline::new();
        let key = self.key("happenings");
        for happening in happenings {
            pipe.cmd("XADD")
                .arg(&key)
                .arg("MAXLEN")
                .arg("~")
                .arg(HAPPENINGS)
                .arg("*")
                .arg("json")
                .arg(happening)
                .ignore();
        }
        pipe.cmd("EXPIRE").arg(&key).arg(KEPT_S).ignore();
        self.call(&pipe).await
    }

    async fn connect(&mut self) -> Result<(), Trouble> {
        if self.connection.is_some() {
            return Ok(());
        }
        self.breaker.admit()?;
        // We have deadlines of our own, around each call.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(connection)) => {
                self.connection = Some(connection);
                self.lost = true;
                Ok(())
            }
            Ok(Err(error)) => Err(self.failed(Trouble::of(&error))),
            Err(_) => Err(self.failed(Trouble::Late)),
        }
    }

    async fn call<T: FromRedisValue + Default>(&mut self, pipe: &Pipeline) -> Result<T, Trouble> {
        if pipe.is_empty() {
            return Ok(T::default());
        }
        let Some(connection) = &mut self.connection else { return Err(Trouble::GivenUp) };
        self.breaker.admit()?;
        match tokio::time::timeout(self.cap, pipe.query_async(connection)).await {
            Ok(Ok(answer)) => {
                self.breaker.passed();
                Ok(answer)
            }
            Ok(Err(error)) => {
                // Broken, or somebody who will not have us: a new one asks anew who stands there.
                self.connection = None;
                Err(self.failed(Trouble::of(&error)))
            }
            Err(_) => Err(self.failed(Trouble::Late)),
        }
    }

    fn failed(&mut self, trouble: Trouble) -> Trouble {
        if self.breaker.failed(&trouble) {
            self.connection = None;
        }
        trouble
    }

    fn key(&self, rest: impl fmt::Display) -> String {
        format!("{}{rest}", self.prefix)
    }

    fn board(&self, quest: &QuestId) -> String {
        self.key(format_args!("board:{quest}"))
    }

    fn names(&self, quest: &QuestId) -> String {
        self.key(format_args!("names:{quest}"))
    }

    fn whole(&self, node: &NodeId) -> String {
        self.key(format_args!("whole:{node}"))
    }

    fn positions(&self, node: &NodeId, team: &TeamId) -> String {
        self.key(format_args!("positions:{node}:{team}"))
    }
}

/// A row as read; `None`: not of our writing.
fn row((team, score): (String, f64), name: Option<String>) -> Option<BoardRow> {
    let team = TeamId::new(&team).ok()?;
    let name = name.unwrap_or_else(|| team.to_string());
    // Points are far below 2^53, so this is exact.
    Some(BoardRow { team, name, points: (score as i64).saturating_neg() })
}
