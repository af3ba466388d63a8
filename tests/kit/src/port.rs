//! Ports for servers of tests.

use crate::{Result, Trouble, folder};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The first of them, and how many: below those that the system gives to outgoing connections. Who knocks while a server
/// is down would else, one day, be given the very port that it knocks at, and keep the server out.
const PORTS: (u16, u16) = (20_000, 12_000);

/// Those that this process has given out: who was given one may not have bound it yet, or has it bound again later.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// One on 127.0.0.1 that nobody has now, and that is given to nobody else in this process.
pub fn free() -> Result<u16> {
    for _ in 0..100 {
        let random = folder::random(2)?;
        let port = PORTS.0 + u16::from_be_bytes([random[0], random[1]]) % PORTS.1;
        let fresh = GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        if fresh && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Trouble::new("none of a hundred ports on 127.0.0.1 is free"))
}
