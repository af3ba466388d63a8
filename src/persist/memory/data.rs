//! What a disk would hold of a journal in memory: shards, streams, quests, and the rows of nodes.

use super::control::Tables;
use super::members::Node;
use crate::cluster::member::NodeId;
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::persist::{Append, AppendError, Claim, Loaded, PublishedSource, ReadError, record};
use crate::quest::entry::Cause;
use crate::units::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio::time::Instant;

/// What a disk would hold.
#[derive(Debug, Default)]
pub(super) struct Data {
    pub(super) shards: HashMap<Shard, Row>,
    pub(super) streams: HashMap<EntityId, Stream>,
    pub(super) quests: Vec<PublishedSource>,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) control: Tables,
    /// How many handles there have been.
    pub(super) handles: u64,
}

#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) epoch: u64,
    pub(super) owner: Option<NodeId>,
    /// When the owner claimed it.
    pub(super) since: Option<Instant>,
    pub(super) out_acked: u64,
    /// By offset, from 1: whose entry, its number, and the epoch.
    pub(super) log: Vec<(EntityId, u64, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) records: Vec<Record>,
    causes: HashSet<String>,
    awards: HashSet<String>,
    pub(super) wake: Option<Timestamp>,
    pub(super) snapshot: Option<(u64, Vec<u8>)>,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) ver: u32,
    pub(super) payload: Vec<u8>,
    pub(super) has_out: bool,
}

/// Where in a vector the entry of this number is.
pub(super) fn place(seq: u64) -> usize {
    usize::try_from(seq.saturating_sub(1)).unwrap_or(usize::MAX)
}

impl Data {
    /// The row of a new handle: a single node, until it joins.
    pub(super) fn open(&mut self) -> NodeId {
        self.handles += 1;
        let me = NodeId::new(format!("{:016x}", self.handles));
        self.nodes.insert(me.clone(), Node::single());
        me
    }

    /// A process has died: its lease runs out.
    pub(super) fn died(&mut self, node: &NodeId) {
        self.nodes.entry(node.clone()).and_modify(Node::run_out);
    }

    /// Whether a node's lease runs.
    pub(super) fn lives(&self, node: &NodeId) -> bool {
        self.nodes.get(node).is_some_and(Node::lives)
    }

    /// Takes a shard over.
    pub(super) fn claim(&mut self, shard: Shard, node: &NodeId) -> Claim {
        let row = self.shards.entry(shard).or_default();
        row.epoch += 1;
        (row.owner, row.since) = (Some(node.clone()), Some(Instant::now()));
        Claim { shard, epoch: row.epoch, head: row.head(), out_acked: row.out_acked }
    }

    pub(super) fn load(&self, entity: &EntityId, snapshots: bool) -> Result<Loaded, ReadError> {
        let Some(stream) = self.streams.get(entity) else { return Ok(Loaded::default()) };
        let snapshot = stream.snapshot.clone().filter(|_| snapshots);
        let after = snapshot.as_ref().map_or(0, |(seq, _)| *seq);
        let records = (1_u64..).zip(&stream.records).filter(|(seq, _)| *seq > after);
        let decode = |(seq, record): (u64, &Record)| record::decode(entity, 0, seq, record.ver, &record.payload);
        Ok(Loaded { snapshot, tail: records.map(decode).collect::<Result<_, _>>()? })
    }
}

impl Row {
    pub(super) fn head(&self) -> u64 {
        u64::try_from(self.log.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn ack(&mut self, offset: u64) {
        self.out_acked = self.out_acked.max(offset.min(self.head()));
    }
}

impl Stream {
    pub(super) fn ends(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX)
    }

    /// Adds an entry whole, or refuses it and changes nothing.
    pub(super) fn push(&mut self, append: &Append) -> Result<(), AppendError> {
        let entry = &append.entry;
        if entry.seq != self.ends() + 1 {
            return Err(record::not_next(entry.seq, self.ends()));
        }
        let cause = entry.cause.as_ref().map(Cause::key);
        if let Some(cause) = cause.as_ref().filter(|cause| self.causes.contains(*cause)) {
            return Err(record::cause_stands(cause));
        }
        let awards: HashSet<&String> = entry.awards.iter().collect();
        if awards.len() < entry.awards.len() || awards.iter().any(|award| self.awards.contains(*award)) {
            return Err(record::award_stands(&entry.awards));
        }
        self.causes.extend(cause);
        self.awards.extend(entry.awards.iter().cloned());
        self.wake = append.wake;
        let (payload, has_out) = (record::encode(entry), !entry.out.is_empty());
        self.records.push(Record { ver: record::VERSION, payload, has_out });
        Ok(())
    }
}
