//! `replay`: a recorded track walks into a server by the front door, as a player's phone would bring it.
//!
//! Times are the recording's, moved so that the first fix is now: each is sent when its time has come, so none is
//! ever in the future, and after a broken connection what has piled up follows in batches with the times it had.

use super::{Exit, Output};
use crate::clock::Clock;
use crate::config::{DATA_KEY, read_secret};
use crate::ids::PlayerId;
use crate::net::auth::{Claims, Role, Secret, mint};
use crate::net::client::{Link, TokenFn};
use crate::walk::track::{self, TRACK_BYTES_MAX, Track, TrackKind};
use anyhow::Context as _;
use clap::Args;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

mod tally;
#[cfg(test)]
mod tests;
mod walk;

/// How long a token of ours is good; each attempt to connect makes a fresh one.
const TOKEN_TTL: Duration = Duration::from_secs(3_600);

/// Which track, into which server, as whom.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The recording, .gpx or .csv
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The player who walks it
    #[arg(long = "as", value_name = "PLAYER")]
    pub player: PlayerId,
    /// How many times as fast as recorded, such as 10 or x10; at more than walking speed the server may withhold
    /// rewards, and it takes 20 fixes a second at most
    #[arg(long, default_value = "1", value_name = "FACTOR", value_parser = speed)]
    pub speed: f64,
    /// The server
    #[arg(long, default_value = "ws://127.0.0.1:7170/connect")]
    pub url: String,
    /// The player's token; other users of this machine can see it in the list of processes
    #[arg(long, conflicts_with = "data")]
    pub token: Option<String>,
    /// The data folder whose key makes a token
    #[arg(long, default_value = "waystone-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

/// Walks the track.
pub async fn run(args: &ReplayArgs, clock: &Clock, out: &mut Output) -> anyhow::Result<Exit> {
    let name = args.file.display().to_string();
    let track = read(&args.file).with_context(|| name.clone())?;
    for note in &track.notes {
        out.remark(format_args!("{name}: {note}"))?;
    }
    let token = token(args, clock)?;
    let (link, events) = Link::start(&args.url, token, None);
    walk::Walk::new(link, events, clock.clone(), args.json).run(track, args.speed, &args.url, out).await
}

fn read(path: &Path) -> anyhow::Result<Track> {
    let kind = TrackKind::of_name(&path.display().to_string())?;
    let file = std::fs::File::open(path).context("cannot be read")?;
    let mut bytes = Vec::new();
    // One byte more than is taken, so that the reader of tracks sees that it is too much.
    file.take(TRACK_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).context("cannot be read")?;
    Ok(track::read(&bytes, kind)?)
}

fn token(args: &ReplayArgs, clock: &Clock) -> anyhow::Result<TokenFn> {
    if let Some(token) = args.token.clone() {
        return Ok(Arc::new(move || token.clone()));
    }
    let secret = read_secret(&args.data.join(DATA_KEY))
        .context("there is no token: give --token, or the server's data folder with --data")?;
    let (clock, player) = (clock.clone(), args.player.clone());
    // What can fail is tried here, not at each attempt to connect.
    fresh(&secret, &player, &clock)?;
    Ok(Arc::new(move || fresh(&secret, &player, &clock).unwrap_or_default()))
}

fn fresh(secret: &Secret, player: &PlayerId, clock: &Clock) -> Result<String, crate::net::auth::KeyError> {
    mint(secret, &Claims::new(player.clone(), Role::Player, clock.now(), TOKEN_TTL))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.trim_start_matches(['x', 'X']).parse::<f64>() {
        Ok(speed) if (0.01..=1_000.0).contains(&speed) => Ok(speed),
        _ => Err("write a factor from 0.01 to 1000, such as 10 or x10".to_owned()),
    }
}
