//! What passes between two nodes: calls, which are answered, and notes, which are not. One seam, with the real link
//! (gRPC, [`crate::links`]) behind it, and a twin in memory for simulations.
//!
//! Promise of every link: bounded at both ends; a call is answered by its deadline, with [`Broken`] if by nothing else;
//! what arrives after its deadline is dropped, however long the network has kept it; a peer that is silent for three
//! seconds is given up.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::cluster::member::NodeId;
use crate::cluster::router::{Request, Response, Undelivered};
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, PlayerId, TeamId};
use crate::quest::guidance::{Guidance, Meet};
use crate::quest::notice::Notice;
use crate::units::{Meters, MetersPerSecond, Timestamp};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What one node asks of another.
#[derive(Debug)]
pub enum Call {
    /// Something of an entity that the other owns, as the asker believes, in this epoch.
    Entity { to: EntityId, epoch: u64, request: Request },
    /// Something of the node itself: a question for operators, as JSON.
    Node(NodeQuestion),
}

/// What may be asked of a node itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeQuestion {
    /// Its part of what a console shows, with the happenings after so many that were heard of it.
    Overview { heard: u64 },
    /// Which of its entities are parked.
    Parked,
    /// Let a parked entity try again; `drop`: without the message that it died of.
    Unpark { entity: EntityId, drop: bool },
    /// Something of a player's live session: asked of the player's owner, which passes it on to the node that holds
    /// the session, if that is another, and then says which session it is.
    Session {
        player: PlayerId,
        session: Option<u64>,
        question: SessionQuestion,
        /// Whose fixes it bears; a node that does not know of devices passes this over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<Device>,
    },
}

/// What may be asked of a live session from elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionQuestion {
    /// Which circles the phone is to watch, so many at most.
    Wake { max: usize },
    /// To judge fixes that came without a socket.
    Judge(Vec<Seen>),
}

/// A device that posts a player's fixes with a token of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What its token calls itself; empty if it has no name.
    pub name: String,
    /// When that was signed.
    pub since: Timestamp,
}

/// The answer.
#[derive(Debug)]
pub enum Reply {
    /// Of an entity.
    Entity(Result<Response, Undelivered>),
    /// The node does not own the shard in that epoch; who does, as far as it knows.
    Moved(Ownership),
    /// Of the node.
    Node(Value),
}

/// Whose a shard is, as news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    pub shard: Shard,
    /// `None`: nobody's now.
    pub node: Option<NodeId>,
    pub epoch: u64,
}

/// A session as the owner of its player knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionKey {
    /// The node that holds the socket.
    pub node: NodeId,
    /// Counted by that node.
    pub number: u64,
}

/// What one node tells another, at most once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The owner of a player to the player's session: notices with their offsets, and what to watch.
    News { session: SessionKey, player: PlayerId, notices: Vec<(u64, Arc<Notice>)>, guidance: Box<Guidance> },
    /// The owner to a session: another session of the player has taken its place.
    Replaced { session: SessionKey, player: PlayerId },
    /// The node of a session to the owner of its player: it has ended.
    Ended { session: SessionKey, player: PlayerId },
    /// Some notes were dropped since there was no room: whoever counts on them must ask anew.
    Lossy,
    /// Shards have changed hands. Protocol version 2 and later.
    Owners(Vec<Ownership>),
    /// A team has these members now; who is none any more shall not hear its channel.
    Members { team: TeamId, members: Vec<PlayerId> },
    /// The node of a session to the owner of a team: a member was seen while these meetings may come about.
    Near { player: PlayerId, meets: Vec<Meet>, seen: Seen },
    /// The same to the same: these meetings no longer concern the member.
    Apart { player: PlayerId, meets: Vec<Meet> },
}

/// Where a player was seen: a fix, for meetings and for sessions on other nodes. In memory and on the way only; never
/// printed.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Longitude, degrees.
    pub lon: f64,
    /// Latitude, degrees.
    pub lat: f64,
    pub accuracy: Meters,
    pub time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<MetersPerSecond>,
    /// Degrees from north, clockwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub altitude: Option<Meters>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mock: bool,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It was not sent: no link, or no room. It was not done.
    NotSent,
    /// It was sent; whether it was done is not known.
    NoAnswer,
    /// No room in the queue to the peer. It was not done.
    Full,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// It has a peer that speaks this version; the count grows with each new connection.
    Up { protocol: u16, connection: u64 },
    /// It has none. `refused`: the peer's machine answers that nobody listens there, so the process is gone.
    Down { refused: bool },
}

/// The links of a node: one out to each other member.
pub trait Peers: Send + Sync + Debug + 'static {
    /// Calls a peer. Answers within `deadline`.
    fn call(&self, to: &NodeId, call: Call, deadline: Duration) -> BoxFuture<'_, Result<Reply, Broken>>;

    /// Tells a peer something. `false`: there is no link or no room; when there is room again, the peer is sent
    /// [`Note::Lossy`].
    fn tell(&self, to: &NodeId, note: Note) -> bool;

    /// Which peers there should be links to, and where each is: the living members but this one, by their rows.
    fn aim(&self, peers: BTreeMap<NodeId, (String, String)>);

    /// How the link to each of them stands; changes are seen at once.
    fn states(&self) -> watch::Receiver<BTreeMap<NodeId, LinkState>>;
}

/// What a node does with what it is asked and told.
pub trait Handler: Send + Sync + Debug + 'static {
    /// Answers a call of a peer; by the deadline, or nobody waits any more.
    fn call(&self, from: NodeId, call: Call, deadline: Duration) -> BoxFuture<'_, Reply>;

    /// Takes a note; must not wait.
    fn note(&self, from: NodeId, note: Note);
}
