//! What a console sees of the whole cluster: this node's own part, and what each other node said last of its own.
//!
//! Promise: a console waits for other nodes once, at its start, and no longer than `PATIENCE`; a node that does not
//! answer is shown as silent. Nodes are asked only while somebody looks, and where their players are is forgotten when
//! nobody does. What a node said stays for a moment when it is gone, until another serves it; happenings may be lost.

use crate::actors::cards::{
    Counts, Happening, NodeCard, NodeState, Overview, PlayerDot, ReviewCard, StockCard, TeamCard,
};
use crate::actors::node::Node;
use crate::actors::overview::{RECENT_KEPT, WATCH_QUEUE};
use crate::cluster::link::{Broken, Call, LinkState, NodeQuestion, Reply};
use crate::cluster::member::{NodeId, View};
use crate::cluster::shard::Shard;
use crate::cluster::table::Row;
use crate::ids::{EntityId, PlayerId, QuestId, TeamId};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

/// How often other nodes are asked while somebody looks: their dots move twice a second.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// What was said so short a time ago is not asked for again, unless it was forgotten: who looks next must not see half.
const FRESH: Duration = Duration::from_millis(300);
/// How long a node may take to answer; on one continent it takes some milliseconds.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long what a node said stays when it is not said any more.
const KEPT: Duration = Duration::from_secs(5);
/// The same for a team: its next owner reads it from the journal for people when players have been served.
const TEAM_KEPT: Duration = Duration::from_secs(30);
/// Teams without members of which a node tells, so that they do not stay for that long.
const LEFT_TOLD: usize = 1_000;
/// How long a node that is gone is shown as down.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The largest part that is sent: a link carries a megabyte. Of a node with more, consoles of others see a half.
const PART_BYTES: usize = 768 * 1024;

/// A node's own part.
#[derive(Default, Serialize, Deserialize)]
struct Part {
    teams: Vec<TeamCard>,
    /// Teams that everyone has left.
    left: Vec<TeamId>,
    stock: Vec<StockCard>,
    reviews: Vec<ReviewCard>,
    players: Vec<PlayerDot>,
    counts: Counts,
    /// How many happenings there have been.
    told: u64,
    happenings: Vec<Arc<Happening>>,
}

/// What other nodes say of their parts.
#[derive(Debug)]
pub struct Survey {
    known: Mutex<Known>,
    /// Held while nodes are asked.
    asking: tokio::sync::Mutex<()>,
    lookers: watch::Sender<usize>,
    stream: broadcast::Sender<Arc<Happening>>,
}

#[derive(Default)]
struct Known {
    nodes: BTreeMap<NodeId, Other>,
    /// The latest happenings elsewhere, in the order in which they were heard.
    recent: VecDeque<Arc<Happening>>,
    /// Each team as it was seen last, and when.
    teams: HashMap<TeamId, (TeamCard, Instant)>,
    /// The most that was ever given of a limited reward: what is given is never taken back.
    given: BTreeMap<(QuestId, String), u32>,
    asked: Option<Instant>,
}

/// Another node.
#[derive(Default)]
struct Other {
    name: String,
    draining: bool,
    /// Since when its lease has been over.
    gone: Option<Instant>,
    /// Whether it answered when it was asked last.
    answered: bool,
    heard: u64,
    part: Option<(Instant, Part)>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            lookers: watch::Sender::default(),
            stream: broadcast::channel(WATCH_QUEUE).0,
        }
    }
}

/// Somebody who looks: while there is one, other nodes are asked.
#[derive(Debug)]
pub struct Looker(Arc<Node>);

impl Looker {
    /// Looks from now on.
    pub fn new(node: Arc<Node>) -> Self {
        node.survey.lookers.send_modify(|lookers| *lookers += 1);
        Self(node)
    }

    /// Asks the other nodes, if what they said is not fresh.
    pub async fn refresh(&self) {
        self.0.survey.ask(&self.0).await;
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        let survey = &self.0.survey;
        survey.lookers.send_modify(|lookers| *lookers -= 1);
        if *survey.lookers.borrow() == 0 {
            let mut known = survey.lock();
            known.asked = None;
            let parts = known.nodes.values_mut().filter_map(|other| other.part.as_mut());
            parts.for_each(|(_, part)| part.players.clear());
        }
    }
}

/// Asks other nodes while somebody looks; until the node stops.
pub async fn run(node: Arc<Node>) {
    let mut lookers = node.survey.lookers.subscribe();
    let ask = async {
        while lookers.wait_for(|lookers| *lookers > 0).await.is_ok() {
            node.survey.ask(&node).await;
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    node.stop.run_until_cancelled(ask).await;
}

/// What this node answers to another that asks for its part.
pub fn answer(node: &Node, heard: u64) -> Value {
    let (stock, players, counts) = (node.overview.stock(), node.positions.all(), counts(node));
    let board = node.overview.lock();
    let mut part = Part {
        teams: board.shown_teams(),
        left: board.left_teams().take(LEFT_TOLD).collect(),
        stock,
        reviews: board.reviews.values().cloned().collect(),
        players,
        counts,
        told: board.told,
        happenings: board.after(heard),
    };
    drop(board);
    while serde_json::to_vec(&part).is_ok_and(|bytes| bytes.len() > PART_BYTES) {
        part.teams.truncate(part.teams.len() / 2);
        part.left.truncate(part.left.len() / 2);
        part.reviews.truncate(part.reviews.len() / 2);
        part.players.truncate(part.players.len() / 2);
        part.happenings.drain(..part.happenings.len().div_ceil(2));
    }
    // Plain data with text keys, which JSON can always bear.
    serde_json::to_value(&part).unwrap_or_default()
}

/// Counters of this node alone.
pub fn counts(node: &Node) -> Counts {
    let counts = node.counters.read(node.sessions.len());
    let redis = node.channels.elsewhere().and_then(|elsewhere| elsewhere.counts());
    Counts { parked: node.parked.count() as u64, redis, ..counts }
}

impl Survey {
    /// What happens elsewhere from now on, while somebody looks.
    pub fn watch(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.stream.subscribe()
    }

    /// The database was looked at.
    pub fn members(&self, view: &View) {
        let mut known = self.lock();
        for (node, member) in view.members.iter().filter(|(node, _)| **node != view.me) {
            let other = known.nodes.entry(node.clone()).or_default();
            other.name.clone_from(&member.identity.name);
            (other.draining, other.gone) = (member.standing.draining, None);
        }
        let living: Vec<String> = view.members.values().map(|member| member.identity.name.clone()).collect();
        for (node, other) in &mut known.nodes {
            if !view.members.contains_key(node) {
                other.gone.get_or_insert_with(Instant::now);
                other.answered = false;
            }
        }
        // One that has started again stands for its last run, once what that said is of no use any more.
        known.nodes.retain(|_, other| {
            let limit = if living.contains(&other.name) { KEPT } else { REMEMBERED };
            other.gone.is_none_or(|gone| gone.elapsed() < limit)
        });
    }

    /// Adds what other nodes say to what this one sees.
    pub fn complete(&self, overview: &mut Overview, node: &Node) {
        if node.router.peers().is_none() {
            return;
        }
        let (rows, me) = (node.router.table().rows(), node.router.me());
        let mut known = self.lock();
        overview.nodes = known.cards(overview, node, &rows);
        let left = node.overview.lock().left_teams().collect();
        overview.teams = known.all_teams(std::mem::take(&mut overview.teams), left, &rows, me);
        known.add_stock(&mut overview.stock);
        known.add_reviews(&mut overview.reviews, &rows, me);
        known.add_dots(&mut overview.players);
        known.add_counts(&mut overview.counts);
        overview.recent.extend(known.recent.iter().cloned());
        overview.recent.sort_by_key(|happening| happening.at);
        overview.recent.drain(..overview.recent.len().saturating_sub(RECENT_KEPT));
    }

    /// Where all players are, and the sum of all counters.
    pub fn dots(&self, node: &Node) -> (Vec<PlayerDot>, Counts) {
        let (mut players, mut counts) = (node.positions.all(), counts(node));
        let known = self.lock();
        known.add_dots(&mut players);
        known.add_counts(&mut counts);
        (players, counts)
    }

    async fn ask(&self, node: &Node) {
        let Some(peers) = node.router.peers() else { return };
        let _alone = self.asking.lock().await;
        if self.lock().asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            return;
        }
        let states = peers.states().borrow().clone();
        let asked: Vec<(NodeId, u64)> = {
            let known = self.lock();
            let up = states.iter().filter(|(_, state)| matches!(state, LinkState::Up { .. }));
            up.map(|(id, _)| (id.clone(), known.nodes.get(id).map_or(0, |other| other.heard))).collect()
        };
        let answers = join_all(asked.into_iter().map(async |(id, heard)| {
            let call = Call::Node(NodeQuestion::Overview { heard });
            let answer = peers.call(&id, call, PATIENCE).await;
            (id, answer)
        }));
        self.take_in(answers.await);
    }

    fn take_in(&self, answers: Vec<(NodeId, Result<Reply, Broken>)>) {
        let (mut known, mut news) = (self.lock(), Vec::new());
        known.nodes.values_mut().for_each(|other| other.answered = false);
        for (id, answer) in answers {
            // Another version of Waystone may say something else: it is as good as silent.
            let Ok(Reply::Node(value)) = answer else { continue };
            let Ok(mut part) = serde_json::from_value::<Part>(value) else { continue };
            let other = known.nodes.entry(id).or_default();
            (other.answered, other.heard) = (true, part.told);
            news.append(&mut part.happenings);
            other.part = Some((Instant::now(), part));
        }
        news.sort_by_key(|happening| happening.at);
        for happening in news {
            if known.recent.len() == RECENT_KEPT {
                known.recent.pop_front();
            }
            known.recent.push_back(Arc::clone(&happening));
            // No console is open: nobody hears it.
            self.stream.send(happening).unwrap_or_default();
        }
        known.asked = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose the shard of an entity is.
fn owner<'r>(rows: &'r [Row], entity: &EntityId) -> Option<&'r NodeId> {
    rows[usize::from(Shard::of(entity).number())].node.as_ref()
}

impl Known {
    /// What is still worth showing of each other node.
    fn parts(&self) -> impl Iterator<Item = (&NodeId, &Part)> {
        let parts = self.nodes.iter().filter_map(|(id, other)| Some((id, other.part.as_ref()?)));
        parts.filter(|(_, (said, _))| said.elapsed() < KEPT).map(|(id, (_, part))| (id, part))
    }

    fn cards(&self, overview: &Overview, node: &Node, rows: &[Row]) -> Vec<NodeCard> {
        let shards = |id: &NodeId| {
            let count = rows.iter().filter(|row| row.node.as_ref() == Some(id)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let mine = if node.is_draining() { NodeState::Draining } else { NodeState::Up };
        let me = NodeCard {
            name: overview.node.clone(),
            state: mine,
            shards: shards(node.router.me()),
            sessions: overview.counts.sessions,
        };
        let mut cards = BTreeMap::from([(me.name.clone(), me)]);
        // Those that are gone first: a node that has started again is shown as it is now.
        let mut others: Vec<_> = self.nodes.iter().filter(|(_, other)| !other.name.is_empty()).collect();
        others.sort_by_key(|(_, other)| other.gone.is_none());
        for (id, other) in others {
            let state = match other {
                Other { gone: Some(_), .. } => NodeState::Down,
                Other { draining: true, .. } => NodeState::Draining,
                Other { answered: true, .. } => NodeState::Up,
                Other { .. } => NodeState::Silent,
            };
            let sessions = other.part.as_ref().filter(|_| other.gone.is_none());
            let sessions = sessions.map_or(0, |(_, part)| part.counts.sessions);
            let card = NodeCard { name: other.name.clone(), state, shards: shards(id), sessions };
            cards.insert(card.name.clone(), card);
        }
        cards.into_values().collect()
    }

    /// Of each team what its owner says, or else what was said last.
    fn all_teams(
        &mut self,
        own: Vec<TeamCard>,
        mut left: HashSet<TeamId>,
        rows: &[Row],
        me: &NodeId,
    ) -> Vec<TeamCard> {
        let now = Instant::now();
        left.extend(self.parts().flat_map(|(_, part)| part.left.iter().cloned()));
        let mut seen: HashMap<TeamId, (&NodeId, TeamCard)> = HashMap::new();
        let elsewhere = self.parts().flat_map(|(id, part)| part.teams.iter().map(move |card| (id, card.clone())));
        for (from, card) in elsewhere.chain(own.into_iter().map(|card| (me, card))) {
            let owns = owner(rows, &EntityId::Team(card.id.clone())) == Some(from);
            if owns || !seen.contains_key(&card.id) {
                seen.insert(card.id.clone(), (from, card));
            }
        }
        let seen: Vec<TeamCard> = seen.into_values().map(|(_, card)| card).collect();
        self.teams.retain(|team, (_, last)| last.elapsed() < TEAM_KEPT && !left.contains(team));
        self.teams.extend(seen.into_iter().map(|card| (card.id.clone(), (card, now))));
        let mut teams: Vec<TeamCard> = self.teams.values().map(|(card, _)| card.clone()).collect();
        teams.sort_by(|a, b| a.id.cmp(&b.id));
        teams
    }

    fn add_stock(&mut self, own: &mut [StockCard]) {
        // Each node lists all rewards; what it does not own stands there as not given.
        let elsewhere: Vec<StockCard> = self.parts().flat_map(|(_, part)| part.stock.iter().cloned()).collect();
        for card in own.iter().cloned().chain(elsewhere) {
            let given = self.given.entry((card.quest, card.reward)).or_default();
            *given = (*given).max(card.given);
        }
        for card in own {
            card.given = self.given.get(&(card.quest.clone(), card.reward.clone())).copied().unwrap_or(card.given);
        }
    }

    /// A photo is shown by the owner of its player; by another only while that one is gone.
    fn add_reviews(&self, own: &mut Vec<ReviewCard>, rows: &[Row], me: &NodeId) {
        let speaks = |id: &NodeId| id == me || self.nodes.get(id).is_some_and(|other| other.answered);
        let key = |card: &ReviewCard| (card.player.clone(), card.quest.clone(), card.step.clone());
        let mut all: BTreeMap<_, ReviewCard> = own.drain(..).map(|card| (key(&card), card)).collect();
        for (from, card) in self.parts().flat_map(|(id, part)| part.reviews.iter().map(move |card| (id, card))) {
            let owner = owner(rows, &EntityId::Player(card.player.clone()));
            if owner == Some(from) || owner.is_none_or(|owner| !speaks(owner)) {
                all.insert(key(card), card.clone());
            }
        }
        own.extend(all.into_values());
    }

    fn add_dots(&self, own: &mut Vec<PlayerDot>) {
        let mut all: BTreeMap<PlayerId, PlayerDot> = BTreeMap::new();
        let living = self.parts().filter(|(id, _)| self.nodes[*id].gone.is_none());
        let elsewhere = living.flat_map(|(_, part)| part.players.iter().cloned());
        for dot in elsewhere.chain(own.drain(..)) {
            all.insert(dot.id.clone(), dot);
        }
        own.extend(all.into_values());
    }

    fn add_counts(&self, own: &mut Counts) {
        let living = self.nodes.values().filter(|other| other.gone.is_none());
        living.filter_map(|other| other.part.as_ref()).for_each(|(_, part)| own.add(&part.counts));
    }
}
