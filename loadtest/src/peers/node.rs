//! Servers that run on Node: installed by npm at the first use, started as a child, ended with their standard input.

use super::Peer;
use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::target::Target;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use waystone::net::auth::Secret;

/// Files that make an installation; when one changes, npm is asked again.
const FILES: [(&str, &str); 2] = [
    ("package.json", include_str!("../../peers/package.json")),
    ("server.mjs", include_str!("../../peers/server.mjs")),
];
/// How long npm may take: a few packages over a slow line.
const INSTALL: Duration = Duration::from_secs(180);
/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// The secret of the peers' tokens; it protects nothing.
const SECRET: [u8; 32] = [7; 32];

/// A server that runs.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub name: &'static str,
    /// How it is loaded.
    pub target: Target,
    child: Child,
}

/// Puts the peers into a folder, by npm if they are not there. Gives the folder.
pub async fn install(cache: Option<&Path>) -> Result<PathBuf, Fault> {
    let folder = match cache {
        Some(cache) => cache.to_owned(),
        None => beside()?,
    };
    let io = |source| Fault::Io { path: folder.clone(), source };
    fs::create_dir_all(&folder).map_err(io)?;
    let is_new = |(name, text): &(&str, &str)| fs::read_to_string(folder.join(name)).ok().as_deref() != Some(*text);
    if !FILES.iter().any(is_new) && folder.join("node_modules").is_dir() {
        return Ok(folder);
    }
    eprintln!("peers: npm installs ws and Socket.IO into {} (at the first use only)", folder.display());
    for (name, text) in FILES.iter().rev() {
        fs::write(folder.join(name), text).map_err(io)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--omit=optional", "--ignore-scripts", "--loglevel=error"]);
    let run = npm.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).status();
    match timeout(INSTALL, run).await {
        Ok(Ok(status)) if status.success() => Ok(folder),
        Ok(Ok(status)) => Err(absent(&folder, &format!("npm ended with {status}; what it says is above"))),
        Ok(Err(err)) => Err(absent(&folder, &format!("npm does not start ({err}): install Node 18 or later"))),
        Err(_) => Err(absent(&folder, "npm took longer than three minutes: is there a network?")),
    }
}

/// Half an installation is none: the next run begins anew.
fn absent(folder: &Path, why: &str) -> Fault {
    let _ = fs::remove_file(folder.join(FILES[0].0));
    Fault::Settings(format!("the peers cannot be installed: {why}"))
}

/// A folder that goes away with the builds.
fn beside() -> Result<PathBuf, Fault> {
    let program = std::env::current_exe();
    let program = program.map_err(|source| Fault::Io { path: PathBuf::from("this program"), source })?;
    Ok(program.with_file_name("loadtest-peers"))
}

impl Node {
    /// Starts one.
    pub async fn start(folder: &Path, peer: Peer) -> Result<Self, Fault> {
        let (name, kind, dialect) = match peer {
            Peer::Ws => ("npm ws", "ws", Dialect::Own),
            Peer::SocketIo => ("Socket.IO", "socket.io", Dialect::SocketIo),
        };
        let secret = SECRET.map(|byte| format!("{byte:02x}")).concat();
        let mut child = Command::new("node")
            .args(["server.mjs", kind])
            .current_dir(folder)
            .env("PEER_SECRET", secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Fault::Io { path: PathBuf::from("node"), source })?;
        let out = child.stdout.take().ok_or_else(|| Fault::Server(format!("{name} has no output")))?;
        let mut line = String::new();
        let read = timeout(PATIENCE, BufReader::new(out).read_line(&mut line)).await;
        let said = read.ok().and_then(Result::ok).and_then(|_| line.trim().split_once(' '));
        let numbers = said.and_then(|(pid, port)| Some((pid.parse().ok()?, port.parse::<u16>().ok()?)));
        let Some((pid, port)) = numbers else {
            return Err(Fault::Server(format!("{name} did not say where it listens; its own message is above")));
        };
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { name, target: Target::peer(addr, pid, Secret::new(SECRET), dialect), child })
    }

    /// Ends it.
    pub async fn close(mut self) -> Result<(), Fault> {
        drop(self.child.stdin.take());
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Fault::Server(format!("{} did not end in time", self.name))),
        }
    }
}
