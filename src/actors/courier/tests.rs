//! The courier alone: over a journal in memory, with a reader for all letters.

use super::*;
use crate::cluster::link::Ownership;
use crate::cluster::member::NodeId;
use crate::cluster::router::{Deliver, Request, Response};
use crate::ids::TeamId;
use crate::persist::memory::MemoryJournal;
use crate::persist::{Append, Claim, Journal};
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
    let (journal, reader) = (Arc::new(MemoryJournal::new()), Arc::new(Reader::default()));
    let me = NodeId::new("here");
    let router = Router::new(me.clone());
    router.serve(Arc::<Reader>::clone(&reader));
    let claims = journal.claim(Shard::all().collect()).await.expect("memory answers");
    let ours = |claim: &Claim| Ownership { shard: claim.shard, node: Some(me.clone()), epoch: claim.epoch };
    router.table().learn(claims.iter().map(ours));
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
        let command = Command::Team(TeamCommand::Leave { player: crate::ids::PlayerId::new("p").expect("an id") });
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
            dropped: false,
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

#[tokio::test]
async fn a_shard_that_is_given_up_and_comes_back_begins_anew() {
    let desk = desk().await;
    let sender = team("sender");
    let (began_before, stored) = (desk.courier.begin(&sender), desk.append(&sender, 1).await);
    desk.courier.restore(&stored);
    assert_eq!(desk.courier.letters(), 1);
    desk.courier.give_up(Shard::of(&sender));
    assert_eq!(desk.courier.letters(), 0, "the next owner carries it");
    desk.courier.open();
    // What began in the last term neither adds a letter nor moves the cursor of this one.
    let begun_now = desk.courier.begin(&sender);
    desk.courier.take(began_before, &stored);
    assert_eq!(desk.courier.letters(), 0);
    desk.courier.restore(&stored);
    desk.all_carried().await;
    assert_eq!(desk.undelivered(&sender).await, [1], "an append of this term is under way");
    desk.courier.nothing(begun_now);
    assert_eq!(desk.undelivered(&sender).await, [0_u64; 0]);
    assert_eq!(desk.reader.heard(), [(sender, 1)]);
}
