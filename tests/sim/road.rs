//! The way from whoever asks to the entity, on which requests are late, lost, answered in vain, or come twice.
//!
//! It promises no less than a link between nodes would: what is recognizable by its cause may come again at any time,
//! also after what came later; what is not (a sighting) is late or answered in vain, but keeps its order, since the
//! session waits for each.

use crate::store::{Store, Weather};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;
use waystone::cluster::router::{Deliver, Request, Response, Undelivered};
use waystone::ids::EntityId;

/// The way of one process.
#[derive(Debug)]
pub struct Road {
    pub shards: Arc<dyn Deliver>,
    pub weather: Arc<Weather>,
    pub store: Arc<Store>,
    pub strays: TaskTracker,
}

impl Road {
    fn again(&self, to: &EntityId, request: &Request) {
        let Request::Decide(message) = request else { return };
        if message.cause.is_none() || !self.weather.strikes(12) {
            return;
        }
        let (shards, weather, store) = (Arc::clone(&self.shards), Arc::clone(&self.weather), Arc::clone(&self.store));
        let (to, message) = (to.clone(), message.clone());
        self.strays.spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            weather.pass(3_000).await;
            if !store.is_dead() {
                drop(shards.deliver(to, Request::Decide(message)).await);
            }
        });
    }
}

impl Deliver for Road {
    fn deliver(&self, to: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>> {
        async move {
            self.weather.pass(30).await;
            if self.weather.strikes(40) {
                return Err(Undelivered::Unavailable);
            }
            self.again(&to, &request);
            let answer = self.shards.deliver(to, request).await;
            self.weather.pass(30).await;
            if self.weather.strikes(40) { Err(Undelivered::Expired) } else { answer }
        }
        .boxed()
    }
}
