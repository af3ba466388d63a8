//! `fence trace`: what the fences make of a recorded track, decision by decision. Needs no server.
//!
//! The tool for support, tuning and tests: the very tracker that a server runs, with the account of each decision.
//! The track's own times are taken as the server's time, so nothing is late and windows open as they did.
//! Promise: the JSON lines hold distances, probabilities and names, and no coordinates.

use super::{Exit, Output};
use crate::content::fence::region_of;
use crate::geo::fence::{Ground, Tracker};
use crate::geo::geojson;
use crate::geo::index::RegionIndex;
use crate::geo::plausibility::RuleSet;
use crate::geo::position::{Fix, Position};
use crate::geo::region::Region;
use crate::units::{Meters, MetersPerSecond};
use crate::walk::Reading;
use crate::walk::track::{self, TRACK_BYTES_MAX, Track, TrackKind};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::io::Read as _;
use std::path::{Path, PathBuf};

mod report;
#[cfg(test)]
mod tests;
pub(super) mod words;

use report::Trace;

/// Regions and the decisions of their fences.
#[derive(Debug, Subcommand)]
pub enum FenceCommand {
    /// Say what the fences make of a recorded track, and why
    Trace(TraceArgs),
}

/// Which regions, which track.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// GeoJSON: Polygon, MultiPolygon, Point with `radius`, LineString with `width`; rules in `properties.fence`
    #[arg(long, value_name = "FILE")]
    pub regions: PathBuf,
    /// The recording, .gpx or .csv
    #[arg(long, value_name = "FILE")]
    pub track: PathBuf,
    /// The accuracy of every fix in metres, instead of what was recorded
    #[arg(long, value_name = "METERS")]
    pub accuracy: Option<f64>,
    /// The version of the plausibility rules
    #[arg(long, default_value_t = RuleSet::CURRENT.version, value_name = "VERSION")]
    pub rules: u16,
    /// Print every decision, also those that changed nothing, and fixes that did not count
    #[arg(long)]
    pub all: bool,
    /// Print JSON: one line for each fix, with every decision, and a last one with the sums
    #[arg(long)]
    pub json: bool,
}

/// Does what `fence` was told.
pub fn run(command: &FenceCommand, out: &mut Output) -> anyhow::Result<Exit> {
    match command {
        FenceCommand::Trace(args) => trace(args, out),
    }
}

fn trace(args: &TraceArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let known = || RuleSet::ALL.map(|set| set.version.to_string()).join(", ");
    let rules = RuleSet::of_version(args.rules)
        .with_context(|| format!("there are no plausibility rules {}; known here: {}", args.rules, known()))?;
    let Some(regions) = regions(&args.regions, out)? else { return Ok(Exit::Faults) };
    let name = args.track.display().to_string();
    let Track { readings, notes } = recording(&args.track).with_context(|| name.clone())?;
    for note in notes {
        out.remark(format_args!("{name}: {note}"))?;
    }
    let index = RegionIndex::build(regions);
    let mut tracker = Tracker::by(rules);
    let mut trace = Trace::new(args.json, args.all, readings.first().map(|reading| reading.time));
    trace.head(out)?;
    for reading in &readings {
        let fix = fix(reading, args.accuracy).with_context(|| format!("{name}: point {}", reading.seq))?;
        let mut decisions = Vec::new();
        let observed = tracker
            .observe_explained(&fix, fix.time(), Ground::all(&index), &mut |decision| decisions.push(decision));
        trace.fix(&fix, &observed, &decisions, out)?;
    }
    trace.sums(out)?;
    Ok(Exit::Done)
}

/// Reads all regions; `None` when some have faults, which are told.
fn regions(path: &Path, out: &mut Output) -> anyhow::Result<Option<Vec<Region>>> {
    let name = path.display().to_string();
    let text = bounded(path, geojson::BYTES_MAX).with_context(|| name.clone())?;
    let text = String::from_utf8(text).with_context(|| format!("{name}: not UTF-8"))?;
    let import = geojson::import(&text);
    let mut sound = import.faults.is_empty();
    for fault in &import.faults {
        out.error(format_args!("{name}: {fault}"))?;
    }
    for note in &import.notes {
        out.remark(format_args!("{name}: {note}"))?;
    }
    let mut regions = Vec::new();
    for feature in import.features {
        match region_of(feature) {
            Ok(region) => regions.push(region),
            Err(reason) => {
                sound = false;
                out.error(format_args!("{name}: {reason}"))?;
            }
        }
    }
    Ok(sound.then_some(regions))
}

fn recording(path: &Path) -> anyhow::Result<Track> {
    let kind = TrackKind::of_name(&path.display().to_string())?;
    Ok(track::read(&bounded(path, TRACK_BYTES_MAX)?, kind)?)
}

fn bounded(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).context("cannot be read")?;
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).context("cannot be read")?;
    anyhow::ensure!(bytes.len() <= bytes_max, "has more than {bytes_max} bytes; split it");
    Ok(bytes)
}

fn fix(reading: &Reading, accuracy: Option<f64>) -> anyhow::Result<Fix> {
    let position = Position::new(reading.lon, reading.lat)?;
    let accuracy = Meters::new(accuracy.unwrap_or(reading.accuracy_m))?;
    let fix = Fix::new(position, reading.time).with_seq(reading.seq).with_accuracy(accuracy)?;
    Ok(match reading.speed_mps.map(MetersPerSecond::new) {
        Some(Ok(speed)) => fix.with_speed(speed),
        _ => fix,
    })
}
