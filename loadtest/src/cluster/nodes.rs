//! Three nodes of this build and a Postgres of their own, all on this machine, each a process by itself.
//!
//! Promise: all of it is private, durable as in real life, and gone when it is dropped, however a run ends.

use crate::fault::Fault;
use crate::journal::server::{Mark, Server};
use crate::machine;
use crate::phone::Phone;
use crate::signer::Signer;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use waystone::clock::Clock;
use waystone::cluster::shard::SHARDS;
use waystone::config;
use waystone::links::certificates;
use waystone::persist::Place;
use waystone_kit::port;

/// How long a node may take to start or to end, and shards to find their places: holds are ten seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// Connects under way at the same time.
const AT_ONCE: usize = 32;
/// How often a player's connect is tried in preparations, and the pause between.
const TRIES: u32 = 20;
const AGAIN: Duration = Duration::from_millis(100);
/// The nodes.
pub const NAMES: [&str; 3] = ["one", "two", "three"];

const OWNERS: &str = "SELECT s.shard::int4, n.name FROM shard s JOIN node n ON n.node = s.owner AND n.until > now()";

/// The cluster.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    /// Its database.
    pub url: String,
    signer: Arc<Signer>,
    folder: PathBuf,
    nodes: [Option<Node>; NAMES.len()],
}

#[derive(Debug)]
struct Node {
    child: Child,
    pid: u32,
    addr: SocketAddr,
}

impl Cluster {
    /// Starts it, and waits until every node has its share.
    pub async fn start() -> Result<Self, Fault> {
        let folder = std::env::temp_dir().join(format!("waystone-cluster-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|source| Fault::Io { path: folder.clone(), source })?;
        let made = certificates::make(&folder.join("certificates"), &NAMES, false, Clock::system().now());
        made.map_err(|err| Fault::Server(err.to_string()))?;
        let signer = Arc::new(Signer::Secret(config::data_key(&folder)?));
        let server = Server::start(None)?;
        let url = server.database()?;
        let migrated = Place::Database(url.clone()).migrate().await;
        migrated.map_err(|err| Fault::Store(err.to_string()))?;
        let mut cluster = Self { server, url, signer, folder, nodes: [const { None }; NAMES.len()] };
        for node in 0..NAMES.len() {
            cluster.launch(node).await?;
        }
        cluster.settle().await?;
        Ok(cluster)
    }

    /// Starts a node that does not run.
    pub async fn launch(&mut self, node: usize) -> Result<(), Fault> {
        let io = |source| Fault::Io { path: self.folder.clone(), source };
        let mut command = Command::new(std::env::current_exe().map_err(io)?);
        command.args(["member", "--postgres", &self.url, "--name", NAMES[node], "--data"]).arg(&self.folder);
        command.args(["--links", &port::free()?.to_string()]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = piped.spawn().map_err(io)?;
        let out = child.stdout.take().ok_or_else(|| Fault::Server("it has no output".to_owned()))?;
        let mut line = String::new();
        let read = timeout(PATIENCE, BufReader::new(out).read_line(&mut line)).await;
        let said = read.ok().and_then(Result::ok).and_then(|_| line.trim().split_once(' '));
        let numbers = said.and_then(|(pid, port)| Some((pid.parse().ok()?, port.parse::<u16>().ok()?)));
        let (pid, port) = numbers.ok_or_else(|| Fault::Server("a member did not say where it listens".to_owned()))?;
        self.nodes[node] = Some(Node { child, pid, addr: SocketAddr::from(([127, 0, 0, 1], port)) });
        Ok(())
    }

    /// Waits until just the nodes that run own all shards, each at least half of its share.
    pub async fn settle(&self) -> Result<(), Fault> {
        let (begun, running) = (Instant::now(), self.nodes.iter().flatten().count());
        let mut conn = self.connection().await?;
        loop {
            let mut shares = [0; NAMES.len()];
            owners(&mut conn).await?.values().for_each(|node| shares[*node] += 1);
            let fair = usize::from(SHARDS) / running;
            let held = |(node, share): (&Option<Node>, &usize)| node.is_none() || *share * 2 >= fair;
            if shares.iter().sum::<usize>() == usize::from(SHARDS) && self.nodes.iter().zip(&shares).all(held) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(Fault::Server(format!("shards did not come to rest: {shares:?}")));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// A connection to the database.
    pub async fn connection(&self) -> Result<PgConnection, Fault> {
        Ok(PgConnection::connect(&self.url).await?)
    }

    /// Which node has each shard.
    pub async fn owners(&self) -> Result<BTreeMap<u16, usize>, Fault> {
        owners(&mut self.connection().await?).await
    }

    /// Processor time that each running node has used.
    pub fn cpu(&self) -> Result<Vec<Duration>, Fault> {
        self.nodes.iter().flatten().map(|node| machine::cpu(node.pid)).collect()
    }

    /// What the database has used.
    pub async fn database(&self) -> Result<Mark, Fault> {
        self.server.mark(&self.url).await
    }

    /// The counters of all running nodes together.
    pub async fn counts(&self) -> Result<BTreeMap<String, f64>, Fault> {
        let mut sums = BTreeMap::new();
        for node in self.nodes.iter().flatten() {
            let unread = |err: std::io::Error| Fault::Server(format!("no metrics: {err}"));
            let mut io = TcpStream::connect(node.addr).await.map_err(unread)?;
            let ask = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", node.addr);
            io.write_all(ask.as_bytes()).await.map_err(unread)?;
            let mut page = String::new();
            io.read_to_string(&mut page).await.map_err(unread)?;
            for (name, value) in page.lines().filter_map(|line| line.strip_prefix("waystone_")?.split_once(' ')) {
                *sums.entry(name.to_owned()).or_default() += value.parse().unwrap_or(0.0);
            }
        }
        Ok(sums)
    }

    /// Ends a node at once.
    pub async fn kill(&mut self, node: usize) -> Result<(), Fault> {
        let Some(mut killed) = self.nodes[node].take() else { return Ok(()) };
        killed.child.kill().await.map_err(|err| Fault::Server(err.to_string()))
    }

    /// Ends a node in order.
    pub async fn drain(&mut self, node: usize) -> Result<(), Fault> {
        let Some(mut drained) = self.nodes[node].take() else { return Ok(()) };
        drop(drained.child.stdin.take());
        match timeout(PATIENCE, drained.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            ended => Err(Fault::Server(format!("a node was to end in order: {ended:?}"))),
        }
    }

    /// Connects a player to a node.
    pub fn dialer(&self, node: usize) -> Result<Dialer, Fault> {
        let running = self.nodes[node].as_ref().ok_or_else(|| Fault::Server("that node does not run".to_owned()))?;
        Ok(Dialer { addr: running.addr, signer: Arc::clone(&self.signer) })
    }

    /// Connects players, each to its node.
    pub async fn connect(&self, players: Vec<(String, usize)>) -> Result<Vec<Phone>, Fault> {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for (index, (player, node)) in (0..).zip(players) {
            let (turns, dialer) = (Arc::clone(&turns), self.dialer(node)?);
            tasks.spawn(async move {
                let _turn = turns.acquire_owned().await;
                dialer.insist(index, &player).await.map(|phone| (index, phone))
            });
        }
        let mut phones = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            phones.push(joined.map_err(|err| Fault::phone("a phone", err))??);
        }
        phones.sort_unstable_by_key(|(index, _)| *index);
        Ok(phones.into_iter().map(|(_, phone)| phone).collect())
    }
}

/// A way to one node.
#[derive(Debug, Clone)]
pub struct Dialer {
    addr: SocketAddr,
    signer: Arc<Signer>,
}

impl Dialer {
    /// Connects a player.
    pub async fn dial(&self, index: u32, player: String) -> Result<Phone, Fault> {
        let token = self.signer.token(&player)?;
        Phone::connect(self.addr, index, player, &token).await
    }

    /// Connects a player, again and again if the machine is too busy for it.
    pub async fn insist(&self, index: u32, player: &str) -> Result<Phone, Fault> {
        let mut tries = TRIES;
        loop {
            match self.dial(index, player.to_owned()).await {
                Err(_) if tries > 1 => tries -= 1,
                dialled => return dialled,
            }
            sleep(AGAIN).await;
        }
    }
}

async fn owners(conn: &mut PgConnection) -> Result<BTreeMap<u16, usize>, Fault> {
    let rows: Vec<(i32, String)> = sqlx::query_as(OWNERS).fetch_all(conn).await?;
    let place = |name: &str| NAMES.iter().position(|known| *known == name);
    Ok(rows.iter().filter_map(|(shard, name)| Some((u16::try_from(*shard).ok()?, place(name)?))).collect())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What is left of the nodes is killed as they are dropped.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
