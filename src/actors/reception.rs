//! What this node does with what other nodes ask and tell it.
//!
//! Promise: a call for an entity is answered by its owner or not at all: what is not served here, or in another epoch
//! than the asker believes, is answered `Moved`, with what is known here of whose it is.

use crate::actors::live_session::{self, Asked};
use crate::actors::meetings::Meetings;
use crate::actors::node::Node;
use crate::actors::operator;
use crate::actors::survey;
use crate::cluster::link::{Call, Handler, LinkState, NodeQuestion, Note, Ownership, Reply};
use crate::cluster::member::NodeId;
use crate::cluster::router::{Request, Undelivered};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::persist::Members;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The reception of a node.
#[derive(Debug)]
pub struct Reception {
    node: Arc<Node>,
    members: Arc<dyn Members>,
}

impl Reception {
    /// Of a member of a cluster.
    pub fn new(node: Arc<Node>, members: Arc<dyn Members>) -> Self {
        Self { node, members }
    }

    async fn entity(&self, from: &NodeId, to: EntityId, epoch: u64, request: Request) -> Reply {
        let shard = Shard::of(&to);
        let here = self.node.ownership.serves(shard);
        if here != Some(epoch) {
            if here.unwrap_or(0) < epoch {
                // The asker knows more than we do, unless our own lease has just run out.
                self.members.look();
            }
            return Reply::Moved(self.known(shard));
        }
        let Some(local) = self.node.router.local() else { return Reply::Moved(self.known(shard)) };
        match local.deliver(to, request).await {
            Err(Undelivered::Moved) => Reply::Moved(self.known(shard)),
            Err(Undelivered::Parked) if !self.knows_parked(from) => Reply::Entity(Err(Undelivered::Unavailable)),
            answer => Reply::Entity(answer),
        }
    }

    /// Whether a node understands [`Undelivered::Parked`].
    fn knows_parked(&self, node: &NodeId) -> bool {
        let states = self.node.router.peers().map(|peers| peers.states());
        let state = states.and_then(|states| states.borrow().get(node).copied());
        matches!(state, Some(LinkState::Up { protocol: 2.., .. }))
    }

    /// Whose a shard is, as far as is known here.
    fn known(&self, shard: Shard) -> Ownership {
        let row = self.node.router.table().row(shard);
        Ownership { shard, node: row.node, epoch: row.epoch }
    }
}

impl Handler for Reception {
    fn call(&self, from: NodeId, call: Call, _: Duration) -> BoxFuture<'_, Reply> {
        // Whoever waits no longer drops this: the link keeps the deadline.
        match call {
            Call::Node(NodeQuestion::Session { player, session, question, device }) => {
                let asked = Asked { question, device };
                async move { Reply::Node(live_session::answer(&self.node, player, session, asked).await) }.boxed()
            }
            Call::Entity { to, epoch, request } => {
                async move { self.entity(&from, to, epoch, request).await }.boxed()
            }
            Call::Node(NodeQuestion::Parked) => {
                let cards = self.node.parked.cards(self.node.clock.now());
                ready(Reply::Node(json(&cards))).boxed()
            }
            Call::Node(NodeQuestion::Unpark { entity, drop }) => async move {
                let done = operator::unpark_here(&self.node, entity, drop).await;
                Reply::Node(json(&done))
            }
            .boxed(),
            Call::Node(NodeQuestion::Overview { heard }) => {
                ready(Reply::Node(survey::answer(&self.node, heard))).boxed()
            }
        }
    }

    fn note(&self, from: NodeId, note: Note) {
        let node = &self.node;
        match note {
            Note::News { session, player, notices, guidance } => {
                if !node.sessions.tell(&player, session.number, notices, guidance) {
                    node.tell_peer(&from, Note::Ended { session, player });
                }
            }
            Note::Replaced { session, player } => node.close_session(&player, session.number),
            Note::Ended { session, player } => node.audience.leave(&player, &session),
            Note::Lossy => node.catch_up(Some(&from)),
            Note::Owners(news) => {
                node.router.table().learn(news);
            }
            Note::Members { team, members } => node.channels.expel(&team, &members),
            Note::Near { player, meets, seen } => Meetings::seen_there(node, &player, meets, seen),
            Note::Apart { player, meets } => node.meetings.apart(&player, &meets),
        }
    }
}

/// An answer to another node; what we answer has only keys that are texts.
fn json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}
