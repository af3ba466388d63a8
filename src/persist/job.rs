//! What stands in the queue of a store's writer, and what a writer remembers of its shards: the same for every store.
//!
//! Promise: an append is encoded by who asks for it, on their own time, so that the one writer has less to do.

use super::{Append, record};
use crate::cluster::shard::{SHARDS, Shard};
use crate::ids::EntityId;
use crate::units::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// An append made ready by its caller, so that the one writer has less to do.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entity: EntityId,
    pub(super) shard: Shard,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) cause: Option<String>,
    pub(super) out_n: u64,
    pub(super) awards: Vec<String>,
    pub(super) wake: Option<Timestamp>,
    pub(super) payload: Vec<u8>,
}

impl Job {
    pub(super) fn new(append: Append) -> Self {
        let Append { entity, entry, wake } = append;
        Self {
            shard: Shard::of(&entity),
            seq: entry.seq,
            at: entry.at,
            cause: entry.cause.as_ref().map(crate::quest::entry::Cause::key),
            out_n: u64::try_from(entry.out.len()).unwrap_or(u64::MAX),
            payload: record::encode(&entry),
            awards: entry.awards,
            wake,
            entity,
        }
    }
}

/// A snapshot to keep.
#[derive(Debug)]
pub(super) struct Save {
    pub(super) entity: EntityId,
    pub(super) seq: u64,
    pub(super) state: Vec<u8>,
}

/// A claim that the writer holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) epoch: u64,
    pub(super) head: u64,
}

/// Up to which offset each shard's messages are delivered, as far as this process knows.
#[derive(Debug)]
pub(super) struct Acked(Vec<AtomicU64>);

impl Acked {
    pub(super) fn new() -> Self {
        Self((0..SHARDS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn note(&self, shard: Shard, offset: u64) {
        self.0[usize::from(shard.number())].fetch_max(offset, Ordering::AcqRel);
    }

    /// At a claim: from then on what the shard's row says counts, for another owner may have been in between.
    pub(super) fn reset(&self, shard: Shard, offset: u64) {
        self.0[usize::from(shard.number())].store(offset, Ordering::Release);
    }

    pub(super) fn get(&self, shard: Shard) -> u64 {
        self.0[usize::from(shard.number())].load(Ordering::Acquire)
    }
}
