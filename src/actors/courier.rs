//! The courier carries the messages that entries send, in order for each pair of sender and receiver, again and
//! again until they are taken; and knows how far each shard's messages have been delivered.
//!
//! Nothing is lost when it dies: letters are in the journal, above the shard's `out_acked`, and are carried again
//! at the next start; receivers recognise what they have heard.

use crate::cluster::router::{Router, Undelivered};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::persist::{Journal, Stored};
use crate::quest::aggregate::Message;
use crate::quest::entry::{Cause, MessageId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Letters under way before entities are told to wait: 100 MB at a kilobyte each.
const LETTERS_MAX: usize = 100_000;
/// The first and the longest pause before a letter is carried again.
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Carries messages; cheap to clone.
#[derive(Debug, Clone)]
pub struct Courier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    router: Router,
    journal: Arc<dyn Journal>,
    tasks: TaskTracker,
    stop: CancellationToken,
    desk: Mutex<Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    lanes: HashMap<Lane, VecDeque<Letter>>,
    letters: usize,
    /// Of each shard: offsets of entries with letters under way, and how many.
    unacked: HashMap<Shard, BTreeMap<u64, usize>>,
    /// Of each shard: the highest offset whose letters were ever taken on.
    highest: HashMap<Shard, u64>,
}

type Lane = (EntityId, EntityId);

#[derive(Debug, Clone)]
struct Letter {
    offset: u64,
    message: Message,
}

impl Courier {
    /// A courier that delivers through `router`.
    pub fn new(router: Router, journal: Arc<dyn Journal>) -> Self {
        let (tasks, stop, desk) = (TaskTracker::new(), CancellationToken::new(), Mutex::default());
        Self(Arc::new(Shared { router, journal, tasks, stop, desk }))
    }

    /// Whether so much is under way that nothing new should be begun.
    pub fn is_full(&self) -> bool {
        self.desk().letters >= LETTERS_MAX
    }

    /// How many letters are under way.
    pub fn letters(&self) -> usize {
        self.desk().letters
    }

    /// Takes on the messages of an entry that the journal has.
    pub fn take(&self, stored: &Stored) {
        if stored.entry.out.is_empty() {
            return;
        }
        let shard = Shard::of(&stored.entity);
        let mut desk = self.desk();
        desk.unacked.entry(shard).or_default().insert(stored.offset, stored.entry.out.len());
        let highest = desk.highest.entry(shard).or_default();
        *highest = stored.offset.max(*highest);
        for (n, outgoing) in stored.entry.out.iter().enumerate() {
            let n = u16::try_from(n).expect("an entry sends fewer than 65,536 messages: teams and steps are bounded");
            let id = MessageId { sender: stored.entity.clone(), seq: stored.entry.seq, n };
            let hops = stored.entry.hops.saturating_add(1);
            let message = Message { cause: Some(Cause::Message(id)), hops, command: outgoing.command.clone() };
            let lane = (stored.entity.clone(), outgoing.to.clone());
            desk.letters += 1;
            let queue = desk.lanes.entry(lane.clone()).or_default();
            queue.push_back(Letter { offset: stored.offset, message });
            if queue.len() == 1 {
                self.0.tasks.spawn(self.clone().carry(lane));
            }
        }
    }

    /// Carries a lane's letters until there are none.
    async fn carry(self, lane: Lane) {
        let mut pause = RETRY_MIN;
        loop {
            let Some(letter) = self.desk().lanes.get(&lane).and_then(|queue| queue.front().cloned()) else { return };
            let sent = tokio::select! {
                biased;
                () = self.0.stop.cancelled() => return,
                sent = self.0.router.send(lane.1.clone(), letter.message) => sent,
            };
            match sent {
                // A refusal is an answer too: the receiver has the last word and will not change it.
                Ok(_) | Err(Undelivered::Refused(_)) => {
                    pause = RETRY_MIN;
                    if self.done(&lane, letter.offset) {
                        return;
                    }
                }
                Err(Undelivered::Busy | Undelivered::Unavailable | Undelivered::Expired) => {
                    if pause >= RETRY_MAX {
                        warn!(from = %lane.0, to = %lane.1, "a message waits for its receiver");
                    }
                    tokio::select! {
                        () = self.0.stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// Notes a letter as delivered; true when its lane is empty and gone.
    fn done(&self, lane: &Lane, offset: u64) -> bool {
        let shard = Shard::of(&lane.0);
        let mut desk = self.desk();
        desk.letters -= 1;
        let empty = desk.lanes.get_mut(lane).is_none_or(|queue| {
            queue.pop_front();
            queue.is_empty()
        });
        if empty {
            desk.lanes.remove(lane);
        }
        let highest = desk.highest.get(&shard).copied().unwrap_or(0);
        if let Some(unacked) = desk.unacked.get_mut(&shard) {
            if let Some(left) = unacked.get_mut(&offset) {
                *left -= 1;
                if *left == 0 {
                    unacked.remove(&offset);
                }
            }
            let delivered = unacked.keys().next().map_or(highest, |first| first - 1);
            drop(desk);
            self.0.journal.delivered(shard, delivered);
        }
        empty
    }

    /// Stops carrying; what is under way stays in the journal.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
