//! The courier carries the messages that entries send, in order for each pair of sender and receiver, again and
//! again until they are taken; and knows how far each shard's messages have been delivered.
//!
//! Nothing is lost when it dies: letters are in the journal, above the shard's `out_acked`, and are carried again
//! at the next start; receivers recognise what they have heard. A receiver takes a letter that comes after a later one
//! of the same sender for a repeat, so the order of a lane is a promise: letters of the last run are taken on before
//! anyone can write a new one.

use crate::cluster::router::{Router, Undelivered};
use crate::cluster::shard::Shard;
use crate::faults::{self, Bug, Point};
use crate::ids::EntityId;
use crate::persist::{Journal, Stored};
use crate::quest::aggregate::Message;
use crate::quest::entry::{Cause, MessageId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Whether letters are carried; before, they only gather.
    open: bool,
    lanes: BTreeMap<Lane, VecDeque<Letter>>,
    letters: usize,
    /// Of each shard: offsets of entries with letters under way, and how many.
    unacked: HashMap<Shard, BTreeMap<u64, usize>>,
    /// Of each shard: the highest offset whose letters were ever taken on.
    highest: HashMap<Shard, u64>,
    /// Of each shard: appends that have begun, by the highest offset known then, and how many. Each will get a higher
    /// offset than that, and may bear letters.
    begun: HashMap<Shard, BTreeMap<u64, usize>>,
    /// Of each shard: how often it has been given up. What began in an earlier term changes nothing in this one.
    terms: HashMap<Shard, u64>,
}

/// An append that has begun. Until it is settled, no offset that may be its own counts as delivered.
///
/// One that is never settled, since nobody knows what became of its append, holds the cursor for the rest of this
/// run: the next one carries a few letters again.
#[derive(Debug)]
#[must_use = "settle it by `take` or `nothing`, or the cursor stands still"]
pub struct Begun {
    shard: Shard,
    term: u64,
    known: u64,
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

    /// An entity is about to append an entry.
    pub fn begin(&self, entity: &EntityId) -> Begun {
        let shard = Shard::of(entity);
        let mut desk = self.desk();
        let known = desk.highest.get(&shard).copied().unwrap_or(0);
        *desk.begun.entry(shard).or_default().entry(known).or_default() += 1;
        Begun { shard, term: desk.term(shard), known }
    }

    /// The entry is in the journal: takes on its messages.
    pub fn take(&self, begun: Begun, stored: &Stored) {
        let mut desk = self.desk();
        // Given up meanwhile: whoever owns the shard next finds the messages in the journal.
        if desk.term(begun.shard) == begun.term {
            self.add(&mut desk, stored);
            self.settle(desk, &begun);
        }
    }

    /// The entry is not in the journal and will not be.
    pub fn nothing(&self, begun: Begun) {
        self.settle(self.desk(), &begun);
    }

    /// Takes on the messages of an entry of an earlier run, in the order of the journal, before [`Self::open`].
    pub fn restore(&self, stored: &Stored) {
        self.add(&mut self.desk(), stored);
    }

    /// Begins to carry.
    pub fn open(&self) {
        let mut desk = self.desk();
        desk.open = true;
        for lane in desk.lanes.keys() {
            let term = desk.term(Shard::of(&lane.0));
            self.0.tasks.spawn(self.clone().carry(lane.clone(), term));
        }
    }

    /// Carries nothing more of a shard, which leaves this node: what is under way stays in the journal, where its next
    /// owner finds it; a letter that arrives twice is recognised.
    pub fn give_up(&self, shard: Shard) {
        let mut desk = self.desk();
        *desk.terms.entry(shard).or_default() += 1;
        let mut dropped = 0;
        desk.lanes.retain(|(sender, _), queue| {
            let stays = Shard::of(sender) != shard;
            dropped += if stays { 0 } else { queue.len() };
            stays
        });
        desk.letters -= dropped;
        desk.unacked.remove(&shard);
        desk.highest.remove(&shard);
        desk.begun.remove(&shard);
    }

    fn add(&self, desk: &mut Desk, stored: &Stored) {
        if stored.entry.out.is_empty() {
            return;
        }
        let shard = Shard::of(&stored.entity);
        let term = desk.term(shard);
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
            if desk.open && queue.len() == 1 {
                self.0.tasks.spawn(self.clone().carry(lane, term));
            }
        }
    }

    fn settle(&self, mut desk: MutexGuard<'_, Desk>, begun: &Begun) {
        if desk.term(begun.shard) != begun.term {
            return;
        }
        if let Some(others) = desk.begun.get_mut(&begun.shard)
            && let Some(count) = others.get_mut(&begun.known)
        {
            *count -= 1;
            if *count == 0 {
                others.remove(&begun.known);
            }
        }
        self.note(desk, begun.shard);
    }

    /// Carries a lane's letters until there are none, or its shard is given up.
    async fn carry(self, lane: Lane, term: u64) {
        let mut pause = RETRY_MIN;
        loop {
            let Some(letter) = self.desk().first(&lane, term) else { return };
            faults::reach_late(Point::BeforeSend).await;
            if faults::planted(Bug::CourierNotesEarly) {
                self.0.journal.delivered(Shard::of(&lane.0), letter.offset);
            }
            let sent = tokio::select! {
                biased;
                () = self.0.stop.cancelled() => return,
                sent = self.0.router.send(lane.1.clone(), letter.message) => sent,
            };
            match sent {
                // A refusal is an answer too: the receiver has the last word and will not change it.
                Ok(_) | Err(Undelivered::Refused(_)) => {
                    faults::reach(Point::MidChain);
                    pause = RETRY_MIN;
                    if self.done(&lane, term, letter.offset) {
                        return;
                    }
                }
                Err(_) if faults::planted(Bug::CourierDropsLetter) => {
                    if self.done(&lane, term, letter.offset) {
                        return;
                    }
                }
                Err(why) => {
                    // That one is parked was said when it was. A try that is turned away costs some microseconds.
                    if pause >= RETRY_MAX && why != Undelivered::Parked {
                        warn!(from = %lane.0, to = %lane.1, "a message waits for its receiver");
                    }
                    tokio::select! {
                        biased;
                        () = self.0.stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// Notes a letter as delivered; true when its lane is empty and gone, or no longer this carrier's.
    fn done(&self, lane: &Lane, term: u64, offset: u64) -> bool {
        let shard = Shard::of(&lane.0);
        let mut desk = self.desk();
        if desk.term(shard) != term {
            return true;
        }
        desk.letters -= 1;
        let empty = desk.lanes.get_mut(lane).is_none_or(|queue| {
            queue.pop_front();
            queue.is_empty()
        });
        if empty {
            desk.lanes.remove(lane);
        }
        if let Some(unacked) = desk.unacked.get_mut(&shard)
            && let Some(left) = unacked.get_mut(&offset)
        {
            *left -= 1;
            if *left == 0 {
                unacked.remove(&offset);
            }
        }
        self.note(desk, shard);
        empty
    }

    /// Tells the journal how far a shard's letters are delivered: all that are under way, and all that may yet turn
    /// out to be, lie above.
    fn note(&self, desk: MutexGuard<'_, Desk>, shard: Shard) {
        let highest = desk.highest.get(&shard).copied().unwrap_or(0);
        let first = desk.unacked.get(&shard).and_then(|unacked| unacked.keys().next());
        let begun = desk.begun.get(&shard).filter(|_| !faults::planted(Bug::CursorPassesAppends));
        let known = begun.and_then(|begun| begun.keys().next());
        let delivered = first.map_or(highest, |first| first - 1).min(known.copied().unwrap_or(highest));
        drop(desk);
        self.0.journal.delivered(shard, delivered);
    }

    /// Carries no more, at once: what is on its way is nobody's.
    pub fn abandon(&self) {
        self.0.stop.cancel();
    }

    /// Stops carrying; what is under way stays in the journal.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn term(&self, shard: Shard) -> u64 {
        self.terms.get(&shard).copied().unwrap_or(0)
    }

    /// The letter that is to be carried next on a lane, in this term of its shard.
    fn first(&self, lane: &Lane, term: u64) -> Option<Letter> {
        let current = self.term(Shard::of(&lane.0)) == term;
        self.lanes.get(lane).filter(|_| current).and_then(|queue| queue.front().cloned())
    }
}

#[cfg(test)]
mod tests;
