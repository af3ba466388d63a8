//! The demo as a cluster: several nodes on one machine behind one port, with a database and a Redis of their own. Any of
//! the nodes may be killed from the console, by a button.
//!
//! Promise: it needs the programs of Postgres and Redis and nothing else; nothing of it outlives this process, and what it
//! leaves behind are keys and logs.

mod front;
mod nodes;
mod services;

use crate::app::{self, QuestSource, StartError};
use crate::clock::Clock;
use crate::config;
use crate::demo::{self, COMPANIONS_QUEUE, DemoError, Settings, populate};
use crate::keys;
use crate::links::certificates;
use crate::net::listener::ListenError;
use crate::persist::Place;
use nodes::{Common, Troupe};
pub use services::ServicesError;
use services::{Programs, Services};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// The most nodes that are worth watching on one machine.
pub const NODES_MAX: u32 = 5;
/// How long nodes may take to serve everything, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// A running demo of several nodes.
#[derive(Debug)]
pub struct ClusterDemo {
    addr: SocketAddr,
    /// The key of the console's one-time link.
    pub console_key: String,
    /// The quest that is played, for people.
    pub title: String,
    troupe: Arc<Troupe>,
    tasks: TaskTracker,
    services: Option<Services>,
}

/// Starts the servers, the nodes, what stands before them, and the players; `say` hears what is being done.
pub async fn start(
    settings: &Settings,
    nodes: u32,
    log: &str,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<ClusterDemo, DemoError> {
    let programs = Programs::find()?;
    let front = bind(settings.port).await?;
    let addr = front.local_addr().map_err(|source| ListenError::Listen {
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port)),
        source,
    });
    let addr = addr.map_err(StartError::from)?;
    let secret = config::data_key(&settings.data)?;
    let data = std::path::absolute(&settings.data).map_err(DemoError::Folder)?;
    let quest = settings.quest.clone().unwrap_or_else(demo::built_in);
    let published = app::read(&quest.text, &quest.name, 1, &secret)?;
    let title = published.quest.title.in_lang("en").to_owned();
    say("Postgres and Redis, private ones");
    let services = Services::start(&programs, &data).await?;
    say("the journal");
    Place::new(&data, Some(&services.postgres)).migrate().await.map_err(StartError::from)?;
    let clock = Clock::system();
    let names: Vec<String> = ('a'..).take(nodes as usize).map(String::from).collect();
    certificates::make(&services.folder, &names, false, clock.now())?;
    let common = common(&services, data, &quest, log)?;
    let (companion, wishes) = mpsc::channel(COMPANIONS_QUEUE);
    let troupe = Troupe::new(&names, companion, clock.clone())?;
    let (key, tasks) = (keys::link_key(), TaskTracker::new());
    say("the nodes");
    for (node, name) in names.iter().enumerate() {
        nodes::clear_log(&common.data, name).map_err(DemoError::Folder)?;
        tasks.spawn(Arc::clone(&troupe).keep(node, Arc::clone(&common), Some(key.clone())));
    }
    tasks.spawn(front::run(front, troupe.living(), tasks.clone(), troupe.stop.clone()));
    let ground = demo::ground(addr, published.quest, settings, secret, clock);
    let mut started = ClusterDemo { addr, console_key: key, title, troupe, tasks, services: Some(services) };
    if tokio::time::timeout(READY, started.troupe.all_up()).await.is_err() {
        started.end().await;
        return Err(DemoError::NotReady { log: nodes::log_file(&settings.data, "a") });
    }
    let stop = started.troupe.stop.clone();
    started.tasks.spawn(populate(Arc::new(ground), settings.walkers, wishes, stop));
    Ok(started)
}

async fn bind(port: u16) -> Result<TcpListener, DemoError> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(addr).await.map_err(|source| {
        let taken = source.kind() == std::io::ErrorKind::AddrInUse;
        let err = if taken { ListenError::PortTaken { port } } else { ListenError::Listen { addr, source } };
        DemoError::from(StartError::from(err))
    })
}

fn common(
    services: &Services,
    data: std::path::PathBuf,
    quest: &QuestSource,
    log: &str,
) -> Result<Arc<Common>, DemoError> {
    let folder = services.folder.clone();
    let file = folder.join("quest.yaml");
    std::fs::write(&file, &quest.text).map_err(DemoError::Folder)?;
    let (postgres, redis) = (services.postgres.clone(), services.redis.clone());
    Ok(Arc::new(Common { data, folder, postgres, redis, quest: file, log: log.to_owned() }))
}

impl ClusterDemo {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends the players, the nodes, and then what they stood on.
    pub async fn drain(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        self.troupe.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(services) = self.services.take() {
            services.end().await;
        }
    }
}
