//! The console's stream: what happens, as Server-Sent Events.
//!
//! Made for few readers: each asks for the overview at its own pace, and all share one that is young enough.
//! Promise: a reader that cannot keep up loses happenings and gets a fresh overview instead; nothing queues up here
//! but the broadcast's own ring.

use super::http::State;
use super::listener::told;
use crate::actors::cards::{Happening, Overview};
use crate::actors::survey::Looker;
use actix_web::web::{Bytes, Data};
use futures_util::Stream;
use serde_json::json;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// Readers at the same time: a few screens in a control room.
pub(super) const READERS_MAX: usize = 16;
/// How often dots move.
const DOTS: Duration = Duration::from_millis(200);
/// How often scores are looked at.
const TEAMS: Duration = Duration::from_secs(1);
/// How old an overview may be that is shown to another reader.
const FRESH: Duration = Duration::from_millis(150);

/// The overview that all readers share for a moment.
#[derive(Debug, Default)]
pub(super) struct Shared {
    latest: Mutex<Option<(Instant, Arc<Overview>)>>,
}

impl Shared {
    /// One that is at most [`FRESH`] old.
    pub(super) fn get(&self, make: impl FnOnce() -> Overview) -> Arc<Overview> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((at, overview)) if at.elapsed() < FRESH => Arc::clone(overview),
            _ => {
                let overview = Arc::new(make());
                *latest = Some((Instant::now(), Arc::clone(&overview)));
                overview
            }
        }
    }

    /// The next reader gets a new one: who has changed something wants to see it.
    pub(super) fn forget(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

struct Reader {
    state: Data<State>,
    /// While it lives, other nodes are asked for their parts.
    looker: Looker,
    happenings: Receiver<Arc<Happening>>,
    elsewhere: Receiver<Arc<Happening>>,
    draining: watch::Receiver<bool>,
    dots: Interval,
    teams: Interval,
    told_teams: String,
    started: bool,
    _place: OwnedSemaphorePermit,
}

/// The stream of one reader; it ends when the node drains.
pub(super) fn stream(
    state: Data<State>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> + 'static {
    let reader = Reader {
        // Watch first, look second: what happens between is then told twice rather than never.
        happenings: state.edge.game.watch(),
        elsewhere: state.edge.game.watch_others(),
        looker: state.edge.game.look(),
        draining: state.draining.clone(),
        dots: ticking(DOTS),
        teams: ticking(TEAMS),
        told_teams: String::new(),
        started: false,
        state,
        _place: place,
    };
    futures_util::stream::unfold(reader, async |mut reader| {
        let event = reader.next().await?;
        Some((Ok(Bytes::from(event)), reader))
    })
}

fn ticking(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

impl Reader {
    async fn next(&mut self) -> Option<String> {
        if !self.started {
            self.started = true;
            self.looker.refresh().await;
            // What other nodes have told so far is in the overview.
            self.elsewhere = self.state.edge.game.watch_others();
            return Some(event("overview", &*self.state.overview()));
        }
        loop {
            tokio::select! {
                happening = self.happenings.recv() => return self.tell(happening),
                happening = self.elsewhere.recv() => return self.tell(happening),
                _ = self.dots.tick() => {
                    let (players, counts) = self.state.edge.game.dots();
                    return Some(event("dots", &json!({"players": players, "counts": counts})));
                }
                _ = self.teams.tick() => {
                    let overview = self.state.overview();
                    let Overview { nodes, teams, stock, reviews, .. } = &*overview;
                    let demo = self.state.console.as_ref().and_then(|console| console.stage());
                    let demo = demo.map(|stage| stage.news.borrow().clone());
                    let teams =
                        json!({"nodes": nodes, "teams": teams, "stock": stock, "reviews": reviews, "demo": demo});
                    let teams = event("teams", &teams);
                    if teams != self.told_teams {
                        self.told_teams.clone_from(&teams);
                        return Some(teams);
                    }
                }
                () = told(&mut self.draining) => return None,
            }
        }
    }
}

impl Reader {
    fn tell(&self, happening: Result<Arc<Happening>, RecvError>) -> Option<String> {
        match happening {
            Ok(happening) => Some(event("happening", &*happening)),
            Err(RecvError::Lagged(_)) => Some(event("overview", &*self.state.overview())),
            Err(RecvError::Closed) => None,
        }
    }
}

/// One event. JSON has no raw line break, so one `data:` line holds it.
fn event(name: &str, data: &impl serde::Serialize) -> String {
    // Plain data with text keys, which JSON can always bear.
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_one_line_of_data() {
        assert_eq!(event("x", &json!({"a": "b\nc"})), "event: x\ndata: {\"a\":\"b\\nc\"}\n\n");
    }

    #[test]
    fn overview_is_shared_while_it_is_young() {
        let empty = || Overview {
            node: "n".into(),
            nodes: vec![],
            quests: vec![],
            teams: vec![],
            stock: vec![],
            reviews: vec![],
            players: vec![],
            recent: vec![],
            counts: crate::actors::cards::Counts::default(),
        };
        let shared = Shared::default();
        let first = shared.get(empty);
        assert!(Arc::ptr_eq(&first, &shared.get(empty)));
        shared.forget();
        assert!(!Arc::ptr_eq(&first, &shared.get(empty)), "something has changed");
    }
}
