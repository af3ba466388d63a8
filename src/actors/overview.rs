//! The projection for people: teams with scores, stock, photos that wait, and the stream of what happened. Made from
//! committed entries, absolute in every card, so a restart rebuilds it from the journal. Never the truth itself.

use crate::actors::cards::{Happening, ReviewCard, StockCard, TeamCard};
use crate::actors::happening;
use crate::actors::world::World;
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::persist::Stored;
use crate::persist::commons::{BoardRow, TeamPut};
use crate::quest::aggregate::{Aggregate, State};
use crate::quest::definition::Give;
use crate::quest::player::Player;
use crate::quest::run::Over;
use crate::quest::team::Team;
use crate::units::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Happenings kept for a console that opens.
pub const RECENT_KEPT: usize = 200;
/// Happenings that a slow console may be behind before it loses the oldest.
pub const WATCH_QUEUE: usize = 512;
/// Photos that may wait; more are still in their players' states.
const REVIEWS_MAX: usize = 1_000;

/// The projection.
#[derive(Debug)]
pub struct OverviewBoard {
    world: World,
    board: Mutex<Board>,
    /// How often teams that live here are being read.
    showing: AtomicUsize,
    stream: broadcast::Sender<Arc<Happening>>,
}

/// Its content.
#[derive(Debug, Default)]
pub struct Board {
    /// Teams by id.
    pub teams: BTreeMap<TeamId, TeamCard>,
    /// Given of limited rewards.
    pub given: BTreeMap<(QuestId, String), u32>,
    /// Photos that wait.
    pub reviews: BTreeMap<(PlayerId, QuestId, StepId), ReviewCard>,
    /// The latest happenings, oldest first.
    pub recent: VecDeque<Arc<Happening>>,
    /// How many there have been since the start; the last one bears this number.
    pub told: u64,
    /// The last entry of each entity that was taken in.
    taken: HashMap<EntityId, u64>,
    /// Teams that have changed since other nodes were told of them; `None`: there is nobody to tell.
    changed: Option<BTreeSet<TeamId>>,
}

impl OverviewBoard {
    /// An empty one.
    pub fn new(world: World) -> Self {
        Self {
            world,
            board: Mutex::default(),
            showing: AtomicUsize::new(0),
            stream: broadcast::channel(WATCH_QUEUE).0,
        }
    }

    /// Takes in an entry that the journal has, and the state it led to, or a later one.
    pub fn committed(&self, state: &Aggregate, stored: &Stored) {
        self.happened(stored);
        self.lock().project(state);
    }

    /// Takes in an entry that the journal has, without its state.
    pub fn happened(&self, stored: &Stored) {
        let content = self.world.content();
        let catalog = &content.catalog;
        let name =
            |team: &TeamId| self.lock().teams.get(team).map_or_else(|| team.to_string(), |card| card.name.clone());
        let happenings = happening::of(stored, catalog, &name);
        let mut board = self.lock();
        for happening in happenings {
            let happening = Arc::new(happening);
            if board.recent.len() == RECENT_KEPT {
                board.recent.pop_front();
            }
            board.recent.push_back(Arc::clone(&happening));
            board.told += 1;
            // No console is open: nobody hears it.
            self.stream.send(happening).unwrap_or_default();
        }
    }

    /// Takes in an entity as it was at the end of the last run, unless it has spoken since.
    pub fn restored(&self, state: &Aggregate) {
        self.lock().project(state);
    }

    /// Teams that live here are being read from the journal, until this is dropped.
    pub fn show(self: &Arc<Self>) -> Showing {
        self.showing.fetch_add(1, Ordering::AcqRel);
        Showing(Arc::clone(self))
    }

    /// Whether every team that lives here is on the board.
    pub fn is_whole(&self) -> bool {
        self.showing.load(Ordering::Acquire) == 0
    }

    /// Forgets the entities of a shard that has left this node.
    pub fn forget(&self, shard: Shard) {
        let mut board = self.lock();
        let away = |entity: EntityId| Shard::of(&entity) == shard;
        board.teams.retain(|team, _| !away(EntityId::Team(team.clone())));
        // The next owner tells of them.
        board.changed.iter_mut().for_each(|changed| changed.retain(|team| !away(EntityId::Team(team.clone()))));
        board.given.retain(|(quest, _), _| !away(EntityId::Region(RegionId::of_quest(quest))));
        board.reviews.retain(|(player, ..), _| !away(EntityId::Player(player.clone())));
        board.taken.retain(|entity, _| Shard::of(entity) != shard);
    }

    /// What happens from now on.
    pub fn watch(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.stream.subscribe()
    }

    /// The content, while the guard lives.
    pub fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Limited rewards of all quests, given or not.
    pub fn stock(&self) -> Vec<StockCard> {
        let content = self.world.content();
        let board = self.lock();
        let mut cards = Vec::new();
        for quest in content.catalog.all_latest() {
            for (number, reward) in quest.rewards.iter().enumerate() {
                let Some(of) = reward.stock else { continue };
                let name = match &reward.give {
                    Give::CodePool(pool) => pool.clone(),
                    Give::Badge(badge) => badge.to_string(),
                    Give::Points(points) => format!("{points} points"),
                };
                let id = quest.quest.id.clone();
                let given = board.given.get(&(id.clone(), number.to_string())).copied().unwrap_or(0);
                cards.push(StockCard { quest: id, reward: name, given, of });
            }
        }
        cards
    }
}

/// Teams are being read; see [`OverviewBoard::show`].
#[derive(Debug)]
pub struct Showing(Arc<OverviewBoard>);

impl Drop for Showing {
    fn drop(&mut self) {
        self.0.showing.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Board {
    /// Teams that have members.
    pub fn shown_teams(&self) -> Vec<TeamCard> {
        self.teams.values().filter(|team| !team.members.is_empty()).cloned().collect()
    }

    /// Teams that everyone has left.
    pub fn left_teams(&self) -> impl Iterator<Item = TeamId> {
        self.teams.iter().filter(|(_, team)| team.members.is_empty()).map(|(id, _)| id.clone())
    }

    /// Those of the latest happenings that came after so many had come.
    pub fn after(&self, heard: u64) -> Vec<Arc<Happening>> {
        let new = usize::try_from(self.told.saturating_sub(heard)).unwrap_or(usize::MAX);
        self.recent.iter().skip(self.recent.len().saturating_sub(new)).cloned().collect()
    }

    /// Every team is to be told of, from now on and as it is now.
    pub fn tell_all(&mut self) {
        self.changed = Some(self.teams.keys().cloned().collect());
    }

    /// Teams to be told of, `limit` at most; they count as told, so give back those that could not be.
    pub fn take_changed(&mut self, limit: usize) -> Vec<TeamPut> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(team) = self.changed.as_mut().and_then(BTreeSet::pop_first)
        {
            taken.extend(self.teams.get(&team).map(put));
        }
        taken
    }

    /// Gives back teams that could not be told of.
    pub fn give_back(&mut self, teams: Vec<TeamPut>) {
        let here = teams.into_iter().map(|put| put.row.team).filter(|team| self.teams.contains_key(team));
        if let Some(changed) = &mut self.changed {
            changed.extend(here);
        }
    }

    /// Teams after one in the order of their ids, as they are now, `limit` at most.
    pub fn teams_after(&self, team: Option<&TeamId>, limit: usize) -> Vec<TeamPut> {
        let from = team.map_or(Bound::Unbounded, Bound::Excluded);
        self.teams.range::<TeamId, _>((from, Bound::Unbounded)).take(limit).map(|(_, card)| put(card)).collect()
    }

    fn project(&mut self, state: &Aggregate) {
        let taken = self.taken.entry(state.id.clone()).or_default();
        if *taken >= state.seq {
            return;
        }
        *taken = state.seq;
        match (&state.state, &state.id) {
            (State::Team(team), EntityId::Team(id)) => {
                self.teams.insert(id.clone(), team_card(team, id));
                if let Some(changed) = &mut self.changed {
                    changed.insert(id.clone());
                }
            }
            (State::Region(region), EntityId::Region(id)) => {
                for (reward, given) in &region.stock {
                    if let Ok(quest) = QuestId::new(id.as_str()) {
                        let count = u32::try_from(given.len()).unwrap_or(u32::MAX);
                        self.given.insert((quest, reward.clone()), count);
                    }
                }
            }
            (State::Player(player), EntityId::Player(id)) => self.project_reviews(player, id, state.at),
            _ => {}
        }
    }

    /// A player's photos that wait, as the state has them.
    fn project_reviews(&mut self, player: &Player, id: &PlayerId, at: Timestamp) {
        let waits = |key: &(PlayerId, QuestId, StepId)| {
            let run = player.runs.get(&key.1).filter(|run| !run.over);
            run.and_then(|run| run.open.get(&key.2)).is_some_and(|open| open.photo.is_some() && !open.reached)
        };
        self.reviews.retain(|key, _| key.0 != *id || waits(key));
        for (quest, run) in player.runs.iter().filter(|(_, run)| !run.over) {
            for (step, open) in run.open.iter().filter(|(_, open)| !open.reached) {
                let Some(photo) = open.photo.clone().filter(|_| self.reviews.len() < REVIEWS_MAX) else { continue };
                let (player, quest, step) = (id.clone(), quest.clone(), step.clone());
                let key = (player.clone(), quest.clone(), step.clone());
                self.reviews.entry(key).or_insert(ReviewCard { player, quest, step, photo, at });
            }
        }
    }
}

fn put(card: &TeamCard) -> TeamPut {
    let row = BoardRow { team: card.id.clone(), name: card.name.clone(), points: card.points };
    TeamPut { row, quest: card.quest.clone(), others: card.others.clone() }
}

fn team_card(team: &Team, id: &TeamId) -> TeamCard {
    // The run that is on, or else the one of the quest first by name: a card shows one.
    let run = team.runs.values().find(|run| run.over.is_none()).or_else(|| team.runs.values().next());
    TeamCard {
        id: id.clone(),
        name: team.name.clone(),
        members: team.members.keys().cloned().collect(),
        others: team.runs.keys().filter(|quest| run.is_none_or(|run| run.run.quest.id != **quest)).cloned().collect(),
        quest: run.map(|run| run.run.quest.id.clone()),
        points: run.map_or(0, |run| run.points),
        done: run.map_or_else(Vec::new, |run| run.done.keys().cloned().collect()),
        open: run.map_or_else(Vec::new, |run| run.open.keys().cloned().collect()),
        finished: run.is_some_and(|run| run.over == Some(Over::Finished)),
    }
}
