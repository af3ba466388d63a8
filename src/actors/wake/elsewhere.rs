//! `wake` asked on a node where the player's session is not: a request over HTTP may come to any node. The owner of the
//! player knows which node holds the session.
//!
//! Promise: two hops at most, each with a deadline; nothing is asked of other nodes when the session is here.

use crate::actors::contract::Wake;
use crate::actors::mailbox::SessionMessage;
use crate::actors::node::Node;
use crate::cluster::link::{Call, NodeQuestion, Reply};
use crate::cluster::member::NodeId;
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, PlayerId};
use crate::quest::refusal::Refusal;
use ractor::ActorRef;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;

/// The second hop must be answered before whoever waits for the first gives up.
const DEADLINES: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(2)];

/// Which circles a player's phone is to watch, as the player's live session knows it, wherever that is.
pub async fn ask(node: &Node, player: &PlayerId, max: usize) -> Result<Wake, Refusal> {
    if let Some(session) = node.sessions.get(player) {
        return ask_session(&session, max).await;
    }
    match node.router.table().row(Shard::of(&EntityId::Player(player.clone()))).node {
        Some(owner) if owner != *node.router.me() => {
            let question = NodeQuestion::Wake { player: player.clone(), max, session: None };
            ask_node(node, &owner, question, DEADLINES[0]).await
        }
        Some(_) => ask_listener(node, player, max).await,
        None => Err(out_of_reach()),
    }
}

/// Which circles, as a session of this node knows it.
pub async fn ask_session(session: &ActorRef<SessionMessage>, max: usize) -> Result<Wake, Refusal> {
    let ended = || Refusal::unavailable("the session has ended; connect again");
    let (answer, answered) = oneshot::channel();
    session.cast(SessionMessage::Wake { max, answer }).map_err(|_| ended())?;
    answered.await.map_err(|_| ended())?
}

/// Answers another node: `session` is set by the owner of the player, who knows where it is.
pub async fn answer(node: &Node, player: PlayerId, max: usize, session: Option<u64>) -> Value {
    let wake = match session {
        None => ask_listener(node, &player, max).await,
        Some(number) => match node.sessions.get_numbered(&player, number) {
            Some(session) => ask_session(&session, max).await,
            None => Err(no_session()),
        },
    };
    match wake {
        Ok(wake) => json!({ "wake": wake }),
        Err(refusal) => json!({ "refusal": refusal }),
    }
}

/// As the session knows it that hears the news of a player who lives here.
async fn ask_listener(node: &Node, player: &PlayerId, max: usize) -> Result<Wake, Refusal> {
    let session = node.audience.of(player).ok_or_else(no_session)?;
    if session.node == *node.router.me() {
        let session = node.sessions.get_numbered(player, session.number).ok_or_else(no_session)?;
        return ask_session(&session, max).await;
    }
    let question = NodeQuestion::Wake { player: player.clone(), max, session: Some(session.number) };
    ask_node(node, &session.node, question, DEADLINES[1]).await
}

async fn ask_node(node: &Node, to: &NodeId, question: NodeQuestion, deadline: Duration) -> Result<Wake, Refusal> {
    let peers = node.router.peers().ok_or_else(out_of_reach)?;
    let Ok(Reply::Node(answer)) = peers.call(to, Call::Node(question), deadline).await else {
        return Err(out_of_reach());
    };
    match Refusal::deserialize(&answer["refusal"]) {
        Ok(refusal) => Err(refusal),
        Err(_) => Wake::deserialize(&answer["wake"]).map_err(|_| out_of_reach()),
    }
}

fn no_session() -> Refusal {
    Refusal::no_fix("no connection of yours has sent a fix: connect, send one, then ask again")
}

fn out_of_reach() -> Refusal {
    Refusal::unavailable("the node that holds your connection cannot be asked now; try again in a second")
}
