//! Who should own which shard, and what this node should do about it now: pure, by a logical clock.
//!
//! Written by the plan's own helper; see the contract in [`Planner::plan`].

use crate::cluster::link::LinkState;
use crate::cluster::member::{NodeId, Standing, View};
use crate::cluster::shard::Shard;
use std::collections::BTreeMap;
use std::time::Duration;

/// How this node holds a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// In which epoch.
    pub epoch: u64,
    /// Whether it is being handed over already.
    pub closing: bool,
}

/// What a node should do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Claim these, which nobody serves.
    Claim(Vec<Shard>),
    /// Let a shard go in order, so that this node can claim it.
    HandOver {
        /// Which.
        shard: Shard,
        /// For whom.
        to: NodeId,
    },
    /// Stop serving these: another has claimed them.
    Lost(Vec<Shard>),
    /// End the lease of a node whose process is gone for certain.
    Bury(NodeId),
}

/// What a node remembers from one plan to the next.
#[derive(Debug, Default)]
pub struct Planner {}

impl Planner {
    /// What to do, by a monotonic clock, after a look at the database or a change of a link.
    pub fn plan(
        &mut self,
        _now: Duration,
        _view: &View,
        _mine: &BTreeMap<Shard, Holding>,
        _links: &BTreeMap<NodeId, LinkState>,
    ) -> Vec<Step> {
        Vec::new()
    }

    /// Whether this node and the others can reach one another.
    pub fn is_fit(&self) -> bool {
        true
    }

    /// What to say of oneself with the next beat.
    pub fn standing(&self, draining: bool) -> Standing {
        Standing { draining, ..Standing::default() }
    }
}
