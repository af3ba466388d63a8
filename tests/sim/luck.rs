//! Bad luck between the router and the shards: requests wait, get lost, come twice; answers get lost.
//!
//! It does nothing that the courier and the phones are not made for. Messages of one sender to one receiver come in
//! the order in which they are sent; what is sent anew after an unknown outcome comes behind what was sent before.
//! Only a letter may come again late, as it does when its sender's node restarts.

use crate::chance::Chance;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::task::TaskTracker;
use waystone::cluster::router::{Deliver, Request, Response, Undelivered};
use waystone::ids::EntityId;
use waystone::quest::entry::Cause;

/// Milliseconds that a request may wait.
const SLOW: u64 = 30;
/// Milliseconds after which a letter may come again.
const LATE: u64 = 5_000;

/// One node's bad luck.
#[derive(Debug)]
pub struct Luck {
    shards: Arc<dyn Deliver>,
    chance: Mutex<Option<Chance>>,
    echoes: TaskTracker,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Fine,
    Slow(Duration),
    NeverCame(bool),
    AnswerLost,
    Twice,
    Echo(Duration),
}

impl Luck {
    pub fn new(shards: Arc<dyn Deliver>, chance: Option<Chance>) -> Arc<Self> {
        Arc::new(Self { shards, chance: Mutex::new(chance), echoes: TaskTracker::new() })
    }

    /// From now on all goes well.
    pub fn turns(&self) {
        *self.chance.lock().expect("nobody panics with it") = None;
    }

    fn fate(&self) -> Fate {
        let mut chance = self.chance.lock().expect("nobody panics with it");
        let Some(chance) = &mut *chance else { return Fate::Fine };
        match chance.below(100) {
            0..40 => Fate::Slow(chance.millis(SLOW)),
            40..45 => Fate::NeverCame(chance.percent(50)),
            45..51 => Fate::AnswerLost,
            51..57 => Fate::Twice,
            57..65 => Fate::Echo(chance.millis(LATE)),
            _ => Fate::Fine,
        }
    }

    async fn twice(&self, to: EntityId, request: Request) -> Result<Response, Undelivered> {
        let Request::Decide(message) = request else { return self.shards.deliver(to, request).await };
        let first = self.shards.deliver(to.clone(), Request::Decide(message.clone())).await;
        if first.is_err() { first } else { self.shards.deliver(to, Request::Decide(message)).await }
    }

    fn echo(&self, to: &EntityId, request: &Request, after: Duration) {
        let Request::Decide(message) = request else { return };
        if !matches!(message.cause, Some(Cause::Message(_))) {
            return;
        }
        let (shards, to, message) = (Arc::clone(&self.shards), to.clone(), message.clone());
        self.echoes.spawn(async move {
            tokio::time::sleep(after).await;
            drop(shards.deliver(to, Request::Decide(message)).await);
        });
    }
}

impl Deliver for Luck {
    fn deliver(&self, to: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>> {
        async move {
            match self.fate() {
                Fate::Fine => self.shards.deliver(to, request).await,
                Fate::Slow(span) => {
                    tokio::time::sleep(span).await;
                    self.shards.deliver(to, request).await
                }
                Fate::NeverCame(busy) => Err(if busy { Undelivered::Busy } else { Undelivered::Unavailable }),
                Fate::AnswerLost => {
                    let answer = self.shards.deliver(to, request).await;
                    // A refusal is the last word about this try; losing it would let a later one be answered otherwise.
                    if matches!(answer, Err(Undelivered::Refused(_))) { answer } else { Err(Undelivered::Expired) }
                }
                Fate::Twice => self.twice(to, request).await,
                Fate::Echo(after) => {
                    self.echo(&to, &request, after);
                    self.shards.deliver(to, request).await
                }
            }
        }
        .boxed()
    }
}
