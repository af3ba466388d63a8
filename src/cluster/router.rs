//! How anything reaches an entity, on whichever node it lives: by id, with a deadline, and with an answer that is never
//! silence.
//!
//! Promise: `Ok` means that the entity has done it and the journal has it (or that it was done before). Every error
//! means that it was not done, except `Expired`, which leaves it open: a message with a cause may simply be sent again.
//! A shard that is just changing hands is waited for here, on the asker's side, by a bounded number of askers; so what
//! is asked meanwhile is late, not lost.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::cluster::link::{Broken, Call, Peers, Reply, SessionKey};
use crate::cluster::member::NodeId;
use crate::cluster::shard::{SHARDS, Shard};
use crate::cluster::table::Table;
use crate::ids::EntityId;
use crate::quest::aggregate::Message;
use crate::quest::entry::Cause;
use crate::quest::guidance::Guidance;
use crate::quest::notice::Notice;
use crate::quest::refusal::Refusal;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// The longest that anyone waits for an entity: a store that restarts is back by then, or the asker is told to retry.
pub const DELIVERY_DEADLINE: Duration = Duration::from_secs(5);

/// Askers that wait for one shard to have an owner again: at a kilobyte each, all shards at once stay below 300 MB.
const WAITERS_MAX: u32 = 1_000;
/// The first and the longest pause before an owner is looked for again without news of one.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// What may be asked of an entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To decide a message.
    Decide(Message),
    /// To tell a session of its player where things stand, with the notices after an offset, and to tell it the news
    /// from now on. `since` is what the last answer said, if the session was told news before; a new one has none,
    /// and takes the place of any other.
    Attach { after: Option<u64>, session: SessionKey, since: Option<u64> },
    /// To show what a client may see.
    View,
    /// Never to decide the message of this cause: an operator has dropped it.
    Drop { cause: Cause, hops: u8 },
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// To a message: the client's answer, if there is one.
    Decided(Option<Value>),
    /// To a new session.
    Attached(Box<Attached>),
    /// To `View`.
    Viewed(Value),
    /// To `Drop`: whether there was anything left to drop.
    Dropped(bool),
}

/// Where things stand for a player.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attached {
    /// Since when the session counts as the player's: of two, the later one.
    pub since: u64,
    /// In which epoch of the player's shard it was entered there.
    pub epoch: u64,
    /// The offset of the last notice.
    pub offset: u64,
    /// The notices after the offset asked for; `None`: they are not all kept.
    pub missed: Option<Vec<(u64, Arc<Notice>)>>,
    /// What to watch.
    pub guidance: Guidance,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undelivered {
    /// The shard is not here, or is just leaving. The router asks elsewhere, or waits; nobody else meets this.
    Moved,
    /// The rules say no.
    Refused(Refusal),
    /// The entity has too much to do.
    Busy,
    /// The journal cannot be reached, or the entity is being restarted.
    Unavailable,
    /// No answer within the deadline.
    Expired,
    /// The entity has failed again and again and rests; an operator can see why. Between nodes only from protocol
    /// version 2 on.
    Parked,
}

impl From<Undelivered> for Refusal {
    fn from(undelivered: Undelivered) -> Self {
        match undelivered {
            Undelivered::Refused(refusal) => refusal,
            Undelivered::Busy => Self::busy("too much to do at once; try again in a second"),
            Undelivered::Moved | Undelivered::Unavailable => {
                Self::unavailable("the journal cannot be written now; try again in a second")
            }
            Undelivered::Parked => Self::unavailable(
                "the server fails at something here and rests before it tries again; try again in a minute",
            ),
            Undelivered::Expired => {
                Self::unavailable("no answer in time; try again with the same command id, it will not be done twice")
            }
        }
    }
}

/// Brings a request to an entity on this node.
pub trait Deliver: Send + Sync + Debug {
    /// Brings it; answers within [`DELIVERY_DEADLINE`], with [`Undelivered::Moved`] where the entity is not here.
    fn deliver(&self, to: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>>;
}

/// The one way to any entity; cheap to clone.
#[derive(Debug, Clone)]
pub struct Router(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    me: NodeId,
    table: Table,
    local: OnceLock<Arc<dyn Deliver>>,
    peers: OnceLock<Arc<dyn Peers>>,
    /// Of each shard: who waits for it to have an owner again.
    waiting: Vec<AtomicU32>,
}

/// Someone who waits for a shard; leaves by being dropped.
struct Waiter<'r>(&'r AtomicU32);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Router {
    /// A router of a node that owns nothing yet.
    pub fn new(me: NodeId) -> Self {
        let waiting = (0..SHARDS).map(|_| AtomicU32::new(0)).collect();
        let (local, peers) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { me, table: Table::default(), local, peers, waiting }))
    }

    /// Joins this node's actors to the router, once, when they have started.
    pub fn serve(&self, local: Arc<dyn Deliver>) {
        assert!(self.0.local.set(local).is_ok(), "a router is joined to its node once");
    }

    /// Joins the links to other nodes to the router, once.
    pub fn join(&self, peers: Arc<dyn Peers>) {
        assert!(self.0.peers.set(peers).is_ok(), "a router is joined to its links once");
    }

    /// This node.
    pub fn me(&self) -> &NodeId {
        &self.0.me
    }

    /// Who owns what, as far as this node has heard.
    pub fn table(&self) -> &Table {
        &self.0.table
    }

    /// This node's own actors, once they have started.
    pub fn local(&self) -> Option<&Arc<dyn Deliver>> {
        self.0.local.get()
    }

    /// The links to other nodes; `None` on a single node.
    pub fn peers(&self) -> Option<&Arc<dyn Peers>> {
        self.0.peers.get()
    }

    /// Asks an entity anything.
    pub async fn ask(&self, to: EntityId, request: Request) -> Result<Response, Undelivered> {
        let (shard, deadline) = (Shard::of(&to), Instant::now() + DELIVERY_DEADLINE);
        let mut changes = self.0.table.changes();
        let (mut waiter, mut pause) = (None, PAUSE_MIN);
        loop {
            changes.mark_unchanged();
            match self.try_once(shard, &to, &request, deadline).await {
                Err(Undelivered::Moved) => {}
                answered => return answered,
            }
            if waiter.is_none() {
                waiter = Some(self.wait_for(shard).ok_or(Undelivered::Busy)?);
            }
            // The table changes as soon as the next owner serves; the pause is for news that was lost.
            let news = tokio::time::timeout(pause, changes.changed());
            if tokio::time::timeout_at(deadline, news).await.is_err() {
                return Err(Undelivered::Unavailable);
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Has an entity decide a message; the answer is the client's.
    pub async fn send(&self, to: EntityId, message: Message) -> Result<Option<Value>, Undelivered> {
        match self.ask(to, Request::Decide(message)).await? {
            Response::Decided(answer) => Ok(answer),
            Response::Attached(_) | Response::Viewed(_) | Response::Dropped(_) => Err(Undelivered::Unavailable),
        }
    }

    /// One try with whoever owns the shard now; `Moved` where another try may find it elsewhere.
    async fn try_once(
        &self,
        shard: Shard,
        to: &EntityId,
        request: &Request,
        deadline: Instant,
    ) -> Result<Response, Undelivered> {
        let row = self.0.table.row(shard);
        let Some(node) = row.node else { return Err(Undelivered::Moved) };
        if node == self.0.me {
            let local = self.0.local.get().ok_or(Undelivered::Moved)?;
            return local.deliver(to.clone(), request.clone()).await;
        }
        let peers = self.0.peers.get().ok_or(Undelivered::Moved)?;
        let call = Call::Entity { to: to.clone(), epoch: row.epoch, request: request.clone() };
        match peers.call(&node, call, deadline.saturating_duration_since(Instant::now())).await {
            Ok(Reply::Entity(answer)) => answer,
            Ok(Reply::Moved(news)) => {
                self.0.table.learn([news]);
                Err(Undelivered::Moved)
            }
            Ok(Reply::Node(_)) => Err(Undelivered::Unavailable),
            Err(Broken::NotSent) => Err(Undelivered::Moved),
            Err(Broken::Full) => Err(Undelivered::Busy),
            // It may have been done: whoever recognises a repeat is asked again.
            Err(Broken::NoAnswer) if request.may_be_repeated() => Err(Undelivered::Moved),
            Err(Broken::NoAnswer) => Err(Undelivered::Expired),
        }
    }

    /// A place among those who wait for a shard; `None`: all are taken.
    fn wait_for(&self, shard: Shard) -> Option<Waiter<'_>> {
        let waiting = &self.0.waiting[usize::from(shard.number())];
        let waiter = Waiter(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < WAITERS_MAX).then_some(waiter)
    }
}

impl Request {
    /// Whether it does no harm when it arrives twice.
    pub fn may_be_repeated(&self) -> bool {
        match self {
            Self::Decide(message) => message.may_be_repeated(),
            Self::Attach { .. } | Self::View | Self::Drop { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests;
