//! The words between the edge and the actors: who connects, what is pushed, why a session ends, what became of fixes.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::PlayerId;
use crate::quest::notice::Notice;
use serde::Serialize;
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
