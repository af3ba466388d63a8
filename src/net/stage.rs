//! A demo of several nodes, as its console sees it: how the process that runs them says they are, and the wish to see
//! one die.
//!
//! Promise: a node that no demo has started has no stage, and then there is nothing here to stop.

use super::http::State;
use super::object::Object;
use super::problem::Problem;
use super::rules::Caller;
use crate::units::Timestamp;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, ReqData};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

/// What a console needs to know of a demo's nodes.
#[derive(Debug, Clone)]
pub struct Stage {
    /// How they are, and from then on.
    pub news: watch::Receiver<StageNews>,
    /// Which of them to stop.
    pub stop: mpsc::Sender<String>,
}

/// How the nodes of a demo are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StageNews {
    /// By name.
    pub nodes: Vec<StageNode>,
    /// The last time that one died.
    pub death: Option<Death>,
}

/// A node of a demo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageNode {
    /// Its name.
    pub name: String,
    /// How its process is.
    pub state: StageState,
}

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    /// It has been started, and does not serve yet.
    Starting,
    /// It serves.
    Up,
    /// It is being killed.
    Stopping,
    /// It is dead, and will be started again.
    Down,
}

/// The death of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Death {
    /// Of which.
    pub node: String,
    /// When.
    pub at: Timestamp,
    /// After how many milliseconds all shards were served again; `None`: not yet.
    pub served_again_ms: Option<u64>,
}

/// Which node to stop.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StopRequest {
    node: String,
}

impl StageNews {
    /// Whether a node may be stopped: it is up, and not the last one.
    pub fn may_stop(&self, name: &str) -> bool {
        let up = |node: &&StageNode| node.state == StageState::Up;
        self.nodes.iter().filter(up).count() > 1 && self.nodes.iter().filter(up).any(|node| node.name == name)
    }
}

/// Has a node killed.
pub(super) async fn stop(
    state: Data<State>,
    caller: ReqData<Caller>,
    wish: Json<Object<StopRequest>>,
) -> Result<HttpResponse, Problem> {
    let Object(wish) = wish.into_inner();
    let stage = state.console.as_ref().and_then(|console| console.stage());
    let stage =
        stage.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "Only a demo's nodes can be stopped here."))?;
    if !stage.news.borrow().may_stop(&wish.node) {
        let why = "It is not up, or it is the last one that is.";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    let deed = caller.deed("node.stop", format!("node/{}", wish.node));
    let done = async {
        match stage.stop.try_send(wish.node) {
            Ok(()) => Ok(HttpResponse::Accepted().finish()),
            Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The demo is busy; try again.")),
        }
    };
    state.doing(deed, done).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_node_up_cannot_be_stopped() {
        let node = |name: &str, state| StageNode { name: name.into(), state };
        let news = |a, b| StageNews { nodes: vec![node("a", a), node("b", b)], death: None };
        assert!(news(StageState::Up, StageState::Up).may_stop("a"));
        assert!(!news(StageState::Up, StageState::Up).may_stop("c"), "there is no such node");
        for other in [StageState::Starting, StageState::Stopping, StageState::Down] {
            assert!(!news(StageState::Up, other).may_stop("a"), "{other:?}");
            assert!(!news(StageState::Up, other).may_stop("b"), "{other:?}");
        }
    }
}
