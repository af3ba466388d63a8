//! Fences with rules of their own, over the wire: rings in the reply, a shop that opens around a player, a bridge that
//! is ridden over, plausibility rules on trial.

use crate::harness::{TestServer, quest};
use crate::phone::Phone;
use serde_json::{Value, json};
use std::time::Duration;

const LAT: f64 = 60.17;
/// Metres in a degree of longitude there.
const DEGREE: f64 = 55_508.0;

/// A phone that sends one fix at a time and keeps what was answered.
struct Rider<'s> {
    server: &'s TestServer,
    phone: Phone,
    seq: u64,
}

impl Rider<'_> {
    /// A fix so many metres east of a place, some seconds after the last one.
    async fn at(&mut self, lon: f64, metres: f64, seconds: u64) -> Value {
        self.place(lon + metres / DEGREE, LAT, seconds).await
    }

    async fn place(&mut self, lon: f64, lat: f64, seconds: u64) -> Value {
        self.server.clock.advance(Duration::from_secs(seconds));
        self.seq += 1;
        let t = self.server.clock.now().as_millis();
        let fix = json!({ "lat": lat, "lon": lon, "acc": 5.0, "t": t, "seq": self.seq });
        let reply = self.phone.call("fix", fix).await;
        assert_eq!(reply["accepted"], 1, "{reply}");
        reply
    }
}

async fn rider(server: &TestServer) -> Rider<'_> {
    let mut phone = server.phone("ada").await;
    phone.found("One").await;
    phone.start("fences").await;
    Rider { server, phone, seq: 0 }
}

fn crossed(reply: &Value) -> Vec<String> {
    let all = reply["rings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    all.iter()
        .map(|ring| format!("{} {} {}", word(&ring["moved"]), word(&ring["place"]), word(&ring["ring"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rings_are_told_in_the_reply_and_a_hidden_place_keeps_its_own_to_itself() {
    let server = TestServer::start(vec![quest("tests/data/quests/fences.yaml")]).await;
    let mut ada = rider(&server).await;
    let mut told = Vec::new();
    for step in 0..32 {
        told.extend(crossed(&ada.at(24.94, -300.0 + 10.0 * f64::from(step), 7).await));
    }
    assert_eq!(told, ["enter gate hint", "enter gate near"]);
    ada.phone.expect_done("come").await;
    // Up to the vault, through its ring: nobody knows of it yet.
    for step in 0..40 {
        let reply = ada.place(24.94, LAT + 0.0001 * f64::from(step), 8).await;
        told.extend(crossed(&reply));
    }
    assert_eq!(told[2..], ["exit gate near", "exit gate hint"]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_opens_and_shuts_around_a_player() {
    // 13:13:20 in Helsinki.
    let server = TestServer::start(vec![quest("tests/data/quests/fences.yaml")]).await;
    let mut ada = rider(&server).await;
    for _ in 0..10 {
        ada.at(24.96, 0.0, 60).await;
    }
    assert_eq!(ada.phone.count(&json!({ "type": "region.entered" })), 0, "it is 13:23, and shut");
    for _ in 0..8 {
        ada.at(24.96, 0.0, 60).await;
    }
    let entered = ada.phone.expect(json!({ "type": "region.entered", "place": "shop" })).await;
    assert_eq!(entered["why"]["rule"], "hours", "{entered}");
    ada.phone.expect_done("buy").await;
    for _ in 0..10 {
        ada.at(24.96, 0.0, 60).await;
    }
    let left = ada.phone.expect(json!({ "type": "region.left", "place": "shop" })).await;
    assert_eq!(left["why"]["rule"], "hours", "{left}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn riding_over_the_bridge_counts() {
    let server = TestServer::start(vec![quest("tests/data/quests/fences.yaml")]).await;
    let mut ada = rider(&server).await;
    for step in 0..8 {
        // 10 m/s; no fix falls into the 40 m of the bridge.
        ada.at(24.98, -275.0 + 50.0 * f64::from(step) + if step > 5 { 25.0 } else { 0.0 }, 5).await;
    }
    let entered = ada.phone.expect(json!({ "type": "region.entered", "place": "bridge" })).await;
    assert_eq!(entered["why"]["rule"], "cross", "{entered}");
    ada.phone.expect_done("over").await;
    ada.phone.expect(json!({ "type": "region.left", "place": "bridge" })).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_on_trial_are_counted_and_decide_nothing() {
    let server = TestServer::start(vec![quest("tests/data/quests/fences.yaml")]).await;
    server.try_rules(3);
    let mut ada = rider(&server).await;
    for step in 0..6 {
        // A train that gathers speed: at 50 m/s the draft flags it, the deciding rules do not yet.
        ada.at(24.0, 100.0 * f64::from(step * step), 10).await;
    }
    let page = server.http("GET", "/metrics", &[], "").await;
    let counted = |line: &&str| line.starts_with("waystone_trial_differences_total") && !line.ends_with(" 0");
    assert!(page.body.lines().any(|line| counted(&line)), "{}", page.body);
    server.end().await;
}
