//! What must never happen, and figures of what did.

use std::collections::BTreeMap;
use waystone::cluster::member::NodeId;
use waystone::cluster::shard::Shard;

/// Faults that are kept: the first ones tell.
const FAULTS: usize = 20;

/// Why a shard is without a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its node was killed.
    Killed,
    /// Its node stood still, or could not reach the database.
    Silent,
    /// It was handed over.
    Moved,
}

/// The books of one run.
#[derive(Debug, Default)]
pub struct Ledger {
    pub faults: Vec<String>,
    /// Of each shard that nobody serves: since when and why.
    gaps: BTreeMap<Shard, (u64, Cause)>,
    /// Gaps that ended, in microseconds.
    pub ended: BTreeMap<Cause, Vec<u64>>,
    /// The last epoch of each shard, and who made it.
    pub epochs: BTreeMap<Shard, (u64, Option<NodeId>)>,
    /// Times that a shard came to another node.
    pub moves: u64,
    /// Shards that were let go in order.
    pub handed: u64,
    pub closing_most: usize,
    pub appends: u64,
    /// Late appends that were refused.
    pub refused: u64,
    /// Times that two nodes served a shard under different epochs, one of which had been declared dead by mistake.
    pub doubles: u64,
    pub buried: u64,
}

impl Ledger {
    pub fn fault(&mut self, now: u64, text: &str) {
        if self.faults.len() < FAULTS {
            self.faults.push(format!("at {:.3} s: {text}", now as f64 / 1e6));
        }
    }

    /// A shard is without a server from now on.
    pub fn lies(&mut self, now: u64, shard: Shard, cause: Cause) {
        self.gaps.entry(shard).or_insert((now, cause));
    }

    /// A shard is served again.
    pub fn stands(&mut self, now: u64, shard: Shard) {
        if let Some((since, cause)) = self.gaps.remove(&shard) {
            self.ended.entry(cause).or_default().push(now - since);
        }
    }

    /// A shard was claimed in the database.
    pub fn claimed(&mut self, now: u64, shard: Shard, epoch: u64, node: &NodeId) {
        let (last, owner) = self.epochs.entry(shard).or_default();
        let (before, moved) = (*last, owner.as_ref() != Some(node));
        (*last, *owner) = (epoch, Some(node.clone()));
        self.moves += u64::from(moved);
        if epoch != before + 1 {
            self.fault(now, &format!("the epoch of {shard:?} went from {before} to {epoch}"));
        }
    }

    /// An append reached the database.
    pub fn appended(&mut self, now: u64, shard: Shard, epoch: u64, taken: bool) {
        let current = self.epochs.get(&shard).is_some_and(|(last, _)| *last == epoch);
        match (taken, current) {
            (true, true) => self.appends += 1,
            (false, false) => self.refused += 1,
            (true, false) => {
                self.fault(now, &format!("an append of epoch {epoch} to {shard:?} came too late and passed"))
            }
            (false, true) => self.fault(now, &format!("an append of epoch {epoch} to {shard:?} was refused in time")),
        }
    }

    /// Half, 99 of 100, and all gaps of a cause were at most so long, in milliseconds; and how many there were.
    pub fn gaps(&self, cause: Cause) -> (usize, u64, u64, u64) {
        let mut ended = self.ended.get(&cause).cloned().unwrap_or_default();
        ended.sort_unstable();
        let at = |share: usize| ended.get(ended.len().saturating_sub(1) * share / 100).map_or(0, |us| us / 1_000);
        (ended.len(), at(50), at(99), at(100))
    }

    pub fn add(&mut self, other: Self) {
        self.faults.extend(other.faults);
        for (cause, ended) in other.ended {
            self.ended.entry(cause).or_default().extend(ended);
        }
        self.moves += other.moves;
        self.handed += other.handed;
        self.closing_most = self.closing_most.max(other.closing_most);
        self.appends += other.appends;
        self.refused += other.refused;
        self.doubles += other.doubles;
        self.buried += other.buried;
    }
}
