//! Links between nodes over the network: gRPC with mutual TLS, behind the seam of [`crate::cluster::link`].
//!
//! Each node dials each other member and asks and tells on that one stream; replies come back on it. What a link
//! promises (bounds, deadlines, order, refusal) is kept by its two halves, `outbox` and `inbox`, over any transport
//! that carries messages: `grpc` is the real one, [`memory`] its twin for simulations. gRPC is for its flow control,
//! its pings and its schema, which we need not invent; what we measured it against stands in `benches/README.md`.

mod accept;
pub mod certificates;
mod codec;
mod counters;
mod dial;
mod frames;
mod grpc;
mod guard;
mod hello;
mod inbox;
mod lateness;
mod limits;
pub mod memory;
mod node;
mod outbox;
mod replies;
mod service;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use counters::Counts;
pub use grpc::{BindError, Port};
pub use hello::{Me, Refused};
pub use node::Links;
pub use tls::{NODE_NAME, Tls, TlsError};
