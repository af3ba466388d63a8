//! What is loaded: one node on a file, several on a database with a Redis, or a server that runs already.
//!
//! Nodes are this program, each in a process of its own on ports that stay theirs, so that one that was killed comes back
//! where its phones look for it. Private servers and the lines between all of them are those of the cluster's tests
//! (`waystone_kit`). Promise: what was started here ends with this process, however that ends.

use crate::fault::Fault;
use crate::record::{Store, Target};
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use waystone::clock::Clock;
use waystone::config;
use waystone::links::certificates;
use waystone::persist::Place;
use waystone_kit::{Lines, Postgres, Redis, port, signal};

/// How long a node may take to listen, with a long journal on a busy machine; and to end.
const START: Duration = Duration::from_secs(120);
const END: Duration = Duration::from_secs(30);
/// How often a node's start is tried: on a machine that is full it may not reach its database in time.
const TRIES: u32 = 3;
/// Names of nodes, and so the most there can be.
pub const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];

/// The field.
#[derive(Debug)]
pub struct Field {
    folder: PathBuf,
    quests: Vec<PathBuf>,
    nodes: Vec<Node>,
    services: Option<Services>,
    foreign: Option<Foreign>,
}

/// A server that is not ours.
#[derive(Debug)]
struct Foreign {
    addr: SocketAddr,
    secret_file: PathBuf,
    pid: Option<u32>,
}

#[derive(Debug)]
struct Node {
    name: &'static str,
    port: u16,
    links: u16,
    child: Option<Child>,
}

/// What several nodes share.
#[derive(Debug)]
struct Services {
    postgres: Arc<Postgres>,
    redis: Arc<Redis>,
    url: String,
    lines: Lines,
}

impl Field {
    /// A server that runs already, at an address of this machine.
    pub fn foreign(addr: SocketAddr, secret_file: &Path, pid: Option<u32>, folder: &Path) -> Self {
        let foreign = Some(Foreign { addr, secret_file: secret_file.to_owned(), pid });
        Self { folder: folder.to_owned(), quests: Vec::new(), nodes: Vec::new(), services: None, foreign }
    }

    /// Nodes of our own that offer these quests; what they write goes into a folder.
    pub async fn start(folder: &Path, nodes: usize, quests: &[String]) -> Result<Self, Fault> {
        let io = |source| Fault::Io { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder.join("data")).map_err(io)?;
        config::data_key(&folder.join("data"))?;
        let mut files = Vec::new();
        for (number, text) in quests.iter().enumerate() {
            let path = folder.join(format!("quest-{number}.yaml"));
            std::fs::write(&path, text).map_err(io)?;
            files.push(path);
        }
        let names = &NAMES[..nodes.clamp(1, NAMES.len())];
        let node = |name: &&'static str| Ok(Node { name, port: port::free()?, links: port::free()?, child: None });
        let all = names.iter().map(node).collect::<Result<Vec<_>, Fault>>()?;
        let services = if nodes > 1 { Some(Services::start(&all, folder).await?) } else { None };
        let mut field = Self { folder: folder.to_owned(), quests: files, nodes: all, services, foreign: None };
        for node in 0..field.nodes.len() {
            field.launch(node).await?;
        }
        Ok(field)
    }

    /// Starts a node that does not run, and waits until it listens.
    pub async fn launch(&mut self, node: usize) -> Result<(), Fault> {
        for _ in 1..TRIES {
            if self.try_launch(node).await.is_ok() {
                return Ok(());
            }
        }
        self.try_launch(node).await
    }

    async fn try_launch(&mut self, node: usize) -> Result<(), Fault> {
        let io = |source| Fault::Io { path: self.folder.clone(), source };
        let program = std::env::current_exe().map_err(io)?;
        let mut command = Command::new(program);
        let Node { name, port, links, .. } = &self.nodes[node];
        let data = self.folder.join("data");
        command.arg(if self.services.is_some() { "member" } else { "server" }).arg("--data").arg(&data);
        command.args(["--places", "1", "--port", &port.to_string()]);
        for quest in &self.quests {
            command.arg("--quest").arg(quest);
        }
        if let Some(Services { postgres, redis, url, lines }) = &self.services {
            let over = |url: &str, direct: u16, line: u16| {
                url.replace(&format!("127.0.0.1:{direct}"), &format!("127.0.0.1:{line}"))
            };
            command.args(["--name", name, "--links", &links.to_string()]);
            command.args(["--advertise", &lines.link_port(name)?.to_string()]);
            command.args(["--postgres", &over(url, postgres.port(), lines.postgres_port(name)?)]);
            command.args(["--redis", &over(&redis.url(), redis.port(), lines.redis_port(name)?)]);
        }
        let log =
            File::options().create(true).append(true).open(self.folder.join(format!("{name}.log"))).map_err(io)?;
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = piped.spawn().map_err(io)?;
        let out = child.stdout.take().ok_or_else(|| Fault::Server("it has no output".to_owned()))?;
        let mut line = String::new();
        let read = timeout(START, BufReader::new(out).read_line(&mut line)).await;
        if !matches!(read, Ok(Ok(count)) if count > 0) {
            let place = self.folder.join(format!("{name}.log"));
            return Err(Fault::Server(format!("node {name} did not listen; see {}", place.display())));
        }
        if let (Some(services), Some(pid)) = (&self.services, child.id()) {
            services.lines.runs(name, pid);
        }
        self.nodes[node].child = Some(child);
        Ok(())
    }

    /// How many nodes of our own there are.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A node's name.
    pub fn name(&self, node: usize) -> &'static str {
        self.nodes[node].name
    }

    /// What it is, for the record.
    pub fn target(&self) -> Target {
        let nodes = u32::try_from(self.nodes.len().max(1)).unwrap_or(u32::MAX);
        let store = match (&self.foreign, &self.services) {
            (Some(_), _) => Store::Unknown,
            (None, Some(_)) => Store::Postgres,
            (None, None) => Store::Sqlite,
        };
        Target { nodes, store, redis: self.services.is_some() }
    }

    /// Where phones knock.
    pub fn doors(&self) -> Vec<SocketAddr> {
        let own = self.nodes.iter().map(|node| SocketAddr::from(([127, 0, 0, 1], node.port)));
        self.foreign.iter().map(|foreign| foreign.addr).chain(own).collect()
    }

    /// Where the secret of tokens is.
    pub fn secret_file(&self) -> PathBuf {
        self.foreign.as_ref().map_or_else(|| self.folder.join("data/auth.key"), |foreign| foreign.secret_file.clone())
    }

    /// Processes of nodes that run.
    pub fn pids(&self) -> Vec<u32> {
        let foreign = self.foreign.iter().filter_map(|foreign| foreign.pid);
        foreign.chain(self.nodes.iter().filter_map(|node| node.child.as_ref()?.id())).collect()
    }

    /// Where its journal is, if it is ours to read.
    pub fn journal(&self) -> Option<Place> {
        match (&self.foreign, &self.services) {
            (Some(_), _) => None,
            (None, Some(services)) => Some(Place::Database(services.url.clone())),
            (None, None) => Some(Place::Folder(self.folder.join("data"))),
        }
    }

    /// `kill -9` of a node.
    pub async fn kill(&mut self, node: usize) -> Result<(), Fault> {
        let Some(mut child) = self.nodes[node].child.take() else { return Ok(()) };
        child.kill().await.map_err(|err| Fault::Server(err.to_string()))
    }

    /// A node stands still, or goes on.
    pub fn freeze(&self, node: usize, still: bool) -> Result<(), Fault> {
        let pid = self.nodes[node].child.as_ref().and_then(Child::id);
        let pid = pid.ok_or_else(|| Fault::Server("that node does not run".to_owned()))?;
        Ok(signal::send(if still { "STOP" } else { "CONT" }, pid)?)
    }

    /// The lines between nodes and services, if there are any.
    pub fn lines(&self) -> Option<&Lines> {
        self.services.as_ref().map(|services| &services.lines)
    }

    /// Does something to Redis.
    pub async fn redis(&self, act: fn(&Redis) -> waystone_kit::Result<()>) -> Result<(), Fault> {
        let Some(redis) = self.services.as_ref().map(|services| Arc::clone(&services.redis)) else { return Ok(()) };
        blocking(move || act(&redis)).await
    }

    /// Does something to Postgres.
    pub async fn postgres(&self, act: fn(&Postgres) -> waystone_kit::Result<()>) -> Result<(), Fault> {
        let Some(postgres) = self.services.as_ref().map(|services| Arc::clone(&services.postgres)) else {
            return Ok(());
        };
        blocking(move || act(&postgres)).await
    }

    /// Ends all nodes in order.
    pub async fn close(&mut self) -> Result<(), Fault> {
        for node in &mut self.nodes {
            let Some(mut child) = node.child.take() else { continue };
            // The end of its input tells it to go.
            drop(child.stdin.take());
            match timeout(END, child.wait()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(Ok(status)) => return Err(Fault::Server(format!("node {} ended with {status}", node.name))),
                Ok(Err(err)) => return Err(Fault::Server(err.to_string())),
                Err(_) => return Err(Fault::Server(format!("node {} did not end within {END:?}", node.name))),
            }
        }
        Ok(())
    }
}

impl Services {
    async fn start(nodes: &[Node], folder: &Path) -> Result<Self, Fault> {
        let names: Vec<&str> = nodes.iter().map(|node| node.name).collect();
        let made = certificates::make(&folder.join("data/certificates"), &names, false, Clock::system().now());
        made.map_err(|err| Fault::Server(err.to_string()))?;
        let (postgres, redis, url) = blocking(|| {
            let (postgres, redis) = (Postgres::start()?, Redis::start()?);
            let url = postgres.create_database()?;
            Ok((Arc::new(postgres), Arc::new(redis), url))
        })
        .await?;
        let migrated = Place::Database(url.clone()).migrate().await;
        migrated.map_err(|err| Fault::Store(err.to_string()))?;
        let links: Vec<(&'static str, u16)> = nodes.iter().map(|node| (node.name, node.links)).collect();
        let lines = Lines::lay(&links, postgres.port(), |_| redis.port())?;
        Ok(Self { postgres, redis, url, lines })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> waystone_kit::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let done = spawn_blocking(work).await.map_err(|err| Fault::Server(err.to_string()))?;
    Ok(done?)
}
