//! Team-mates who come together anywhere, over three sockets.

use crate::harness::TestServer;
use crate::phone::Phone;
use serde_json::json;
use std::time::Duration;
use waystone::app::QuestSource;

const REUNION: &str = "
schema: quest/v1
id: reunion
title: Reunion
play: { mode: team, team_size: [3, 5] }
places:
  gate: { center: [24.94, 60.17], radius: 40 }
steps:
  - { id: together, meet: { within: 30m, members: 3, stay: 20s }, points: 20 }
  - { id: after, after: together, visit: { at: gate }, points: 5 }
safety: { min_accuracy: 50 }
";

/// Nowhere in the quest.
const HERE: [f64; 2] = [24.97, 60.19];
const NEAR: [f64; 2] = [24.9701, 60.19];
const FAR: [f64; 2] = [24.98, 60.19];

/// All of them send fixes each second for so long; `places` says where each stands.
async fn stand(server: &TestServer, phones: &mut [(&mut Phone, [f64; 2])], seconds: u32) {
    for _ in 0..seconds {
        server.clock.advance(Duration::from_secs(1));
        for (phone, place) in phones.iter_mut() {
            phone.seq += 1;
            let t = server.clock.now().as_millis();
            let fix = json!({ "lat": place[1], "lon": place[0], "acc": 5.0, "t": t, "seq": phone.seq });
            let reply = phone.call("fix", fix).await;
            assert_eq!(reply["accepted"], 1, "{reply}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_a_team_meet_and_nobody_is_told_where() {
    let quest = QuestSource { name: "reunion.yaml".to_owned(), text: REUNION.to_owned() };
    let server = TestServer::start(vec![quest]).await;
    let (mut ada, mut bo, mut cy) = (server.phone("ada").await, server.phone("bo").await, server.phone("cy").await);
    let team = ada.act("team.create", json!({ "name": "Us" })).await;
    for phone in [&mut bo, &mut cy] {
        phone.act("team.join", json!({ "code": team["invite"] })).await;
        phone.expect(json!({ "type": "team.joined" })).await;
        // A meeting is no sharing of positions.
        phone.act("team.share", json!({ "on": false })).await;
    }
    ada.start("reunion").await;
    for phone in [&mut ada, &mut bo, &mut cy] {
        let opened = phone.expect_open("together").await;
        assert_eq!((&opened["step"]["within"], &opened["step"]["members"]), (&json!(30.0), &json!(3)), "{opened}");
        assert_eq!((&opened["step"]["stay_s"], &opened["step"]["verb"]), (&json!(20), &json!("meet")), "{opened}");
    }

    // Two are together for long, the third comes late: all three must be, for the whole stay.
    stand(&server, &mut [(&mut ada, HERE), (&mut bo, NEAR), (&mut cy, FAR)], 30).await;
    let wake = ada.call("wake", json!({})).await;
    assert_eq!(wake["next"], json!({ "distance": 10, "after_s": 15 }), "a meeting needs fixes: {wake}");
    assert_eq!(ada.count(&json!({ "type": "step.completed" })), 0);
    server.clock.advance(Duration::from_secs(300));
    stand(&server, &mut [(&mut ada, HERE), (&mut bo, NEAR), (&mut cy, HERE)], 15).await;
    assert_eq!(ada.state().await["points"], 0, "15 s are not 20");
    stand(&server, &mut [(&mut ada, HERE), (&mut bo, NEAR), (&mut cy, HERE)], 10).await;
    for phone in [&mut ada, &mut bo, &mut cy] {
        let done = phone.expect_done("together").await;
        assert_eq!((&done["by"], &done["points"]), (&json!(["ada", "bo", "cy"]), &json!(20)), "{done}");
    }
    stand(&server, &mut [(&mut ada, HERE), (&mut bo, NEAR), (&mut cy, HERE)], 10).await;
    assert_eq!(ada.state().await["points"], 20, "once");
    assert_eq!(
        ada.call("fix", json!({ "lat": HERE[1], "lon": HERE[0], "seq": 999 })).await["next"]["after_s"],
        json!(null)
    );

    // The console's line says how near, and no notice, no line and no state says where.
    let overview = server.look("/v1/overview").await.to_string();
    assert!(overview.contains("3 of Us met within 6 m"), "{overview}");
    let known = format!("{:?}{}", bo.notices, bo.state().await);
    assert!(!known.contains("24.97") && !known.contains("60.19"), "{known}");
    server.end().await;
}
