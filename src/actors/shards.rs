//! The shards of this node: where a request is delivered to the actor that owns its entity.
//!
//! Promise: what this node does not serve, or is not certain to serve, is answered `Moved`, and nothing was done.

use crate::actors::mailbox::{ShardMessage, SupervisorMessage};
use crate::actors::ownership::Ownership;
use crate::cluster::router::{DELIVERY_DEADLINE, Deliver, Request, Response, Undelivered};
use crate::cluster::shard::{SHARDS, Shard};
use crate::ids::EntityId;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::ActorRef;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tokio::sync::{Semaphore, oneshot};

/// Requests under way for one shard: bounds the mailbox of its actor, which ractor does not.
const SHARD_INBOX: usize = 1_024;

/// The way into one shard: its credits, and its actor once it has started.
type Inbox = (Arc<Semaphore>, RwLock<Option<ActorRef<ShardMessage>>>);

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
        let inbox = || (Arc::new(Semaphore::new(SHARD_INBOX)), RwLock::new(None));
        Self { ownership, inboxes: (0..SHARDS).map(|_| inbox()).collect(), supervisor: OnceLock::new() }
    }

    /// Names the supervisor, once, at its start.
    pub fn supervised_by(&self, supervisor: ActorRef<SupervisorMessage>) {
        self.supervisor.set(supervisor).unwrap_or_default();
    }

    /// Enters the actor of a shard, at its start or restart.
    pub fn enter(&self, shard: Shard, actor: ActorRef<ShardMessage>) {
        *self.inboxes[usize::from(shard.number())].1.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    /// Takes the actor of a shard out, which has left this node.
    pub fn leave(&self, shard: Shard) {
        *self.inboxes[usize::from(shard.number())].1.write().unwrap_or_else(PoisonError::into_inner) = None;
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
        self.inboxes[usize::from(shard.number())].1.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Deliver for Shards {
    fn deliver(&self, to: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>> {
        let shard = Shard::of(&to);
        async move {
            let (inbox, _) = &self.inboxes[usize::from(shard.number())];
            let gone = || match self.ownership.serves(shard) {
                Some(_) => Undelivered::Unavailable,
                None => Undelivered::Moved,
            };
            let work = async {
                self.ownership.serves(shard).ok_or(Undelivered::Moved)?;
                let permit = Arc::clone(inbox).acquire_owned().await.map_err(|_| Undelivered::Unavailable)?;
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
