//! A simulated player's phone: a connection that outlives the server, and what the player may know now.

use crate::demo::ground::Ground;
use crate::ids::PlayerId;
use crate::net::client::{ClientError, Link, LinkEvent, Repeat};
use crate::quest::notice::StepView;
use crate::walk::{LonLat, Reading};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a call may take; the walker stands still meanwhile.
const DEADLINE: Duration = Duration::from_secs(3);

/// The phone.
#[derive(Debug)]
pub struct Phone {
    link: Link,
    events: mpsc::Receiver<LinkEvent>,
    me: PlayerId,
    /// What the player may know; old when `stale`.
    pub view: View,
    stale: bool,
    /// Where a team-mate was last.
    pub mate: Option<LonLat>,
}

/// What `state.get` says, as far as a simulated player cares.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct View {
    /// The team.
    pub team: Option<TeamView>,
    /// Runs.
    #[serde(default)]
    pub runs: Vec<RunView>,
}

/// The team.
#[derive(Debug, Clone, Deserialize)]
pub struct TeamView {
    /// Which.
    pub id: String,
    /// What to tell friends.
    pub invite: String,
    /// Who is in it.
    pub members: Vec<Value>,
}

/// A run.
#[derive(Debug, Clone, Deserialize)]
pub struct RunView {
    /// Of which quest.
    pub quest: String,
    /// Whether it is over.
    pub over: bool,
    /// Steps that can be done.
    pub open: Vec<StepView>,
    /// Steps whose own part is done.
    pub reached: Vec<String>,
    /// Steps whose photo waits.
    pub in_review: Vec<String>,
}

impl Phone {
    /// Connects, and stays connected.
    pub fn switch_on(ground: &Arc<Ground>, player: &PlayerId, name: &str) -> Self {
        let (minter, id, name) = (Arc::clone(ground), player.clone(), name.to_owned());
        let token = Arc::new(move || (minter.token)(&id, &name));
        let (link, events) = Link::start(&ground.url, token, None);
        Self { link, events, me: player.clone(), view: View::default(), stale: true, mate: None }
    }

    /// Takes in what has come since the last time; asks for the whole state when anything has changed.
    /// False while there is no connection, or the state is not known.
    pub async fn catch_up(&mut self) -> bool {
        while let Ok(event) = self.events.try_recv() {
            match event {
                LinkEvent::Up { .. } | LinkEvent::Notice { .. } => self.stale = true,
                LinkEvent::Publication { data, .. } => self.see_mate(&data),
                LinkEvent::Down { .. } => {}
                LinkEvent::Ended { .. } => return false,
            }
        }
        if self.stale {
            let Ok(state) = self.link.rpc("state.get", json!({}), Repeat::Safe, DEADLINE).await else { return false };
            match serde_json::from_value(state) {
                Ok(view) => (self.view, self.stale) = (view, false),
                Err(err) => {
                    tracing::warn!(%err, "the state is not as the protocol says");
                    return false;
                }
            }
        }
        true
    }

    fn see_mate(&mut self, data: &Value) {
        let mates = data["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mate = mates.iter().find(|mate| mate["id"] != json!(self.me));
        if let Some((lon, lat)) = mate.and_then(|mate| mate["lon"].as_f64().zip(mate["lat"].as_f64())) {
            self.mate = Some(LonLat::new(lon, lat));
        }
    }

    /// Sends fixes; what cannot be sent now is lost, as with a phone app that keeps none.
    pub async fn report(&self, readings: Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let fixes = json!({ "fixes": readings });
        if let Err(err) = self.link.rpc("fixes", fixes, Repeat::Safe, DEADLINE).await {
            tracing::debug!(player = %self.me, %err, "fixes were not taken");
        }
    }

    /// A command under an id of its own, so that it may be repeated.
    pub async fn act(&mut self, method: &str, cmd: &str, mut data: Value) -> Result<Value, ClientError> {
        data["cmd"] = json!(cmd);
        self.stale = true;
        self.link.rpc(method, data, Repeat::Safe, DEADLINE).await
    }

    /// Listens to a live channel; the link listens again after each drop.
    pub async fn listen(&mut self, channel: &str) {
        match self.link.subscribe(channel, DEADLINE).await {
            Ok(now) => self.see_mate(&now),
            Err(err) => tracing::debug!(player = %self.me, %err, "a live channel could not be had"),
        }
    }
}
