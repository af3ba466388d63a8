//! One run of one node: the real planner, what the node believes, and a clock of its own.

use crate::database::{Snapshot, TTL};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use waystone::cluster::link::LinkState;
use waystone::cluster::member::{NodeId, Standing};
use waystone::cluster::plan::{Holding, Planner};
use waystone::cluster::shard::Shard;

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Runs,
    /// Stopped since and until then: it executes nothing, but its clock goes on.
    Frozen(u64, u64),
    Dead,
}

/// The process.
#[derive(Debug)]
pub struct Process {
    pub id: NodeId,
    /// The machine, and so the name, that it runs under.
    pub slot: usize,
    pub life: Life,
    pub draining: bool,
    pub planner: Planner,
    /// The last look, and when the database answered it.
    pub look: Option<(Rc<Snapshot>, u64)>,
    pub mine: BTreeMap<Shard, Holding>,
    /// Claims under way.
    pub claiming: BTreeSet<Shard>,
    pub links: BTreeMap<NodeId, LinkState>,
    pub connections: u64,
    /// Until when the lease runs for certain, by its own clock.
    pub until: Duration,
    pub said: Standing,
    /// When the last beat was sent, and whether one before its time is set down already.
    pub beat: u64,
    pub looks: bool,
    /// When plans are due.
    pub plans: BTreeSet<u64>,
    /// When it was last declared dead while it was not, until it has looked again.
    pub wronged: Option<u64>,
    /// Clock: microseconds at the start, and parts in a million that it is fast.
    skew: (u64, i64),
}

impl Process {
    pub fn new(id: NodeId, slot: usize, skew: (u64, i64)) -> Self {
        Self {
            id,
            slot,
            life: Life::Runs,
            draining: false,
            planner: Planner::default(),
            look: None,
            mine: BTreeMap::new(),
            claiming: BTreeSet::new(),
            links: BTreeMap::new(),
            connections: 0,
            until: Duration::ZERO,
            said: Standing::default(),
            beat: 0,
            looks: false,
            plans: BTreeSet::new(),
            wronged: None,
            skew,
        }
    }

    /// Its monotonic clock.
    pub fn clock(&self, now: u64) -> Duration {
        let (start, parts) = self.skew;
        let drift = i64::try_from(now).expect("years") / 1_000 * parts / 1_000;
        Duration::from_micros(start + now.saturating_add_signed(drift))
    }

    pub fn runs(&self) -> bool {
        self.life == Life::Runs
    }

    pub fn is_dead(&self) -> bool {
        self.life == Life::Dead
    }

    /// Whether its lease runs for certain, as it believes.
    pub fn is_certain(&self, now: u64, past_the_lease: bool) -> bool {
        self.clock(now) < self.until || past_the_lease
    }

    /// Whether it would answer a command on a shard now.
    pub fn serves(&self, now: u64, shard: Shard, past_the_lease: bool) -> Option<u64> {
        let holding = self.mine.get(&shard).filter(|holding| !holding.closing)?;
        (self.runs() && self.is_certain(now, past_the_lease)).then_some(holding.epoch)
    }

    /// Whether what it answers may be stale: it was declared dead, and cannot know yet.
    pub fn is_wronged(&self, now: u64) -> bool {
        self.wronged.is_some_and(|at| now < at + TTL)
    }

    /// A beat that was sent then has been answered, by a look that the database took at that time.
    pub fn renewed(&mut self, sent: u64, at: u64) {
        self.until = self.clock(sent) + Duration::from_micros(TTL);
        self.wronged = self.wronged.filter(|wronged| *wronged > at);
    }
}
