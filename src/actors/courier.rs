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
}

/// An append that has begun. Until it is settled, no offset that may be its own counts as delivered.
///
/// One that is never settled, since nobody knows what became of its append, holds the cursor for the rest of this
/// run: the next one carries a few letters again.
#[derive(Debug)]
#[must_use = "settle it by `take` or `nothing`, or the cursor stands still"]
pub struct Begun {
    shard: Shard,
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
        Begun { shard, known }
    }

    /// The entry is in the journal: takes on its messages.
    pub fn take(&self, begun: Begun, stored: &Stored) {
        let mut desk = self.desk();
        self.add(&mut desk, stored);
        self.settle(desk, &begun);
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
            self.0.tasks.spawn(self.clone().carry(lane.clone()));
        }
    }

    fn add(&self, desk: &mut Desk, stored: &Stored) {
        if stored.entry.out.is_empty() {
            return;
        }
        let shard = Shard::of(&stored.entity);
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
                self.0.tasks.spawn(self.clone().carry(lane));
            }
        }
    }

    fn settle(&self, mut desk: MutexGuard<'_, Desk>, begun: &Begun) {
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

    /// Carries a lane's letters until there are none.
    async fn carry(self, lane: Lane) {
        let mut pause = RETRY_MIN;
        loop {
            let Some(letter) = self.desk().lanes.get(&lane).and_then(|queue| queue.front().cloned()) else { return };
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
                    if self.done(&lane, letter.offset) {
                        return;
                    }
                }
                Err(_) if faults::planted(Bug::CourierDropsLetter) => {
                    if self.done(&lane, letter.offset) {
                        return;
                    }
                }
                Err(Undelivered::Moved | Undelivered::Busy | Undelivered::Unavailable | Undelivered::Expired) => {
                    if pause >= RETRY_MAX {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::router::{Deliver, Request, Response};
    use crate::ids::TeamId;
    use crate::persist::memory::MemoryJournal;
    use crate::persist::{Append, Journal};
    use crate::quest::command::{Command, TeamCommand};
    use crate::quest::entry::{Entry, Outgoing};
    use crate::units::Timestamp;
    use futures_util::future::{BoxFuture, FutureExt as _, ready};

    /// Takes every letter at once, and writes down whose it was and of which entry.
    #[derive(Debug, Default)]
    struct Reader(Mutex<Vec<(EntityId, u64)>>);

    impl Reader {
        fn heard(&self) -> Vec<(EntityId, u64)> {
            self.0.lock().expect("no test panics with it").clone()
        }
    }

    impl Deliver for Reader {
        fn deliver(&self, _: EntityId, request: Request) -> BoxFuture<'_, Result<Response, Undelivered>> {
            if let Request::Decide(Message { cause: Some(Cause::Message(id)), .. }) = request {
                self.0.lock().expect("no test panics with it").push((id.sender, id.seq));
            }
            ready(Ok(Response::Decided(None))).boxed()
        }
    }

    struct Desk {
        courier: Courier,
        journal: Arc<MemoryJournal>,
        reader: Arc<Reader>,
    }

    async fn desk() -> Desk {
        let (router, journal, reader) =
            (Router::default(), Arc::new(MemoryJournal::new()), Arc::new(Reader::default()));
        router.serve(Arc::<Reader>::clone(&reader));
        journal.claim(Shard::all().collect()).await.expect("memory answers");
        let courier = Courier::new(router, Arc::<MemoryJournal>::clone(&journal));
        Desk { courier, journal, reader }
    }

    fn team(name: &str) -> EntityId {
        EntityId::Team(TeamId::new(name).expect("an id"))
    }

    /// Another team in the same shard.
    fn neighbour(of: &EntityId) -> EntityId {
        let near = |n: u32| Some(team(&format!("t{n}"))).filter(|t| Shard::of(t) == Shard::of(of));
        (0..100_000).find_map(near).expect("one in 256 is near")
    }

    impl Desk {
        async fn append(&self, entity: &EntityId, seq: u64) -> Stored {
            let command =
                Command::Team(TeamCommand::Leave { player: crate::ids::PlayerId::new("p").expect("an id") });
            let out = vec![Outgoing { to: team("reader"), command }];
            let entry = Entry {
                seq,
                at: Timestamp::from_millis(0),
                cause: None,
                hops: 0,
                events: Vec::new(),
                out,
                notices: Vec::new(),
                reply: None,
                awards: Vec::new(),
            };
            let append = Append { entity: entity.clone(), entry: entry.clone(), wake: None };
            let offset = self.journal.append(append).await.expect("memory takes it");
            Stored { entity: entity.clone(), offset, epoch: 0, entry }
        }

        async fn all_carried(&self) {
            let carried = async {
                while self.courier.letters() > 0 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(5), carried).await.expect("the reader takes every letter");
        }

        async fn undelivered(&self, entity: &EntityId) -> Vec<u64> {
            let stored = self.journal.undelivered(Shard::of(entity), 0, 10).await.expect("memory answers");
            stored.iter().map(|stored| stored.offset).collect()
        }
    }

    #[tokio::test]
    async fn letters_of_the_last_run_come_before_those_of_this_one() {
        let desk = desk().await;
        let sender = team("sender");
        let (old, new) = (desk.append(&sender, 1).await, desk.append(&sender, 2).await);
        desk.courier.restore(&old);
        tokio::task::yield_now().await;
        assert_eq!(desk.reader.heard(), [], "nothing is carried before all is taken on");
        let begun = desk.courier.begin(&sender);
        desk.courier.open();
        desk.courier.take(begun, &new);
        desk.all_carried().await;
        assert_eq!(desk.reader.heard(), [(sender.clone(), 1), (sender, 2)]);
    }

    #[tokio::test]
    async fn an_append_under_way_holds_the_cursor_of_its_shard() {
        let desk = desk().await;
        desk.courier.open();
        let first = team("first");
        let second = neighbour(&first);
        // Both are written; the second one's letter is handed over, and delivered, before the first one's.
        let (begun_first, begun_second) = (desk.courier.begin(&first), desk.courier.begin(&second));
        let (first, second) = (desk.append(&first, 1).await, desk.append(&second, 1).await);
        desk.courier.take(begun_second, &second);
        desk.all_carried().await;
        assert_eq!(desk.undelivered(&first.entity).await, [1, 2], "a crash now must not lose the first one's letter");
        desk.courier.take(begun_first, &first);
        desk.all_carried().await;
        assert_eq!(desk.undelivered(&first.entity).await, [0_u64; 0]);
    }

    #[tokio::test]
    async fn an_append_that_was_refused_holds_nothing() {
        let desk = desk().await;
        desk.courier.open();
        let entity = team("first");
        let refused = desk.courier.begin(&entity);
        let begun = desk.courier.begin(&entity);
        let stored = desk.append(&entity, 1).await;
        desk.courier.take(begun, &stored);
        desk.courier.nothing(refused);
        desk.all_carried().await;
        assert_eq!(desk.undelivered(&entity).await, [0_u64; 0]);
    }
}
