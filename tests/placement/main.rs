//! Placement under a fate: hundreds of nodes, each with the real planner and a clock of its own, over a database in
//! memory that keeps the rules of the SQL, in logical time. Nodes die, freeze, drain, lose each other and the database.
//!
//! Promises: no late append passes, whatever happens. No two nodes serve a shard at once, but for one case: a node that
//! was buried alive answers what may be stale until its next look, so for a second, and never for longer than a lease
//! of three. When fate rests, every shard comes to where it should be, and stays there. The same seed does it again.
//!
//! ```sh
//! cargo test --test placement -- --nocapture                                    # prints the figures
//! WAYSTONE_PLACEMENT_NODES=200 WAYSTONE_PLACEMENT_SECONDS=3000 cargo test --test placement chaos -- --nocapture
//! WAYSTONE_PLACEMENT_SEED=7 cargo test --test placement chaos -- --nocapture
//! ```

mod bugs;
#[path = "../sim/chance.rs"]
#[expect(dead_code, reason = "the other simulation needs more of it")]
mod chance;
mod chaos;
mod database;
mod fate;
mod ledger;
mod node;
mod process;
mod scenes;
mod world;
