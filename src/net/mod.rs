//! The edge: the only room with sockets and with the JSON that clients speak.
//!
//! One port serves both protocols, by TLS or not. `listener` opens it, `house` accepts and admits, within `limits`,
//! each player's `budget` and the node's `memory`; `handshake` reads the request head and `head` judges it; `/connect` becomes a `connection`, everything else goes to actix-web in `http`. A connection speaks
//! `protocol` and writes through its `outbound` queue. `auth` decides who someone is, `rules` who may ask what over HTTP.
//!
//! Invariant: nothing below this room sees a socket, a token or unchecked numbers, and this room never touches the
//! journal or the cluster: it asks `Game` and nobody else.

pub mod auth;
pub mod budget;
mod changes;
pub mod client;
pub mod close;
mod commands;
mod connection;
mod connection_id;
pub mod console;
mod console_assets;
mod console_cookie;
mod devices;
#[cfg(feature = "faults")]
pub mod echo;
mod fix;
mod frames;
mod guard;
mod handshake;
pub mod head;
#[cfg(feature = "faults")]
pub mod hostile;
mod house;
mod http;
mod io;
mod limits;
pub mod listener;
mod live;
pub mod memory;
pub mod metrics;
mod object;
mod operators;
mod outbound;
pub mod phones;
mod problem;
mod protocol;
pub mod quests;
mod rules;
pub mod self_signed;
pub mod stage;
pub mod tls;
mod wake;

#[cfg(test)]
mod documents;
