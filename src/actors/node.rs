//! What all actors of a node share, and how they start and end: the supervisor holds the shards, the shards their
//! entities.
//!
//! Start: claim every shard, take on undelivered messages, start each shard's actor with its alarms, then serve and
//! carry: what an entity says now comes after what it said in the last run. End: sessions are told to go, entities
//! finish what they have, the courier stops; what is under way is in the journal.

use crate::actors::channels::{self, Channels};
use crate::actors::counters::Counters;
use crate::actors::courier::Courier;
use crate::actors::game::CloseReason;
use crate::actors::overview::OverviewBoard;
use crate::actors::positions::Positions;
use crate::actors::rebuild;
use crate::actors::session::SessionMessage;
use crate::actors::sessions::Sessions;
use crate::actors::shard::{ShardArguments, ShardMessage};
use crate::actors::supervisor::{Supervisor, SupervisorArguments};
use crate::actors::world::World;
use crate::clock::Clock;
use crate::cluster::router::{DELIVERY_DEADLINE, Deliver, Request, Response, Router, Undelivered};
use crate::cluster::shard::{SHARDS, Shard};
use crate::ids::EntityId;
use crate::persist::{Journal, ReadError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{Actor, ActorRef};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// Requests under way for one shard: bounds the mailbox of its actor, which ractor does not.
const SHARD_INBOX: usize = 1_024;
/// How long entities may take to finish what they have when the node ends.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// Undelivered entries read at once at the start.
const UNDELIVERED_PAGE: u32 = 500;

/// What all actors of a node share.
#[derive(Debug)]
pub struct Node {
    /// The only reader of time.
    pub clock: Clock,
    /// The only truth.
    pub journal: Arc<dyn Journal>,
    /// The way to any entity.
    pub router: Router,
    /// Carries messages between entities.
    pub courier: Courier,
    /// Live sessions.
    pub sessions: Sessions,
    /// Quests and regions.
    pub world: World,
    /// The projection for people.
    pub overview: OverviewBoard,
    /// Where live players are.
    pub positions: Positions,
    /// Live channels.
    pub channels: Channels,
    /// Counters.
    pub counters: Counters,
    draining: AtomicBool,
}

/// A started node.
#[derive(Debug)]
pub struct RunningNode {
    /// Its common parts.
    pub node: Arc<Node>,
    supervisor: ActorRef<crate::actors::supervisor::SupervisorMessage>,
    shards: Arc<Shards>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The way into one shard: its credits, and its actor once it has started.
type Inbox = (Arc<Semaphore>, RwLock<Option<ActorRef<ShardMessage>>>);

/// The shards of this node: where requests are delivered.
#[derive(Debug)]
pub struct Shards {
    inboxes: Vec<Inbox>,
}

impl Shards {
    fn new() -> Self {
        let inbox = || (Arc::new(Semaphore::new(SHARD_INBOX)), RwLock::new(None));
        Self { inboxes: (0..SHARDS).map(|_| inbox()).collect() }
    }

    /// Enters the actor of a shard, at its start or restart.
    pub fn enter(&self, shard: Shard, actor: ActorRef<ShardMessage>) {
        *self.inboxes[usize::from(shard.number())].1.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    fn actor(&self, shard: Shard) -> Option<ActorRef<ShardMessage>> {
        self.inboxes[usize::from(shard.number())].1.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Deliver for Shards {
    fn deliver(&self, to: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>> {
        let shard = Shard::of(&to);
        async move {
            let (inbox, _) = &self.inboxes[usize::from(shard.number())];
            let work = async {
                let permit = Arc::clone(inbox).acquire_owned().await.map_err(|_| Undelivered::Unavailable)?;
                let actor = self.actor(shard).ok_or(Undelivered::Unavailable)?;
                let (answer, answered) = oneshot::channel();
                let message = ShardMessage::Deliver { to, request, answer, permit };
                actor.cast(message).map_err(|_| Undelivered::Unavailable)?;
                // The actor that held the request died before it answered: a panic, or a restart of the shard.
                answered.await.unwrap_or(Err(Undelivered::Unavailable))
            };
            tokio::time::timeout(DELIVERY_DEADLINE, work).await.unwrap_or(Err(Undelivered::Expired))
        }
        .boxed()
    }
}

/// Starts a node over a journal that it alone owns.
pub async fn start(clock: Clock, journal: Arc<dyn Journal>, world: World) -> Result<RunningNode, StartError> {
    let router = Router::default();
    let courier = Courier::new(router.clone(), Arc::clone(&journal));
    let node = Arc::new(Node {
        clock,
        journal: Arc::clone(&journal),
        router: router.clone(),
        courier,
        sessions: Sessions::default(),
        overview: OverviewBoard::new(world.clone()),
        world,
        positions: Positions::default(),
        channels: Channels::default(),
        counters: Counters::default(),
        draining: AtomicBool::new(false),
    });
    let claims = journal.claim(Shard::all().collect()).await?;
    let mut undelivered = 0_usize;
    for claim in &claims {
        undelivered += take_on(&node, claim.shard, claim.out_acked, claim.head).await?;
    }
    if undelivered > 0 {
        info!(undelivered, "messages of the last run are carried on");
    }
    let mut arguments = Vec::with_capacity(claims.len());
    for claim in &claims {
        let wakes = journal.wakes(claim.shard).await?;
        arguments.push(ShardArguments { shard: claim.shard, node: Arc::clone(&node), wakes });
    }
    let shards = Arc::new(Shards::new());
    let supervise = SupervisorArguments { shards: Arc::clone(&shards), arguments };
    let (supervisor, _) =
        Actor::spawn(None, Supervisor, supervise).await.map_err(|err| StartError::Actors(err.to_string()))?;
    router.serve(Arc::clone(&shards) as Arc<dyn Deliver>);
    node.courier.open();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(channels::run(Arc::clone(&node), stop.clone()));
    tasks.spawn(rebuild::run(Arc::clone(&node), claims, stop.clone()));
    Ok(RunningNode { node, supervisor, shards, stop, tasks })
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// The actors.
    #[error("the actors did not start: {0}")]
    Actors(String),
}

/// Hands messages of earlier runs that were not delivered to the courier.
async fn take_on(node: &Node, shard: Shard, acked: u64, head: u64) -> Result<usize, ReadError> {
    let (mut after, mut count) = (acked, 0);
    while after < head {
        let page = match node.journal.undelivered(shard, after, UNDELIVERED_PAGE).await {
            Ok(page) => page,
            // One entry that cannot be read stops its own entity, not the node.
            Err(ReadError::Corrupt { entity, seq, offset, reason }) if offset > after => {
                error!(entity, seq, reason, "messages of an entry that cannot be read are not carried on");
                after = offset;
                continue;
            }
            Err(err) => return Err(err),
        };
        let Some(last) = page.last() else { break };
        after = last.offset;
        count += page.len();
        page.iter().for_each(|stored| node.courier.restore(stored));
    }
    Ok(count)
}

impl Node {
    /// Whether the node is ending.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl RunningNode {
    /// Ends: sessions go, entities finish, the courier stops, the journal closes.
    pub async fn drain(self) {
        self.node.draining.store(true, Ordering::Relaxed);
        for session in self.node.sessions.all() {
            // One that has ended by itself needs no telling.
            session.cast(SessionMessage::Close(CloseReason::Draining)).unwrap_or_default();
        }
        let mut drained = Vec::new();
        for shard in Shard::all() {
            if let Some(actor) = self.shards.actor(shard) {
                let (done, finished) = oneshot::channel();
                if actor.cast(ShardMessage::Drain(done)).is_ok() {
                    drained.push(finished);
                }
            }
        }
        let all = futures_util::future::join_all(drained);
        if tokio::time::timeout(DRAIN_DEADLINE, all).await.is_err() {
            warn!("some entities did not finish in time; the journal has what they had acknowledged");
        }
        self.node.courier.stop().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.supervisor.stop(None);
        self.node.journal.close().await;
    }
}
