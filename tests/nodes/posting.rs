//! Fixes that an app posts to any node are judged by the player's session, wherever it is.

use crate::nodes::Nodes;
use crate::waking::WALK;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;
use waystone::actors::access::Credential;
use waystone::actors::contract::Hello;
use waystone::geo::position::{Fix, Position};
use waystone::ids::PlayerId;
use waystone::units::Meters;

#[tokio::test(start_paused = true)]
async fn a_post_to_any_node_is_judged_by_the_one_session() {
    let nodes = Nodes::start(WALK).await;
    let post = async |player: &str, node: usize, place: [f64; 2]| {
        let position = Position::new(place[0], place[1]).expect("on earth");
        let fix = Fix::new(position, nodes.clock.now()).with_accuracy(Meters::lossy(5.0)).expect("positive");
        let hello = Hello {
            player: PlayerId::new(player).expect("an id"),
            name: None,
            lang: None,
            resume: None,
            credential: Credential::default(),
        };
        let judged = nodes.all[node].game.post(hello, None, vec![fix], true).await.expect("it is taken");
        assert_eq!((judged.accepted, judged.ignored), (1, 0));
        sleep(Duration::from_secs(5)).await;
    };
    let sessions = || nodes.all.iter().map(|node| node.game.counts().sessions).sum::<u64>();
    for number in 0..6 {
        let name = format!("ada{number}");
        let mut phone = nodes.phone(&name, number % 3).await;
        phone.act("team.create", json!({ "name": name })).await;
        phone.start("walk").await;
        nodes.until("it plays", || phone.heard("step.opened") == 1).await;
        for node in 0..3 {
            post(&name, node, [24.94, 60.17]).await;
        }
        nodes.until("the place is reached", || phone.heard("step.completed") == 1).await;
        assert_eq!(sessions(), 1, "no other was opened");
        drop(phone);
        nodes.until("the session has ended", || sessions() == 0).await;

        // Nobody is connected: one silent session serves all nodes, until the player comes.
        for node in [number % 3, (number + 1) % 3, (number + 2) % 3] {
            post(&name, node, [24.95, 60.17]).await;
            assert_eq!(sessions(), 1);
        }
        let phone = nodes.phone(&name, (number + 1) % 3).await;
        nodes.until("the silent one is replaced", || sessions() == 1).await;
        drop(phone);
        nodes.until("the session has ended", || sessions() == 0).await;
    }
    nodes.end().await;
}
