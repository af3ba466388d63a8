//! The story of the second run: a server that is told to end does so in order, and goes on where it was.

use crate::ground::Ground;
use crate::http;
use crate::party::Parties;
use crate::server::{Folder, Server, Start};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, timeout};

/// How long a server may take to end: its drain is over after five seconds.
const END: Duration = Duration::from_secs(6);
/// How long something may take to show.
const SHOW: Duration = Duration::from_secs(20);
/// How long the teams may take to finish.
const FINISH: Duration = Duration::from_secs(90);
/// How long a server that must not start may take to say so.
const REFUSAL: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_end_goes_on_where_it_was() {
    let folder = Folder::new("twice");
    let how = Start::on_free_port(4);
    let ground = Ground::new(&folder.data(), how.port);
    let mut server = Server::start(&folder, how).await;
    let parties = Parties::set_out(&ground, 1);
    something_is_earned(&ground).await;

    // The walkers' team comes and goes on, the witnesses' has some of its steps.
    let (walkers, witnesses) =
        (card(&ground, how.port, "Kettu").await, card(&ground, how.port, "team 0 round 1").await);
    server.signal("INT");
    let (status, took) = server.ended(END).await;
    assert!(status.success(), "Ctrl-C was to end the server with 0, not {status}, after {took:?}");
    for record in ground.records() {
        let downs = record.downs();
        let shutdown = |reason: &String| reason.contains("3001");
        assert!(downs.iter().any(shutdown), "{} was to be told of the shutdown, not {downs:?}", record.player);
    }

    // On another port, where nobody comes, the second run shows what the first one left.
    let quiet = Start { walkers: 0, ..Start::on_free_port(0) };
    let server = Server::start(&folder, quiet).await;
    for before in [&walkers, &witnesses] {
        let name = before["name"].as_str().expect("a name");
        let after = card(&ground, quiet.port, name).await;
        assert_eq!(
            [&after["id"], &after["members"]],
            [&before["id"], &before["members"]],
            "{name} was to be as before"
        );
        let (had, has) = (steps(before), steps(&after));
        assert!(has.is_superset(&had), "{name} was to have done {had:?} still, not {has:?}");
        let points = |card: &Value| card["points"].as_i64();
        assert!(points(&after) >= points(before), "{name} was to keep its points: {before}, {after}");
    }
    server.stop().await;

    // On the old port everyone goes on by themselves.
    let server = Server::start(&folder, how).await;
    let teams = parties.finish(FINISH).await.unwrap_or_else(|stopped| panic!("a chain has stopped: {stopped}"));
    assert!(teams >= 1, "the team was to finish");
    walkers_move(&ground).await;
    server.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_or_port_is_refused_in_clear_words() {
    let (folder, other) = (Folder::new("one"), Folder::new("other"));
    let how = Start::on_free_port(0);
    let server = Server::start(&folder, how).await;
    let (status, _) = Server::spawn(&folder, Start::on_free_port(0)).ended(REFUSAL).await;
    let said = folder.said();
    assert_eq!(status.code(), Some(1), "a folder in use was to be refused: {said}");
    assert!(said.contains("in use") && said.contains("data"), "it was to say which folder is in use: {said}");
    let (status, _) = Server::spawn(&other, how).ended(REFUSAL).await;
    let said = other.said();
    assert_eq!(status.code(), Some(1), "a port in use was to be refused: {said}");
    let words = [format!("port {} is taken", how.port), format!("--port {}", how.port + 1)];
    assert!(words.iter().all(|word| said.contains(word)), "it was to say {words:?}: {said}");
    // The first one has not suffered.
    let ready = http::get(how.port, "/readyz", None).await.expect("it runs");
    assert_eq!(ready.status, 200, "{ready:?}");
    server.stop().await;
}

async fn something_is_earned(ground: &Ground) {
    let mut told = ground.told.subscribe();
    let earned = async {
        while ground.records().iter().all(|record| record.awards() < 2) {
            told.changed().await.expect("the ground outlives the wait");
        }
    };
    let earned = timeout(SHOW, earned).await;
    assert!(earned.is_ok(), "a team was to earn something within {SHOW:?}");
}

fn steps(card: &Value) -> BTreeSet<String> {
    serde_json::from_value(card["done"].clone()).expect("a list of steps")
}

/// A team as the operator sees it; a projection, so it may take a moment after a start.
async fn card(ground: &Ground, port: u16, team: &str) -> Value {
    let (begun, mut look) = (Instant::now(), interval(Duration::from_millis(50)));
    loop {
        look.tick().await;
        if let Ok(reply) = http::get(port, "/v1/overview", Some(&ground.operator())).await {
            let teams = reply.json()["teams"].as_array().cloned().unwrap_or_default();
            if let Some(card) = teams.into_iter().find(|card| card["name"] == team) {
                return card;
            }
        }
        assert!(begun.elapsed() < SHOW, "the overview was to show {team} within {SHOW:?}");
    }
}

/// The server's own walkers are where they were not a moment ago.
async fn walkers_move(ground: &Arc<Ground>) {
    let dots = async || {
        let reply = http::get(ground.port, "/v1/overview", Some(&ground.operator())).await;
        reply.map(|reply| reply.json()["players"].clone()).unwrap_or_default()
    };
    let (begun, mut look, first) = (Instant::now(), interval(Duration::from_millis(200)), dots().await);
    loop {
        look.tick().await;
        let now = dots().await;
        if now.as_array().is_some_and(|dots| !dots.is_empty()) && now != first {
            return;
        }
        assert!(begun.elapsed() < SHOW, "the walkers were to go on within {SHOW:?}; they are at {now}");
    }
}
