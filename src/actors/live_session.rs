//! A player's live session, asked from where its socket is not: a request over HTTP may come to any node. The owner of
//! the player knows which node holds the session.
//!
//! Promise: two hops at most, each with a deadline; nothing is asked of other nodes when the session is here.

use crate::actors::cards::PlayerDot;
use crate::actors::contract::Wake;
use crate::actors::mailbox::SessionMessage;
use crate::actors::node::Node;
use crate::actors::seen;
use crate::actors::session_ref::SessionRef;
use crate::cluster::link::{Call, Device, NodeQuestion, Reply, SessionQuestion};
use crate::cluster::member::NodeId;
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, PlayerId};
use crate::quest::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The second hop must be answered before whoever waits for the first gives up.
const DEADLINES: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(3)];

/// What a live session answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionAnswer {
    /// To `Wake`.
    Wake(Wake),
    /// To `Judge`.
    Judged(Judged),
    /// It will not.
    Refused(Refusal),
    /// The player has no live session.
    Nowhere,
}

/// What became of fixes that were posted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// How many counted, or had counted before.
    pub accepted: u32,
    /// How many did not.
    pub ignored: u32,
    /// Where the team-mates are who share.
    pub mates: Vec<PlayerDot>,
}

/// What is asked, and by which device.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What.
    pub question: SessionQuestion,
    /// Whose fixes it bears; `None`: the player's own app's.
    pub device: Option<Device>,
}

impl From<SessionQuestion> for Asked {
    fn from(question: SessionQuestion) -> Self {
        Self { question, device: None }
    }
}

/// Asks a player's live session, wherever it is.
pub async fn ask(node: &Node, player: &PlayerId, asked: impl Into<Asked>) -> SessionAnswer {
    let asked = asked.into();
    if let Some(session) = node.sessions.get(player) {
        return ask_session(node, player, &session, asked).await;
    }
    match node.router.table().row(Shard::of(&EntityId::Player(player.clone()))).node {
        Some(owner) if owner != *node.router.me() => {
            let Asked { question, device } = asked;
            let question = NodeQuestion::Session { player: player.clone(), session: None, question, device };
            ask_node(node, &owner, question, DEADLINES[0]).await
        }
        Some(_) => ask_listener(node, player, asked).await,
        None => out_of_reach(),
    }
}

/// Answers another node: `session` is set by the owner of the player, who knows where it is.
pub async fn answer(node: &Node, player: PlayerId, session: Option<u64>, asked: Asked) -> Value {
    let answer = match session {
        None => ask_listener(node, &player, asked).await,
        Some(number) => ask_numbered(node, &player, number, asked).await,
    };
    // Plain data with text keys, which JSON can always bear.
    serde_json::to_value(answer).unwrap_or_default()
}

/// As the session says that hears the news of a player who lives here.
async fn ask_listener(node: &Node, player: &PlayerId, asked: Asked) -> SessionAnswer {
    let Some(session) = node.audience.of(player) else { return SessionAnswer::Nowhere };
    if session.node == *node.router.me() {
        return ask_numbered(node, player, session.number, asked).await;
    }
    let Asked { question, device } = asked;
    let question = NodeQuestion::Session { player: player.clone(), session: Some(session.number), question, device };
    ask_node(node, &session.node, question, DEADLINES[1]).await
}

async fn ask_numbered(node: &Node, player: &PlayerId, number: u64, asked: Asked) -> SessionAnswer {
    match node.sessions.get_numbered(player, number) {
        Some(session) => ask_session(node, player, &session, asked).await,
        None => SessionAnswer::Nowhere,
    }
}

async fn ask_node(node: &Node, to: &NodeId, question: NodeQuestion, deadline: Duration) -> SessionAnswer {
    let Some(peers) = node.router.peers() else { return out_of_reach() };
    match peers.call(to, Call::Node(question), deadline).await {
        Ok(Reply::Node(answer)) => serde_json::from_value(answer).unwrap_or_else(|_| out_of_reach()),
        _ => out_of_reach(),
    }
}

async fn ask_session(node: &Node, player: &PlayerId, session: &SessionRef, asked: Asked) -> SessionAnswer {
    let answered = match asked.question {
        SessionQuestion::Wake { max } => wake(session, max).await.map(SessionAnswer::Wake),
        SessionQuestion::Judge(fixes) => {
            judge(node, player, session, (&fixes, asked.device)).await.map(SessionAnswer::Judged)
        }
    };
    answered.unwrap_or_else(SessionAnswer::Refused)
}

/// Which circles a phone is to watch, as its session on this node knows it.
pub async fn wake(session: &SessionRef, max: usize) -> Result<Wake, Refusal> {
    let (answer, answered) = oneshot::channel();
    session.cast(SessionMessage::Wake { max, answer }).map_err(|_| ended())?;
    answered.await.map_err(|_| ended())?
}

async fn judge(
    node: &Node,
    player: &PlayerId,
    session: &SessionRef,
    (seen, device): (&[crate::cluster::link::Seen], Option<Device>),
) -> Result<Judged, Refusal> {
    let busy = |_| Refusal::too_many_requests("too many posts of fixes at once; send yours again in a few seconds");
    let permit = Arc::clone(&node.posting).try_acquire_owned().map_err(busy)?;
    let (answer, answered) = oneshot::channel();
    let fixes = seen.iter().filter_map(seen::fix).collect();
    session.cast(SessionMessage::Fixes { fixes, device, answer, permit }).map_err(|_| ended())?;
    let reply = answered.await.map_err(|_| ended())??;
    let ignored = u32::try_from(reply.ignored.len()).unwrap_or(u32::MAX);
    Ok(Judged { accepted: reply.accepted, ignored, mates: node.positions.mates_of(player) })
}

fn ended() -> Refusal {
    Refusal::unavailable("the session has ended; connect again")
}

fn out_of_reach() -> SessionAnswer {
    SessionAnswer::Refused(Refusal::unavailable(
        "the node that holds your connection cannot be asked now; try again in a second",
    ))
}
