//! Where an entity lives and how to reach it.
//!
//! Entities are addressed by id, an id belongs to one of [`shard::SHARDS`] shards for ever, and only the shard's owner
//! may append to its journal. A single node owns all of them; in a cluster, `plan` says who should own which.

pub mod link;
pub mod member;
pub mod placement;
pub mod plan;
pub mod router;
pub mod shard;
pub mod table;
