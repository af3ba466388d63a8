//! `demo`: what it may be told, and what it prints: one list of addresses, then nothing.
//!
//! One node needs nothing but this program; several are a cluster, with a Postgres and a Redis of its own.

use super::{Exit, Output};
use crate::app::{QuestSource, StartError};
use crate::demo::cluster::{self, ClusterDemo, NODES_MAX};
use crate::demo::{self, Demo, DemoError, Settings};
use crate::net::listener::ListenError;
use crate::persist::Place;
use anyhow::Context as _;
use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// The port of the demo and of the default configuration.
const PORT: u16 = 7170;
const DATA: &str = "waystone-data";
const SEED: u64 = 7;
const WALKERS: u32 = 40;
const PACE: f64 = 1.0;

/// A server on this machine only, with a quest and walkers who play it.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct DemoArgs {
    /// Port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = PORT)]
    pub port: u16,
    /// Data folder; delete it to start over
    #[arg(long, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// How many nodes: from 2 on a cluster, which needs the programs of Postgres and Redis and starts its own of both
    #[arg(long, default_value_t = 1, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(NODES_MAX)))]
    pub nodes: u32,
    /// Keep the journal in this database, as postgres://user@host/name, instead of the folder
    #[arg(long, value_name = "URL", conflicts_with = "nodes")]
    pub postgres: Option<String>,
    /// What chance starts from: the same seed, the same walkers
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,
    /// How many walkers play
    #[arg(long, default_value_t = WALKERS, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=5_000))]
    pub walkers: u32,
    /// How much faster than people walkers walk; past 3 the quest's speed limit begins to hold them for cheats
    #[arg(long, default_value_t = PACE, value_name = "FACTOR", value_parser = pace)]
    pub pace: f64,
    /// Another quest than the demo's
    #[arg(long, value_name = "FILE")]
    pub quest: Option<PathBuf>,
    /// Open the console in the browser, even if nobody seems to watch
    #[arg(long, conflicts_with = "no_open")]
    pub open: bool,
    /// Do not open a browser
    #[arg(long)]
    pub no_open: bool,
}

impl Default for DemoArgs {
    fn default() -> Self {
        Self {
            port: PORT,
            data: PathBuf::from(DATA),
            nodes: 1,
            postgres: None,
            seed: SEED,
            walkers: WALKERS,
            pace: PACE,
            quest: None,
            open: false,
            no_open: false,
        }
    }
}

/// One of the two kinds.
enum Playing {
    Single(Demo),
    Cluster(ClusterDemo),
}

impl Playing {
    fn addr(&self) -> SocketAddr {
        match self {
            Self::Single(demo) => demo.addr(),
            Self::Cluster(demo) => demo.addr(),
        }
    }

    fn title(&self) -> String {
        match self {
            Self::Single(demo) => demo.title(),
            Self::Cluster(demo) => demo.title.clone(),
        }
    }

    fn console_key(&self) -> &str {
        match self {
            Self::Single(demo) => &demo.console_key,
            Self::Cluster(demo) => &demo.console_key,
        }
    }

    async fn lost(&self) {
        match self {
            Self::Single(demo) => demo.lost().await,
            // A node that loses a shard lives on.
            Self::Cluster(_) => std::future::pending().await,
        }
    }

    async fn drain(self) {
        match self {
            Self::Single(demo) => demo.drain().await,
            Self::Cluster(demo) => demo.drain().await,
        }
    }
}

/// Plays the demo until it is stopped.
pub async fn run(args: &DemoArgs, log: &str, out: &mut Output) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let quest = args.quest.as_ref().map(|path| {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        anyhow::Ok(QuestSource { name: path.display().to_string(), text })
    });
    let settings = Settings {
        port: args.port,
        data: args.data.clone(),
        place: Place::new(&args.data, args.postgres.as_deref()),
        seed: args.seed,
        walkers: args.walkers,
        pace: args.pace,
        quest: quest.transpose()?,
    };
    let started = match start(args, &settings, log, out).await {
        Ok(started) => started,
        Err(DemoError::Start(StartError::Listen(ListenError::PortTaken { port }))) => {
            out.error(format_args!("port {port} is taken, perhaps by another Waystone"))?;
            out.remark("  waystone demo --port 0       takes any free port")?;
            out.remark(format_args!("  waystone demo --port {}    takes the next one", port.saturating_add(1)))?;
            return Ok(Exit::Failed);
        }
        Err(DemoError::Start(StartError::Quest(report))) => {
            out.line(report.render(out.terminal().color))?;
            return Ok(Exit::Faults);
        }
        Err(err) => return Err(err.into()),
    };
    let Some(demo) = started else { return Ok(Exit::Done) };
    let console = format!("http://{}/console/open?key={}", demo.addr(), demo.console_key());
    introduce(&demo, args, &console, begun.elapsed(), out)?;
    if args.open || (!args.no_open && out.terminal().interactive) {
        open_browser(&console, out)?;
    }
    super::serve_until(demo.lost(), out).await?.end(demo.drain()).await
}

/// Starts it; `None`: somebody has stopped it before it was there.
async fn start(
    args: &DemoArgs,
    settings: &Settings,
    log: &str,
    out: &mut Output,
) -> Result<Option<Playing>, DemoError> {
    if args.nodes == 1 {
        return demo::start(settings).await.map(|demo| Some(Playing::Single(demo)));
    }
    // A line that cannot be shown is no reason not to start.
    let mut say = |what: &str| out.progress(format_args!("  starting {what} ...")).unwrap_or_default();
    tokio::select! {
        started = cluster::start(settings, args.nodes, log, &mut say) => {
            started.map(|demo| Some(Playing::Cluster(demo)))
        }
        _ = super::stopped() => Ok(None),
    }
}

/// The list that a newcomer needs, and nothing after it.
fn introduce(
    demo: &Playing,
    args: &DemoArgs,
    console: &str,
    took: Duration,
    out: &mut Output,
) -> std::io::Result<()> {
    let addr = demo.addr();
    let version = env!("CARGO_PKG_VERSION");
    let (nodes, once) = match args.nodes {
        1 => ("single node".to_owned(), "opens once"),
        nodes => (format!("{nodes} nodes behind one port"), "opens once on each node"),
    };
    out.line(format_args!("waystone {version} · demo · {nodes} · {}", demo.title()))?;
    out.line("")?;
    out.list(&[
        ("Console", format!("{console}   ({once})")),
        ("API", format!("http://{addr}/v1")),
        (
            "WebSocket",
            format!(
                "ws://{addr}/connect   (any Centrifuge SDK; token: waystone token mint --player me{})",
                data_flag(args)
            ),
        ),
        ("Health", format!("http://{addr}/readyz   metrics at /metrics")),
        ("Data", data(args)),
        ("Playing", format!("{} walkers, seed {}", args.walkers, args.seed)),
        ("Stop", "Ctrl-C".to_owned()),
    ])?;
    out.line("")?;
    out.line(format_args!("  ready in {} ms", took.as_millis()))
}

/// Where things are kept, and how to start over. The database's address may bear a password and is not shown.
fn data(args: &DemoArgs) -> String {
    let folder = args.data.display();
    match &args.postgres {
        None if args.nodes > 1 => format!("{folder} for keys and the nodes' logs, the rest is gone with the demo"),
        None => format!("{folder}   (delete it to start over)"),
        Some(_) => format!("{folder} for keys, the database for the rest   (drop that one to start over)"),
    }
}

/// The flag that a second command needs to find the same folder.
fn data_flag(args: &DemoArgs) -> String {
    if args.data == Path::new(DATA) { String::new() } else { format!(" --data {}", args.data.display()) }
}

/// Asks the desktop to open a page. Without a desktop the address has been printed.
fn open_browser(url: &str, out: &mut Output) -> std::io::Result<()> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let null = std::process::Stdio::null;
    let opened = std::process::Command::new(opener).arg(url).stdin(null()).stdout(null()).stderr(null()).spawn();
    match opened {
        Ok(_) => Ok(()),
        Err(_) => out.remark("  no browser was opened: open the console's address yourself"),
    }
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(pace) if (0.1..=20.0).contains(&pace) => Ok(pace),
        _ => Err("write a factor from 0.1 to 20".to_owned()),
    }
}
