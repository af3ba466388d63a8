//! How a node starts and ends: the supervisor holds the shards, the shards their entities.
//!
//! Start of a single node: claim every shard, take on undelivered messages, start each shard's actor with its alarms,
//! then serve and carry. A member of a cluster starts with no shard and lets its keeper claim some. End: sessions are
//! told to go, entities finish what they have, the courier stops; what is under way is in the journal.

use crate::actors::adopt::Shelf;
use crate::actors::channels;
use crate::actors::contract::CloseReason;
use crate::actors::elsewhere::Elsewhere;
use crate::actors::exchange::Exchange;
use crate::actors::keeper::{Keeper, KeeperHandle};
use crate::actors::mailbox::SessionMessage;
use crate::actors::node::Node;
use crate::actors::reception::Reception;
use crate::actors::sessions;
use crate::actors::shards::Shards;
use crate::actors::supervisor::Supervisor;
use crate::actors::survey;
use crate::actors::world::World;
use crate::clock::Clock;
use crate::cluster::link::{Handler, LinkState, Peers};
use crate::cluster::member::NodeId;
use crate::cluster::router::Deliver;
use crate::cluster::shard::Shard;
use crate::persist::commons::Commons;
use crate::persist::{Journal, Members, ReadError};
use ractor::Actor;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// A started node.
#[derive(Debug)]
pub struct RunningNode {
    /// Its common parts.
    pub node: Arc<Node>,
    shelf: Shelf,
    /// `None`: a single node.
    keeper: Option<KeeperHandle>,
}

/// Starts a node over a journal that it alone owns.
pub async fn start(clock: Clock, journal: Arc<dyn Journal>, world: World) -> Result<RunningNode, StartError> {
    start_through(clock, journal, world, |shards| shards).await
}

/// A node on a journal in memory.
#[cfg(test)]
pub async fn in_memory(clock: Clock) -> RunningNode {
    let journal = Arc::new(crate::persist::memory::MemoryJournal::new());
    start(clock, journal, World::default()).await.expect("memory answers")
}

/// The same, with something between the router and the shards: a simulation's bad luck.
pub async fn start_through(
    clock: Clock,
    journal: Arc<dyn Journal>,
    world: World,
    between: impl FnOnce(Arc<dyn Deliver>) -> Arc<dyn Deliver>,
) -> Result<RunningNode, StartError> {
    let node = Arc::new(Node::new(clock, Arc::clone(&journal), world, NodeId::new("single")));
    node.access.read().await?;
    let claims = journal.claim(Shard::all().collect()).await?;
    let shelf = shelf(node).await?;
    let mut undelivered = 0_usize;
    for (claim, estate) in claims.iter().zip(shelf.estates(&claims).await?) {
        undelivered += shelf.adopt(claim, estate).await?;
    }
    if undelivered > 0 {
        info!(undelivered, "messages of the last run are carried on");
    }
    let node = &shelf.node;
    node.router.serve(between(Arc::clone(&shelf.shards) as Arc<dyn Deliver>));
    node.courier.open();
    let (stop, showing) = (node.stop.clone(), shelf.clone());
    node.tasks.spawn(async move {
        let show = async {
            for claim in &claims {
                showing.show(claim).await;
            }
        };
        stop.run_until_cancelled(show).await;
    });
    Ok(RunningNode { node: Arc::clone(node), shelf, keeper: None })
}

/// A member of a cluster that is about to start: its links need to know what to do with calls before it can have any.
#[derive(Debug)]
pub struct Joining {
    node: Arc<Node>,
    shelf: Shelf,
    members: Arc<dyn Members>,
}

impl Joining {
    /// The parts of a member over a journal that it shares.
    pub async fn new(
        clock: Clock,
        journal: Arc<dyn Journal>,
        members: Arc<dyn Members>,
        world: World,
    ) -> Result<Self, StartError> {
        let node = Arc::new(Node::new(clock, journal, world, members.me().clone()));
        node.access.read().await?;
        node.ownership.depends_on(Arc::clone(&members));
        node.channels.join(Arc::default());
        let shelf = shelf(Arc::clone(&node)).await?;
        node.router.serve(Arc::clone(&shelf.shards) as Arc<dyn Deliver>);
        node.courier.open();
        Ok(Self { node, shelf, members })
    }

    /// What its links do with what they are asked and told.
    pub fn handler(&self) -> Arc<dyn Handler> {
        Arc::new(Reception::new(Arc::clone(&self.node), Arc::clone(&self.members)))
    }

    /// Shares boards and positions with the others from now on. A member that does not shows its own, and says so.
    pub fn share(&self, commons: Commons) {
        let node = &self.node;
        let elsewhere = node.channels.elsewhere().map_or_else(Arc::<Elsewhere>::default, Arc::clone);
        let exchange = Exchange::new(commons, Arc::clone(&self.members), node, elsewhere);
        node.tasks.spawn(exchange.run(node.stop.clone()));
    }

    /// Joins: from now on it claims its share.
    pub fn join(self, peers: Arc<dyn Peers>, publish: PublishNew) -> RunningNode {
        let Self { node, shelf, members } = self;
        node.router.join(Arc::clone(&peers));
        node.tasks.spawn(survey::run(Arc::clone(&node)));
        node.tasks.spawn(Arc::clone(&node).keep_looking());
        let keeper = Keeper::new(shelf.clone(), members, peers, publish).start();
        RunningNode { node, shelf, keeper: Some(keeper) }
    }
}

/// Reads the versions of quests that other nodes have published, and makes them known here.
pub type PublishNew = Box<dyn Fn() -> futures_util::future::BoxFuture<'static, Result<(), ReadError>> + Send + Sync>;

async fn shelf(node: Arc<Node>) -> Result<Shelf, StartError> {
    let shards = Arc::new(Shards::new(Arc::clone(&node.ownership)));
    let spawned = Actor::spawn(None, Supervisor, Arc::clone(&shards)).await;
    let (supervisor, _) = spawned.map_err(|err| StartError::Actors(err.to_string()))?;
    node.tasks.spawn(channels::run(Arc::clone(&node.channels), node.stop.clone()));
    node.tasks.spawn(sessions::let_sleep(Arc::clone(&node)));
    Ok(Shelf { node, shards, supervisor })
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

impl RunningNode {
    /// Ends at once, as a crash would: nothing is finished, told or kept.
    pub fn abandon(&self) {
        self.node.courier.abandon();
        self.node.stop.cancel();
        self.shelf.supervisor.kill();
    }

    /// A member of a cluster hands its shards to the others; whatever is not handed over by the deadline is claimed
    /// by them. A single node has nobody to hand over to.
    pub async fn hand_over(&self, deadline: Duration) {
        self.node.begin_to_drain();
        if let Some(keeper) = &self.keeper
            && self.has_peers()
            && tokio::time::timeout(deadline, keeper.hand_all_over()).await.is_err()
        {
            warn!("not all shards were handed over in time; the others claim the rest");
        }
    }

    fn has_peers(&self) -> bool {
        let up = |state: &LinkState| matches!(state, LinkState::Up { .. });
        self.node.router.peers().is_some_and(|peers| peers.states().borrow().values().any(up))
    }

    /// Ends: sessions go, entities finish, the courier stops, the journal closes.
    pub async fn drain(self) {
        let Self { node, shelf, keeper } = self;
        node.begin_to_drain();
        for session in node.sessions.all() {
            // One that has ended by itself needs no telling.
            session.cast(SessionMessage::Close(CloseReason::Draining)).unwrap_or_default();
        }
        if let Some(keeper) = keeper {
            keeper.stop().await;
        }
        futures_util::future::join_all(Shard::all().map(|shard| shelf.drain(shard))).await;
        node.courier.stop().await;
        node.stop.cancel();
        node.tasks.close();
        node.tasks.wait().await;
        shelf.supervisor.stop(None);
        node.journal.close().await;
    }
}
