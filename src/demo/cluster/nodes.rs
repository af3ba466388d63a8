//! The nodes of a demo: children that run this very program, each started again when it has died, and killed when the
//! console asks for it.
//!
//! Promise: the last node that is up is not killed; no child outlives its parent, since the end of its standard input is
//! its own end.

use super::services::{ServicesError, free_port};
use crate::clock::Clock;
use crate::cluster::shard::SHARDS;
use crate::demo::lines::{Ear, Mouth, Said, Told};
use crate::net::console::CompanionRequest;
use crate::net::stage::{Death, StageNews, StageNode, StageState};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a dead node stays dead, so that one can see it.
const DEAD_FOR: Duration = Duration::from_secs(5);
/// How long a child may take to read a line; one that is frozen hears the next news instead.
const SAY: Duration = Duration::from_millis(500);
/// How long a child may take to end by itself.
const END: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// What all nodes are started with.
#[derive(Debug)]
pub(super) struct Common {
    /// The folder with keys, and where nodes write what they log.
    pub data: PathBuf,
    /// The folder with certificates and the quest; none of the files of the place where the demo was started are read.
    pub folder: PathBuf,
    pub postgres: String,
    pub redis: String,
    pub quest: PathBuf,
    pub log: String,
}

/// What is known of all nodes.
#[derive(Debug)]
pub(super) struct Troupe {
    board: Mutex<Board>,
    news: watch::Sender<StageNews>,
    living: watch::Sender<Vec<SocketAddr>>,
    /// Counts all changes, also those that are no news.
    changes: watch::Sender<u64>,
    companions: mpsc::Sender<CompanionRequest>,
    clock: Clock,
    /// The end of all.
    pub stop: CancellationToken,
}

#[derive(Debug)]
struct Board {
    nodes: Vec<Row>,
    death: Option<Death>,
    died: Option<Instant>,
}

#[derive(Debug)]
struct Row {
    name: String,
    http: SocketAddr,
    links: SocketAddr,
    state: StageState,
    serves: usize,
    /// Cancelled to have it killed.
    kill: CancellationToken,
}

impl Troupe {
    /// Nodes that have not started.
    pub(super) fn new(
        names: &[String],
        companions: mpsc::Sender<CompanionRequest>,
        clock: Clock,
    ) -> Result<Arc<Self>, ServicesError> {
        let row = |name: &String| {
            let addr = || free_port().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            let (state, kill) = (StageState::Starting, CancellationToken::new());
            Ok(Row { name: name.clone(), http: addr()?, links: addr()?, state, serves: 0, kill })
        };
        let nodes = names.iter().map(row).collect::<Result<Vec<_>, ServicesError>>()?;
        let troupe = Self {
            board: Mutex::new(Board { nodes, death: None, died: None }),
            news: watch::Sender::default(),
            living: watch::Sender::default(),
            changes: watch::Sender::default(),
            companions,
            clock,
            stop: CancellationToken::new(),
        };
        troupe.change(|_| {});
        Ok(Arc::new(troupe))
    }

    /// Where nodes are that take connections.
    pub(super) fn living(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.living.subscribe()
    }

    /// Returns when all nodes are up, and serve all shards between them.
    pub(super) async fn all_up(&self) {
        let mut changes = self.changes.subscribe();
        let all = || {
            let board = self.lock();
            board.serve_all() && board.nodes.iter().all(|row| row.state == StageState::Up)
        };
        while !all() && changes.changed().await.is_ok() {}
    }

    /// Keeps a node running; the first time with the key of the console's link.
    pub(super) async fn keep(self: Arc<Self>, node: usize, common: Arc<Common>, mut key: Option<String>) {
        while !self.stop.is_cancelled() {
            let kill = self.change(|board| {
                let row = &mut board.nodes[node];
                (row.state, row.kill) = (StageState::Starting, CancellationToken::new());
                row.kill.clone()
            });
            match self.launch(node, &common) {
                Ok(child) => self.attend(node, child, key.take(), kill).await,
                Err(err) => tracing::error!(%err, "a node of the demo did not start"),
            }
            if self.stop.is_cancelled() {
                break;
            }
            self.change(|board| {
                let (at, row) = (self.clock.now(), &mut board.nodes[node]);
                (row.state, row.serves) = (StageState::Down, 0);
                board.death = Some(Death { node: row.name.clone(), at, served_again_ms: None });
                board.died = Some(Instant::now());
            });
            self.stop.run_until_cancelled(tokio::time::sleep(DEAD_FOR)).await;
        }
    }

    /// Listens to a child, and tells it the news, until it is dead.
    async fn attend(&self, node: usize, mut child: Child, key: Option<String>, kill: CancellationToken) {
        let pipes = child.stdin.take().zip(child.stdout.take());
        let pipes =
            pipes.map(|(stdin, stdout)| io::Result::Ok((Mouth::new(stdin.into())?, Ear::new(stdout.into())?)));
        let Some(Ok((mut mouth, mut ear))) = pipes else {
            reap(child).await;
            return;
        };
        let mut news = self.news.subscribe();
        news.mark_changed();
        // Whoever does not hear is dead, which its own silence says.
        mouth.say(&Told::Key(key)).await.unwrap_or_default();
        loop {
            tokio::select! {
                said = ear.hear::<Said>() => match said {
                    Some(said) => self.hear(node, said),
                    None => break,
                },
                Ok(()) = news.changed() => {
                    let told = Told::News(news.borrow_and_update().clone());
                    // Half a line is no line: the next one would be lost with it, and then comes the next.
                    tokio::time::timeout(SAY, mouth.say(&told)).await.map(drop).unwrap_or_default();
                }
                () = kill.cancelled() => break,
                () = self.stop.cancelled() => {
                    drop(mouth);
                    // It ends by itself; if not in time, it is made to.
                    tokio::time::timeout(END, async { while ear.hear::<Said>().await.is_some() {} }).await.unwrap_or_default();
                    break;
                }
            }
        }
        reap(child).await;
    }

    fn hear(&self, node: usize, said: Said) {
        match said {
            Said::Ready => self.change(|board| {
                // One that is about to be killed is not up any more.
                if board.nodes[node].state == StageState::Starting {
                    board.nodes[node].state = StageState::Up;
                }
            }),
            Said::Serves(shards) => self.change(|board| {
                board.nodes[node].serves = shards;
                let all = board.serve_all();
                if let (Some(death), Some(died), true) = (&mut board.death, board.died, all)
                    && death.served_again_ms.is_none()
                {
                    death.served_again_ms = Some(u64::try_from(died.elapsed().as_millis()).unwrap_or(u64::MAX));
                }
            }),
            Said::Stop(name) => self.stop_one(&name),
            // If all are busy, the console's reader asks again.
            Said::Companion(wish) => self.companions.try_send(wish).unwrap_or_default(),
        }
    }

    /// Kills a node, unless it is the last one that is up.
    fn stop_one(&self, name: &str) {
        self.change(|board| {
            if !board.news().may_stop(name) {
                return;
            }
            for row in board.nodes.iter_mut().filter(|row| row.name == name) {
                row.state = StageState::Stopping;
                row.kill.cancel();
            }
        });
    }

    fn launch(&self, node: usize, common: &Common) -> io::Result<Child> {
        let (name, http, links) = {
            let board = self.lock();
            let row = &board.nodes[node];
            (row.name.clone(), row.http.to_string(), row.links.to_string())
        };
        let log = OpenOptions::new().create(true).append(true).open(log_file(&common.data, &name))?;
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WAYSTONE__")) {
            command.env_remove(name);
        }
        // Passwords are not for the list of processes.
        command.env("WAYSTONE__STORE__POSTGRES", &common.postgres).env("WAYSTONE__STORE__REDIS", &common.redis);
        let file = |name: &str| common.folder.join(name);
        command.args(["serve", "--under-demo", "--listen", &http, "--log", &common.log]);
        command.args(["--cluster-listen", &links, "--cluster-name", &name, "--data"]).arg(&common.data);
        command.arg("--hs256-secret-file").arg(common.data.join(crate::config::DATA_KEY));
        command.arg("--cluster-ca-file").arg(file("ca.pem"));
        command.arg("--cluster-cert-file").arg(file(&format!("{name}.pem")));
        command.arg("--cluster-key-file").arg(file(&format!("{name}.key")));
        command.arg("--quest").arg(&common.quest).current_dir(&common.folder);
        // Not of the terminal's group: an interrupt is for the demo, which then ends its nodes.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        command.spawn()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Board) -> T) -> T {
        let mut board = self.lock();
        let changed = change(&mut board);
        let up = board.nodes.iter().filter(|row| row.state == StageState::Up);
        let living: Vec<SocketAddr> = up.map(|row| row.http).collect();
        let news = board.news();
        drop(board);
        self.living.send_if_modified(|before| std::mem::replace(before, living.clone()) != living);
        self.news.send_if_modified(|before| std::mem::replace(before, news.clone()) != news);
        self.changes.send_modify(|count| *count += 1);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn serve_all(&self) -> bool {
        self.nodes.iter().map(|row| row.serves).sum::<usize>() >= usize::from(SHARDS)
    }

    fn news(&self) -> StageNews {
        let node = |row: &Row| StageNode { name: row.name.clone(), state: row.state };
        StageNews { nodes: self.nodes.iter().map(node).collect(), death: self.death.clone() }
    }
}

/// Where a node writes what it logs.
pub(super) fn log_file(data: &Path, name: &str) -> PathBuf {
    data.join(format!("node-{name}.log"))
}

/// Begins a node's log anew.
pub(super) fn clear_log(data: &Path, name: &str) -> io::Result<()> {
    File::create(log_file(data, name)).map(drop)
}

/// Kills a child, if it still lives, and waits for its end.
async fn reap(mut child: Child) {
    child.kill().unwrap_or_default();
    let begun = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < END {
        tokio::time::sleep(LOOK).await;
    }
}
