//! Who is in the cluster and who owns what, as one look at the database found it. Pure.
//!
//! A view decides who *should* serve a shard; who *can* write to it is decided by the epoch in the append alone. So a
//! view may be old, or wrong, and harms no entry.

use crate::cluster::shard::Shard;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One run of one node's process: 16 hexadecimal digits of chance. A node that starts again is another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// From its text; it is not looked at.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The protocol versions that a node's links speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

impl Protocols {
    /// The newest that both speak.
    pub fn common(self, other: Self) -> Option<u16> {
        let max = self.max.min(other.max);
        (max >= self.min.max(other.min)).then_some(max)
    }
}

/// What a node says of itself when it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// A name for people, and what placement goes by: a node that starts again under it gets its shards back.
    pub name: String,
    /// Where other nodes reach its links: `host:port`.
    pub address: String,
    /// What its links speak.
    pub protocols: Protocols,
}

/// What a node says of itself with each beat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// It is ending: it should own nothing.
    pub draining: bool,
    /// Living members that it has not reached for long.
    pub unreachable: BTreeSet<NodeId>,
}

/// A living node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who it says it is.
    pub identity: Identity,
    /// How it stands.
    pub standing: Standing,
}

/// Whose a shard is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// The node; `None`: it was released, or never claimed. It need not live.
    pub node: Option<NodeId>,
    /// The epoch that this ownership began.
    pub epoch: u64,
    /// For how long, by the database's clock.
    pub held: Duration,
}

/// The cluster at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Who looked.
    pub me: NodeId,
    /// Nodes whose lease ran at that moment by the database's clock; without `me` if its own did not.
    pub members: BTreeMap<NodeId, Member>,
    /// Of each shard, by number.
    pub owners: Vec<Owner>,
    /// How many versions of quests are published.
    pub quests: u64,
}

impl View {
    /// Whose a shard is.
    pub fn owner(&self, shard: Shard) -> &Owner {
        &self.owners[usize::from(shard.number())]
    }

    /// Whether its owner lives.
    pub fn is_served(&self, shard: Shard) -> bool {
        self.owner(shard).node.as_ref().is_some_and(|node| self.members.contains_key(node))
    }
}
