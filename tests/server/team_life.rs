//! Life in a team: every verb, hints and waits, live channels, batches of fixes, and a prize that only one can have.

use crate::harness::{TestServer, eventually, quick};
use crate::phone::Phone;
use crate::wire::{Heard, Raw, text};
use serde_json::{Value, json};
use std::time::Duration;
use waystone::app::QuestSource;

const GATE: [f64; 2] = [24.9400, 60.1700];
const YARD: [f64; 2] = [24.9430, 60.1700];
const VAULT: [f64; 2] = [24.9417, 60.1723];
const LANE: [[f64; 2]; 2] = [[24.9450, 60.1700], [24.9490, 60.1700]];

fn quick_step(step: &str, field: &str, value: &str) -> Value {
    json!({ "quest": "quick", "step": step, field: value })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_is_done_in_its_way() {
    let server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    ada.found("One").await;
    ada.start("quick").await;
    ada.stand_at(GATE).await;
    ada.expect_done("meet").await;

    // A riddle: a hint costs, wrong answers cost time.
    let hint = json!({ "quest": "quick", "step": "riddle", "hint": 0 });
    assert_eq!(ada.act("quest.hint", hint.clone()).await, json!({ "cost": 5 }));
    ada.expect(json!({ "type": "hint.given", "hint": 0, "text": "As in Rome.", "cost": 5 })).await;
    assert_eq!(ada.act("quest.hint", hint).await, json!({ "cost": 0 }), "bought is bought");
    let early = ada.refused("quest.hint", json!({ "quest": "quick", "step": "riddle", "hint": 1 })).await;
    assert_eq!((early.0, early.2), (1209, true), "{early:?}");
    let wrong = ada.act("quest.answer", quick_step("riddle", "text", "six")).await;
    assert_eq!((&wrong["correct"], &wrong["tries_left"]), (&json!(false), &json!(1)), "{wrong}");
    let wrong = ada.act("quest.answer", quick_step("riddle", "text", "eight")).await;
    let until = server.clock.now().as_millis() + 60_000;
    assert_eq!((&wrong["tries_left"], &wrong["wait_until"]), (&json!(0), &json!(until)), "{wrong}");
    let hasty = ada.refused("quest.answer", quick_step("riddle", "text", "seven")).await;
    assert_eq!((hasty.0, hasty.2), (1205, true), "{hasty:?}");
    server.clock.advance(Duration::from_secs(61));
    ada.act("quest.answer", quick_step("riddle", "text", "SEVEN")).await;
    assert_eq!(ada.expect_done("riddle").await["points"], 25, "30 less the hint");

    ada.enter("yard", YARD).await;
    ada.expect(json!({ "type": "region.left", "place": "gate" })).await;
    let wrong = ada.refused("quest.scan", quick_step("sign", "code", "K-1873")).await;
    assert_eq!((wrong.0, wrong.2), (1206, true), "{wrong:?}");
    ada.act("quest.scan", quick_step("sign", "code", "k-1872")).await;
    ada.expect_done("sign").await;
    ada.stay(Duration::from_secs(2)).await;
    ada.expect_done("rest").await;
    ada.act("quest.photo", quick_step("selfie", "photo", "photo:1")).await;
    let overview = server.look("/v1/overview").await;
    assert_eq!(overview["reviews"][0]["photo"], "photo:1", "{}", overview["reviews"]);
    let verdict = json!({ "player": "ada", "quest": "quick", "step": "selfie", "approve": true });
    assert_eq!(server.post("/v1/reviews", &server.operator_token(), &verdict).await.status, 204);
    ada.expect_done("selfie").await;
    ada.walk(&LANE).await;
    ada.expect_done("stroll").await;
    ada.act("quest.choose", quick_step("side", "option", "right")).await;
    assert_eq!(ada.expect_done("side").await["points"], 10);
    ada.expect_open("descend").await;
    ada.stand_at(VAULT).await;
    ada.expect_done("descend").await;
    ada.expect(json!({ "type": "badge.given", "badge": "quick-one" })).await;
    ada.expect(json!({ "type": "code.given", "pool": "vouchers", "number": 1 })).await;
    let state = ada.state().await;
    assert_eq!(state["points"], 10 + 25 + 20 + 10 + 40 + 10 + 10 + 50, "{state}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_player_needs_no_team_and_may_give_up_and_start_again() {
    let server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    ada.start("alone").await;
    ada.act("quest.leave", json!({ "quest": "alone" })).await;
    ada.expect(json!({ "type": "quest.ended", "reason": "abandoned" })).await;
    ada.start("alone").await;
    ada.stand_at([24.9400, 60.1800]).await;
    ada.expect_done("sit").await;
    ada.act("quest.answer", json!({ "quest": "alone", "step": "word", "text": "Waystone" })).await;
    ada.expect(json!({ "type": "quest.finished", "points": 10 })).await;
    server.end().await;
}

/// Bo stands at the gate and shares; Cy is in no team.
async fn maps_show_mates_in_their_window(ada: &Phone, bo: &Phone, cy: &Phone) {
    let shown = |reply: &Value| {
        let players = reply["data"]["players"].as_array().expect("a list");
        players.iter().map(|dot| dot["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let (around, beside) = ("map:24.9,60.1,25.0,60.2", "map:25.0,60.1,25.1,60.2");
    assert_eq!(shown(&ada.client.subscribe(around).await.expect("a window")), ["bo"]);
    assert_eq!(shown(&ada.client.subscribe(beside).await.expect("a window")), [""; 0]);
    let (code, ..) = cy.refused_channel(around).await;
    assert_eq!(code, 1301, "who is in no team sees nobody");
    let (code, ..) = ada.refused_channel("map:25,60.2,25.1,60.1").await;
    assert_eq!(code, 102, "south of its own south");
    bo.client.subscribe(around).await.expect("a window");
}

/// Two who share a team and its channel.
async fn listeners(server: &TestServer) -> (Phone, Phone, String) {
    let (mut ada, mut bo) = (server.phone("ada").await, server.phone("bo").await);
    let team = ada.act("team.create", json!({ "name": "Us" })).await;
    bo.act("team.join", json!({ "code": team["invite"] })).await;
    bo.expect(json!({ "type": "team.joined" })).await;
    ada.expect(json!({ "type": "team.member", "player": "bo" })).await;
    ada.start("quick").await;
    bo.expect(json!({ "type": "quest.started" })).await;
    (ada, bo, format!("team:{}", team["team"].as_str().expect("a name")))
}

fn members(content: &Value) -> Vec<&str> {
    let members = content["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(|member| member["id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn team_mates_see_each_other_until_one_says_no() {
    let server = TestServer::start(quick()).await;
    let (mut ada, mut bo, channel) = listeners(&server).await;
    assert_eq!(members(&ada.client.subscribe(&channel).await.expect("a member may")["data"]), Vec::<&str>::new());
    bo.stand_at(GATE).await;
    let seen = ada.expect_live(&channel, |content| members(content) == ["bo"]).await;
    assert_eq!((&seen["members"][0]["lon"], &seen["members"][0]["lat"]), (&json!(24.94), &json!(60.17)), "{seen}");

    bo.act("team.share", json!({ "on": false })).await;
    ada.expect_live(&channel, |content| members(content).is_empty()).await;
    bo.stand_at(GATE).await;
    bo.act("team.share", json!({ "on": true })).await;
    ada.expect_live(&channel, |content| members(content) == ["bo"]).await;

    let cy = server.phone("cy").await;
    let stranger = cy.client.subscribe(&channel).await.expect_err("no member");
    assert!(stranger.to_string().contains("103"), "{stranger}");
    maps_show_mates_in_their_window(&ada, &bo, &cy).await;
    bo.act("team.leave", json!({})).await;
    ada.expect_live(&channel, |content| members(content).is_empty()).await;
    let left = bo.client.subscribe(&channel).await.expect_err("no member any more");
    assert!(left.to_string().contains("103"), "{left}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_a_team_is_taken_off_its_channels() {
    let server = TestServer::start(quick()).await;
    let (mut ada, _bo, channel) = listeners(&server).await;
    // Bo again, by hand, to see the push that ends a subscription.
    let mut bo = Raw::connected(server.addr(), &server.token("bo")).await;
    bo.send(&text(&json!({ "id": 2, "subscribe": { "channel": channel } }).to_string())).await;
    assert!(bo.reply(2).await["subscribe"].is_object());
    let map = "map:24,60,25,61";
    bo.send(&text(&json!({ "id": 4, "subscribe": { "channel": map } }).to_string())).await;
    assert!(bo.reply(4).await["subscribe"].is_object());
    bo.send(&text(&json!({ "id": 3, "rpc": { "method": "team.leave", "data": {} } }).to_string())).await;
    let mut ended = Vec::new();
    eventually("both subscriptions end", async || match bo.heard().await {
        Heard::Text(text) => {
            for line in text.lines().filter(|line| line.contains("unsubscribe")) {
                let told: Value = serde_json::from_str(line).expect("JSON");
                ended.push(told["push"]["channel"].as_str().expect("a name").to_owned());
            }
            if ended.len() == 2 { Ok(()) } else { Err(text) }
        }
        other => panic!("{other:?}"),
    })
    .await;
    ended.sort();
    assert_eq!(ended, [map, &channel]);
    ada.expect(json!({ "type": "team.member", "player": "bo", "present": false })).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_board_shows_scores_to_all_who_listen() {
    let server = TestServer::start(quick()).await;
    let mut cy = server.phone("cy").await;
    cy.client.subscribe("board:quick").await.expect("anyone may");
    let (mut ada, _bo, channel) = listeners(&server).await;
    ada.stand_at(GATE).await;
    let has_ten = |content: &Value| content["rows"][0]["points"] == 10;
    let board = cy.expect_live("board:quick", has_ten).await;
    assert_eq!(board["rows"][0]["name"], "Us", "{board}");
    assert_eq!(board.get("stale"), None, "a single server knows all: {board}");
    assert_eq!(format!("team:{}", board["rows"][0]["team"].as_str().expect("a team")), channel);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_answered_fix_by_fix() {
    let server = TestServer::start(quick()).await;
    let ada = server.phone("ada").await;
    let now = server.clock.now().as_millis();
    let fix = |seq: u64, t: i64, lat: f64| json!({ "lat": lat, "lon": 24.94, "acc": 5.0, "t": t, "seq": seq });
    let batch = json!({ "fixes": [
        fix(10, now - 700_000, 60.17),
        fix(11, now - 5_000, 60.17),
        fix(12, now - 4_000, 60.17),
        fix(12, now - 4_000, 60.17),
        fix(9, now - 3_000, 60.17),
        fix(13, now - 4_500, 60.17),
        fix(14, now - 2_000, 95.0),
        fix(15, now - 1_000, 60.27),
        fix(16, now + 60_000, 60.17),
    ] });
    let reply = ada.call("fixes", batch).await;
    let ignored = json!([
        { "index": 0, "reason": "late" }, { "index": 4, "reason": "late" }, { "index": 5, "reason": "not_rising" },
        { "index": 6, "reason": "bad_fix" }, { "index": 7, "reason": "teleport" }, { "index": 8, "reason": "future" },
    ]);
    // The repeat counts as the fix it repeats; the jump is held until another fix agrees.
    let next = json!({ "distance": 10, "after_s": 15 });
    assert_eq!(reply, json!({ "seq": 16, "accepted": 3, "ignored": ignored, "next": next }));
    server.end().await;
}

const RACE: &str = "
schema: quest/v1
id: race
title: Race
play: { mode: team, team_size: [1, 5] }
steps:
  - { id: word, answer: { question: Now, accept: [go] }, points: 10 }
rewards:
  - { give: { code_pool: trophy }, each: team, stock: 1, otherwise: { points: 50 } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_teams_that_arrive_together_one_gets_the_last_prize() {
    let server = TestServer::start(vec![QuestSource { name: "race.yaml".to_owned(), text: RACE.to_owned() }]).await;
    let mut racers = Vec::new();
    for n in 0..5 {
        let mut racer = server.phone(&format!("racer-{n}")).await;
        racer.act("team.create", json!({ "name": format!("Team {n}") })).await;
        racer.expect(json!({ "type": "team.joined" })).await;
        racer.start("race").await;
        racer.expect_open("word").await;
        racers.push(racer);
    }
    let answer = json!({ "quest": "race", "step": "word", "text": "go", "cmd": "go" });
    let calls = racers.iter().map(|racer| racer.call("quest.answer", answer.clone()));
    futures_util::future::join_all(calls).await;
    let mut winners = 0;
    for racer in &mut racers {
        racer.expect(json!({ "type": "quest.finished", "points": 10 })).await;
        let end = racer.expect_any(&[json!({ "type": "code.given" }), json!({ "type": "reward.gone" })]).await;
        if end["type"] == "code.given" {
            assert_eq!((&end["number"], &end["code"]), (&json!(1), &json!("TROPHY-0001")), "{end}");
            winners += 1;
        } else {
            assert_eq!(end["pool"], "trophy");
            racer.expect(json!({ "type": "points.given", "points": 50, "team": true })).await;
        }
    }
    assert_eq!(winners, 1);
    let stock = server.look("/v1/overview").await["stock"][0].clone();
    assert_eq!((&stock["given"], &stock["of"]), (&json!(1), &json!(1)), "{stock}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_can_be_built_on_at_once() {
    let server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    for round in 0..8 {
        let team = ada.act("team.create", json!({ "name": format!("Round {round}") })).await;
        ada.start("quick").await;
        let channel = format!("team:{}", team["team"].as_str().expect("an id"));
        ada.client.subscribe(&channel).await.expect("a member may");
        ada.act("team.leave", json!({})).await;
        // What was heard of the team before must not let anyone listen who has left it.
        let left = ada.client.subscribe(&channel).await.expect_err("no member any more");
        assert!(left.to_string().contains("103"), "{left}");
    }
    server.end().await;
}
