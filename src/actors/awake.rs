//! How many entities may be awake on a node, and which are let go early when more are wanted.
//!
//! Each shard has an even share, since entities fall on shards by a hash: no counter is shared, and no shard takes
//! another's room. Promise: no more are awake than the bound and an eighth, while those that are let go write down what
//! they have; who finds all of them at work is answered busy, and asks again.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Entities awake on a node, unless it is told otherwise. One takes some 5 KB (a player with a first entry: 4.6; more as it
/// plays), so this is 1 GB and more; and as many as ten
/// players for each of the 20,000 connections that a node takes.
pub const ENTITIES_MAX: usize = 200_000;
/// The smallest share of a shard: two who speak to each other may live in one.
const SHARE_MIN: usize = 2;

/// The bound of a node.
#[derive(Debug)]
pub struct Awake {
    max: AtomicUsize,
}

/// What a shard may have awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// From so many on the longest idle are let go for new ones.
    pub full: usize,
    /// At so many, with those that are going, none is woken.
    pub most: usize,
}

impl Default for Awake {
    fn default() -> Self {
        Self { max: AtomicUsize::new(ENTITIES_MAX) }
    }
}

impl Awake {
    /// Sets the bound; who is awake beyond it is let go when others are woken.
    pub fn limit(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// The share of each of so many shards.
    pub fn share(&self, shards: usize) -> Share {
        let full = self.max.load(Ordering::Relaxed).div_ceil(shards.max(1)).max(SHARE_MIN);
        Share { full, most: full + full.div_ceil(8) }
    }
}

impl Share {
    /// How many are let go at once: looking for the longest idle among all takes a while, so not for each new one.
    pub fn batch(self) -> usize {
        self.full.div_ceil(16)
    }
}
