//! One client that never reads among many that do: it is closed, what it missed is kept for it, and nobody else notices.
//!
//! `WAYSTONE_CLIENTS=1000 cargo test --test server never_reads -- --nocapture` is a crowd; it prints the slowest answers.

use crate::harness::{DEADLINE, MEMORY, TestServer, quick, resident};
use crate::wire::{Raw, text};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Clients in a usual run.
const CLIENTS: usize = 40;
/// How long the one that never reads may live: 5 s of silence, and what the kernel takes before.
const PATIENCE: Duration = Duration::from_secs(40);
/// What the server may hold for it: its queue and the socket's buffers are 200 KiB; the rest is for who else allocates
/// in this process meanwhile.
const GROWTH_MAX: u64 = 128 << 20;
const SAID: usize = 5;

#[expect(clippy::disallowed_methods, reason = "how many come is no configuration of the server")]
fn clients() -> usize {
    std::env::var("WAYSTONE_CLIENTS").map_or(CLIENTS, |count| count.parse().expect("a number"))
}

fn connect(server: &TestServer, player: &str, resume: Option<(&str, u64)>) -> String {
    let mut connect = json!({ "token": server.token(player) });
    if let Some((epoch, offset)) = resume {
        connect["subs"] = json!({ format!("#{player}"): { "recover": true, "epoch": epoch, "offset": offset } });
    }
    json!({ "id": 1, "connect": connect }).to_string()
}

/// Asks again and again until told to stop, each time for an answer; the slowest of them, and how many.
async fn reads(mut raw: Raw, stop: Arc<AtomicBool>) -> (Duration, u64) {
    let (mut slowest, mut count) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        let (begun, id) = (Instant::now(), count + 2);
        raw.send(&text(&json!({ "id": id, "rpc": { "method": "state.get" } }).to_string())).await;
        let reply = raw.reply(id).await;
        assert!(reply["rpc"].is_object(), "{reply}");
        slowest = slowest.max(begun.elapsed());
        count += 1;
        sleep(Duration::from_millis(250)).await;
    }
    (slowest, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_reads_hurts_nobody_and_misses_nothing() {
    let _alone = MEMORY.lock().await;
    let server = TestServer::start(quick()).await;
    let addr = server.addr();
    let mut slow = server.phone("slow").await;
    slow.found("Slow").await;
    slow.start("quick").await;
    let (epoch, offset) = (slow.epoch.clone(), slow.offset);
    slow.enter_tunnel();

    let (stop, mut others) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for n in 0..clients() {
        let raw = Raw::connected(addr, &server.token(&format!("p{n}"))).await;
        others.spawn(reads(raw, Arc::clone(&stop)));
    }
    let mut deaf = Raw::open_narrow(addr).await.upgraded(addr).await;
    deaf.send(&text(&connect(&server, "slow", None))).await;
    let closed = "waystone_closed_total{code=\"3008\"}";
    let (before, begun) = (resident(), Instant::now());
    for n in 0..SAID {
        let say = json!({ "text": format!("heard {n}?"), "cmd": format!("say-{n}") });
        deaf.send(&text(&json!({ "id": 10 + n, "rpc": { "method": "team.say", "data": say } }).to_string())).await;
    }
    let mut id = 100;
    while server.metric(closed).await == 0 {
        assert!(begun.elapsed() < PATIENCE, "it is still served");
        // Below the rate that is allowed, so that it is slow and not hasty; whoever is closed already hears of it later.
        let ask = json!({ "id": id, "rpc": { "method": "state.get" } }).to_string();
        let _ = tokio::time::timeout(Duration::from_millis(100), deaf.send(&text(&ask))).await;
        id += 1;
        sleep(Duration::from_millis(60)).await;
    }
    let (lived, grown) = (begun.elapsed(), resident().saturating_sub(before));
    stop.store(true, Ordering::Relaxed);
    let (mut slowest, mut count) = (Duration::ZERO, 0);
    while let Some(read) = others.join_next().await {
        let (worst, answers) = read.expect("answered each time, within the deadline");
        (slowest, count) = (slowest.max(worst), count + answers);
    }
    println!(
        "{} clients had {count} answers, the slowest in {slowest:?}; the deaf one was closed after {lived:?}; memory grew by {} KiB",
        clients(),
        grown >> 10
    );
    assert!(count >= clients() as u64 && slowest < DEADLINE);
    assert!(grown < GROWTH_MAX, "{grown}");

    // What it did not hear is there when it comes back.
    let mut back = Raw::socket(addr).await;
    back.send(&text(&connect(&server, "slow", Some((&epoch, offset))))).await;
    let reply = back.reply(1).await;
    let stream = &reply["connect"]["subs"]["#slow"];
    assert_eq!(stream["recovered"], true, "{reply}");
    let heard = |publication: &&Value| publication["data"]["type"] == "team.said";
    let missed = stream["publications"].as_array().expect("some").iter().filter(heard).count();
    assert_eq!(missed, SAID, "{reply}");
    server.end().await;
}
