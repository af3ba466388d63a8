//! The server under load: one of our own in another process, or one that runs already; always on this machine.

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::signer::Signer;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use waystone::config;
use waystone::net::auth::Secret;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end.
const END: Duration = Duration::from_secs(20);

/// Which server.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TargetArgs {
    /// A running server instead of one of our own, on a loopback address
    #[arg(long, requires = "token_secret_file")]
    url: Option<String>,
    /// The HS256 secret of that server: 64 hexadecimal digits, such as auth.key in its data folder
    #[arg(long)]
    token_secret_file: Option<PathBuf>,
    /// The process of that server, to see its processor time and memory
    #[arg(long)]
    server_pid: Option<u32>,
    /// Where our own server's data goes, if not in the folder for temporary files
    #[arg(long, conflicts_with = "url")]
    data: Option<PathBuf>,
    /// Let players in by EdDSA tokens, as an identity provider signs them, and not by HS256
    #[arg(long, conflicts_with = "url")]
    eddsa: bool,
}

/// A server that can be loaded.
#[derive(Debug)]
pub struct Target {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its process, if it can be seen.
    pub pid: Option<u32>,
    /// Whether it is our own, and so as this program was built.
    pub own: bool,
    /// How it speaks.
    pub dialect: Dialect,
    signer: Signer,
    child: Option<(Child, PathBuf)>,
}

impl Target {
    /// Starts a server or finds the one that was named.
    pub async fn open(args: &TargetArgs, places: u32) -> Result<Self, Fault> {
        match (&args.url, &args.token_secret_file) {
            (Some(url), Some(file)) => {
                let (addr, signer) = (loopback(url)?, Signer::Secret(config::read_secret(file)?));
                Ok(Self { addr, pid: args.server_pid, own: false, dialect: Dialect::Own, signer, child: None })
            }
            _ => start(args.data.as_deref(), places, args.eddsa).await,
        }
    }

    /// A server of another make that was started by someone else.
    pub fn peer(addr: SocketAddr, pid: u32, secret: Secret, dialect: Dialect) -> Self {
        Self { addr, pid: Some(pid), own: false, dialect, signer: Signer::Secret(secret), child: None }
    }

    /// A token for a player.
    pub fn token(&self, player: &str) -> Result<String, Fault> {
        self.signer.token(player)
    }

    /// Ends our own server and removes its data.
    pub async fn close(mut self) -> Result<(), Fault> {
        let Some((mut child, folder)) = self.child.take() else { return Ok(()) };
        // The end of its input tells it to go.
        drop(child.stdin.take());
        let ended = timeout(END, child.wait()).await;
        let removed = std::fs::remove_dir_all(&folder);
        match ended {
            Ok(Ok(status)) if status.success() => removed.map_err(|source| Fault::Io { path: folder, source }),
            Ok(Ok(status)) => Err(Fault::Server(format!("it ended with {status}"))),
            Ok(Err(err)) => Err(Fault::Server(err.to_string())),
            Err(_) => Err(Fault::Server("it did not end in time".to_owned())),
        }
    }
}

/// A run that fails half way leaves no data behind either.
impl Drop for Target {
    fn drop(&mut self) {
        if let Some((mut child, folder)) = self.child.take() {
            // Both may have happened already.
            let _ = child.start_kill();
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

async fn start(data: Option<&Path>, places: u32, eddsa: bool) -> Result<Target, Fault> {
    let parent = data.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let folder = parent.join(format!("waystone-loadtest-{}", std::process::id()));
    let io = |source| Fault::Io { path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    // Before the server starts, which looks for the public half.
    let pair = if eddsa { Some(Signer::ed25519(&folder)?) } else { None };
    let program = std::env::current_exe().map_err(io)?;
    let mut child = Command::new(program)
        .args(["server", "--places", &places.to_string(), "--data"])
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(io)?;
    let out = child.stdout.take().ok_or_else(|| Fault::Server("it has no output".to_owned()))?;
    let mut line = String::new();
    let read = timeout(START, BufReader::new(out).read_line(&mut line)).await;
    let said = read.ok().and_then(Result::ok).and_then(|_| line.trim().split_once(' '));
    let numbers = said.and_then(|(pid, port)| Some((pid.parse().ok()?, port.parse::<u16>().ok()?)));
    let Some((pid, port)) = numbers else {
        return Err(Fault::Server("it did not say where it listens; its own message is above".to_owned()));
    };
    let signer = match pair {
        Some(pair) => pair,
        None => Signer::Secret(config::data_key(&folder)?),
    };
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    Ok(Target { addr, pid: Some(pid), own: true, dialect: Dialect::Own, signer, child: Some((child, folder)) })
}

/// The address in a URL, if it is this machine's own.
pub fn loopback(url: &str) -> Result<SocketAddr, Fault> {
    let bare = url.strip_prefix("ws://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let host = bare.split('/').next().unwrap_or(bare).replace("localhost", "127.0.0.1");
    let addr: SocketAddr = host.parse().map_err(|_| Fault::Url { url: url.to_owned() })?;
    if addr.ip().is_loopback() { Ok(addr) } else { Err(Fault::NotLoopback { addr }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loaded() {
        for url in ["ws://127.0.0.1:7170/connect", "localhost:7170", "http://[::1]:7170"] {
            assert!(loopback(url).is_ok(), "{url}");
        }
        assert!(matches!(loopback("ws://192.0.2.1:80/connect"), Err(Fault::NotLoopback { .. })));
        assert!(matches!(loopback("wss://quest.example/connect"), Err(Fault::Url { .. })));
    }
}
