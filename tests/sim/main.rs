//! The actor layer in a storm: the real sessions, entities, shards and courier over a journal in memory, on one thread,
//! by a clock of their own. Messages are late, lost and doubled; the journal is out of reach now and then; processes
//! die, restart, and take over from one another. What clients saw must then be what the journal says.
//!
//! More seeds: `WAYSTONE_SIM_SEEDS=20000 cargo test --test sim storm`; one: `WAYSTONE_SIM_SEED=7`.

#[path = "../rules/rng.rs"]
#[expect(dead_code, reason = "the rules' tests use more of it")]
mod rng;

mod bugs;
mod phone;
mod road;
mod store;
mod storm;
mod world;
