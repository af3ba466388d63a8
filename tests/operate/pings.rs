//! The heartbeat as it is set: what a client is told, and when a dead one is let go.

use crate::servers::{Folder, Server, eventually, token};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use waystone::net::auth::Role;
use waystone::net::client::Client;

/// With the usual 25 s the first ping comes after 22.5 s at the earliest.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_answers_no_ping_is_let_go_after_the_time_that_is_set() {
    let folder = Folder::new();
    let secret = folder.secret("auth.key");
    let settings = "[store]\ndata = \"data\"\n[auth]\nhs256_secret_file = \"auth.key\"\n[limits]\nping = \"5s\"\n";
    let server = Server::start(&folder, "one", settings).await.ready().await;
    let (alive, told) =
        Client::connect(&server.url(), &token(&secret, "alive", Role::Player), None).await.expect("in");
    assert_eq!(told.ping, Duration::from_secs(5));

    let (mut dead, _) = tokio_tungstenite::connect_async(server.url()).await.expect("upgraded");
    let connect = json!({ "id": 1, "connect": { "token": token(&secret, "dead", Role::Player) } });
    dead.send(Message::text(connect.to_string())).await.expect("sent");
    let begun = Instant::now();
    let (mut pings, mut first) = (0, None);
    let close = async {
        loop {
            match dead.next().await.expect("a word before the end").expect("a good frame") {
                Message::Text(text) if text.as_str() == "{}" => pings += 1,
                Message::Text(text) => first = first.take().or(serde_json::from_str::<Value>(&text).ok()),
                Message::Close(frame) => return frame.map(|frame| u16::from(frame.code)),
                other => panic!("{other:?}"),
            }
        }
    };
    let code = timeout(SOON, close).await.expect("it is let go in time");
    let took = begun.elapsed();
    assert_eq!((code, pings), (Some(3012), 1));
    assert_eq!(first.expect("a reply")["connect"]["ping"], 5);
    println!("a dead peer was let go after {took:?}");
    // The ping comes after 4.5 to 5.5 s, and half of that is left for the answer.
    assert!(took >= Duration::from_millis(6_500), "{took:?}");
    eventually("its session has ended", SOON, async || match server.metric("waystone_sessions").await {
        1 => Ok(()),
        open => Err(format!("{open} sessions")),
    })
    .await;
    alive.rpc("state.get", json!({})).await.expect("who answers stays");
}
