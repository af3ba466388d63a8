//! Never lost, never twice: the real server is killed again and again while witnesses play, and what they were told
//! is held against the journal by `waystone verify --history`.
//!
//! The server's own walkers die with it, so the witnesses are players in this process: they come back after each
//! kill, and each writes down what it asked, was answered, was told and saw.
//!
//! The normal run kills a few times. A longer one, and one run again as it was:
//!
//! ```sh
//! WAYSTONE_KILLS=60 cargo test --test crash kill -- --nocapture
//! WAYSTONE_SEED=42 cargo test --test crash kill -- --nocapture
//! WAYSTONE_ROUNDS=20 cargo test --test crash points -- --nocapture
//! WAYSTONE_FREEZES=1000 cargo test --test crash zombie -- --nocapture
//! WAYSTONE_OUTAGE=30 cargo test --test crash outage -- --nocapture
//! ```
//!
//! The seed decides when the server is struck, not what the machine does in between: a run again is alike, not equal.

mod faults;
mod ground;
mod home;
mod http;
mod outage;
mod party;
mod plan;
mod plant;
mod points;
mod prober;
mod record;
mod server;
mod storm;
mod twice;
mod witness;
mod zombie;
