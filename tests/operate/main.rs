//! What an operator does to servers that run, as real processes on a real clock: settings of sockets, tokens that are called
//! back, keys and certificates that are exchanged, quests that are published.
//!
//! Spans that are promised are measured from outside and printed; a busy machine has some seconds more before a test
//! fails.
//!
//! ```sh
//! cargo test --test operate -- --nocapture
//! ```

#[path = "../crash/http.rs"]
mod http;
mod keys;
mod pings;
mod publishing;
mod revoking;
mod servers;
