//! The bounds of links, each with its reason. What two nodes must agree on (sizes, deadlines) stands here once.
//!
//! Promise: nothing in this room waits, queues or buffers without one of these.

use std::time::Duration;

/// Envelopes in one message. Beyond some dozens a message costs little more than its envelopes do, and a reply that
/// stands at the end of one should not wait for many others to be read.
pub(super) const BATCH_ENVELOPES: usize = 256;
/// Bytes of bodies after which a message takes no further envelope: it is read into memory as a whole.
pub(super) const BATCH_BYTES: usize = 256 * 1024;
/// The largest body: a player who comes back after a long time is sent some hundred kilobytes; more is a mistake.
pub(super) const BODY_BYTES: usize = 1024 * 1024;
/// The largest message: a batch that lacked one byte and took one more of the largest bodies, with all its fields.
pub(super) const MESSAGE_BYTES: usize = BATCH_BYTES + BODY_BYTES + BATCH_ENVELOPES * 256;
/// Envelopes that wait to be sent to one peer: a tenth of a second of what a link can carry.
pub(super) const QUEUE_ENVELOPES: usize = 4_096;
/// Bytes that wait to be sent to one peer; at five peers 80 MiB, if all of them stall at once.
pub(super) const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Calls of one peer that are under way here. At 1 ms each that is two million a second; a peer with more than this
/// is waiting for a journal that stalls, and more would only make the stall longer.
pub(super) const CALLS: usize = 2_048;
/// Bytes of replies that wait to be sent to one peer.
pub(super) const REPLY_BYTES: usize = 16 * 1024 * 1024;

/// How long a note may be under way: as long as a delivery (`cluster::router::DELIVERY_DEADLINE`).
pub(super) const NOTE_TTL: Duration = Duration::from_secs(5);
/// The longest that a peer may ask us to work on a call.
pub(super) const TTL_MAX: Duration = Duration::from_secs(60);
/// After so long without anything to say, the sender says what time it is: see `lateness`.
pub(super) const IDLE: Duration = Duration::from_secs(1);

/// For a TCP connection to a peer: on one continent 0.2 s are plenty, and a lost SYN is sent again after one second.
pub(super) const CONNECT: Duration = Duration::from_secs(1);
/// For TLS and hello after that, both ways. A frozen peer accepts and says nothing.
pub(super) const HELLO: Duration = Duration::from_secs(2);
/// Between pings. With [`PING_TIMEOUT`] a dead link is noticed in 2.9 s at most, 3 s being the promise.
pub(super) const PING: Duration = Duration::from_millis(900);
/// For the answer to a ping: a node that neither runs nor answers for two seconds is as good as dead, and a shorter
/// time would take busy machines for dead ones.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// After so long without an acknowledgement the kernel gives a connection up.
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(3);
/// The first pause before dialling again; doubled each time...
pub(super) const REDIAL_MIN: Duration = Duration::from_millis(50);
/// ...up to this one: a peer that is back is found within a second.
pub(super) const REDIAL_MAX: Duration = Duration::from_secs(1);

/// Connections that are open to us, or being opened: fifty nodes that all dial twice, and some strangers.
pub(super) const CONNECTIONS: usize = 256;
/// How many of them may be strangers that have not shown a certificate yet.
pub(super) const STRANGERS: usize = 64;
/// The HTTP/2 window of a stream: what may be under way, or lie unread while too many calls are under way. At a round
/// trip of 2 ms this is 256 MB a second; a larger one would only let more calls grow old where they lie.
pub(super) const WINDOW: u32 = 512 * 1024;
