//! The edge: the only room with sockets and with the JSON that clients speak.
//!
//! One port serves both protocols. `listener` accepts and admits; `handshake` reads the request head and `head`
//! judges it; `/connect` becomes a `connection`, everything else goes to actix-web in `http`. A connection speaks
//! `protocol` and writes through its `outbound` queue. `auth` decides who someone is.
//!
//! Invariant: nothing below this room sees a socket, a token or unchecked numbers, and this room never touches the
//! journal or the cluster: it asks `Game` and nobody else.

pub mod auth;
pub mod client;
pub mod close;
mod commands;
mod connection;
pub mod console;
mod console_assets;
mod console_cookie;
mod fix;
mod handshake;
pub mod head;
mod http;
mod limits;
pub mod listener;
mod live;
mod metrics;
mod operators;
mod outbound;
pub mod phones;
mod problem;
mod protocol;
pub mod stage;
mod wake;

#[cfg(test)]
mod documents;
