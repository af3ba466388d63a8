//! What the conductor and its generators say to each other: lines of JSON through the pipes of a child.
//!
//! Pipes, and not a port: nobody else can speak there, and their end tells each side of the other's death.

use super::curve::Curve;
use crate::record::{Latency, Totals};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Longest line that is read: the last words of a generator, with its histograms and the heat of its map.
pub const LINE_BYTES_MAX: u64 = 32 << 20;

/// What a generator must know; the first line that it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Which generator it is, from 0.
    pub number: u32,
    /// What chance begins with, for all generators the same.
    pub seed: u64,
    /// Streets of a file, or Helsinki's.
    pub streets: Option<PathBuf>,
    /// Recorded tracks for some players to replay.
    pub tracks: Vec<PathBuf>,
    /// Places of the town.
    pub places: usize,
    /// Teams of the whole run, and which of them are this generator's.
    pub teams: u32,
    pub first_team: u32,
    pub own_teams: u32,
    /// Players in a team.
    pub members: u32,
    /// Fixes a second, of each player.
    pub rate: f64,
    /// Questions a second, of all teams of the run.
    pub awards: f64,
    /// How the city fills, how long it takes until those of the beginning are in, and how long the run is, in seconds.
    pub curve: Curve,
    pub warmup: f64,
    pub seconds: f64,
    /// Before every name, so that a run on a server that knows others has players of its own.
    pub prefix: String,
    /// The doors.
    pub doors: Vec<SocketAddr>,
    /// The server's secret.
    pub secret_file: PathBuf,
    /// Where its history goes; none: no history is kept.
    pub history: Option<PathBuf>,
}

/// What a generator is told after the plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The first second begins now.
    Begin,
    /// So large a share of sockets is dropped, and their phones come back.
    Drop(f64),
    /// So large a share of phones does not read for so many seconds.
    Deaf(f64, f64),
    /// So many strangers say what no client says.
    Poison(u32),
    /// Nobody does anything any more; say when all is quiet.
    Rest,
    /// Look once more at the state, write it down, and say the last words.
    Settle,
}

/// What a generator says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It has read its plan.
    Ready,
    /// A second is over.
    Second(Box<Beat>),
    /// All that was asked is answered, and no notice has come for a while; or that took too long.
    Quiet {
        /// Players who still wait for something.
        waiting: u64,
    },
    /// The last words.
    Done(Box<Sum>),
    /// It cannot go on.
    Failed(String),
}

/// One second of one generator. Latencies are values in microseconds with their counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Beat {
    pub t: u32,
    pub offered: u64,
    pub sent: u64,
    pub acked: u64,
    pub errors: u64,
    pub notices: u64,
    pub awards: u64,
    pub sockets: u64,
    pub lag_p99_us: u64,
    pub latencies: Vec<(u64, u64)>,
}

/// All of one generator.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sum {
    pub latencies: BTreeMap<String, Latency>,
    pub lag: Latency,
    pub totals: Totals,
    /// Counts beyond those of a record, by name; see `counts`.
    pub more: BTreeMap<String, u64>,
    /// Fixes by cell of the map.
    pub heat: Vec<(i32, i32, u64)>,
    /// Awards by place.
    pub by_place: Vec<u64>,
    /// The first of what should not have happened.
    pub first_fault: Option<String>,
}
