//! Three real processes, one Postgres, and players on all of them who talk to one another and play a quest the whole
//! time, while nodes are killed, frozen and replaced, and the lines between them and to the database fail.
//!
//! Promise: what was acknowledged is heard by everyone, once, in order, whichever node it was said on, and awards are
//! given once: after each fault `waystone verify` holds all players' histories against the journal. How long anyone
//! had to wait is printed. `WAYSTONE_CLUSTER_ROUNDS` plays the same faults more often than once.
//!
//! ```sh
//! cargo test --test cluster -- --nocapture
//! WAYSTONE_CLUSTER_ROUNDS=20 cargo test --test cluster -- --nocapture
//! ```

mod front;
mod gaps;
mod ground;
#[path = "../crash/http.rs"]
mod http;
mod nodes;
#[path = "../crash/party.rs"]
mod party;
mod players;
#[path = "../crash/record.rs"]
#[expect(dead_code, reason = "the story of the kills looks closer at each witness")]
mod record;
mod scenes;
mod stage;
#[path = "../crash/witness.rs"]
mod witness;
