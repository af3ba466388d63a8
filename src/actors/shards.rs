//! The shards of this node: where a request is delivered to the actor that owns its entity.
//!
//! Promise: what this node does not serve, or is not certain to serve, is answered `Moved`, and nothing was done.

use crate::actors::mailbox::{ShardMessage, SupervisorMessage};
use crate::actors::ownership::Ownership;
use crate::cluster::router::{DELIVERY_DEADLINE, Deliver, Request, Response, Undelivered};
use crate::cluster::shard::{SHARDS, Shard};
use crate::ids::{EntityId, stable_hash};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::ActorRef;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tokio::sync::{Semaphore, oneshot};

/// Requests under way for one shard: bounds the mailbox of its actor, which ractor does not.
const SHARD_INBOX: usize = 1_024;

/// Lanes of a shard: an entity has one, and shares it with a sixteenth of the others.
const LANES: usize = 16;
/// Requests under way in one lane: half of the shard's inbox, so that a crowd at one place leaves the other half to the
/// rest of the shard; and as many as a region's own inbox holds. Beyond it who asks is turned away at once.
const LANE_MAX: u32 = 512;

/// The way into one shard: its credits, its actor once it has started, and what is under way in each lane.
#[derive(Debug)]
struct Inbox {
    credits: Arc<Semaphore>,
    actor: RwLock<Option<ActorRef<ShardMessage>>>,
    lanes: [AtomicU32; LANES],
}

/// A request under way in a lane; leaves it by being dropped.
struct UnderWay<'s>(&'s AtomicU32);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inbox {
    fn new() -> Self {
        Self { credits: Arc::new(Semaphore::new(SHARD_INBOX)), actor: RwLock::default(), lanes: Default::default() }
    }

    /// A place in an entity's lane; `None`: it is full.
    fn enter(&self, entity: &EntityId) -> Option<UnderWay<'_>> {
        // Other bits than those that chose the shard.
        let lane = (stable_hash(entity.key().bytes()) >> 32) as usize % LANES;
        let under_way = UnderWay(&self.lanes[lane]);
        (under_way.0.fetch_add(1, Ordering::Relaxed) < LANE_MAX).then_some(under_way)
    }
}

/// The shards of this node: where requests are delivered.
#[derive(Debug)]
pub struct Shards {
    ownership: Arc<Ownership>,
    inboxes: Vec<Inbox>,
    /// Starts the actor of a shard that sleeps.
    supervisor: OnceLock<ActorRef<SupervisorMessage>>,
}

impl Shards {
    /// Of a node that serves what `ownership` says.
    pub fn new(ownership: Arc<Ownership>) -> Self {
        let inboxes = (0..SHARDS).map(|_| Inbox::new()).collect();
        Self { ownership, inboxes, supervisor: OnceLock::new() }
    }

    /// Names the supervisor, once, at its start.
    pub fn supervised_by(&self, supervisor: ActorRef<SupervisorMessage>) {
        self.supervisor.set(supervisor).unwrap_or_default();
    }

    /// Enters the actor of a shard, at its start or restart.
    pub fn enter(&self, shard: Shard, actor: ActorRef<ShardMessage>) {
        *self.inbox(shard).actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    /// Takes the actor of a shard out, which has left this node.
    pub fn leave(&self, shard: Shard) {
        *self.inbox(shard).actor.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn inbox(&self, shard: Shard) -> &Inbox {
        &self.inboxes[usize::from(shard.number())]
    }

    /// The actor of a shard; one that sleeps is started.
    async fn awake(&self, shard: Shard) -> Option<ActorRef<ShardMessage>> {
        if let Some(actor) = self.actor(shard) {
            return Some(actor);
        }
        let (started, starts) = oneshot::channel();
        self.supervisor.get()?.cast(SupervisorMessage::Start(shard, started)).ok()?;
        starts.await.ok()?;
        self.actor(shard)
    }

    /// The actor of a shard, once it has started.
    pub fn actor(&self, shard: Shard) -> Option<ActorRef<ShardMessage>> {
        self.inbox(shard).actor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Deliver for Shards {
    fn deliver(&self, to: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>> {
        let shard = Shard::of(&to);
        async move {
            let inbox = self.inbox(shard);
            let gone = || match self.ownership.serves(shard) {
                Some(_) => Undelivered::Unavailable,
                None => Undelivered::Moved,
            };
            let work = async {
                self.ownership.serves(shard).ok_or(Undelivered::Moved)?;
                let _under_way = inbox.enter(&to).ok_or(Undelivered::Busy)?;
                let permit =
                    Arc::clone(&inbox.credits).acquire_owned().await.map_err(|_| Undelivered::Unavailable)?;
                let actor = self.awake(shard).await.ok_or_else(gone)?;
                let (answer, answered) = oneshot::channel();
                let message = ShardMessage::Deliver { to, request, answer, permit };
                actor.cast(message).map_err(|_| gone())?;
                // The actor that held the request died before it answered: a panic, or the shard has left this node.
                answered.await.unwrap_or_else(|_| Err(gone()))
            };
            tokio::time::timeout(DELIVERY_DEADLINE, work).await.unwrap_or(Err(Undelivered::Expired))
        }
        .boxed()
    }
}
