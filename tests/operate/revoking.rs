//! Tokens that are called back: within two seconds on every node, for sockets that are open and for whoever comes.

use crate::servers::{Folder, Server, closed, pair, token};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use waystone::net::auth::{Role, Secret};
use waystone::net::client::{Client, ClientError};

/// What is promised.
const PROMISED: Duration = Duration::from_secs(2);
/// What a machine may take that has other things to do.
const BUSY: Duration = Duration::from_secs(6);
/// How often each store is tried: the worst of a few says more than one.
const ROUNDS: u32 = 6;

/// Revokes players of a name one after the other at one node whose sockets end on another; the longest and the mean time from the
/// wish to the close.
async fn measure(asked: &Server, held: &Server, secret: &Secret, name: &str) -> (Duration, Duration) {
    let clerk = token(secret, "clerk", Role::Operator);
    let connect = async |player: &str| {
        let token = token(secret, player, Role::Player);
        Client::connect(&held.url(), &token, None).await.map(|(client, _)| client)
    };
    let friend = connect("friend").await.expect("it is good");
    let (mut longest, mut all) = (Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        let player = format!("{name}{round}");
        let client = connect(&player).await.expect("it is good");
        let begun = Instant::now();
        let made = asked.post("/v1/operator/revocations", &clerk, &json!({ "player": player })).await;
        assert_eq!(made["player"], json!(player), "{made}");
        assert_eq!(closed(&client, BUSY).await, (4502, "revoked".to_owned()));
        let took = begun.elapsed();
        (longest, all) = (longest.max(took), all + took);
        // From now on nothing of it is taken here either.
        let refused = connect(&player).await.expect_err("revoked");
        assert!(matches!(refused, ClientError::Closed { code: 4502, .. }), "{refused}");
        assert_eq!(held.status("/v1/me", &token(secret, &player, Role::Player)).await, 401);
    }
    friend.rpc("state.get", json!({})).await.expect("others stay");
    (longest, all / ROUNDS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_folder_a_revoked_socket_is_closed_in_time() {
    let folder = Folder::new();
    let secret = folder.secret("auth.key");
    let settings = "[store]\ndata = \"data\"\n[auth]\nhs256_secret_file = \"auth.key\"\n";
    let server = Server::start(&folder, "one", settings).await.ready().await;
    let (longest, mean) = measure(&server, &server, &secret, "p").await;
    println!("SQLite, one node: closed after {mean:?} on average, {longest:?} at most; promised are {PROMISED:?}");
    assert!(longest < BUSY, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_socket_of_another_node_is_closed_in_time() {
    let folder = Folder::new();
    let secret = folder.secret("auth.key");
    let (_postgres, a, b) = pair(&folder).await;
    for (asked, held, way, name) in [(&a, &b, "the other node", "p"), (&a, &a, "the same node", "q")] {
        let secret = &secret;
        let (longest, mean) = measure(asked, held, secret, name).await;
        println!("Postgres, {way}: closed after {mean:?} on average, {longest:?} at most; promised are {PROMISED:?}");
        assert!(longest < BUSY, "{longest:?}");
    }
}
