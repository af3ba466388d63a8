//! The database in memory, with the rules of the SQL: leases by its own clock, claims of what is free only, epochs that
//! grow by one, appends that compare the epoch, names that one living node bears.

use crate::bugs::Bug;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use waystone::cluster::link::LinkState;
use waystone::cluster::member::{Identity, Member, NodeId, Owner, Protocols, Standing, View};
use waystone::cluster::shard::{SHARDS, Shard};

/// How long a lease runs.
pub const TTL: u64 = 3_000_000;

/// A row of a node.
#[derive(Debug, Clone)]
struct Lease {
    until: u64,
    member: Member,
}

/// A row of a shard.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub owner: Option<NodeId>,
    pub epoch: u64,
    pub since: u64,
}

/// What a look shows, shared by all who look before anything changes.
#[derive(Debug)]
pub struct Snapshot {
    view: RefCell<View>,
    since: Vec<u64>,
}

impl Snapshot {
    /// The view of a node that looked at that moment.
    pub fn seen<T>(&self, me: &NodeId, at: u64, bugs: &BTreeSet<Bug>, look: impl FnOnce(&View) -> T) -> T {
        let mut view = self.view.borrow_mut();
        view.me = me.clone();
        for (owner, since) in view.owners.iter_mut().zip(&self.since) {
            let held = if bugs.contains(&Bug::NoHold) { 3_600_000_000 + at } else { at - since };
            owner.held = Duration::from_micros(held);
        }
        look(&view)
    }

    /// Whether a node is a member.
    pub fn shows(&self, node: &NodeId) -> bool {
        self.view.borrow().members.contains_key(node)
    }

    pub fn members(&self) -> Vec<NodeId> {
        self.view.borrow().members.keys().cloned().collect()
    }

    /// Links are kept to members only.
    pub fn keep(&self, links: &mut BTreeMap<NodeId, LinkState>) {
        links.retain(|node, _| self.shows(node));
    }
}

/// The database.
#[derive(Debug)]
pub struct Database {
    leases: BTreeMap<NodeId, Lease>,
    pub shards: Vec<Row>,
    snapshot: Option<Rc<Snapshot>>,
    pub bugs: BTreeSet<Bug>,
}

impl Database {
    pub fn new(bugs: BTreeSet<Bug>) -> Self {
        let shards = vec![Row::default(); usize::from(SHARDS)];
        Self { leases: BTreeMap::new(), shards, snapshot: None, bugs }
    }

    pub fn row(&mut self, shard: Shard) -> &mut Row {
        &mut self.shards[usize::from(shard.number())]
    }

    /// Forgets leases that have run out.
    fn expire(&mut self, now: u64) {
        if self.leases.values().any(|lease| lease.until <= now) {
            self.leases.retain(|_, lease| lease.until > now);
            self.snapshot = None;
        }
    }

    pub fn lives(&mut self, now: u64, node: &NodeId) -> bool {
        self.expire(now);
        self.leases.contains_key(node)
    }

    /// A beat, which is also a look; nothing, if another bears the name.
    pub fn beat(&mut self, now: u64, node: &NodeId, name: &str, standing: &Standing) -> Option<Rc<Snapshot>> {
        self.expire(now);
        if let Some(lease) = self.leases.get_mut(node) {
            lease.until = now + TTL;
            if lease.member.standing != *standing {
                lease.member.standing = standing.clone();
                self.snapshot = None;
            }
        } else if self.leases.values().any(|lease| lease.member.identity.name == name) {
            return None;
        } else {
            let protocols = Protocols { min: 1, max: 1 };
            let identity = Identity { name: name.to_owned(), address: name.to_owned(), protocols };
            let member = Member { identity, standing: standing.clone() };
            self.leases.insert(node.clone(), Lease { until: now + TTL, member });
            self.snapshot = None;
        }
        Some(Rc::clone(self.snapshot.get_or_insert_with(|| Rc::new(snapshot(&self.leases, &self.shards)))))
    }

    /// Claims what is free, or the claimer's own in an epoch that it does not hold; answers with the epochs.
    pub fn claim(&mut self, now: u64, node: &NodeId, shards: &[(Shard, u64)]) -> Vec<(Shard, u64)> {
        self.expire(now);
        let mut granted = Vec::new();
        for (shard, held) in shards {
            let row = &self.shards[usize::from(shard.number())];
            let free = match &row.owner {
                Some(owner) if owner == node => row.epoch != *held,
                Some(owner) => !self.leases.contains_key(owner) || self.bugs.contains(&Bug::ClaimOfTheLiving),
                None => true,
            };
            if free {
                let mint = u64::from(!self.bugs.contains(&Bug::EpochStays));
                let row = self.row(*shard);
                *row = Row { owner: Some(node.clone()), epoch: row.epoch + mint, since: now };
                granted.push((*shard, row.epoch));
            }
        }
        if !granted.is_empty() {
            self.snapshot = None;
        }
        granted
    }

    /// Gives a shard up; `false` if it is another's by now.
    pub fn release(&mut self, now: u64, shard: Shard, epoch: u64) -> bool {
        let row = self.row(shard);
        let own = row.epoch == epoch && row.owner.is_some();
        if own {
            *row = Row { owner: None, epoch, since: now };
            self.snapshot = None;
        }
        own
    }

    /// Whether an append of this epoch is taken.
    pub fn append(&mut self, shard: Shard, epoch: u64) -> bool {
        self.row(shard).epoch == epoch || self.bugs.contains(&Bug::NoFence)
    }

    pub fn end(&mut self, node: &NodeId) {
        if self.leases.remove(node).is_some() {
            self.snapshot = None;
        }
    }
}

fn snapshot(leases: &BTreeMap<NodeId, Lease>, shards: &[Row]) -> Snapshot {
    let members = leases.iter().map(|(node, lease)| (node.clone(), lease.member.clone())).collect();
    let owner = |row: &Row| Owner { node: row.owner.clone(), epoch: row.epoch, held: Duration::ZERO };
    let view = View { me: NodeId::new(""), members, owners: shards.iter().map(owner).collect(), quests: 0 };
    Snapshot { view: RefCell::new(view), since: shards.iter().map(|row| row.since).collect() }
}
