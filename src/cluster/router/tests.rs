//! The router alone: who is asked, again and again, and when it is given up.

use super::*;
use crate::cluster::link::{LinkState, Note, Ownership};
use crate::ids::PlayerId;
use crate::quest::command::{Command, PlayerCommand, TeamCommand};
use futures_util::future::{FutureExt as _, ready};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use tokio::sync::watch;

/// Links that answer from a list, then break.
#[derive(Debug, Default)]
struct Script {
    replies: Mutex<Vec<Result<Reply, Broken>>>,
    asked: Mutex<Vec<(String, u64)>>,
}

impl Peers for Script {
    fn call(&self, to: &NodeId, call: Call, _: Duration) -> BoxFuture<'_, Result<Reply, Broken>> {
        let Call::Entity { epoch, .. } = call else { panic!("only entities are asked") };
        self.asked.lock().expect("whole").push((to.to_string(), epoch));
        let mut replies = self.replies.lock().expect("whole");
        ready(if replies.is_empty() { Err(Broken::NotSent) } else { replies.remove(0) }).boxed()
    }
    fn tell(&self, _: &NodeId, _: Note) -> bool {
        false
    }
    fn aim(&self, _: BTreeMap<NodeId, (String, String)>) {}
    fn states(&self) -> watch::Receiver<BTreeMap<NodeId, LinkState>> {
        watch::channel(BTreeMap::new()).1
    }
}

/// Actors that count what comes, and have moved away a few times.
#[derive(Debug)]
struct Here(AtomicUsize);

impl Deliver for Here {
    fn deliver(&self, _: EntityId, _: Request) -> BoxFuture<'_, Result<Response, Undelivered>> {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        ready(if left.is_ok() { Err(Undelivered::Moved) } else { Ok(Response::Decided(None)) }).boxed()
    }
}

fn ada() -> EntityId {
    EntityId::Player(PlayerId::new("ada").expect("an id"))
}

fn news(node: Option<&str>, epoch: u64) -> Ownership {
    Ownership { shard: Shard::of(&ada()), node: node.map(NodeId::new), epoch }
}

fn profile() -> Message {
    Message::bare(Command::Player(PlayerCommand::Profile { name: None, lang: None }))
}

fn answered() -> Result<Reply, Broken> {
    Ok(Reply::Entity(Ok(Response::Decided(None))))
}

fn router(replies: Vec<Result<Reply, Broken>>) -> (Router, Arc<Script>) {
    let script = Arc::new(Script { replies: Mutex::new(replies), ..Script::default() });
    let router = Router::new(NodeId::new("me"));
    router.join(Arc::<Script>::clone(&script));
    (router, script)
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_has_moved_is_followed() {
    let (router, script) = router(vec![Ok(Reply::Moved(news(Some("c"), 3))), Err(Broken::NoAnswer), answered()]);
    router.table().learn([news(Some("b"), 2)]);
    assert_eq!(router.send(ada(), profile()).await, Ok(None));
    let asked = script.asked.lock().expect("whole").clone();
    assert_eq!(asked, [("b".to_owned(), 2), ("c".to_owned(), 3), ("c".to_owned(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_done_twice_is_not_asked_twice() {
    let (router, script) = router(vec![Err(Broken::NoAnswer), answered()]);
    router.table().learn([news(Some("b"), 1)]);
    let leave = Message::bare(Command::Team(TeamCommand::Leave { player: PlayerId::new("p").expect("an id") }));
    assert_eq!(router.send(ada(), leave).await, Err(Undelivered::Expired));
    assert_eq!(script.asked.lock().expect("whole").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shard_without_an_owner_is_waited_for_until_the_deadline() {
    let (router, _) = router(Vec::new());
    router.serve(Arc::new(Here(AtomicUsize::new(2))));
    let begun = Instant::now();
    assert_eq!(router.send(ada(), profile()).await, Err(Undelivered::Unavailable));
    assert_eq!(begun.elapsed().as_secs(), DELIVERY_DEADLINE.as_secs());
    let claim = async {
        tokio::time::sleep(Duration::from_millis(1_234)).await;
        router.table().learn([news(Some("me"), 1)]);
    };
    let begun = Instant::now();
    let (answer, ()) = tokio::join!(router.send(ada(), profile()), claim);
    assert_eq!(answer, Ok(None));
    // At once when there is an owner, but for the two times that the actors were not there yet.
    assert!(begun.elapsed() < Duration::from_millis(1_234 + 250), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn only_so_many_wait_for_one_shard() {
    let (router, _) = router(Vec::new());
    let many = (0..WAITERS_MAX + 5).map(|_| router.send(ada(), profile()));
    let answers = futures_util::future::join_all(many).await;
    let busy = answers.iter().filter(|answer| **answer == Err(Undelivered::Busy)).count();
    assert_eq!(busy, 5);
    assert_eq!(router.0.waiting.iter().map(|waiting| waiting.load(Ordering::Relaxed)).sum::<u32>(), 0);
}
