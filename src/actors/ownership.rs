//! Which shards this node serves now, and whether it may: asked before every request, so it is a word of memory each.
//!
//! Promise: a node that is not certain that its lease still runs serves nothing, so no reader meets what another owner
//! has overtaken, but for two bounded times: a node that was buried alive serves on until its next look, a second later,
//! or if that fails until its lease runs out, three at most; and one whose lease had run out, from the beat that renews
//! it until its keeper has heard that beat's view. Writes are never at stake: the journal's fence judges them.

use crate::cluster::shard::{SHARDS, Shard};
use crate::persist::Members;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What this node serves.
#[derive(Debug)]
pub struct Ownership {
    /// Of each shard: the epoch in which it is served; 0 is not.
    epochs: Vec<AtomicU64>,
    /// `None`: a single node, whose journal has no other owner.
    members: OnceLock<Arc<dyn Members>>,
}

impl Default for Ownership {
    fn default() -> Self {
        Self { epochs: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(), members: OnceLock::new() }
    }
}

impl Ownership {
    /// The membership that this node's right to serve depends on, once.
    pub fn depends_on(&self, members: Arc<dyn Members>) {
        self.members.set(members).unwrap_or_default();
    }

    /// Serves a shard from now on.
    pub fn begin(&self, shard: Shard, epoch: u64) {
        self.slot(shard).store(epoch, Ordering::Release);
    }

    /// Serves it no more.
    pub fn end(&self, shard: Shard) {
        self.slot(shard).store(0, Ordering::Release);
    }

    /// The epoch in which a shard may be served here now, if it may.
    pub fn serves(&self, shard: Shard) -> Option<u64> {
        let epoch = self.epoch(shard);
        let certain = || self.members.get().is_none_or(|members| members.is_certain());
        (epoch > 0 && certain()).then_some(epoch)
    }

    /// The epoch of a shard that this node has, whether or not its lease runs; 0: it has it not.
    pub fn epoch(&self, shard: Shard) -> u64 {
        self.slot(shard).load(Ordering::Acquire)
    }

    fn slot(&self, shard: Shard) -> &AtomicU64 {
        &self.epochs[usize::from(shard.number())]
    }
}
