//! A quest that is published on one node of a cluster is known on the other, and the newest version counts on both.

use crate::http;
use crate::servers::{Folder, eventually, pair, token};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use waystone::net::auth::Role;
use waystone::net::client::Client;

/// Nodes look at the database once a second; a busy machine has more.
const SEEN: Duration = Duration::from_secs(20);
const QUEST: &str = "schema: quest/v1\nid: stroll\ntitle: Stroll\nplay: { mode: solo }\nplaces:\n  \
                     tree: { center: [24.95, 60.19], radius: 40 }\nsteps:\n  \
                     - { id: there, visit: { at: tree }, points: 5 }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quest_published_on_one_node_is_played_on_the_other() {
    let folder = Folder::new();
    let secret = folder.secret("auth.key");
    let (_postgres, a, b) = pair(&folder).await;
    let designer = token(&secret, "dora", Role::Designer);
    let (ada, _) = Client::connect(&b.url(), &token(&secret, "ada", Role::Player), None).await.expect("good");
    for version in [1, 2] {
        let text = QUEST.replace("points: 5", &format!("points: {version}"));
        let begun = Instant::now();
        let made = http::send(a.port, "/v1/operator/quests", &designer, "application/yaml", &text).await;
        let made = made.expect("it answers");
        assert_eq!((made.status, &made.json()["version"]), (201, &json!(version)), "{made:?}");
        eventually("the other node knows it", SEEN, async || {
            let listed = http::get(b.port, "/v1/quests", None).await.map_err(|err| err.to_string())?.json();
            let quests = listed["quests"].as_array().cloned().unwrap_or_default();
            let found = quests.iter().any(|quest| quest["id"] == "stroll" && quest["version"] == version);
            if found { Ok(()) } else { Err(listed.to_string()) }
        })
        .await;
        println!("version {version} was known on the other node after {:?}", begun.elapsed());
    }
    let started = ada.rpc("quest.start", json!({ "quest": "stroll", "cmd": "c1" })).await.expect("a new quest");
    assert_eq!(started["version"], 2, "{started}");
}
