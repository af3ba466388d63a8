//! Sessions that sleep and wake: nothing of them is lost, and nobody who tells them something notices.

use crate::actors::access::Credential;
use crate::actors::contract::{CloseReason, Hello, Push, Sink, WhyIgnored};
use crate::actors::game::{Game, Session};
use crate::actors::start::{RunningNode, in_memory};
use crate::clock::Clock;
use crate::geo::position::{Fix, Position};
use crate::ids::PlayerId;
use crate::quest::act::{Act, CommandId};
use crate::units::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A phone that notes the offsets that it hears, and why it was closed.
#[derive(Debug, Default)]
struct Ear(Mutex<(Vec<u64>, Option<CloseReason>)>);

impl Sink for Ear {
    fn push(&self, push: Push) {
        if let Push::Notice { offset, .. } = push {
            self.0.lock().expect("no panic").0.push(offset);
        }
    }
    fn close(&self, reason: CloseReason) {
        self.0.lock().expect("no panic").1 = Some(reason);
    }
}

impl Ear {
    fn heard(&self) -> Vec<u64> {
        self.0.lock().expect("no panic").0.clone()
    }
}

async fn connect(game: &Game, name: &str) -> (Session, Arc<Ear>) {
    let (player, ear) = (PlayerId::new(name).expect("an id"), Arc::new(Ear::default()));
    let hello = Hello { player, name: None, lang: None, resume: None, credential: Credential::default() };
    let (session, _) = game.connect(hello, Arc::clone(&ear) as Arc<dyn Sink>).await.expect("it is welcome");
    (session, ear)
}

async fn act(session: &Session, cmd: &str, act: Act) {
    session.act(Some(CommandId::new(cmd).expect("an id")), act).await.expect("it is done");
}

fn fix(seq: u64, at: Timestamp) -> Fix {
    let position = Position::new(24.94, 60.17).expect("on earth");
    Fix::new(position, at).with_seq(seq)
}

/// Until all sessions of the node sleep, or long enough for any to.
async fn asleep(node: &RunningNode) -> usize {
    tokio::time::sleep(Duration::from_secs(70)).await;
    node.node.sessions.asleep()
}

#[tokio::test(start_paused = true)]
async fn a_silent_session_sleeps_and_wakes_as_it_was() {
    let node = in_memory(Clock::system()).await;
    let game = Game::new(Arc::clone(&node.node), "test");
    let (ada, _) = connect(&game, "ada").await;
    let now = Clock::system().now();
    assert_eq!(ada.fixes(vec![fix(2, now)]).await.expect("judged").accepted, 1);
    assert_eq!(asleep(&node).await, 1);

    let earlier = Timestamp::from_millis(now.as_millis() - 1_000);
    let reply = ada.fixes(vec![fix(1, earlier)]).await.expect("judged");
    assert_eq!(reply.ignored.first().map(|ignored| ignored.reason), Some(WhyIgnored::Late), "it has forgotten");
    assert_eq!(node.node.sessions.asleep(), 0);
    assert_eq!(asleep(&node).await, 1);
    drop(ada);
    assert!(node.node.sessions.is_empty(), "nobody finds it any more");
    node.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_sleeper_hears_each_notice_once_and_in_order() {
    let node = in_memory(Clock::system()).await;
    let game = Game::new(Arc::clone(&node.node), "test");
    let (ada, ear) = connect(&game, "ada").await;
    act(&ada, "c1", Act::CreateTeam { name: "Owls".to_owned() }).await;
    let state = ada.state().await.expect("it answers");
    let code = state["team"]["invite"].as_str().expect("she founded it").to_owned();
    for name in ["bob", "eve", "kim"] {
        asleep(&node).await;
        assert!(node.node.sessions.asleep() >= 1, "she sleeps");
        let (mate, _) = connect(&game, name).await;
        act(&mate, "c1", Act::JoinTeam { code: code.clone() }).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::mem::forget(mate);
    }
    let heard = ear.heard();
    assert!(heard.len() >= 4, "{heard:?}");
    assert_eq!(heard, (1..=heard.len() as u64).collect::<Vec<_>>());
    asleep(&node).await;
    node.drain().await;
    assert_eq!(ear.0.lock().expect("no panic").1, Some(CloseReason::Draining), "also who sleeps is told to go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_speaks_while_it_falls_asleep_is_heard() {
    let node = in_memory(Clock::system()).await;
    let game = Game::new(Arc::clone(&node.node), "test");
    let (ada, _) = connect(&game, "ada").await;
    let session = node.node.sessions.all().pop().expect("hers");
    let (begun, mut slept) = (Clock::system().now(), 0_u32);
    for seq in 1..=3_000_u64 {
        session.let_sleep(Duration::ZERO);
        if seq % 3 == 0 {
            tokio::task::yield_now().await;
        }
        slept += u32::from(session.is_asleep());
        let at = Timestamp::from_millis(begun.as_millis() - 60_000 + i64::try_from(seq).expect("small") * 10);
        let reply = ada.fixes(vec![fix(seq, at)]).await.expect("it is judged");
        assert!(reply.ignored.iter().all(|ignored| ignored.reason != WhyIgnored::Late), "out of order at {seq}");
        assert_eq!(reply.seq, Some(seq));
    }
    assert!(slept > 0, "it never slept, so nothing was shown");
    drop(ada);
    node.drain().await;
}
