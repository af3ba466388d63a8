//! Team-mates whose sockets are on three nodes, while their team lives on one of them.

use crate::nodes::Nodes;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

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
const HERE: [f64; 2] = [24.97, 60.19];
const NEAR: [f64; 2] = [24.9701, 60.19];
const FAR: [f64; 2] = [24.972, 60.19];

#[tokio::test(start_paused = true)]
async fn three_on_three_nodes_meet_once() {
    let nodes = Nodes::start(REUNION).await;
    let mut phones = [nodes.phone("ada", 0).await, nodes.phone("bo", 1).await, nodes.phone("cy", 2).await];
    let team = phones[0].act("team.create", json!({ "name": "Us" })).await;
    for phone in &mut phones[1..] {
        phone.act("team.join", json!({ "code": team["invite"] })).await;
    }
    nodes.until("all are of the team", || phones[2].heard("team.joined") > 0).await;
    phones[0].start("reunion").await;
    nodes.until("the step is open for all", || phones.iter().all(|phone| phone.heard("step.opened") == 1)).await;

    for second in 0..90 {
        // Two are together for long; the third walks for most of the first minute, and is there from then on.
        let third = [(0..5, FAR), (60..90, HERE)].into_iter().find(|(seconds, _)| seconds.contains(&second));
        phones[0].stand(HERE).await;
        phones[1].stand(NEAR).await;
        if let Some((_, place)) = third {
            phones[2].stand(place).await;
        }
        sleep(Duration::from_secs(1)).await;
        let done = phones.iter().map(|phone| phone.heard("step.completed")).max();
        assert!(second > 75 || done == Some(0), "at {second} s they had not been together for 20 s");
    }
    for phone in &phones {
        assert_eq!(phone.heard("step.completed"), 1);
        assert_eq!(phone.points().await, 20);
    }
    drop(phones);
    nodes.end().await;
}
