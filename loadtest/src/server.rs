//! The server that is measured: this program started again, so that its processor time and memory are its own.
//!
//! It serves until its standard input ends, which happens when whoever started it has gone, however that was.

use crate::quest;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use waystone::app::{self, QuestSource, StartError};
use waystone::clock::Clock;
use waystone::config::{self, KeyFileError};
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
    /// Everything else.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Serves on a free port of the loopback address, with the edge's default limits, the demo's quest and the load's.
pub async fn serve(data: &Path, places: u32) -> Result<(), ServeError> {
    let secret = config::data_key(data)?;
    let clock = Clock::system();
    let auth = Auth::new(vec![Key::hs256(secret.clone())?], AuthConfig::default(), clock);
    let quests = [
        QuestSource { name: "quests/helsinki.yaml".to_owned(), text: quest::DEMO.to_owned() },
        QuestSource { name: "load quest".to_owned(), text: quest::of_places(places) },
    ];
    let edge = EdgeConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let app = app::start(&Place::Folder(data.to_owned()), &secret, &quests, Arc::new(auth), edge).await?;
    println!("{} {}", std::process::id(), app.addr().port());
    let wait = || std::io::stdin().lock().read(&mut [0_u8; 1]);
    // Nothing is ever written there, and an error is an end as well.
    let _ = tokio::task::spawn_blocking(wait).await;
    app.drain().await;
    Ok(())
}
