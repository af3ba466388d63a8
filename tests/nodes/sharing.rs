//! Boards and team-mates over three nodes, by a real Redis that is killed, emptied and stopped beneath them: they come
//! and go, the game does not.

use crate::nodes::{Nodes, Phone};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use waystone_kit::Redis;

const QUIZ: &str = "
schema: quest/v1
id: quiz
title: Quiz
play: { mode: team, team_size: [1, 5] }
steps:
  - { id: one, answer: { question: How many?, accept: [one] }, points: 5 }
  - { id: two, answer: { question: How many?, accept: [two] }, points: 7 }
";
const HERE: [f64; 2] = [24.94, 60.17];
const THERE: [f64; 2] = [24.9401, 60.17];
const BOARD: &str = "board:quiz";

/// Names and points of a board, and whether it says that it is stale.
fn board(phone: &Phone) -> (Vec<(String, i64)>, bool) {
    let shown = phone.shown(BOARD);
    assert!(matches!(shown.get("stale"), None | Some(Value::Bool(true))), "said only when it is so: {shown}");
    let row =
        |row: &Value| (row["name"].as_str().expect("a name").to_owned(), row["points"].as_i64().expect("points"));
    (shown["rows"].as_array().expect("rows").iter().map(row).collect(), shown.get("stale").is_some())
}

fn rows(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(name, points)| ((*name).to_owned(), *points)).collect()
}

/// Ada and Bo on two nodes are "Us", Cy on the third is "Them"; all play, and listen to the board.
async fn party(nodes: &Nodes) -> (Vec<Phone>, String) {
    let mut phones = vec![nodes.phone("ada", 0).await, nodes.phone("bo", 1).await, nodes.phone("cy", 2).await];
    let us = phones[0].act("team.create", json!({ "name": "Us" })).await;
    phones[1].act("team.join", json!({ "code": us["invite"] })).await;
    phones[2].act("team.create", json!({ "name": "Them" })).await;
    nodes.until("all have a team", || phones.iter().all(|phone| phone.heard("team.joined") == 1)).await;
    phones[0].start("quiz").await;
    phones[2].start("quiz").await;
    nodes.until("all play", || phones.iter().all(|phone| phone.heard("step.opened") == 2)).await;
    for phone in &phones {
        phone.listen(BOARD).await;
    }
    (phones, format!("team:{}", us["team"].as_str().expect("an id")))
}

/// Does a step, without waiting for anybody else than the game.
async fn answer(phone: &mut Phone, step: &str) {
    let begun = Instant::now();
    phone.act("quest.answer", json!({ "quest": "quiz", "step": step, "text": step })).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits for Redis: {:?}", begun.elapsed());
}

async fn until_all_show(nodes: &Nodes, phones: &[Phone], expected: &[(&str, i64)]) {
    let fresh = (rows(expected), false);
    let what = format!("all show {fresh:?}");
    nodes.until(&what, || phones.iter().all(|phone| board(phone) == fresh)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_show_every_node_and_redis_may_go_and_come() {
    let redis = Redis::start().expect("a private Redis");
    let nodes = Nodes::start_on(QUIZ, Some(&redis)).await;
    let (mut phones, _) = party(&nodes).await;
    nodes.until("both teams are seen everywhere", || phones.iter().all(|phone| board(phone).0.len() == 2)).await;
    answer(&mut phones[0], "one").await;
    until_all_show(&nodes, &phones, &[("Us", 5), ("Them", 0)]).await;

    // What happened is told to readers outside.
    let streamed = || redis.command(&["KEYS", "*:happenings"]).expect("read");
    let told = || redis.command(&["XRANGE", &streamed(), "-", "+"]).unwrap_or_default();
    nodes.until("her step is in the stream", || told().contains(r#""step":"one""#)).await;

    // Emptied: noticed by each node, and put anew.
    redis.flush().expect("emptied");
    let keys = || redis.command(&["KEYS", "*"]).expect("read").lines().filter(|key| key.contains(":whole:")).count();
    nodes.until("every node has put anew what it has", || keys() == 3).await;
    until_all_show(&nodes, &phones, &[("Us", 5), ("Them", 0)]).await;
    let held = redis.command(&["KEYS", "*:board:*"]).expect("read");
    assert_eq!(redis.command(&["ZCARD", &held]).expect("read"), "2");

    // Killed: everyone says so, and plays on.
    redis.kill().expect("killed");
    nodes.until("all say that it is stale", || phones.iter().all(|phone| board(phone).1)).await;
    answer(&mut phones[2], "two").await;
    nodes.until("the step is done", || phones[2].heard("step.completed") == 1).await;
    redis.restart().expect("started");
    until_all_show(&nodes, &phones, &[("Them", 7), ("Us", 5)]).await;

    // Stopped where it is.
    redis.stop().expect("frozen");
    nodes.until("all say that it is stale", || phones.iter().all(|phone| board(phone).1)).await;
    answer(&mut phones[0], "two").await;
    nodes.until("the step is done", || phones[1].heard("step.completed") == 2).await;
    let counts = nodes.all[0].game.counts().redis.expect("it is counted");
    assert!(counts.open && counts.failures > 0 && counts.opened > 0, "{counts:?}");
    redis.cont().expect("goes on");
    until_all_show(&nodes, &phones, &[("Us", 12), ("Them", 7)]).await;
    drop(phones);
    nodes.end().await;
}

/// Who is on a team's map, and whether it says that it is stale.
fn map(phone: &Phone, channel: &str) -> (Vec<(String, f64)>, bool) {
    let shown = phone.shown(channel);
    let dot = |dot: &Value| (dot["id"].as_str().expect("who").to_owned(), dot["lon"].as_f64().expect("where"));
    (shown["members"].as_array().expect("members").iter().map(dot).collect(), shown.get("stale").is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn mates_see_each_other_over_nodes_while_they_share() {
    let redis = Redis::start().expect("a private Redis");
    let nodes = Nodes::start_on(QUIZ, Some(&redis)).await;
    let (mut phones, channel) = party(&nodes).await;
    let shares = |on: bool| json!({ "on": on });
    let dot = |who: &str, at: [f64; 2]| (who.to_owned(), at[0]);
    phones[0].act("team.share", shares(true)).await;
    phones[1].act("team.share", shares(true)).await;
    phones[0].stand(HERE).await;
    phones[1].stand(HERE).await;
    phones[2].session.subscribe(&channel).await.expect_err("it is another team's");
    phones[0].listen(&channel).await;
    phones[1].listen(&channel).await;
    let both = (vec![dot("ada", HERE), dot("bo", HERE)], false);
    nodes.until("both see both", || phones[..2].iter().all(|phone| map(phone, &channel) == both)).await;
    phones[0].stand(THERE).await;
    let moved = (vec![dot("ada", THERE), dot("bo", HERE)], false);
    nodes.until("she has moved", || phones[..2].iter().all(|phone| map(phone, &channel) == moved)).await;

    // Who stops is gone from the map, and from Redis.
    phones[0].act("team.share", shares(false)).await;
    let alone = (vec![dot("bo", HERE)], false);
    nodes.until("she is seen no more", || phones[..2].iter().all(|phone| map(phone, &channel) == alone)).await;
    let kept = || redis.command(&["KEYS", "*:positions:*"]).expect("read").lines().count();
    nodes.until("nothing of her is kept", || kept() == 1).await;

    // Without Redis nobody sees over nodes, and everyone says so.
    redis.kill().expect("killed");
    nodes.until("his own node still shows him", || map(&phones[1], &channel) == (alone.0.clone(), true)).await;
    nodes.until("hers does not", || map(&phones[0], &channel) == (Vec::new(), true)).await;
    redis.restart().expect("started");
    nodes.until("he is seen again", || phones[..2].iter().all(|phone| map(phone, &channel) == alone)).await;

    // A session that ends takes its position along.
    let gone = phones.remove(1);
    drop(gone);
    nodes.until("he has gone", || map(&phones[0], &channel) == (Vec::new(), false)).await;
    nodes.until("nothing of him is kept", || kept() == 0).await;
    drop(phones);
    nodes.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_redis_shows_each_node_its_own_and_says_so() {
    let nodes = Nodes::start(QUIZ).await;
    let (phones, channel) = party(&nodes).await;
    assert_eq!(phones[0].listen(&channel).await, json!({ "team": &channel[5..], "members": [], "stale": true }));
    let mut names: Vec<String> = Vec::new();
    for phone in &phones {
        let (rows, stale) = board(phone);
        assert!(stale);
        names.extend(rows.into_iter().map(|(name, _)| name));
    }
    names.sort();
    assert_eq!(names, ["Them", "Us"], "each team is shown by the node where it lives");
    assert_eq!(nodes.all[0].game.counts().redis, None);
    drop(phones);
    nodes.end().await;
}
