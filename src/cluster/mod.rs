//! Where an entity lives and how to reach it.
//!
//! Today there is one node, which owns every shard. What is fixed already: entities are addressed by id, an id
//! belongs to one of [`shard::SHARDS`] shards for ever, and only the shard's owner may append to its journal.

pub mod router;
pub mod shard;
