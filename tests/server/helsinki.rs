//! The demo's quest from the first invitation to the last badge, by a team of two, each with a phone of their own.

use crate::harness::{TestServer, quest};
use crate::phone::{Phone, Place};
use crate::wire::Wiretap;
use serde_json::{Value, json};
use std::time::Duration;

const QUEST: &str = "bronze-and-granite";
const KIVI: Place = [24.94392, 60.171683];
const SMITHS: Place = [24.940955, 60.168669];
const AMANDA: Place = [24.951399, 60.167586];
const SENATE: Place = [24.9523, 60.1697];
/// Nobody tells the players of this one before its time.
const CRYPT: Place = [24.952114, 60.170682];

fn at(step: &str, more: Value) -> Value {
    let mut data = json!({ "quest": QUEST, "step": step });
    data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    data
}

/// Ada speaks English, Eino Finnish; they are a team and have begun.
async fn begin(server: &TestServer, ada: &mut Phone, eino: &mut Phone) {
    let lonely = ada.refused("quest.start", json!({ "quest": QUEST })).await;
    assert_eq!(lonely.0, 1301, "{lonely:?}");
    let team = ada.act("team.create", json!({ "name": "Graniitti" })).await;
    let joined = ada.expect(json!({ "type": "team.joined" })).await;
    assert_eq!((&joined["team"], &joined["invite"]), (&team["team"], &team["invite"]));
    let alone = ada.refused("quest.start", json!({ "quest": QUEST })).await;
    assert_eq!((alone.0, alone.2), (1305, true), "one is too few: {alone:?}");
    eino.act("team.join", json!({ "code": team["invite"] })).await;
    eino.expect(json!({ "type": "team.joined", "name": "Graniitti" })).await;
    ada.expect(json!({ "type": "team.member", "player": "eino", "present": true })).await;
    ada.act("quest.start", json!({ "quest": QUEST })).await;
    let ends_at = server.clock.now().as_millis() + 3 * 3_600_000;
    ada.expect(json!({ "type": "quest.started", "title": "Bronze and Granite", "ends_at": ends_at })).await;
    eino.expect(json!({ "type": "quest.started", "title": "Pronssia ja graniittia" })).await;
    let gather = ada.expect_open("gather").await;
    assert_eq!((&gather["step"]["title"], &gather["step"]["stay_s"]), (&json!("Meet at the writer"), &json!(60)));
    assert_eq!(eino.expect_open("gather").await["step"]["title"], "Tavataan kirjailijan luona");
}

async fn gather(ada: &mut Phone, eino: &mut Phone) {
    let entered = ada.enter("kivi", KIVI).await;
    assert!(entered["why"]["distance"].as_f64().expect("metres") > 30.0, "{entered}");
    eino.enter("kivi", KIVI).await;
    ada.stay(Duration::from_secs(60)).await;
    for phone in [&mut *ada, &mut *eino] {
        phone.expect(json!({ "type": "step.reached", "step": "gather", "have": 1, "need": 2 })).await;
    }
    eino.stand_at(KIVI).await;
    for phone in [ada, eino] {
        let done = phone.expect_done("gather").await;
        assert_eq!(done["by"], json!(["ada", "eino"]), "{done}");
        assert_eq!((&done["points"], &done["mine"]), (&json!(50), &json!(true)), "{done}");
        for step in ["statues", "smiths", "poet", "amanda", "promenade", "side"] {
            phone.expect_open(step).await;
        }
    }
}

async fn three_of_five(server: &TestServer, ada: &mut Phone, eino: &mut Phone) {
    let far = ada.refused("quest.answer", at("smiths", json!({ "text": "two" }))).await;
    assert_eq!((far.0, far.2), (1203, true), "{far:?}");
    ada.enter("smiths", SMITHS).await;
    let wrong = ada.act("quest.answer", at("smiths", json!({ "text": "three" }))).await;
    assert_eq!(wrong, json!({ "correct": false, "tries_left": 2, "wait_until": null }));
    let right = ada.act("quest.answer", at("smiths", json!({ "text": " Kaksi " }))).await;
    assert_eq!(right, json!({ "correct": true }), "any language will do");
    assert_eq!(ada.expect_done("smiths").await["mine"], true);
    let by_ada = eino.expect_done("smiths").await;
    assert_eq!((&by_ada["by"], &by_ada["mine"], &by_ada["points"]), (&json!(["ada"]), &json!(false), &json!(0)));

    ada.enter("amanda", AMANDA).await;
    let sent = ada.act("quest.photo", at("amanda", json!({ "photo": "https://photos.example.org/1.jpg" }))).await;
    assert_eq!(sent, json!({ "review": "pending" }));
    ada.expect(json!({ "type": "photo.submitted", "step": "amanda" })).await;
    let verdict = |approve: bool| json!({ "player": "ada", "quest": QUEST, "step": "amanda", "approve": approve });
    let by_player = server.post("/v1/reviews", &server.token("ada"), &verdict(true)).await;
    assert_eq!((by_player.status, by_player.problem().as_str()), (403, "/problems/forbidden"), "{by_player:?}");
    let mut no = verdict(false);
    no["reason"] = json!("too dark");
    assert_eq!(server.post("/v1/reviews", &server.operator_token(), &no).await.status, 204);
    ada.expect(json!({ "type": "photo.rejected", "step": "amanda", "reason": "too dark" })).await;
    let again = server.post("/v1/reviews", &server.operator_token(), &verdict(true)).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!(1210)), "nothing waits any more: {again:?}");
    ada.act("quest.photo", at("amanda", json!({ "photo": "https://photos.example.org/2.jpg" }))).await;
    assert_eq!(server.post("/v1/reviews", &server.operator_token(), &verdict(true)).await.status, 204);
    ada.expect_done("amanda").await;
    eino.expect_done("amanda").await;

    eino.enter("senate", SENATE).await;
    let options = eino.refused("quest.choose", at("side", json!({ "option": "darkness" }))).await;
    assert_eq!(options.0, 1207, "{options:?}");
    eino.act("quest.choose", at("side", json!({ "option": "light" }))).await;
    for phone in [ada, eino] {
        phone.expect_done("side").await;
        phone.expect_done("statues").await;
        // What is not needed any more is closed.
        for step in ["poet", "promenade"] {
            phone.expect(json!({ "type": "step.closed", "step": step })).await;
        }
        phone.expect_open("secret").await;
        phone.expect_open("stand-guard").await;
    }
}

async fn under_the_cathedral(ada: &mut Phone, eino: &mut Phone, tap: &Wiretap) {
    ada.enter("senate", SENATE).await;
    eino.enter("senate", SENATE).await;
    ada.stay(Duration::from_secs(180)).await;
    // Nothing that Eino's phone has received tells of the place, though he has stood in it.
    let _ = eino.state().await;
    for secret in ["crypt", "lantern", "24.952114"] {
        assert!(!tap.heard().contains(secret), "\"{secret}\" was told before its time:\n{}", tap.heard());
    }
    eino.stand_at(SENATE).await;
    for phone in [&mut *ada, &mut *eino] {
        assert_eq!(phone.expect_done("stand-guard").await["by"], json!(["ada", "eino"]));
    }
    let crypt = eino.expect_open("crypt").await;
    assert_eq!(crypt["step"]["place"]["outline"]["coordinates"], json!(CRYPT), "{crypt}");
    assert!(tap.heard().contains("24.952114"), "the tap hears what is told");
    eino.stand_at(CRYPT).await;
    eino.expect(json!({ "type": "content", "step": "crypt" })).await;
    for phone in [ada, eino] {
        phone.expect_done("crypt").await;
        phone.expect_done("secret").await;
        phone.expect(json!({ "type": "quest.finished", "points": 50 + 30 + 40 + 10 })).await;
        phone.expect(json!({ "type": "badge.given", "badge": "bronze-hunter" })).await;
        phone.expect(json!({ "type": "badge.given", "badge": "night-watch" })).await;
        let ticket = phone.expect(json!({ "type": "code.given", "pool": "museum-tickets" })).await;
        assert_eq!((&ticket["number"], &ticket["code"]), (&json!(1), &json!("MUSEUM-TICKETS-0001")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_of_two_plays_the_whole_demo() {
    let server = TestServer::start(vec![quest("quests/helsinki.yaml")]).await;
    let tap = Wiretap::on(server.addr()).await;
    let mut ada = server.phone("ada").await;
    let mut finnish = server.claims("eino");
    finnish["lang"] = json!("fi");
    let token = crate::harness::sign(&finnish);
    let mut eino = Phone::connect(&tap.url(), "eino", &token, server.clock.clone()).await;

    begin(&server, &mut ada, &mut eino).await;
    eino.stand_at(CRYPT).await;
    server.entries().await;
    assert_eq!(eino.state().await["inside"], json!([]), "he stands there and must not know");
    gather(&mut ada, &mut eino).await;
    three_of_five(&server, &mut ada, &mut eino).await;
    eino.stand_at(CRYPT).await;
    under_the_cathedral(&mut ada, &mut eino, &tap).await;

    let state = ada.state().await;
    assert_eq!(state["badges"], json!(["bronze-hunter", "night-watch"]), "{state}");
    assert_eq!((&state["runs"][0]["over"], &state["offset"]), (&json!(true), &json!(ada.offset)), "{state}");
    let once = ada.refused("quest.start", json!({ "quest": QUEST })).await;
    assert_eq!(once.0, 1105, "{once:?}");
    server.end().await;
}
