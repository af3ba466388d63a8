//! Key files and certificates that are exchanged under a server that runs, by looking and at SIGHUP.

use crate::servers::{Folder, Server, eventually, token};
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use waystone::clock::Clock;
use waystone::net::auth::Role;
use waystone::net::client::{Client, Trust};
use waystone::net::self_signed::{self, CERT_FILE, KEY_FILE};

/// A change is seen within ten seconds; a busy machine has as many more.
const SEEN: Duration = Duration::from_secs(20);
/// A signal is heard at once.
const HEARD: Duration = Duration::from_secs(5);

const SETTINGS: &str = "[store]\ndata = \"data\"\n[auth]\nhs256_secret_file = \"auth.key\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_that_changes_is_read_again_and_one_that_is_no_good_is_not() {
    let folder = Folder::new();
    let first = folder.secret("auth.key");
    let server = Server::start(&folder, "one", SETTINGS).await.ready().await;
    let (ada, _) = Client::connect(&server.url(), &token(&first, "ada", Role::Player), None).await.expect("good");
    let me = async |secret| server.status("/v1/me", &token(secret, "bo", Role::Player)).await;
    let is_taken = async |secret, within| {
        eventually("the new key counts", within, async || match me(secret).await {
            200 => Ok(()),
            status => Err(status.to_string()),
        })
        .await;
    };

    let (second, begun) = (folder.secret("auth.key"), Instant::now());
    assert_eq!((me(&first).await, me(&second).await), (200, 401), "nobody has looked yet");
    is_taken(&second, SEEN).await;
    println!("a changed key file was read after {:?}", begun.elapsed());
    assert_eq!(me(&first).await, 401, "the old key is none any more");

    folder.write("auth.key", "too short");
    server.signal("HUP");
    eventually("the file is looked at", HEARD, async || match server.metric("waystone_key_failures_total").await {
        0 => Err("no failure".to_owned()),
        _ => Ok(()),
    })
    .await;
    assert_eq!(me(&second).await, 200, "the key in use stays");

    let third = folder.secret("auth.key");
    server.signal("HUP");
    is_taken(&third, HEARD).await;
    assert_eq!(me(&second).await, 401);
    assert!(server.metric("waystone_key_renewals_total").await >= 2);
    ada.rpc("state.get", json!({})).await.expect("who was there stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_changes_is_shown_without_a_signal() {
    let folder = Folder::new();
    let secret = folder.secret("auth.key");
    let make = |name: &str| {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        self_signed::in_folder(&folder.path(name), listen, None, Clock::system().now()).expect("a certificate");
        Trust::file(&folder.path(name).join(CERT_FILE)).expect("PEM")
    };
    let (old, new) = (make("old"), make("new"));
    let serve = |from: &str| {
        for file in [KEY_FILE, CERT_FILE] {
            fs::create_dir_all(folder.path("served")).expect("writable");
            fs::copy(folder.path(from).join(file), folder.path("served").join(file)).expect("copied");
        }
    };
    serve("old");
    let served = |file: &str| Path::new("served").join(file).display().to_string();
    let tls = format!("[tls]\ncert_file = \"{}\"\nkey_file = \"{}\"\n", served(CERT_FILE), served(KEY_FILE));
    let server = Server::start(&folder, "one", &format!("{SETTINGS}{tls}")).await;
    let url = format!("wss://127.0.0.1:{}/connect", server.port);
    let connect = async |trust: &Trust, player: &str| {
        let token = token(&secret, player, Role::Player);
        Client::connect_trusting(Some(trust), &url, &token, None).await.map(|(client, _)| client)
    };
    let ada = connect(&old, "ada").await.expect("the old one is shown");
    assert!(connect(&new, "bo").await.is_err(), "the new one is not shown yet");
    let begun = Instant::now();
    serve("new");
    let bo =
        eventually("the new one is shown", SEEN, async || connect(&new, "bo").await.map_err(|err| err.to_string()))
            .await;
    println!("a changed certificate was shown after {:?}", begun.elapsed());
    for client in [ada, bo] {
        client.rpc("state.get", json!({})).await.expect("both stay");
    }
}
