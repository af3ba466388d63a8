//! How anything reaches an entity: by id, with a deadline, and with an answer that is never silence.
//!
//! Promise: `Ok` means that the entity has done it and the journal has it (or that it was done before). Every error
//! means that it was not done, except `Expired`, which leaves it open: a message with a cause may simply be sent again.
//! Today each shard is owned by this node; a remote owner becomes another [`Deliver`] behind the same call.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::cluster::link::SessionKey;
use crate::ids::EntityId;
use crate::quest::aggregate::Message;
use crate::quest::guidance::Guidance;
use crate::quest::notice::Notice;
use crate::quest::refusal::Refusal;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The longest that anyone waits for an entity: a store that restarts is back by then, or the asker is told to retry.
pub const DELIVERY_DEADLINE: Duration = Duration::from_secs(5);

/// What may be asked of an entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To decide a message.
    Decide(Message),
    /// To tell a session of its player where things stand, with the notices after an offset, and to tell it the news
    /// from now on. `since` is what the last answer said, if the session was told news before; a new one has none,
    /// and takes the place of any other.
    Attach { after: Option<u64>, session: SessionKey, since: Option<u64> },
    /// To show what a client may see.
    View,
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// To a message: the client's answer, if there is one.
    Decided(Option<Value>),
    /// To a new session.
    Attached(Box<Attached>),
    /// To `View`.
    Viewed(Value),
}

/// Where things stand for a player.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attached {
    /// Since when the session counts as the player's: of two, the later one.
    pub since: u64,
    /// The offset of the last notice.
    pub offset: u64,
    /// The notices after the offset asked for; `None`: they are not all kept.
    pub missed: Option<Vec<(u64, Arc<Notice>)>>,
    /// What to watch.
    pub guidance: Guidance,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undelivered {
    /// The shard is not here, or is just leaving. The router asks elsewhere, or waits; nobody else meets this.
    Moved,
    /// The rules say no.
    Refused(Refusal),
    /// The entity has too much to do.
    Busy,
    /// The journal cannot be reached, or the entity is being restarted.
    Unavailable,
    /// No answer within the deadline.
    Expired,
}

impl From<Undelivered> for Refusal {
    fn from(undelivered: Undelivered) -> Self {
        match undelivered {
            Undelivered::Refused(refusal) => refusal,
            Undelivered::Busy => Self::busy("too much to do at once; try again in a second"),
            Undelivered::Moved | Undelivered::Unavailable => {
                Self::unavailable("the journal cannot be written now; try again in a second")
            }
            Undelivered::Expired => {
                Self::unavailable("no answer in time; try again with the same command id, it will not be done twice")
            }
        }
    }
}

/// Brings a request to an entity on the node that owns it.
pub trait Deliver: Send + Sync + Debug {
    /// Brings it; answers within [`DELIVERY_DEADLINE`].
    fn deliver(&self, to: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>>;
}

/// The one way to any entity; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Router {
    local: Arc<OnceLock<Arc<dyn Deliver>>>,
}

impl Router {
    /// Joins this node's actors to the router, once, when they have started.
    pub fn serve(&self, local: Arc<dyn Deliver>) {
        assert!(self.local.set(local).is_ok(), "a router is joined to its node once");
    }

    /// Asks an entity anything.
    pub async fn ask(&self, to: EntityId, request: Request) -> Result<Response, Undelivered> {
        let local = self.local.get().ok_or(Undelivered::Unavailable)?;
        local.deliver(to, request).await
    }

    /// Has an entity decide a message; the answer is the client's.
    pub async fn send(&self, to: EntityId, message: Message) -> Result<Option<Value>, Undelivered> {
        match self.ask(to, Request::Decide(message)).await? {
            Response::Decided(answer) => Ok(answer),
            Response::Attached(_) | Response::Viewed(_) => Err(Undelivered::Unavailable),
        }
    }
}
