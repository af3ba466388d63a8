//! What operators ask of all nodes: which entities are parked, and to have one tried again.
//!
//! Promise: every node that is linked is asked, by a deadline, and who did not answer is named, so an empty list is
//! known to be empty, or not.

use crate::actors::node::Node;
use crate::actors::parked::{ParkedCards, Poison};
use crate::cluster::link::{Call, NodeQuestion, Reply};
use crate::cluster::router::{Request, Response};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::quest::refusal::Refusal;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long another node is waited for: an operator would rather see the rest than wait for one that hangs.
const ASK: Duration = Duration::from_secs(2);
/// The same where it has an entry to write: as long as a delivery may take, and the way.
const ASK_TO_WRITE: Duration = Duration::from_secs(6);

/// Parked entities of all nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedEverywhere {
    /// Those of the nodes that answered.
    #[serde(flatten)]
    pub cards: ParkedCards,
    /// Nodes that did not.
    pub silent: Vec<String>,
}

/// What became of a parked entity that an operator turned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unparked {
    /// It is tried again with its next message.
    Redriven,
    /// So it is, and its message is not any more.
    Dropped,
    /// So it is; its message has no name by which it could be refused, or was done already.
    NothingToDrop,
    /// It was not parked.
    NotParked,
    /// The message could not be dropped: the journal cannot be written, or the entity panics without it too.
    Failed,
}

/// All parked entities.
pub async fn parked(node: &Node) -> ParkedEverywhere {
    let mut everywhere = ParkedEverywhere { cards: node.parked.cards(node.clock.now()), silent: Vec::new() };
    let Some(peers) = node.router.peers() else { return everywhere };
    let others: Vec<_> = peers.states().borrow().keys().cloned().collect();
    let asked = others.iter().map(|peer| peers.call(peer, Call::Node(NodeQuestion::Parked), ASK));
    for (peer, answer) in others.iter().zip(join_all(asked).await) {
        let cards = match answer {
            Ok(Reply::Node(value)) => serde_json::from_value::<ParkedCards>(value).ok(),
            Ok(Reply::Entity(_) | Reply::Moved(_)) | Err(_) => None,
        };
        match cards {
            Some(cards) => everywhere.cards.add(cards),
            None => everywhere.silent.push(peer.to_string()),
        }
    }
    everywhere
}

/// Has a parked entity of any node tried again; `drop`: without the message that it panicked at.
pub async fn unpark(node: &Node, entity: EntityId, drop: bool) -> Result<Unparked, Refusal> {
    let away = || Refusal::unavailable("the node that has this entity does not answer; try again in a second");
    let owner = node.router.table().row(Shard::of(&entity)).node.ok_or_else(away)?;
    if owner == *node.router.me() {
        return Ok(unpark_here(node, entity, drop).await);
    }
    let call = Call::Node(NodeQuestion::Unpark { entity, drop });
    match node.router.peers().ok_or_else(away)?.call(&owner, call, ASK_TO_WRITE).await {
        Ok(Reply::Node(value)) => serde_json::from_value(value).map_err(|_| away()),
        Ok(Reply::Entity(_) | Reply::Moved(_)) | Err(_) => Err(away()),
    }
}

/// The same of this node.
pub async fn unpark_here(node: &Node, entity: EntityId, drop: bool) -> Unparked {
    let Some(Poison { cause, .. }) = node.parked.poison(&entity) else { return Unparked::NotParked };
    let (true, Some((cause, hops)), Some(local)) = (drop, cause, node.router.local()) else {
        node.parked.redrive(&entity);
        return if drop { Unparked::NothingToDrop } else { Unparked::Redriven };
    };
    // First dropped, then tried again, or it might come in between.
    match local.deliver(entity.clone(), Request::Drop { cause, hops }).await {
        Ok(Response::Dropped(dropped)) => {
            node.parked.redrive(&entity);
            if dropped { Unparked::Dropped } else { Unparked::NothingToDrop }
        }
        Ok(_) | Err(_) => Unparked::Failed,
    }
}
