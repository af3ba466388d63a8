//! The world: all processes, the network between them, and the events in the order of logical time (microseconds).

use crate::bugs::Bug;
use crate::chance::Chance;
use crate::database::{Database, Snapshot};
use crate::ledger::{Cause, Ledger};
use crate::process::{Life, Process};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use waystone::cluster::link::LinkState;
use waystone::cluster::member::{NodeId, Standing};
use waystone::cluster::shard::Shard;

pub const MS: u64 = 1_000;
pub const S: u64 = 1_000 * MS;
/// Plans that are asked for within so long are one.
const PLANS: u64 = 20 * MS;

/// What a process asks of the database.
#[derive(Debug, Clone)]
pub enum Ask {
    Beat {
        sent: u64,
        standing: Standing,
    },
    /// Shards with the epochs that are held of them.
    Claim(Vec<(Shard, u64)>),
    Release(Shard, u64),
    Append(Shard, u64),
    Bury(NodeId),
    Leave,
}

/// What it is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    Beat {
        sent: u64,
        look: Option<(Rc<Snapshot>, u64)>,
    },
    Claim {
        asked: Vec<(Shard, u64)>,
        granted: Vec<(Shard, u64)>,
    },
    Release(Shard, u64),
    /// It got lost, or the database is away.
    Lost(Ask),
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Event {
    Beat(usize),
    Look(usize),
    Plan(usize),
    Asked(usize, Ask),
    Answered(usize, Answer),
    /// The first notices how its link to the second stands.
    Link(usize, usize),
    Drained(usize, Shard, u64),
    /// A process that was stopped then goes on.
    Thaw(usize),
}

/// Everything.
#[derive(Debug)]
pub struct World {
    pub now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    count: u64,
    pub chance: Chance,
    pub database: Database,
    pub all: Vec<Process>,
    by_id: BTreeMap<NodeId, usize>,
    /// Of each machine its last process.
    pub slots: Vec<Option<usize>>,
    /// From one machine to another nothing passes; `true`: it is refused at once.
    pub blocked: BTreeMap<(usize, usize), bool>,
    /// Machines that do not reach the database, or whose claims alone fail.
    pub cut: BTreeSet<usize>,
    pub jammed: BTreeSet<usize>,
    /// Until then the database is away.
    pub away: u64,
    /// Which processes have a shard in their books.
    pub holders: BTreeMap<Shard, BTreeSet<usize>>,
    /// Percent of hand-overs that take seconds.
    pub sticky: u64,
    pub ledger: Ledger,
}

impl World {
    pub fn new(slots: usize, seed: u64, bugs: BTreeSet<Bug>) -> Self {
        Self {
            now: 0,
            queue: BTreeMap::new(),
            count: 0,
            chance: Chance::of(seed, "world"),
            database: Database::new(bugs),
            all: Vec::new(),
            by_id: BTreeMap::new(),
            slots: vec![None; slots],
            blocked: BTreeMap::new(),
            cut: BTreeSet::new(),
            jammed: BTreeSet::new(),
            away: 0,
            holders: BTreeMap::new(),
            sticky: 0,
            ledger: Ledger::default(),
        }
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.database.bugs.contains(&bug)
    }

    pub fn after(&mut self, span: u64, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + span, self.count), event);
    }

    /// Some time from the first to the second.
    pub fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.chance.below(to - from)
    }

    /// Lets time go on to then.
    pub fn run(&mut self, until: u64) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until) {
            self.now = entry.key().0;
            let event = entry.remove();
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        // A process that stands still does all that later, and one that is dead never.
        if let Event::Beat(of)
        | Event::Look(of)
        | Event::Plan(of)
        | Event::Answered(of, _)
        | Event::Link(of, _)
        | Event::Drained(of, _, _) = &event
        {
            match self.all[*of].life {
                Life::Runs => {}
                Life::Frozen(_, until) => {
                    let span = until - self.now + MS;
                    return self.after(span, event);
                }
                Life::Dead => return,
            }
        }
        match event {
            Event::Beat(of) => self.beat(of),
            Event::Look(of) => self.hinted(of),
            Event::Plan(of) => self.plan(of),
            Event::Asked(of, ask) => self.asked(of, ask),
            Event::Answered(of, answer) => self.answered(of, answer),
            Event::Link(of, to) => self.notice(of, to),
            Event::Drained(of, shard, epoch) => self.ask(of, Ask::Release(shard, epoch)),
            Event::Thaw(of) => self.thaw(of),
        }
    }

    pub fn start(&mut self, slot: usize) {
        if self.process(slot).is_some() {
            return;
        }
        let of = self.all.len();
        let id = NodeId::new(format!("{:016x}", self.chance.draw()));
        let drift = i64::try_from(self.chance.below(401)).expect("small") - 200;
        let skew = (self.chance.below(1_000_000) * S, drift);
        self.by_id.insert(id.clone(), of);
        self.all.push(Process::new(id, slot, skew));
        self.slots[slot] = Some(of);
        let phase = self.within(0, S);
        self.after(phase, Event::Beat(of));
    }

    /// The process that is not dead on a machine.
    pub fn process(&self, slot: usize) -> Option<usize> {
        self.slots[slot].filter(|of| !self.all[*of].is_dead())
    }

    pub fn living(&self) -> Vec<usize> {
        self.slots.iter().flatten().copied().filter(|of| !self.all[*of].is_dead()).collect()
    }

    pub fn name(slot: usize) -> String {
        format!("node-{slot}")
    }

    pub fn index(&self, id: &NodeId) -> usize {
        self.by_id[id]
    }

    /// Asks for a plan soon.
    pub fn wants_plan(&mut self, of: usize, span: u64) {
        let due = (self.now + span).div_ceil(PLANS) * PLANS;
        if self.all[of].plans.insert(due) {
            self.after(due - self.now, Event::Plan(of));
        }
    }

    /// How a link really stands.
    fn link(&self, of: usize, to: usize) -> Option<LinkState> {
        let (here, there) = (self.all[of].slot, self.all[to].slot);
        let way = [(here, there), (there, here)].map(|way| self.blocked.get(&way).copied());
        match (way, self.all[to].life) {
            ([None, None], Life::Runs) => None,
            ([None, None], Life::Frozen(..)) => Some(LinkState::Down { refused: false }),
            ([None, None], Life::Dead) => Some(LinkState::Down { refused: true }),
            (way, _) => Some(LinkState::Down { refused: way[0] == Some(true) && way[1] != Some(false) }),
        }
    }

    fn notice(&mut self, of: usize, to: usize) {
        let (now, target) = (self.link(of, to), self.all[to].id.clone());
        let process = &mut self.all[of];
        let known = process.look.as_ref().is_some_and(|(look, _)| look.shows(&target));
        if !known {
            process.links.remove(&target);
            return;
        }
        let old = process.links.get(&target).copied();
        let new = match (now, old) {
            (Some(down), _) => down,
            (None, Some(up @ LinkState::Up { .. })) => up,
            (None, _) => {
                process.connections += 1;
                LinkState::Up { protocol: 1, connection: process.connections }
            }
        };
        if old != Some(new) {
            process.links.insert(target, new);
            self.wants_plan(of, 0);
            if new == (LinkState::Down { refused: true }) {
                // The keeper plans four times a second without news.
                self.wants_plan(of, 250 * MS);
            }
        }
    }

    /// All others notice within such a time what has become of a process, and it what has become of theirs.
    pub fn notices(&mut self, of: usize, from: u64, to: u64) {
        for other in self.living().into_iter().filter(|other| *other != of) {
            for (one, two) in [(other, of), (of, other)] {
                let span = self.within(from, to);
                self.after(span, Event::Link(one, two));
            }
        }
    }

    /// A process that has a shard in its books is not certain of its lease any more.
    pub fn lies_if_unserved(&mut self, of: usize, shard: Shard) {
        let holders = self.holders.get(&shard).into_iter().flatten();
        let served =
            holders.filter(|one| **one != of).any(|one| self.all[*one].serves(self.now, shard, false).is_some());
        if !served {
            self.ledger.lies(self.now, shard, Cause::Silent);
        }
    }

    /// No two processes serve what this one serves now, unless one has just been taken for dead by mistake: what it
    /// answers may then be stale, and never for longer than a lease.
    pub fn check_twins(&mut self, of: usize) {
        let late = self.has(Bug::PastTheLease);
        let shards: Vec<Shard> = self.all[of].mine.keys().copied().collect();
        for shard in shards {
            let Some(epoch) = self.all[of].serves(self.now, shard, late) else { continue };
            self.ledger.stands(self.now, shard);
            for other in self.holders[&shard].clone().into_iter().filter(|other| *other != of) {
                let Some(theirs) = self.all[other].serves(self.now, shard, late) else { continue };
                if epoch == theirs {
                    self.ledger.fault(self.now, &format!("two serve {shard:?} in epoch {epoch}"));
                } else if [of, other].iter().any(|one| self.all[*one].is_wronged(self.now)) {
                    self.ledger.doubles += 1;
                } else {
                    self.ledger.fault(self.now, &format!("two serve {shard:?} with leases, in {epoch} and {theirs}"));
                }
            }
        }
    }
}
