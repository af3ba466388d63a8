//! The demo: a server on the loopback address that plays the Helsinki quest with simulated players, each over its
//! own WebSocket through the front door, as a phone would.
//!
//! Promise: it needs nothing else installed and reaches no other machine; a second run goes on from the data folder;
//! Ctrl-C ends it in order.

pub mod brain;
pub mod cluster;
pub mod ground;
pub mod lines;
pub mod node;
pub mod party;
pub mod phone;

use crate::app::{self, App, QuestSource, StartError};
use crate::clock::Clock;
use crate::config::{self, KeyFileError};
use crate::demo::cluster::ServicesError;
use crate::ids::PlayerId;
use crate::keys;
use crate::links::certificates::CertificatesError;
use crate::net::auth::{self, Auth, AuthConfig, Claims, Key, KeyError, Role, Secret};
use crate::net::console::{CompanionRequest, ConsoleConfig};
use crate::net::listener::{EdgeConfig, ListenError};
use crate::persist::Place;
use crate::quest::definition::Quest;
use crate::walk::streets::Streets;
use ground::Ground;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// The demo's quest.
const QUEST: &str = include_str!("../../quests/helsinki.yaml");
/// The demo's city, gzipped GeoJSON; (c) OpenStreetMap contributors, ODbL 1.0.
pub const MAP: &[u8] = include_bytes!("../../data/helsinki/centre.geojson.gz");
/// The city unpacked is 0.9 MB; more than this is not our file.
const MAP_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Wishes for a companion that may wait.
const COMPANIONS_QUEUE: usize = 8;
/// How long a simulated phone's token lasts.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 3600);

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The port on the loopback address; 0 for any free one.
    pub port: u16,
    /// The data folder, with the keys of tokens and codes.
    pub data: PathBuf,
    /// Where the journal is.
    pub place: Place,
    /// What chance begins with.
    pub seed: u64,
    /// Simulated players.
    pub walkers: u32,
    /// How much faster than people they walk.
    pub pace: f64,
    /// Another quest than the built-in one.
    pub quest: Option<QuestSource>,
}

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    app: App,
    /// The key of the console's one-time link.
    pub console_key: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The server.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What a cluster needs.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// The nodes' certificates.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// The data folder.
    #[error("the data folder: {0}")]
    Folder(std::io::Error),
    /// The nodes do not serve.
    #[error("the nodes were to serve within a minute; the first one's log is in {}", log.display())]
    NotReady {
        /// The log.
        log: PathBuf,
    },
    /// The folder's secret.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The folder's secret.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Starts the server, then the players.
pub async fn start(settings: &Settings) -> Result<Demo, DemoError> {
    // Asked before the folder is opened: a second demo is told of the port, which it can choose, not of the lock.
    if settings.port != 0 && TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).is_err() {
        return Err(StartError::from(ListenError::PortTaken { port: settings.port }).into());
    }
    let secret = config::data_key(&settings.data)?;
    let (companion, wishes) = mpsc::channel(COMPANIONS_QUEUE);
    let mut edge = EdgeConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port)));
    let link = keys::link_key();
    edge.console = Some(ConsoleConfig {
        key: Secret::new(link.as_bytes()),
        cookies: keys::cookie_secret(&secret),
        map: Some(MAP),
        companion: Some(companion),
        stage: None,
    });
    let clock = Clock::system();
    let auth = Auth::new(vec![Key::hs256(secret.clone())?], AuthConfig::default(), clock.clone());
    let quests = [settings.quest.clone().unwrap_or_else(built_in)];
    settings.place.migrate().await.map_err(StartError::from)?;
    let app = app::start(&settings.place, &secret, &quests, Arc::new(auth), edge).await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let quest = app.world.content().catalog.all_latest().last().map(|quest| Arc::clone(quest));
    if let Some(quest) = quest {
        let ground = ground(app.addr(), quest, settings, secret, clock);
        tasks.spawn(party::clerk(app.game.clone(), stop.clone()));
        tasks.spawn(populate(Arc::new(ground), settings.walkers, wishes, stop.clone()));
    }
    Ok(Demo { app, console_key: link, stop, tasks })
}

/// The quest that is played if no other is chosen.
fn built_in() -> QuestSource {
    QuestSource { name: "quests/helsinki.yaml".to_owned(), text: QUEST.to_owned() }
}

/// What all simulated players share.
fn ground(addr: SocketAddr, quest: Arc<Quest>, settings: &Settings, secret: Secret, clock: Clock) -> Ground {
    let mint_clock = clock.clone();
    let token = move |player: &PlayerId, name: &str| {
        let name = Some(name.to_owned());
        let claims = Claims { name, ..Claims::new(player.clone(), Role::Player, mint_clock.now(), TOKEN_TTL) };
        auth::mint(&secret, &claims).unwrap_or_default()
    };
    Ground {
        url: format!("ws://{addr}/connect"),
        quest,
        clock,
        seed: settings.seed,
        pace: settings.pace,
        token: Box::new(token),
    }
}

/// Lays out the streets and sends everyone on their way. The server is ready long before this has finished.
async fn populate(
    ground: Arc<Ground>,
    walkers: u32,
    wishes: mpsc::Receiver<CompanionRequest>,
    stop: CancellationToken,
) {
    let streets = tokio::task::spawn_blocking(streets).await;
    let Ok(Ok(streets)) = streets else {
        warn!("the demo's map cannot be read; no simulated players");
        return;
    };
    party::play(ground, Arc::new(streets), walkers, wishes, stop).await;
}

fn streets() -> Result<Streets, String> {
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(MAP).take(MAP_BYTES_MAX);
    unpacked.read_to_string(&mut text).map_err(|err| err.to_string())?;
    Streets::from_geojson(&text).map_err(|err| err.to_string())
}

impl Demo {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.app.addr()
    }

    /// The quest that is played, for people.
    pub fn title(&self) -> String {
        let content = self.app.world.content();
        content.catalog.all_latest().last().map_or_else(String::new, |quest| quest.title.in_lang("en").to_owned())
    }

    /// Returns when the journal has another owner.
    pub async fn lost(&self) {
        self.app.lost().await;
    }

    /// Ends the players, then the server.
    pub async fn drain(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.app.drain().await;
    }
}
