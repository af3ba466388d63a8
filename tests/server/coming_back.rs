//! Lost connections, restarts, second phones: whatever happens, each notice is heard once and in order.

use crate::harness::{DEADLINE, TestServer, quick};
use crate::phone::Phone;
use crate::wire::{Heard, Raw, text};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::timeout;
use waystone::net::client::{Link, LinkEvent, Repeat, Resume};

const GATE: [f64; 2] = [24.9400, 60.1700];

/// A team of these players; gives its name. The first one founds it.
async fn gather(phones: &mut [&mut Phone]) -> String {
    let (first, others) = phones.split_first_mut().expect("somebody");
    let team = first.act("team.create", json!({ "name": "Us" })).await;
    first.expect(json!({ "type": "team.joined" })).await;
    for phone in others {
        phone.act("team.join", json!({ "code": team["invite"] })).await;
        phone.expect(json!({ "type": "team.joined" })).await;
    }
    team["team"].as_str().expect("a name").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_in_a_tunnel_is_heard_behind_it() {
    let server = TestServer::start(quick()).await;
    let (mut ada, mut bo) = (server.phone("ada").await, server.phone("bo").await);
    gather(&mut [&mut ada, &mut bo]).await;
    bo.enter_tunnel();
    ada.start("quick").await;
    ada.stand_at(GATE).await;
    ada.expect_done("meet").await;
    ada.act("quest.choose", json!({ "quest": "quick", "step": "side", "option": "left" })).await;
    ada.expect_done("side").await;
    let before = bo.notices.len();
    bo.leave_tunnel().await;
    bo.expect_done("side").await;
    assert_eq!(bo.kinds()[before..][..2], ["quest.started", "step.opened"], "{:?}", bo.kinds());
    assert_eq!(bo.count(&json!({ "type": "step.completed", "step": "meet" })), 1);
    ada.act("team.say", json!({ "text": "still there?" })).await;
    bo.expect(json!({ "type": "team.said", "text": "still there?" })).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_that_was_missed_comes_whole_and_in_order() {
    let server = TestServer::start(quick()).await;
    let (mut ada, mut bo) = (server.phone("ada").await, server.phone("bo").await);
    gather(&mut [&mut ada, &mut bo]).await;
    bo.enter_tunnel();
    // 40 lines of 1.1 kB are more than rides in the reply to connect.
    let lines: Vec<String> = (100..140).map(|n| format!("{n} {}", "𝛀".repeat(270))).collect();
    for line in &lines {
        ada.act("team.say", json!({ "text": line })).await;
    }
    ada.expect(json!({ "type": "team.said", "text": lines[39] })).await;
    let connected = bo.leave_tunnel().await;
    let at_once = connected.own().expect("a channel").1.publications.len();
    assert!(at_once < 40, "{at_once} rode in the reply");
    bo.expect(json!({ "type": "team.said", "text": lines[39] })).await;
    let heard: Vec<&str> = bo.notices.iter().filter_map(|notice| notice["text"].as_str()).collect();
    assert_eq!(heard, lines);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_is_kept_is_told_to_be_lost() {
    let server = TestServer::start(quick()).await;
    let mut bo = server.phone("bo").await;
    let mut talkers = Vec::new();
    for n in 0..6 {
        talkers.push(server.phone(&format!("talker-{n}")).await);
    }
    let mut all: Vec<&mut Phone> = talkers.iter_mut().collect();
    all.push(&mut bo);
    gather(&mut all).await;
    let seen = bo.offset;
    bo.enter_tunnel();
    for talker in &mut talkers {
        for n in 0..45 {
            talker.act("team.say", json!({ "text": format!("line {n}") })).await;
        }
    }
    let said = json!({ "type": "team.said", "player": "talker-5", "text": "line 44" });
    talkers[0].expect(said).await;
    let resume = Resume { epoch: bo.epoch.clone(), offset: seen };
    let connected = bo.resume_from(resume).await;
    let own = connected.own().expect("a channel").1;
    assert!(!own.recovered && own.publications.is_empty(), "{own:?}");
    // "call state.get and go on from the reply's offset"
    assert!(own.offset >= seen + 270, "{own:?}");
    bo.offset = own.offset;
    assert_eq!(bo.state().await["team"]["members"].as_array().map(Vec::len), Some(7));
    talkers[0].act("team.say", json!({ "text": "welcome back" })).await;
    bo.expect(json!({ "type": "team.said", "text": "welcome back" })).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_epoch_or_an_offset_from_the_future_is_no_place_to_resume() {
    let server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    gather(&mut [&mut ada]).await;
    let (epoch, offset) = (ada.epoch.clone(), ada.offset);
    for (epoch, offset, recovered) in
        [("another", offset, false), (&epoch, offset + 1, false), (&epoch, u64::MAX, false), (&epoch, offset, true)]
    {
        let mut raw = Raw::socket(server.addr()).await;
        let subs = json!({ "#ada": { "recover": true, "epoch": epoch, "offset": offset } });
        let connect = json!({ "id": 1, "connect": { "token": server.token("ada"), "subs": subs } });
        raw.send(&text(&connect.to_string())).await;
        let own = raw.reply(1).await["connect"]["subs"]["#ada"].clone();
        assert_eq!(own["was_recovering"], true, "{own}");
        assert_eq!(own["recovered"], recovered, "{epoch} {offset}: {own}");
        assert_eq!((&own["epoch"], &own["offset"]), (&json!(ada.epoch), &json!(ada.offset)), "{own}");
    }
    server.end().await;
}

/// Reads a link's notices until one says `last`; gives offsets and texts.
async fn read(events: &mut mpsc::Receiver<LinkEvent>, last: &str) -> Vec<(u64, Value)> {
    let mut heard = Vec::new();
    loop {
        let event = timeout(DEADLINE, events.recv()).await;
        match event.unwrap_or_else(|_| panic!("\"{last}\" was never said; heard {heard:#?}")) {
            Some(LinkEvent::Notice { offset, data }) => {
                let end = data["text"] == last;
                heard.push((offset, data));
                if end {
                    return heard;
                }
            }
            Some(LinkEvent::Up { .. } | LinkEvent::Down { .. } | LinkEvent::Publication { .. }) => {}
            Some(LinkEvent::Ended { reason }) => panic!("the link ended: {reason}"),
            None => panic!("the link is gone"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_loses_nothing_and_repeats_nothing() {
    let mut server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    let token = server.token("bo");
    let (bo, mut events) = Link::start(&server.url(), Arc::new(move || token.clone()), None);
    let team = ada.act("team.create", json!({ "name": "Us" })).await;
    let join = json!({ "code": team["invite"], "cmd": "join" });
    bo.rpc("team.join", join.clone(), Repeat::Safe, DEADLINE).await.expect("joined");
    ada.act("team.say", json!({ "text": "before" })).await;
    let mut heard = read(&mut events, "before").await;

    server.restart().await;
    assert_eq!(ada.closed().await, (3001, "shutdown".to_owned()));
    ada.leave_tunnel().await;
    // What was still on its way between team and player when the server ended is delivered by its successor.
    ada.expect(json!({ "type": "team.joined" })).await;
    ada.start("quick").await;
    ada.act("team.say", json!({ "text": "after" })).await;
    heard.extend(read(&mut events, "after").await);
    bo.kill();
    ada.act("team.say", json!({ "text": "once more" })).await;
    heard.extend(read(&mut events, "once more").await);

    let offsets: Vec<u64> = heard.iter().map(|(offset, _)| *offset).collect();
    let dense: Vec<u64> = (1..=offsets.len() as u64).collect();
    assert_eq!(offsets, dense, "{heard:#?}");
    assert_eq!(heard.iter().filter(|(_, data)| data["type"] == "quest.started").count(), 1, "{heard:#?}");
    let again = bo.rpc("team.join", join, Repeat::Safe, DEADLINE).await.expect("the answer of the first time");
    assert_eq!(again["team"], team["team"]);
    ada.expect(json!({ "type": "team.said", "text": "once more" })).await;
    assert_eq!(ada.state().await["team"]["members"].as_array().map(Vec::len), Some(2));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_phone_takes_over_and_the_older_stays_away() {
    let server = TestServer::start(quick()).await;
    let token = server.token("ada");
    let (old, mut events) = Link::start(&server.url(), Arc::new(move || token.clone()), None);
    old.rpc("state.get", json!({}), Repeat::Safe, DEADLINE).await.expect("connected");
    let mut new = server.phone("ada").await;
    let ended = loop {
        match timeout(DEADLINE, events.recv()).await.expect("the older one is closed in time") {
            Some(LinkEvent::Ended { reason }) => break reason,
            Some(_) => {}
            None => panic!("the link ended without a word"),
        }
    };
    assert!(ended.contains("4501") && ended.contains("replaced"), "{ended}");
    new.found("Still here").await;
    assert_eq!(server.metric("waystone_sessions").await, 1);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_sent_again_gets_the_same_answer_and_has_one_effect() {
    let mut server = TestServer::start(quick()).await;
    let (mut ada, mut bo) = (server.phone("ada").await, server.phone("bo").await);
    let deeds = |invite: &Value| {
        [
            ("team.join", json!({ "code": invite, "cmd": "1" })),
            ("quest.start", json!({ "quest": "quick", "cmd": "2" })),
            ("team.say", json!({ "text": "hello", "cmd": "3" })),
            ("quest.leave", json!({ "quest": "quick", "cmd": "4" })),
            ("profile.set", json!({ "name": "Bo", "cmd": "5" })),
            ("team.share", json!({ "on": true, "cmd": "6" })),
            ("team.leave", json!({ "cmd": "7" })),
        ]
    };
    let create = json!({ "name": "Us", "cmd": "create" });
    let team = ada.call("team.create", create.clone()).await;
    assert_eq!(ada.call("team.create", create.clone()).await, team, "at once");
    ada.expect(json!({ "type": "team.joined" })).await;
    assert_eq!(ada.call("team.create", create.clone()).await, team, "when it has come to pass");
    for (method, data) in deeds(&team["invite"]) {
        let first = bo.call(method, data.clone()).await;
        bo.enter_tunnel();
        bo.leave_tunnel().await;
        assert_eq!(bo.call(method, data.clone()).await, first, "{method}");
        // What the next deed needs is there when everybody has heard of this one.
        bo.call("state.get", json!({})).await;
        wait_for_deed(&mut bo, method).await;
        assert_eq!(bo.call(method, data.clone()).await, first, "{method}, later");
    }
    server.restart().await;
    let (first, ended) = (ada.closed().await, bo.closed().await);
    assert_eq!((first.0, ended.0), (3001, 3001));
    ada.leave_tunnel().await;
    bo.leave_tunnel().await;
    let entries = server.entries().await;
    assert_eq!(ada.call("team.create", create).await, team, "after a restart");
    let other = ada.refused("team.create", json!({ "name": "Them", "cmd": "create" })).await;
    assert_eq!((other.0, other.2), (1005, false), "{other:?}");
    for (method, data) in deeds(&team["invite"]).into_iter().filter(|(method, _)| *method != "team.join") {
        bo.call(method, data).await;
    }
    assert_eq!(server.entries().await, entries, "a repeat is not written");
    for (kind, times) in
        [("team.joined", 1), ("quest.started", 1), ("team.said", 1), ("quest.ended", 1), ("team.left", 1)]
    {
        assert_eq!(bo.count(&json!({ "type": kind })), times, "{kind} in {:?}", bo.kinds());
    }
    server.end().await;
}

async fn wait_for_deed(phone: &mut Phone, method: &str) {
    let kind = match method {
        "team.join" => "team.joined",
        "quest.start" => "quest.started",
        "team.say" => "team.said",
        "quest.leave" => "quest.ended",
        "team.leave" => "team.left",
        _ => return,
    };
    phone.expect(json!({ "type": kind })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_runs_out_and_is_renewed_on_the_open_connection() {
    let server = TestServer::start(quick()).await;
    let mut claims = server.claims("ada");
    claims["exp"] = json!(server.clock.now().as_millis() / 1000 + 60);
    let mut raw = Raw::connected(server.addr(), &crate::harness::sign(&claims)).await;
    server.clock.advance(std::time::Duration::from_secs(70));
    let refresh = |token: &str| text(&json!({ "id": 2, "refresh": { "token": token } }).to_string());
    raw.send(&refresh(&crate::harness::sign(&claims))).await;
    assert_eq!(raw.reply(2).await["error"]["code"], 109);
    raw.send(&refresh(&server.token("ada"))).await;
    let renewed = raw.reply(2).await;
    assert_eq!((&renewed["refresh"]["expires"], &renewed["refresh"]["ttl"]), (&json!(true), &json!(12 * 3600)));
    raw.send(&refresh(&server.token("bo"))).await;
    assert_eq!(raw.end().await, Heard::Close(3500, "invalid token".to_owned()));
    server.end().await;
}
