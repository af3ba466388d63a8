//! What sessions and shards may be told: the messages of their mailboxes, apart from the actors that read them, so
//! that whoever sends one need not know the reader.

use crate::actors::contract::{CloseReason, FixReply, Wake};
use crate::actors::shard::ShardArguments;
use crate::cluster::link::Device;
use crate::cluster::router::{Attached, Request, Response, Undelivered};
use crate::cluster::shard::Shard;
use crate::geo::position::Fix;
use crate::ids::EntityId;
use crate::quest::guidance::Guidance;
use crate::quest::notice::Notice;
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Where an answer goes.
pub type Answer = oneshot::Sender<Result<Response, Undelivered>>;

/// What a shard's actor is told.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all that is sent is large; a box would be one more allocation each"
)]
pub enum ShardMessage {
    /// A request for one of its entities. The permit is the sender's credit with the shard.
    Deliver {
        /// For whom.
        to: EntityId,
        /// What is asked.
        request: Request,
        /// Where the answer goes.
        answer: Answer,
        /// The credit.
        permit: OwnedSemaphorePermit,
    },
    /// An entity wants to be woken at a time, or not at all any more.
    WakeAt {
        /// Which.
        entity: EntityId,
        /// When.
        at: Option<Timestamp>,
    },
    /// Look at the alarms.
    Alarm,
    /// Look for idle entities.
    Sweep,
    /// Let all entities finish what they have and go; then say so.
    Drain(oneshot::Sender<()>),
}

/// What the supervisor is told.
#[derive(Debug)]
pub enum SupervisorMessage {
    /// Start the actor of a shard that sleeps; then say so.
    Start(Shard, oneshot::Sender<()>),
    /// Start a shard's actor anew.
    Restart(Box<ShardArguments>),
    /// A shard is this node's from now on.
    Add(Box<ShardArguments>),
    /// A shard is not this node's any more: end its actor, and whatever of it is still at work.
    Remove(Shard),
}

/// What a session's actor is told.
#[derive(Debug)]
pub enum SessionMessage {
    /// Fixes of its player.
    Fixes {
        /// In the order they came.
        fixes: Vec<Fix>,
        /// Which device posted them; `None`: the player's own app.
        device: Option<Device>,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<FixReply, Refusal>>,
        /// The sender's credit.
        permit: OwnedSemaphorePermit,
    },
    /// Which circles its player's phone is to watch. The asker is bounded: a socket by its commands under way, HTTP
    /// by its connections.
    Wake {
        /// How many at most.
        max: usize,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Wake, Refusal>>,
    },
    /// News of its player's entity.
    News {
        /// Notices with their offsets, in order.
        notices: Vec<(u64, Arc<Notice>)>,
        /// What to watch.
        guidance: Box<Guidance>,
    },
    /// Where things stand at the start; from now on notices are passed on.
    Welcome {
        /// The offset up to which the client has been told by the welcome.
        offset: u64,
        /// What to watch.
        guidance: Box<Guidance>,
        /// Since when the session counts as its player's.
        since: u64,
        /// In which epoch of its player's shard it is attached.
        epoch: u64,
        /// Told when commands are routed by it.
        taken_in: oneshot::Sender<()>,
    },
    /// Its player's shard has changed hands, or the way to its owner was broken: attach anew.
    Reattach,
    /// It is attached anew; `None`: nobody can say where things stand.
    Reattached(Option<Box<Attached>>),
    /// Look at the stays under way.
    Tick,
    /// Go to sleep, unless there is something to wait for, or more has been cast than this.
    Sleep {
        /// How many messages had been cast.
        casts: u64,
    },
    /// End.
    Close(CloseReason),
}
