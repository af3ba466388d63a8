//! How a node starts and ends: the supervisor holds the shards, the shards their entities.
//!
//! Start: claim every shard, take on undelivered messages, start each shard's actor with its alarms, then serve and
//! carry: what an entity says now comes after what it said in the last run. End: sessions are told to go, entities
//! finish what they have, the courier stops; what is under way is in the journal.

use crate::actors::channels;
use crate::actors::contract::CloseReason;
use crate::actors::mailbox::{SessionMessage, ShardMessage, SupervisorMessage};
use crate::actors::node::Node;
use crate::actors::rebuild;
use crate::actors::shard::ShardArguments;
use crate::actors::shards::Shards;
use crate::actors::supervisor::{Supervisor, SupervisorArguments};
use crate::actors::world::World;
use crate::clock::Clock;
use crate::cluster::router::Deliver;
use crate::cluster::shard::Shard;
use crate::faults::{Bug, planted};
use crate::persist::{Journal, ReadError};
use ractor::{Actor, ActorRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// How long entities may take to finish what they have when the node ends.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// Undelivered entries read at once at the start.
const UNDELIVERED_PAGE: u32 = 500;

/// A started node.
#[derive(Debug)]
pub struct RunningNode {
    /// Its common parts.
    pub node: Arc<Node>,
    supervisor: ActorRef<SupervisorMessage>,
    shards: Arc<Shards>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Starts a node over a journal that it alone owns.
pub async fn start(clock: Clock, journal: Arc<dyn Journal>, world: World) -> Result<RunningNode, StartError> {
    start_through(clock, journal, world, |shards| shards).await
}

/// The same, with something between the router and the shards: a simulation's bad luck.
pub async fn start_through(
    clock: Clock,
    journal: Arc<dyn Journal>,
    world: World,
    between: impl FnOnce(Arc<dyn Deliver>) -> Arc<dyn Deliver>,
) -> Result<RunningNode, StartError> {
    let node = Arc::new(Node::new(clock, Arc::clone(&journal), world));
    let claims = journal.claim(Shard::all().collect()).await?;
    let mut undelivered = 0_usize;
    for claim in &claims {
        if !planted(Bug::UndeliveredForgotten) {
            undelivered += take_on(&node, claim.shard, claim.out_acked, claim.head).await?;
        }
    }
    if undelivered > 0 {
        info!(undelivered, "messages of the last run are carried on");
    }
    let mut arguments = Vec::with_capacity(claims.len());
    for claim in &claims {
        let none = claim.head == 0 || planted(Bug::WakesForgotten);
        let wakes = if none { Vec::new() } else { journal.wakes(claim.shard).await? };
        arguments.push(ShardArguments { shard: claim.shard, node: Arc::clone(&node), wakes });
    }
    let shards = Arc::new(Shards::default());
    let supervise = SupervisorArguments { shards: Arc::clone(&shards), arguments };
    let (supervisor, _) =
        Actor::spawn(None, Supervisor, supervise).await.map_err(|err| StartError::Actors(err.to_string()))?;
    node.router.serve(between(Arc::clone(&shards) as Arc<dyn Deliver>));
    node.courier.open();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(channels::run(Arc::clone(&node.channels), stop.clone()));
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

impl RunningNode {
    /// Ends at once, as a crash would: nothing is finished, told or kept.
    pub fn abandon(&self) {
        self.node.courier.abandon();
        self.stop.cancel();
        self.supervisor.kill();
    }

    /// Ends: sessions go, entities finish, the courier stops, the journal closes.
    pub async fn drain(self) {
        self.node.begin_to_drain();
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
