//! The command line: what may be typed, and what each command prints.
//!
//! One file for each command. Results go to standard output, all else to standard error; with `--json` the results
//! are JSON. Promise: the exit codes of [`Exit`] are stable, and a script needs nothing else to know what happened.

pub mod cluster;
pub mod demo;
pub mod device;
mod exit;
pub mod fence;
pub mod loadtest;
pub mod migrate;
mod output;
pub mod quest;
pub mod replay;
pub mod serve;
pub mod token;
pub mod verify;
pub mod why;

pub use exit::Exit;
pub use output::Output;

use crate::config::{ColorChoice, Log};
use crate::persist::Place;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Over the flags that each command has.
const GLOBAL: &str = "Options of all commands";

/// The backend for quests played in the real world.
///
/// Without a command it plays the demo, or prints this help where there is a waystone.toml.
#[derive(Debug, Parser)]
#[command(name = "waystone", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Say how much.
    #[command(flatten)]
    pub talk: Talk,
    /// When to color: auto, always or never; auto obeys NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    #[arg(hide_possible_values = true, help_heading = GLOBAL)]
    pub color: ColorChoice,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Talk {
    /// Say more; twice for everything
    #[arg(short, long, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say errors only
    #[arg(short, long, global = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl Talk {
    /// The log filter that the flags ask for, if they do.
    pub fn filter(self) -> Option<&'static str> {
        match (self.quiet, self.verbose) {
            (true, _) => Some("error"),
            (false, 0) => None,
            (false, 1) => Some("info,waystone=debug"),
            (false, _) => Some("debug,waystone=trace"),
        }
    }

    /// Logging for commands without a configuration: their results are what one wants to see.
    pub fn log(self) -> Log {
        Log { filter: self.filter().unwrap_or("warn").to_owned(), ..Log::default() }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play: Helsinki, a quest, walkers, and a live map in the browser
    Demo(demo::DemoArgs),
    /// Run the server by waystone.toml
    Serve(Box<serve::ServeArgs>),
    /// Walk a recorded track into a server, as a player
    Replay(replay::ReplayArgs),
    /// Tokens, which say who a player is
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Phones with a tracking app of their own
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Quest files
    #[command(subcommand)]
    Quest(quest::QuestCommand),
    /// Regions and the decisions of their fences
    #[command(subcommand)]
    Fence(fence::FenceCommand),
    /// Read a journal and check its promises
    Verify(verify::VerifyArgs),
    /// Say what a player was given, where they were seen, and on what evidence
    Why(why::WhyArgs),
    /// Make a journal, or bring its schema up to date
    Migrate(migrate::MigrateArgs),
    /// Load on a server: walkers, faults and a verdict (a program of its own, `waystone-loadtest`)
    Loadtest(loadtest::LoadtestArgs),
    /// Several servers as one
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
}

/// Which journal a command is about.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// The data folder
    #[arg(long, default_value = "waystone-data", value_name = "DIR")]
    pub data: PathBuf,
    /// The database, as postgres://user@host/name, instead of the folder; a password is safer in PGPASSFILE
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
}

impl PlaceArgs {
    /// The place.
    pub fn place(&self) -> Place {
        Place::new(&self.data, self.postgres.as_deref())
    }
}

/// Waits until someone wants the server to end: Ctrl-C, or SIGTERM as service managers send.
async fn stopped() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// How a server came to its end.
enum Ended {
    /// Someone wanted it to.
    Asked,
    /// Another owner has its journal: nothing that it decides counts any more.
    Lost,
}

/// Waits until the server is to end.
async fn serve_until(lost: impl Future<Output = ()>, out: &mut Output) -> std::io::Result<Ended> {
    tokio::select! {
        asked = stopped() => asked.map(|()| Ended::Asked),
        () = lost => {
            out.error("another Waystone has taken over this journal; this one ends")?;
            Ok(Ended::Lost)
        }
    }
}

impl Ended {
    /// Takes the server down.
    async fn end(self, drain: impl Future<Output = ()>) -> anyhow::Result<Exit> {
        drain.await;
        Ok(match self {
            Self::Asked => Exit::Done,
            Self::Lost => Exit::Failed,
        })
    }
}

#[cfg(test)]
mod tests;
