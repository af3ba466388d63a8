//! `wake` over HTTP may come to any node.

use crate::nodes::Nodes;
use serde_json::json;
use waystone::ids::PlayerId;

pub const WALK: &str = "
schema: quest/v1
id: walk
title: Walk
play: { mode: team, team_size: [1, 5] }
places:
  gate: { center: [24.94, 60.17], radius: 40 }
steps:
  - { id: go, visit: { at: gate }, points: 5 }
";

#[tokio::test(start_paused = true)]
async fn any_node_answers_for_a_session_wherever_it_is() {
    let nodes = Nodes::start(WALK).await;
    // Owned by each of the nodes, with the session on each of them: every way that a question can go.
    for number in 0..12 {
        let name = format!("ada{number}");
        let player = PlayerId::new(&name).expect("an id");
        let mut phone = nodes.phone(&name, number % 3).await;
        phone.act("team.create", json!({ "name": name })).await;
        phone.start("walk").await;
        nodes.until("it plays", || phone.heard("step.opened") == 1).await;
        for node in &nodes.all {
            let refusal = node.game.wake(&player, 5).await.expect_err("it has sent no fix");
            assert_eq!(refusal.code, 1_006, "{refusal}");
        }
        phone.stand([24.96, 60.17]).await;
        let here = phone.session.wake(5).await.expect("it has sent a fix");
        assert_eq!(here.circles.len(), 1);
        for node in &nodes.all {
            assert_eq!(node.game.wake(&player, 5).await.as_ref(), Ok(&here));
        }
    }
    let nobody = PlayerId::new("nobody").expect("an id");
    assert!(nodes.all[1].game.wake(&nobody, 5).await.is_err(), "no session anywhere");
    nodes.end().await;
}
