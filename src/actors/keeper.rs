//! The keeper of a member's shards: does what the plan says whenever the cluster looks different: claims what nobody
//! serves, hands over what another should have, drops what was lost.
//!
//! Promise: it never waits for anything itself; what takes time goes on beside it, bounded, and its end is news like
//! any other. Whatever it does wrong, or late, the journal's fence keeps harmless.

use crate::actors::adopt::Shelf;
use crate::actors::node::Node;
use crate::actors::start::PublishNew;
use crate::cluster::link::{LinkState, Note, Ownership, Peers};
use crate::cluster::member::{NodeId, Owner, View};
use crate::cluster::plan::{HOLD, Holding, Planner, Step};
use crate::cluster::shard::Shard;
use crate::faults;
use crate::persist::Members;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

mod work;

/// How often the plan is looked at without news: its own spans (holds, patience) are a second and more.
const TICK: Duration = Duration::from_millis(250);
/// Sessions hear of shards that have changed hands at most this often: a dead node's come in one go.
const CATCH_UP_EVERY: Duration = Duration::from_millis(50);
/// A node that cannot reach the others sends its sessions away over this time, so that not all come back at once.
const SEND_AWAY_OVER: Duration = Duration::from_secs(2);
/// A link that was lost for less than this is no isolation: it may be a single dropped connection.
const ISOLATED_AFTER: Duration = Duration::from_secs(3);

/// The keeper before it starts.
pub struct Keeper {
    shelf: Shelf,
    members: Arc<dyn Members>,
    peers: Arc<dyn Peers>,
    publish: Arc<PublishNew>,
    planner: Planner,
    begun: Instant,
    /// What this node holds.
    mine: BTreeMap<Shard, Holding>,
    /// What is being claimed or taken in.
    claiming: BTreeSet<Shard>,
    /// Where the links lead: name and address of each.
    aims: BTreeMap<NodeId, (String, String)>,
    /// The connection of each link that was up when last looked.
    connections: BTreeMap<NodeId, u64>,
    /// Versions of quests that are known here.
    quests: u64,
    /// Since when no other node can be reached.
    alone_since: Option<Instant>,
    draining: watch::Receiver<bool>,
    held: watch::Sender<usize>,
    work: JoinSet<Done>,
}

/// What has come of something that went on beside the keeper.
#[derive(Debug)]
enum Done {
    /// Shards were asked for; these were got, and those of them that could not be taken in are nobody's again.
    Claimed { asked: Vec<Shard>, held: Vec<(Shard, u64)> },
    /// A shard has been let go.
    LetGo(Shard),
    /// Quests that another node has published could not be read.
    QuestsUnread,
    /// Nothing that anyone need know.
    Other,
}

/// The keeper at work.
#[derive(Debug)]
pub struct KeeperHandle {
    drain: watch::Sender<bool>,
    held: watch::Receiver<usize>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("mine", &self.mine.len()).finish_non_exhaustive()
    }
}

impl KeeperHandle {
    /// Hands everything over to the other nodes; returns when this node holds nothing. While there is no other node,
    /// it does not return.
    pub async fn hand_all_over(&self) {
        self.drain.send_replace(true);
        // An error: the keeper has ended, and holds nothing.
        let _ = self.held.clone().wait_for(|held| *held == 0).await;
    }

    /// Ends the keeper; what this node holds it keeps until its lease ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Keeper {
    /// A keeper that holds nothing yet.
    pub fn new(shelf: Shelf, members: Arc<dyn Members>, peers: Arc<dyn Peers>, publish: PublishNew) -> Self {
        // All that was published before the start was read then.
        let quests = shelf.node.world.content().catalog.versions();
        Self {
            shelf,
            members,
            peers,
            publish: Arc::new(publish),
            planner: Planner::with_hold(faults::hold(HOLD)),
            begun: Instant::now(),
            mine: BTreeMap::new(),
            claiming: BTreeSet::new(),
            aims: BTreeMap::new(),
            connections: BTreeMap::new(),
            quests,
            alone_since: None,
            draining: watch::channel(false).1,
            held: watch::channel(0).0,
            work: JoinSet::new(),
        }
    }

    /// Sets it to work.
    pub fn start(mut self) -> KeeperHandle {
        let (drain, draining) = watch::channel(false);
        self.draining = draining;
        let (held, stop, mut tasks) = (self.held.subscribe(), CancellationToken::new(), JoinSet::new());
        tasks.spawn(attend(Arc::clone(&self.shelf.node), stop.clone()));
        tasks.spawn(self.run(stop.clone()));
        KeeperHandle { drain, held, stop, tasks }
    }

    async fn run(mut self, stop: CancellationToken) {
        let (mut views, mut links) = (self.members.views(), self.peers.states());
        let mut losses = self.shelf.node.journal.losses();
        let mut table = self.shelf.node.router.table().changes();
        let mut draining = self.draining.clone();
        views.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = self.work.join_next() => self.done(done.unwrap_or(Done::Other)),
                lost = losses.recv() => match lost {
                    Ok(shard) => self.lose(shard),
                    Err(RecvError::Lagged(_)) => self.members.look(),
                    // The journal has closed: the end is near.
                    Err(RecvError::Closed) => tokio::time::sleep(TICK).await,
                },
                Ok(()) = views.changed() => {
                    let view = Arc::clone(&views.borrow_and_update());
                    self.viewed(&view);
                }
                Ok(()) = links.changed() => {
                    let states = links.borrow_and_update().clone();
                    self.linked(&states);
                }
                Ok(()) = table.changed() => self.heard(&views.borrow()),
                Ok(()) = draining.changed() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            let (view, states) = (Arc::clone(&views.borrow()), links.borrow().clone());
            self.plan(&view, &states);
        }
    }

    /// The database was looked at.
    fn viewed(&mut self, view: &View) {
        let rows = Shard::all().zip(&view.owners);
        let news = rows.map(|(shard, owner)| Ownership { shard, node: owner.node.clone(), epoch: owner.epoch });
        self.shelf.node.router.table().learn(news);
        self.shelf.node.survey.members(view);
        let states = self.peers.states().borrow().clone();
        let members = view.members.iter().filter(|(node, _)| **node != view.me);
        let mut aims: BTreeMap<NodeId, (String, String)> = members
            .map(|(node, member)| (node.clone(), (member.identity.name.clone(), member.identity.address.clone())))
            .collect();
        // A node that has lost the database still has sessions, and its link is how they hear their news.
        for (node, state) in states {
            if let (LinkState::Up { .. }, Some(before)) = (state, self.aims.get(&node)) {
                aims.entry(node).or_insert_with(|| before.clone());
            }
        }
        self.aims.clone_from(&aims);
        self.peers.aim(aims);
        if view.quests > self.quests {
            let publish = Arc::clone(&self.publish);
            self.quests = view.quests;
            self.work.spawn(async move {
                match publish().await {
                    Ok(()) => Done::Other,
                    Err(err) => {
                        warn!(%err, "quests that another node has published could not be read; they are read again");
                        Done::QuestsUnread
                    }
                }
            });
        }
    }

    /// Links came and went: through a new one nothing is known of what was missed.
    fn linked(&mut self, states: &BTreeMap<NodeId, LinkState>) {
        let up = |(node, state): (&NodeId, &LinkState)| match state {
            LinkState::Up { connection, .. } => Some((node.clone(), *connection)),
            LinkState::Down { .. } => None,
        };
        let connections: BTreeMap<NodeId, u64> = states.iter().filter_map(up).collect();
        for (node, connection) in &connections {
            if self.connections.get(node) != Some(connection) {
                self.shelf.node.catch_up(Some(node));
                // And the other way round: what its sessions should have heard from here while there was no link.
                self.peers.tell(node, Note::Lossy);
            }
        }
        self.connections = connections;
    }

    /// Another node said whose shards are; what is nobody's now may be ours to claim, as a fresh look will tell.
    fn heard(&self, view: &View) {
        let rows = self.shelf.node.router.table().rows();
        let mut rows = Shard::all().zip(rows.iter());
        if rows
            .any(|(shard, row)| row.node.is_none() && row.epoch == view.owner(shard).epoch && view.is_served(shard))
        {
            self.members.look();
        }
    }

    fn plan(&mut self, view: &View, links: &BTreeMap<NodeId, LinkState>) {
        let fresh = self.with_news(view);
        let steps = self.planner.plan(self.begun.elapsed(), &fresh, &self.mine, links);
        self.members.stand(self.planner.standing(*self.draining.borrow()));
        for step in steps {
            match step {
                Step::Claim(shards) => self.claim(shards),
                Step::HandOver { shard, to } => self.hand_over(shard, &to),
                Step::Lost(shards) => shards.into_iter().for_each(|shard| self.lose(shard)),
                Step::Bury(node) => self.bury(node),
            }
        }
        self.mind_isolation(links);
        self.held.send_if_modified(|held| std::mem::replace(held, self.mine.len()) != self.mine.len());
    }

    /// The view with what was heard since.
    fn with_news(&self, view: &View) -> View {
        let mut fresh = view.clone();
        let rows = self.shelf.node.router.table().rows();
        for (owner, row) in fresh.owners.iter_mut().zip(rows.iter()) {
            let released = row.epoch == owner.epoch && row.node.is_none();
            if row.epoch > owner.epoch || released {
                *owner = Owner { node: row.node.clone(), epoch: row.epoch, held: Duration::ZERO };
            }
        }
        fresh
    }

    /// A shard is another's.
    fn lose(&mut self, shard: Shard) {
        // One that is being handed over has been let go by now, or is about to be.
        if self.mine.get(&shard).is_some_and(|holding| !holding.closing) {
            self.mine.remove(&shard);
            warn!(shard = shard.number(), "a shard has another owner");
            self.shelf.drop_lost(shard);
            self.members.look();
        }
    }

    /// A node that reaches nobody is of no use to its phones: it sends them elsewhere.
    fn mind_isolation(&mut self, links: &BTreeMap<NodeId, LinkState>) {
        let reaches = links.is_empty() || links.values().any(|state| matches!(state, LinkState::Up { .. }));
        let alone = !reaches && !self.members.is_certain();
        let since = if alone { Some(*self.alone_since.get_or_insert_with(Instant::now)) } else { None };
        self.alone_since = since;
        let isolated = !self.planner.is_fit() || since.is_some_and(|since| since.elapsed() >= ISOLATED_AFTER);
        if self.shelf.node.set_isolated(isolated) && isolated {
            warn!("this node cannot reach the others; its phones are sent elsewhere");
            let node = Arc::clone(&self.shelf.node);
            self.work.spawn(async move {
                node.send_sessions_away(SEND_AWAY_OVER).await;
                Done::Other
            });
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Claimed { asked, held } => {
                for shard in &asked {
                    self.claiming.remove(shard);
                }
                if held.len() < asked.len() {
                    self.members.look();
                }
                if !held.is_empty() {
                    info!(shards = held.len(), "shards are served here from now on");
                }
                let holding = |(shard, epoch)| (shard, Holding { epoch, closing: false });
                self.mine.extend(held.into_iter().map(holding));
            }
            Done::LetGo(shard) => {
                self.mine.remove(&shard);
            }
            Done::QuestsUnread => self.quests = 0,
            Done::Other => {}
        }
    }
}

/// Has sessions attach anew when their players' shards have changed hands.
async fn attend(node: Arc<Node>, stop: CancellationToken) {
    let mut changes = node.router.table().changes();
    let attend = async {
        while changes.changed().await.is_ok() {
            node.catch_up(None);
            tokio::time::sleep(CATCH_UP_EVERY).await;
        }
    };
    stop.run_until_cancelled(attend).await;
}
