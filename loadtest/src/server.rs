//! The server that is measured: this program started again, so that its processor time and memory are its own.
//!
//! Alone with a data folder, or as a member of a cluster on a Postgres.
//!
//! It serves until its standard input ends, which happens when whoever started it has gone, however that was.

use crate::quest;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use waystone::app::{self, App, QuestSource, Seat, StartError};
use waystone::clock::Clock;
use waystone::config::{self, KeyFileError};
use waystone::links::{Tls, TlsError};
use waystone::net::auth::{Auth, AuthConfig, Key, KeyError};
use waystone::net::listener::EdgeConfig;
use waystone::persist::Place;

/// Why it did not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The secret.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The secret.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificates of a member.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Everything else.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Serves on a free port of the loopback address, with the edge's default limits but for the time to connect, the demo's quest and the load's.
pub async fn serve(data: &Path, places: u32) -> Result<(), ServeError> {
    let secret = config::data_key(data)?;
    let auth = Auth::new(vec![Key::hs256(secret.clone())?], AuthConfig::default(), Clock::system());
    let place = Place::Folder(data.to_owned());
    until_told(app::start(&place, &secret, &quests(places), Arc::new(auth), edge()).await?).await
}

/// Serves as a member of the cluster on a database, with the secret and the certificates that lie in a folder.
pub async fn serve_member(data: &Path, postgres: &str, name: &str, links: u16) -> Result<(), ServeError> {
    let secret = config::data_key(data)?;
    let clock = Clock::steered();
    let auth = Auth::new(vec![Key::hs256(secret.clone())?], AuthConfig::default(), clock.clone());
    let file = |file: String| data.join("certificates").join(file);
    let tls = Tls::load(&file("ca.pem".into()), &file(format!("{name}.pem")), &file(format!("{name}.key")))?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, links));
    let seat = Seat { clock, name: name.to_owned(), address: listen.to_string(), listen, tls, redis: None };
    let place = Place::Database(postgres.to_owned());
    until_told(app::start_member(&place, seat, &secret, &quests(1), Arc::new(auth), edge()).await?).await
}

fn quests(places: u32) -> [QuestSource; 2] {
    [
        QuestSource { name: "quests/helsinki.yaml".to_owned(), text: quest::DEMO.to_owned() },
        QuestSource { name: "load quest".to_owned(), text: quest::of_places(places) },
    ]
}

fn edge() -> EdgeConfig {
    let mut edge = EdgeConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    // `edge` looks at sockets before they say who they are.
    edge.connect_deadline = Duration::from_secs(60);
    edge
}

async fn until_told(app: App) -> Result<(), ServeError> {
    println!("{} {}", std::process::id(), app.addr().port());
    let wait = || std::io::stdin().lock().read(&mut [0_u8; 1]);
    // Nothing is ever written there, and an error is an end as well.
    let _ = tokio::task::spawn_blocking(wait).await;
    app.drain().await;
    Ok(())
}
