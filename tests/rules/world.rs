//! A whole world in memory: aggregates, the journal that made them, messages under way, and a time that tests move.
//!
//! It does what actors, courier and journal do together, and promises no more than they do: messages of one sender
//! to one receiver come in order, each at least once. What they do not promise it withholds when asked for chaos:
//! letters wait, overtake others of other pairs, come twice, and any aggregate is rebuilt at any time.

use crate::rng::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use waystone::cluster::shard::Shard;
use waystone::content;
use waystone::ids::{EntityId, PlayerId, QuestId, RegionId, TeamId};
use waystone::persist::Stored;
use waystone::quest::aggregate::{Aggregate, Decision, Message, State};
use waystone::quest::catalog::Catalog;
use waystone::quest::command::{Command, RegionCommand, Sighting};
use waystone::quest::definition::Quest;
use waystone::quest::entry::{Cause, Entry, MessageId};
use waystone::quest::evidence::Evidence;
use waystone::quest::guidance;
use waystone::quest::player::Player;
use waystone::quest::refusal::Refusal;
use waystone::quest::region::Region;
use waystone::quest::team::Team;
use waystone::units::{Meters, Timestamp};

/// Saturday, 4 July 2026, 09:00 UTC: noon in Helsinki.
pub const NOON: Timestamp = Timestamp::from_millis(1_783_155_600_000);

type Lane = (EntityId, EntityId);

/// What goes wrong, by a seed.
#[derive(Debug, Clone)]
pub struct Chaos {
    pub rng: Rng,
    /// Letters that were carried before, to be carried again.
    old: Vec<(EntityId, Message)>,
}

/// The world.
#[derive(Debug, Clone)]
pub struct World {
    pub now: Timestamp,
    pub catalog: Catalog,
    pub live: BTreeMap<EntityId, Aggregate>,
    /// All entries of all entities, in the order in which they were written.
    pub log: Vec<Stored>,
    pub chaos: Option<Chaos>,
    /// The quest that the short-hands speak of.
    pub quest: QuestId,
    /// Letters under way.
    pub lanes: BTreeMap<Lane, VecDeque<Message>>,
    heads: BTreeMap<Shard, u64>,
    /// Of each shard that has changed its owner: the epoch.
    epochs: BTreeMap<Shard, u64>,
    /// Of each entity: where in the log its entries are.
    streams: BTreeMap<EntityId, Vec<usize>>,
    alarms: BTreeMap<EntityId, Timestamp>,
    /// Snapshots taken on the way, as JSON.
    snapshots: BTreeMap<EntityId, Vec<u8>>,
}

pub fn player(id: &str) -> PlayerId {
    PlayerId::new(id).expect("a test's id")
}

pub fn team(id: &str) -> TeamId {
    TeamId::new(id).expect("a test's id")
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The secret code that the server makes for a scan step without one.
pub fn code_for(step: &waystone::ids::StepId) -> String {
    format!("code-{step}")
}

impl World {
    /// A world in which these quest files are published.
    pub fn with(quests: &[&str]) -> Self {
        let mut world = Self {
            now: NOON,
            catalog: Catalog::default(),
            live: BTreeMap::new(),
            log: Vec::new(),
            chaos: None,
            quest: QuestId::new("none").expect("valid"),
            lanes: BTreeMap::new(),
            heads: BTreeMap::new(),
            epochs: BTreeMap::new(),
            streams: BTreeMap::new(),
            alarms: BTreeMap::new(),
            snapshots: BTreeMap::new(),
        };
        quests.iter().for_each(|source| world.publish(source, 1));
        world
    }

    /// Publishes a version of a quest and lets the short-hands speak of it.
    pub fn publish(&mut self, source: &str, version: u32) {
        let quest = published(source, version);
        self.quest = quest.quest.id.clone();
        self.catalog = std::mem::take(&mut self.catalog).with(quest);
    }

    /// From now on letters wait, overtake, come twice, and aggregates crash.
    pub fn disturb(&mut self, seed: u64) {
        self.chaos = Some(Chaos { rng: Rng::new(seed), old: Vec::new() });
    }

    /// Gives an entity a message and carries all that follows.
    pub fn tell(&mut self, to: &EntityId, message: &Message) -> Result<Option<serde_json::Value>, Refusal> {
        let answer = self.post(to, message);
        self.carry();
        answer
    }

    /// Gives an entity a message; what follows stays under way.
    pub fn post(&mut self, to: &EntityId, message: &Message) -> Result<Option<serde_json::Value>, Refusal> {
        let aggregate = self.live.entry(to.clone()).or_insert_with(|| Aggregate::new(to.clone()));
        match aggregate.decide(self.now, &self.catalog, message)? {
            Decision::Nothing(answer) => {
                if message.command == Command::Wake {
                    let due = aggregate.due(&self.catalog, self.now);
                    self.set_alarm(to, due);
                }
                Ok(answer)
            }
            Decision::Append(entry) => Ok(self.append(to, *entry)),
        }
    }

    fn append(&mut self, to: &EntityId, entry: Entry) -> Option<serde_json::Value> {
        // Sampled, for it takes longer than all the rest.
        if self.log.len().is_multiple_of(16) {
            assert_eq!(through_json(&entry), entry, "a store would give back another entry");
        }
        let aggregate = self.live.get_mut(to).expect("it has just decided");
        aggregate.apply(&entry);
        let due = aggregate.due(&self.catalog, entry.at);
        self.set_alarm(to, due);
        for (n, outgoing) in entry.out.iter().enumerate() {
            let n = u16::try_from(n).expect("few messages");
            let id = MessageId { sender: to.clone(), seq: entry.seq, n };
            let message = Message {
                cause: Some(Cause::Message(id)),
                hops: entry.hops.saturating_add(1),
                command: outgoing.command.clone(),
            };
            self.lanes.entry((to.clone(), outgoing.to.clone())).or_default().push_back(message);
        }
        let head = self.heads.entry(Shard::of(to)).or_default();
        *head += 1;
        let (reply, epoch) = (entry.reply.clone(), self.epochs.get(&Shard::of(to)).copied().unwrap_or(1));
        self.streams.entry(to.clone()).or_default().push(self.log.len());
        self.log.push(Stored { entity: to.clone(), offset: *head, epoch, entry });
        reply
    }

    fn set_alarm(&mut self, entity: &EntityId, due: Option<Timestamp>) {
        match due {
            Some(due) => self.alarms.insert(entity.clone(), due),
            None => self.alarms.remove(entity),
        };
    }

    /// Carries letters until there are none.
    pub fn carry(&mut self) {
        let mut carried = 0;
        while self.carry_one() {
            carried += 1;
            assert!(carried < 100_000, "messages breed without end");
        }
    }

    /// Carries `n` letters at most.
    pub fn carry_some(&mut self, n: usize) {
        for _ in 0..n {
            self.carry_one();
        }
    }

    fn carry_one(&mut self) -> bool {
        let lanes: Vec<&Lane> = self.lanes.keys().collect();
        let Some(first) = lanes.first() else { return false };
        let lane = match &mut self.chaos {
            Some(chaos) => (*chaos.rng.pick(&lanes)).clone(),
            None => (*first).clone(),
        };
        let queue = self.lanes.get_mut(&lane).expect("its key was there");
        let message = queue.pop_front().expect("no lane is empty");
        if queue.is_empty() {
            self.lanes.remove(&lane);
        }
        self.deliver(&lane.1, &message);
        self.misfortune(&lane.1, message);
        true
    }

    fn deliver(&mut self, to: &EntityId, message: &Message) {
        let answer = self.post(to, message);
        assert!(answer.is_ok(), "{to} refuses another entity: {answer:?} {message:?}");
    }

    /// Perhaps a letter comes twice, an old one again, or an aggregate is rebuilt.
    fn misfortune(&mut self, to: &EntityId, message: Message) {
        let Some(chaos) = &mut self.chaos else { return };
        let again = chaos.rng.one_in(4);
        let old = if chaos.old.is_empty() { None } else { Some(chaos.rng.pick(&chaos.old).clone()) };
        let old = old.filter(|_| chaos.rng.one_in(4));
        let crash = chaos.rng.one_in(8);
        let victim = chaos.rng.below(self.live.len());
        chaos.old.push((to.clone(), message.clone()));
        for (to, message) in again.then(|| (to.clone(), message)).into_iter().chain(old) {
            let entries = self.log.len();
            self.deliver(&to, &message);
            assert_eq!(self.log.len(), entries, "{to} took {message:?} in twice");
        }
        if crash && let Some(id) = self.live.keys().nth(victim).cloned() {
            self.crash(&id);
        }
    }

    /// The entity's actor dies and another reads the journal: from the beginning, or from a snapshot.
    pub fn crash(&mut self, id: &EntityId) {
        let rebuilt = self.rebuilt(id);
        assert_eq!(Some(&rebuilt), self.live.get(id), "{id} came back from the journal as another");
        let read_back = self.read_back(id);
        assert_eq!(rebuilt, read_back, "{id} came back from its snapshot as another");
        // As in production, a snapshot is taken now and then, and read with the entries after it.
        if rebuilt.seq.is_multiple_of(7) {
            self.snapshots.insert(id.clone(), serde_json::to_vec(&rebuilt).expect("a snapshot can be written"));
        }
        self.live.insert(id.clone(), read_back);
        *self.epochs.entry(Shard::of(id)).or_insert(1) += 1;
    }

    /// The entity as its entries make it.
    pub fn rebuilt(&self, id: &EntityId) -> Aggregate {
        self.rebuilt_up_to(id, u64::MAX)
    }

    /// The entity as its entries up to a number make it.
    pub fn rebuilt_up_to(&self, id: &EntityId, seq: u64) -> Aggregate {
        let mut aggregate = Aggregate::new(id.clone());
        self.entries(id).filter(|entry| entry.seq <= seq).for_each(|entry| aggregate.apply(entry));
        aggregate
    }

    fn read_back(&self, id: &EntityId) -> Aggregate {
        let mut aggregate = match self.snapshots.get(id) {
            Some(bytes) => serde_json::from_slice(bytes).expect("a snapshot can be read"),
            None => Aggregate::new(id.clone()),
        };
        let seq = aggregate.seq;
        self.entries(id).filter(|entry| entry.seq > seq).for_each(|entry| aggregate.apply(entry));
        aggregate
    }

    /// An entity's entries.
    pub fn entries<'a>(&'a self, id: &EntityId) -> impl Iterator<Item = &'a Entry> + use<'a> {
        self.streams.get(id).into_iter().flatten().map(|at| &self.log[*at].entry)
    }

    /// Lets time pass: alarms ring and stays come to their end, each at its time, and all letters are carried.
    pub fn later(&mut self, span: Duration) {
        self.pass(span, true);
    }

    /// Lets time pass while letters lie about.
    pub fn idle(&mut self, span: Duration) {
        self.pass(span, false);
    }

    fn pass(&mut self, span: Duration, carry: bool) {
        let until = self.now + span;
        let mut rung = Vec::new();
        loop {
            let alarm = self.alarms.iter().map(|(id, due)| (*due, id.clone(), Message::bare(Command::Wake)));
            let next = alarm
                .chain(self.stays())
                .filter(|(due, id, message)| *due <= until && !rung.contains(&(*due, id.clone(), message.clone())))
                .min_by_key(|(due, id, _)| (*due, id.clone()));
            let Some((due, id, message)) = next else { break };
            self.now = due.max(self.now);
            let refused = if carry { self.tell(&id, &message).err() } else { self.post(&id, &message).err() };
            assert_eq!(refused, None, "time is never refused");
            rung.push((due, id, message));
        }
        self.now = until;
    }

    /// What sessions would report, going by their guidance.
    fn stays(&self) -> Vec<(Timestamp, EntityId, Message)> {
        let mut stays = Vec::new();
        for (id, aggregate) in &self.live {
            if let (EntityId::Player(id), State::Player(player)) = (id, &aggregate.state) {
                for (region, until) in guidance::of(player, id, 0, &self.catalog).stays {
                    let sight = sight(id, Sighting::Stayed, until);
                    stays.push((until, EntityId::Region(region), sight));
                }
            }
        }
        stays
    }

    pub fn player(&self, id: &str) -> Player {
        match self.live.get(&EntityId::Player(player(id))).map(|aggregate| &aggregate.state) {
            Some(State::Player(player)) => player.clone(),
            _ => Player::default(),
        }
    }

    pub fn team(&self, id: &str) -> Team {
        match self.live.get(&EntityId::Team(team(id))).map(|aggregate| &aggregate.state) {
            Some(State::Team(team)) => team.clone(),
            _ => Team::default(),
        }
    }

    pub fn region(&self, id: &RegionId) -> Region {
        match self.live.get(&EntityId::Region(id.clone())).map(|aggregate| &aggregate.state) {
            Some(State::Region(region)) => region.clone(),
            _ => Region::default(),
        }
    }
}

/// A quest file, published; each is read only once, for hundreds of games are played on it.
fn published(source: &str, version: u32) -> Arc<Quest> {
    static READ: Mutex<BTreeMap<(String, u32), Arc<Quest>>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let quest = read.entry((source.to_owned(), version)).or_insert_with(|| {
        let published = content::publish(source, "test.yaml", version, &code_for);
        published.unwrap_or_else(|report| panic!("{report:#?}\n{source}")).quest
    });
    Arc::clone(quest)
}

/// An entry as a store gives it back.
fn through_json(entry: &Entry) -> Entry {
    let text = serde_json::to_string(entry).expect("an entry can be written");
    serde_json::from_str(&text).expect("an entry can be read")
}

/// What a session tells a region.
pub fn sight(id: &PlayerId, what: Sighting, fix_time: Timestamp) -> Message {
    let why = Evidence {
        distance: Meters::lossy(12.5),
        accuracy: Meters::lossy(8.0),
        probability: 0.96875,
        rule: "certain".to_owned(),
        fix_time,
        score: 1.0,
        flags: Vec::new(),
        rules: 1,
        fixes: 2,
        threshold: Some(0.75),
        margin: None,
    };
    Message::bare(Command::Region(RegionCommand::Sight { player: id.clone(), what, why }))
}
