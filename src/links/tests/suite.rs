//! What links promise, over both kinds.

use super::super::limits::CALLS;
use super::super::memory::Net;
use super::way::Way;
use super::world::*;
use crate::cluster::link::{Broken, Call, LinkState, NodeQuestion, Note, Peers as _, Reply};
use crate::cluster::member::{NodeId, Protocols};
use crate::cluster::router::{Response, Undelivered};
use futures_util::future::join_all;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const SOON: Duration = Duration::from_secs(5);

/// Each test over the twin and over the real link, the latter on a runtime of its own choice.
macro_rules! over_both {
    ($memory:ident, #[$runtime:meta] $real:ident: $($name:ident)*) => {
        mod $memory {
            use super::*;
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                let net = Net::new(7);
                net.delay(Duration::from_micros(200), Duration::from_millis(2));
                super::$name(World::Memory(net)).await;
            })*
        }
        mod $real {
            use super::*;
            $(#[$runtime]
            async fn $name() {
                super::$name(World::Real).await;
            })*
        }
    };
}

over_both! { memory, #[tokio::test(flavor = "multi_thread", worker_threads = 2)] real:
    a_foreign_cluster_or_another_node_is_refused
    versions_one_and_two_talk_both_ways
    a_killed_peer_ends_calls_at_once_and_is_found_again
    a_slow_handler_makes_the_queue_full_and_loss_is_told
    a_handler_that_panics_costs_its_own_call_only
    what_is_too_large_is_not_sent_or_fails
    a_call_ends_by_its_deadline
    a_drain_lets_calls_be_answered
    peers_come_and_go
    a_link_that_hangs_is_given_up_within_three_seconds
    late_calls_and_notes_are_dropped_when_released
}

// On one thread, so that what is asked for in one go is in the queue before any of it is sent: how many messages it
// becomes is then no matter of chance.
over_both! { memory_in_one_go, #[tokio::test] real_in_one_go:
    calls_are_answered_and_notes_arrive_in_order
}

fn viewed(reply: Result<Reply, Broken>) -> serde_json::Value {
    match reply {
        Ok(Reply::Entity(Ok(Response::Viewed(value)))) => value,
        other => panic!("{other:?}"),
    }
}

async fn calls_are_answered_and_notes_arrive_in_order(world: World) {
    let (a, b) = pair(&world).await;
    assert_eq!(viewed(a.ask(&b, "echo", SOON).await), json!({ "key": "echo", "epoch": 7 }));
    assert!(matches!(a.ask(&b, "moved", SOON).await, Ok(Reply::Moved(to)) if to.epoch == 8));
    let overview = b.links.call(&a.id(), Call::Node(NodeQuestion::Overview { heard: 0 }), SOON).await;
    assert!(matches!(overview, Ok(Reply::Node(value)) if value == json!({ "asked_by": "b" })));
    b.taken.calls.lock().expect("whole").clear();
    // All are put into the queue in this order, while this one task runs.
    let many = (0..1_500).map(|n| {
        a.links.tell(&b.id(), members(&format!("t{n}")));
        let call = a.links.call(&b.id(), view(&format!("p{n}"), 1), SOON);
        async move { viewed(call.await)["key"].clone() }
    });
    for (n, key) in join_all(many).await.iter().enumerate() {
        assert_eq!(*key, format!("p{n}"));
    }
    let keys: Vec<String> = (0..1_500).map(|n| format!("p{n}")).collect();
    assert!(b.taken.calls() == keys, "calls begin in order");
    b.taken.until(|taken| taken.notes().len() == 1_500).await;
    let notes: Vec<Note> = (0..1_500).map(|n| members(&format!("t{n}"))).collect();
    assert!(b.taken.notes() == notes, "notes are taken in order");
    let counts = (a.links.counts(), b.links.counts());
    assert_eq!((counts.0.calls_sent, counts.1.calls_received), (1_502, 1_502));
    assert_eq!((counts.0.notes_sent, counts.1.notes_received), (1_500, 1_500));
    assert!(counts.0.messages_sent < 1_000, "batches form: {counts:?}");
}

async fn a_foreign_cluster_or_another_node_is_refused(world: World) {
    let a = world.node("a");
    let mut foreign = me("b", BOTH);
    foreign.cluster = "another".to_owned();
    let b = world.start(foreign, None);
    let c = world.start(me("c", Protocols { min: 3, max: 4 }), None);
    let d = world.node("d");
    a.links.aim(rows(&[
        ("b", "name-b", &b.address),
        ("c", "name-c", &c.address),
        ("older-d", "name-d", &d.address),
        ("d", "another-name", &d.address),
    ]));
    sleep(Duration::from_millis(400)).await;
    for (_, state) in a.links.states().borrow().iter() {
        assert_eq!(*state, LinkState::Down { refused: false }, "nobody refused the connection itself");
    }
    assert_eq!(a.ask(&b, "echo", SOON).await.expect_err("no link"), Broken::NotSent);
    assert!(!a.links.tell(&b.id(), members("t")));
    assert!(b.links.counts().turned_away > 0 && c.links.counts().turned_away > 0);
    assert_eq!(b.links.counts().streams_taken + c.links.counts().streams_taken, 0);
    // A right row mends it.
    a.links.aim([d.row()].into());
    a.up(&d).await;
}

async fn versions_one_and_two_talk_both_ways(world: World) {
    let (old, new, newer) = (world.start(me("a", OLD), None), world.node("b"), world.node("c"));
    old.aim(&[&new]);
    new.aim(&[&old, &newer]);
    assert_eq!((old.up(&new).await, new.up(&old).await, new.up(&newer).await), (1, 1, 2));
    assert_eq!(viewed(old.ask(&new, "x", SOON).await)["key"], "x");
    assert_eq!(viewed(new.ask(&old, "x", SOON).await)["key"], "x");
    for to in [&old, &newer] {
        assert!(new.links.tell(&to.id(), Note::Owners(Vec::new())));
        assert!(new.links.tell(&to.id(), members("t")));
    }
    old.taken.until(|taken| !taken.notes().is_empty()).await;
    newer.taken.until(|taken| taken.notes().len() == 2).await;
    assert_eq!(old.taken.notes(), [members("t")], "it would not know the other");
    assert_eq!(newer.taken.notes(), [Note::Owners(Vec::new()), members("t")]);
}

async fn a_killed_peer_ends_calls_at_once_and_is_found_again(world: World) {
    let (a, b) = pair(&world).await;
    let (to, address) = (b.id(), b.address.clone());
    a.links.tell(&to, members("lost"));
    let mut asked = JoinSet::new();
    for _ in 0..10 {
        let links = Arc::clone(&a.links);
        let to = to.clone();
        asked.spawn(async move { links.call(&to, view("never", 1), Duration::from_secs(30)).await });
    }
    b.taken.until(|taken| taken.calls().len() == 10).await;
    let killed = Instant::now();
    world.kill(b).await;
    while let Some(answer) = asked.join_next().await {
        assert_eq!(answer.expect("no panic").expect_err("dead"), Broken::NoAnswer);
    }
    assert!(killed.elapsed() < Duration::from_millis(500), "{:?}", killed.elapsed());
    a.until(&to, |state| state == LinkState::Down { refused: true }).await;
    // The same address, another run: the old row does not fit it, the new one does.
    let again = world.start(me("b2", BOTH), Some(&address));
    sleep(Duration::from_millis(1_500)).await;
    assert!(matches!(a.links.states().borrow()[&to], LinkState::Down { refused: false }));
    a.aim(&[&again]);
    a.up(&again).await;
    assert_eq!(viewed(a.ask(&again, "x", SOON).await)["key"], "x");
    assert!(!a.links.states().borrow().contains_key(&to));
}

async fn a_slow_handler_makes_the_queue_full_and_loss_is_told(world: World) {
    let (a, b) = pair(&world).await;
    let mut asked = JoinSet::new();
    let mut full = 0;
    // Far more than may be under way and wait: what the network holds on its way has a bound too.
    for n in 0..100 {
        for _ in 0..1_000 {
            let (links, to) = (Arc::clone(&a.links), b.id());
            asked.spawn(async move { links.call(&to, view("never", n), Duration::from_secs(2)).await });
        }
        sleep(Duration::from_millis(1)).await;
        while let Some(answer) = asked.try_join_next() {
            full += usize::from(answer.expect("no panic").is_err_and(|broken| broken == Broken::Full));
        }
        if full > 0 {
            break;
        }
    }
    assert!(full > 0, "all were taken");
    assert!(b.taken.calls().len() <= CALLS, "none has ended yet");
    // Since the last look a batch may have gone, and made some room.
    let told = |n: &u32| a.links.tell(&b.id(), members(&format!("t{n}")));
    let dropped = (0..100_000).find(|n| !told(n)).expect("there is no room any more");
    while asked.join_next().await.is_some() {}
    b.taken.until(|taken| taken.notes().contains(&Note::Lossy)).await;
    assert!(!b.taken.notes().contains(&members(&format!("t{dropped}"))));
    assert_eq!(viewed(a.ask(&b, "x", SOON).await)["key"], "x", "it works on");
    assert!(a.links.tell(&b.id(), members("t")));
}

async fn a_handler_that_panics_costs_its_own_call_only(world: World) {
    let (a, b) = pair(&world).await;
    let beside = a.ask(&b, "slow", SOON);
    let panics = async {
        for how in ["panic", "panic-later"] {
            let began = Instant::now();
            assert_eq!(a.ask(&b, how, SOON).await.expect_err("no answer"), Broken::NoAnswer);
            assert!(began.elapsed() < Duration::from_secs(1), "it is said at once");
        }
        assert!(a.links.tell(&b.id(), members("panic")));
        assert!(a.links.tell(&b.id(), members("t")));
    };
    let (answer, ()) = tokio::join!(beside, panics);
    assert_eq!(viewed(answer)["key"], "slow");
    b.taken.until(|taken| taken.notes() == [members("t")]).await;
    assert_eq!((a.links.counts().connections, b.links.counts().calls_failed), (1, 2));
}

async fn what_is_too_large_is_not_sent_or_fails(world: World) {
    let (a, b) = pair(&world).await;
    let players = (0..20_000).map(|n| crate::ids::PlayerId::new(format!("{n:090}")).expect("an id")).collect();
    let Note::Members { team, .. } = members("t") else { unreachable!() };
    assert!(!a.links.tell(&b.id(), Note::Members { team, members: players }));
    assert_eq!(a.ask(&b, "huge", SOON).await.expect_err("not sent back"), Broken::NoAnswer);
    b.taken.until(|taken| taken.notes().contains(&Note::Lossy)).await;
    assert_eq!(viewed(a.ask(&b, "x", SOON).await)["key"], "x");
    assert_eq!(a.links.counts().connections, 1);
}

async fn a_call_ends_by_its_deadline(world: World) {
    let (a, b) = pair(&world).await;
    let began = Instant::now();
    let answer = a.ask(&b, "never", Duration::from_millis(200)).await;
    assert!(
        matches!(answer, Err(Broken::NoAnswer) | Ok(Reply::Entity(Err(Undelivered::Expired)))),
        "either side may be the first to say so: {answer:?}"
    );
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(190) && took < Duration::from_millis(400), "{took:?}");
    // Whoever stops waiting leaves nothing behind.
    drop(tokio::time::timeout(Duration::from_millis(20), a.ask(&b, "never", SOON)).await);
    assert_eq!(viewed(a.ask(&b, "x", SOON).await)["key"], "x");
}

async fn a_drain_lets_calls_be_answered(world: World) {
    let (a, b) = pair(&world).await;
    let (mut asked, to) = (JoinSet::new(), b.id());
    for what in ["slow", "never"] {
        let links = Arc::clone(&a.links);
        let to = to.clone();
        asked.spawn(async move { (what, links.call(&to, view(what, 1), Duration::from_secs(30)).await) });
    }
    b.taken.until(|taken| taken.calls().len() == 2).await;
    let began = Instant::now();
    b.links.drain(Duration::from_secs(2)).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(4), "{took:?}");
    while let Some(answer) = asked.join_next().await {
        match answer.expect("no panic") {
            ("slow", answer) => assert_eq!(viewed(answer)["key"], "slow"),
            (_, answer) => assert_eq!(answer.expect_err("cut off"), Broken::NoAnswer),
        }
    }
    let down = a.until(&to, |state| matches!(state, LinkState::Down { .. })).await;
    assert!(matches!(down, LinkState::Down { .. }));
    // With nothing under way a drain is short.
    let began = Instant::now();
    a.links.drain(SOON).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(a.ask(&b, "x", SOON).await.expect_err("ended"), Broken::NotSent);
}

async fn peers_come_and_go(world: World) {
    let (a, b, c) = (world.node("a"), world.node("b"), world.node("c"));
    let mut states = a.links.states();
    a.aim(&[&a, &b]);
    assert!(states.has_changed().expect("lives"));
    assert_eq!(states.borrow_and_update().keys().collect::<Vec<_>>(), [&b.id()], "not itself");
    a.up(&b).await;
    a.aim(&[&b, &c]);
    a.up(&c).await;
    assert_eq!(a.until(&b.id(), |_| true).await, LinkState::Up { protocol: 2, connection: 1 }, "undisturbed");
    a.aim(&[&c]);
    assert_eq!(a.links.states().borrow().keys().collect::<Vec<_>>(), [&c.id()]);
    assert_eq!(a.ask(&b, "x", SOON).await.expect_err("no link"), Broken::NotSent);
    assert_eq!(viewed(a.ask(&c, "x", SOON).await)["key"], "x");
    assert_eq!(a.links.call(&NodeId::new("z"), view("x", 1), SOON).await.expect_err("unknown"), Broken::NotSent);
}

async fn a_link_that_hangs_is_given_up_within_three_seconds(world: World) {
    let (a, b) = (world.node("a"), world.node("b"));
    let way = Way::lay(&world, &a, &b).await;
    assert_eq!(viewed(a.ask(&b, "x", SOON).await)["key"], "x");
    // Also a link that has nothing to say.
    sleep(Duration::from_millis(1_500)).await;
    way.hold();
    let began = Instant::now();
    assert_eq!(a.ask(&b, "x", Duration::from_secs(20)).await.expect_err("held"), Broken::NoAnswer);
    let took = began.elapsed();
    // What a busy machine adds is not the link's; the limits add up to 2.9 s.
    assert!(took > Duration::from_millis(1_500) && took < Duration::from_millis(3_400), "{took:?}");
    a.until(&b.id(), |state| state == LinkState::Down { refused: false }).await;
    way.release();
    a.up(&b).await;
    assert_eq!(viewed(a.ask(&b, "y", SOON).await)["key"], "y");
}

async fn late_calls_and_notes_are_dropped_when_released(world: World) {
    let (a, b) = (world.node("a"), world.node("b"));
    let way = Way::lay(&world, &a, &b).await;
    assert_eq!(viewed(a.ask(&b, "x", SOON).await)["key"], "x");
    way.hold();
    let patient = a.ask(&b, "patient", SOON);
    let late = async {
        let answer = a.ask(&b, "late", Duration::from_millis(800)).await;
        assert_eq!(answer.expect_err("nobody answers"), Broken::NoAnswer);
        sleep(Duration::from_millis(700)).await;
        way.release();
    };
    let (answer, ()) = tokio::join!(patient, late);
    assert_eq!(viewed(answer)["key"], "patient", "it still had time");
    assert_eq!(viewed(a.ask(&b, "next", SOON).await)["key"], "next");
    assert_eq!(b.taken.calls(), ["x", "patient", "next"]);
    assert_eq!((a.links.counts().connections, b.links.counts().received_late), (1, 1));
}
