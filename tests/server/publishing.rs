//! Quests that a designer publishes over HTTP: what is wrong is told by line, what is right is played at once and kept.

use crate::harness::{TestServer, quick, sign};
use crate::wire::Response;
use serde_json::{Value, json};

const YAML: &str = "Content-Type: application/yaml";
const HERE: [f64; 2] = [24.9500, 60.1900];
const STROLL: &str = "
schema: quest/v1
id: stroll
title: Stroll
play: { mode: solo }
places:
  tree: { center: [24.95, 60.19], radius: 40 }
steps:
  - { id: there, visit: { at: tree }, points: 5 }
";

fn designer(server: &TestServer) -> String {
    let mut claims = server.claims("dora");
    claims["role"] = json!("designer");
    format!("Authorization: Bearer {}", sign(&claims))
}

async fn send(server: &TestServer, query: &str, text: &str) -> Response {
    server.http("POST", &format!("/v1/operator/quests{query}"), &[&designer(server), YAML], text).await
}

fn ids(list: &Value) -> Vec<&str> {
    list["quests"].as_array().into_iter().flatten().filter_map(|quest| quest["id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_designer_publishes_and_players_play_it() {
    let mut server = TestServer::start(quick()).await;
    let checked = send(&server, "?check=true", STROLL).await;
    assert_eq!((checked.status, &checked.json()["quest"]), (200, &json!("stroll")), "{checked:?}");
    let public = async |server: &TestServer| server.http("GET", "/v1/quests", &[], "").await.json();
    assert!(!ids(&public(&server).await).contains(&"stroll"), "it was only looked at");

    let made = send(&server, "", STROLL).await;
    assert_eq!(
        (made.status, &made.json()["version"], &made.json()["new"]),
        (201, &json!(1), &json!(true)),
        "{made:?}"
    );
    let again = send(&server, "", STROLL).await;
    assert_eq!((again.status, &again.json()["version"], &again.json()["new"]), (200, &json!(1), &json!(false)));
    assert!(ids(&public(&server).await).contains(&"stroll"));
    let mut ada = server.phone("ada").await;
    ada.start("stroll").await;
    ada.stand_at(HERE).await;
    ada.expect_done("there").await;

    let worth_more = STROLL.replace("points: 5", "points: 7");
    assert_eq!(send(&server, "", &worth_more).await.json()["version"], 2);
    server.restart().await;
    let listed = server.look("/v1/operator/quests").await;
    let versions: Vec<&Value> = listed["quests"].as_array().expect("a list").iter().collect();
    assert!(versions.iter().any(|quest| quest["id"] == "stroll" && quest["version"] == 2), "it is kept: {listed}");
    let audit = server.look("/v1/operator/audit").await;
    let deeds = audit["lines"].as_array().expect("lines").iter().filter(|line| line["action"] == "quest.publish");
    let deeds: Vec<&Value> = deeds.collect();
    assert_eq!(deeds.len(), 3, "{audit}");
    assert!(deeds.iter().all(|line| line["who"] == "dora" && line["target"] == "quest/stroll"), "{audit}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_file_is_told_by_line_and_nothing_is_published() {
    let server = TestServer::start(quick()).await;
    let wrong = STROLL.replace("at: tree", "at: three");
    for query in ["", "?check=true"] {
        let refused = send(&server, query, &wrong).await;
        assert_eq!((refused.status, refused.problem().as_str()), (400, "/problems/bad-request"), "{refused:?}");
        let problem = refused.json();
        let faults = problem["faults"].as_array().expect("a list");
        let fault = faults.iter().find(|fault| fault["severity"] == "error").expect("an error");
        assert_eq!(fault["line"], 9, "{problem}");
        assert!(fault["column"].as_u64().is_some_and(|column| column > 10), "{problem}");
        assert!(fault["message"].as_str().is_some_and(|message| message.contains("three")), "{problem}");
    }
    for (text, status) in [("", 400), ("schema: quest/v1", 400), ("\t", 400), ("[1, 2]", 400)] {
        assert_eq!(send(&server, "", text).await.status, status, "{text}");
    }
    assert_eq!(send(&server, "", &format!("{STROLL}{}", "#".repeat(512 * 1024))).await.status, 413);
    assert_eq!(send(&server, "?draft=true", STROLL).await.status, 400);
    for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let headers = [designer(&server), format!("Content-Type: {kind}")];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let refused = server.http("POST", "/v1/operator/quests", &headers, STROLL).await;
        assert_eq!((refused.status, refused.problem().as_str()), (415, "/problems/unsupported-media-type"), "{kind}");
    }
    let audit = server.look("/v1/operator/audit").await;
    assert!(!audit.to_string().contains("quest.publish"), "nothing was done: {audit}");
    server.end().await;
}
