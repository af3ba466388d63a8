//! The server that is measured: this program started again, so that its processor time and memory are its own.
//!
//! Alone with a data folder, or as a member of a cluster on a Postgres.
//!
//! It serves until its standard input ends, which happens when whoever started it has gone, however that was.

use crate::quest;
use crate::signer;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use waystone::app::{self, App, QuestSource, Seat, StartError};
use waystone::clock::Clock;
use waystone::config::{self, KeyFileError};
use waystone::links::{Tls, TlsError};
use waystone::net::auth::{Auth, AuthConfig, Key, KeyError};
use waystone::net::listener::EdgeConfig;
use waystone::persist::Place;
use waystone::persist::commons::{BadUrl, RedisUrl};

/// Why it did not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The secret.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The secret.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The public half of a key.
    #[error("the public half of the key of tokens: {0}")]
    PublicKey(std::io::Error),
    /// The certificates of a member.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A quest file.
    #[error("a quest file: {0}")]
    Quest(#[from] std::io::Error),
    /// The address of the Redis.
    #[error(transparent)]
    Redis(#[from] BadUrl),
    /// Everything else.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// What is served beside the usual, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// Where its data is
    #[arg(long)]
    data: PathBuf,
    /// Places in the row of the load's own quest
    #[arg(long, default_value_t = 1)]
    places: u32,
    /// Its port; 0: a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Quests in place of the usual ones
    #[arg(long)]
    quest: Vec<PathBuf>,
}

/// What a member needs beside it.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// The database
    #[arg(long)]
    postgres: String,
    /// The Redis, if there is one
    #[arg(long)]
    redis: Option<String>,
    /// Its name
    #[arg(long)]
    name: String,
    /// Its port for other members
    #[arg(long)]
    links: u16,
    /// The port where they reach it, if that is another one
    #[arg(long)]
    advertise: Option<u16>,
}

/// Serves on a port of the loopback address, with the edge's default limits but for the time to connect, the demo's quest and the load's.
pub async fn serve(args: &ServeArgs) -> Result<(), ServeError> {
    let secret = config::data_key(&args.data)?;
    let mut keys = vec![Key::hs256(secret.clone())?];
    match std::fs::read_to_string(signer::public_key(&args.data)) {
        Ok(pem) => keys.push(Key::from_pem(&pem)?),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
        Err(err) => return Err(ServeError::PublicKey(err)),
    }
    let auth = Auth::new(keys, AuthConfig::default(), Clock::system());
    let place = Place::Folder(args.data.clone());
    until_told(app::start(&place, &secret, &quests(args)?, Arc::new(auth), edge(args.port)).await?).await
}

/// Serves as a member of the cluster on a database, with the secret and the certificates that lie in a folder.
pub async fn serve_member(args: &MemberArgs) -> Result<(), ServeError> {
    let MemberArgs { serve, postgres, redis, name, links, advertise } = args;
    let secret = config::data_key(&serve.data)?;
    let clock = Clock::steered();
    let auth = Auth::new(vec![Key::hs256(secret.clone())?], AuthConfig::default(), clock.clone());
    let file = |file: String| serve.data.join("certificates").join(file);
    let tls = Tls::load(&file("ca.pem".into()), &file(format!("{name}.pem")), &file(format!("{name}.key")))?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, *links));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, advertise.unwrap_or(*links))).to_string();
    let redis = redis.as_deref().map(RedisUrl::new).transpose()?;
    let seat = Seat { clock, name: name.to_owned(), address, listen, tls, redis };
    let place = Place::Database(postgres.to_owned());
    let (quests, edge) = (quests(serve)?, edge(serve.port));
    until_told(app::start_member(&place, seat, &secret, &quests, Arc::new(auth), edge).await?).await
}

fn quests(args: &ServeArgs) -> Result<Vec<QuestSource>, ServeError> {
    let source = |name: &str, text: String| QuestSource { name: name.to_owned(), text };
    if args.quest.is_empty() {
        let row = source("load quest", quest::of_places(args.places));
        return Ok(vec![source("quests/helsinki.yaml", quest::DEMO.to_owned()), row]);
    }
    let read = |path: &PathBuf| Ok(source(&path.to_string_lossy(), std::fs::read_to_string(path)?));
    args.quest.iter().map(read).collect()
}

fn edge(port: u16) -> EdgeConfig {
    let mut edge = EdgeConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
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
