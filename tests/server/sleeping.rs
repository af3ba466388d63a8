//! Phones that want to sleep: which circles they are to watch, and how far they may go until the next fix matters.

use crate::harness::{TestServer, quick};
use crate::wire::Response;
use serde_json::{Value, json};

const GATE: [f64; 2] = [24.9400, 60.1700];
const VAULT: [f64; 2] = [24.9417, 60.1723];

async fn ask(server: &TestServer, token: &str, query: &str) -> Response {
    server.http("GET", &format!("/v1/wake{query}"), &[&format!("Authorization: Bearer {token}")], "").await
}

fn places(wake: &Value) -> Vec<(&str, bool)> {
    let circles = wake["circles"].as_array().map(Vec::as_slice).unwrap_or_default();
    circles.iter().map(|circle| (circle["place"].as_str().unwrap_or(""), circle["open"] == true)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_learns_what_to_watch_and_when_to_wake() {
    let server = TestServer::start(quick()).await;
    let token = server.token("ada");
    assert_eq!(ask(&server, &token, "").await.json()["code"], 1006, "nobody is connected");
    let mut ada = server.phone("ada").await;
    let (code, message, temporary) = ada.refused("wake", json!({})).await;
    assert!(code == 1006 && temporary && message.contains("send one"), "{message}");
    ada.found("One").await;
    ada.start("quick").await;

    // On top of the hidden vault, which nobody may know yet: all numbers speak of the gate and its neighbours.
    ada.stand_at(VAULT).await;
    let fix = json!({ "lat": VAULT[1], "lon": VAULT[0], "acc": 5.0, "t": server.clock.now().as_millis() + 1_000, "seq": 99 });
    let reply = ada.call("fix", fix).await;
    let distance = reply["next"]["distance"].as_u64().expect("a distance");
    // The yard's edge is 226 m away, and a fix of 5 m needs 6.8 m to be sure.
    assert!((217..=220).contains(&distance) && reply["next"]["after_s"].is_null(), "{reply}");
    let wake = ada.call("wake", json!({})).await;
    assert_eq!(places(&wake), [("gate", true), ("yard", false), ("lane", false)], "{wake}");
    assert!(wake["circles"][0]["radius"] == 200 && wake.get("roam").is_none(), "{wake}");
    assert_eq!(wake["next"]["distance"], distance, "{wake}");
    let two = ada.call("wake", json!({ "max": 2 })).await;
    assert_eq!(places(&two), [("gate", true)], "{two}");
    assert!(two["roam"]["radius"].as_u64().is_some_and(|radius| radius < 100), "the yard's circle is near: {two}");

    // The same over HTTP, for the player's own token.
    let over_http = ask(&server, &token, "?max=2").await;
    assert_eq!((over_http.status, over_http.json()), (200, two));
    assert_eq!(ask(&server, &server.token("bo"), "").await.json()["code"], 1006);
    assert_eq!(ask(&server, "nonsense", "").await.status, 401);
    assert_eq!(ask(&server, &token, "?max=0").await.status, 400);
    assert_eq!(ada.refused("wake", json!({ "max": 101 })).await.0, 107);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_joins_the_circles_when_its_step_opens() {
    let server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    ada.found("One").await;
    ada.start("quick").await;
    ada.stand_at(GATE).await;
    ada.expect_done("meet").await;
    ada.expect_open("stroll").await;
    let wake = ada.call("wake", json!({ "max": 100 })).await;
    assert_eq!(places(&wake), [("yard", true), ("lane", true), ("gate", false)], "{wake}");
    ada.act("quest.leave", json!({ "quest": "quick" })).await;
    ada.expect(json!({ "type": "quest.ended" })).await;
    let wake = ada.call("wake", json!({})).await;
    assert_eq!(places(&wake), [], "nothing is under way: {wake}");
    server.end().await;
}
