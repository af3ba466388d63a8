//! The record of a run: everything that a run found out, in one file that other programs can read.
//!
//! A run writes it (`run.json` in its folder), pictures and comparisons are made of it, also years later. So its form is
//! a promise: fields are added with a default, never renamed; a record of a newer form is refused with a remedy instead
//! of being misread. What was not measured is absent, never a zero that looks like a good result. Positions in it are
//! those of synthetic walkers only. Everything in it is bounded ([`timeline`], [`map`]).
//!
//! Reading order: this file, `timeline` (second by second), `latency`, `map`, `hardware`, `file`.

pub mod file;
mod hardware;
mod latency;
mod map;
#[cfg(test)]
pub mod samples;
mod timeline;

pub use file::{FILE_NAME, RecordError, begun_now};
pub use hardware::Hardware;
pub use latency::Latency;
pub use map::{Cell, Map, MapError, Place};
pub use timeline::{Second, Timeline};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form that this program writes, and the newest that it reads.
pub const FORM: u32 = 1;

/// Names of the measures that all runs share; a run may have more.
pub mod measure {
    /// From the moment at which a fix was due to its answer.
    pub const FIX_ACK: &str = "fix_ack";
    /// From the moment at which the deciding fix was due to the notice on a member's phone.
    pub const FIX_TO_NOTICE: &str = "fix_to_notice";
    /// From the moment at which an act that wins something was due to its durable answer.
    pub const AWARD_ACK: &str = "award_ack";
    /// From the dial to the welcome.
    pub const CONNECT: &str = "connect";
    /// From the dial to the welcome with all that was missed, after a lost connection.
    pub const RESUME: &str = "resume";
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The form of this record, [`FORM`].
    pub form: u32,
    /// Which scenario.
    pub scenario: String,
    /// The command line that repeats it.
    pub settings: String,
    /// What chance began with.
    pub seed: u64,
    /// What it ran on.
    pub machine: Hardware,
    /// Commit of the sources, `-dirty` if they were changed.
    pub commit: String,
    /// `release` or `debug`.
    pub build: String,
    /// When it began, as RFC 3339 has it.
    pub begun: String,
    /// What was loaded.
    pub target: Target,
    /// Second by second.
    #[serde(default)]
    pub seconds: Timeline,
    /// Latencies of the whole run by measure, see [`measure`].
    #[serde(default)]
    pub latencies: BTreeMap<String, Latency>,
    /// What was done to the server on purpose.
    #[serde(default)]
    pub faults: Vec<FaultMark>,
    /// Where it happened.
    #[serde(default)]
    pub map: Option<Map>,
    /// The processes that made the load.
    #[serde(default)]
    pub generators: Vec<Generator>,
    /// Counts of the whole run.
    #[serde(default)]
    pub totals: Totals,
    /// What was allowed, and what was seen.
    #[serde(default)]
    pub budget: Vec<Check>,
    /// What the checker of histories and the journal says.
    #[serde(default)]
    pub verdict: Vec<Finding>,
    /// What this run says nothing about.
    #[serde(default)]
    pub not_covered: Vec<String>,
    /// Whether all of it was as it should be.
    pub ok: bool,
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// How many nodes.
    pub nodes: u32,
    /// Where its journal lies.
    pub store: Store,
    /// Whether it has a Redis.
    pub redis: bool,
}

/// Where a journal lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// In a file.
    Sqlite,
    /// In a database server.
    Postgres,
    /// It was not our server.
    Unknown,
}

impl Store {
    /// As in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that was done to the server on purpose; times are seconds since the first second of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultMark {
    /// When it was done.
    pub at_s: f64,
    /// When it was undone, such as a restart; absent if nothing had to be.
    #[serde(default)]
    pub until_s: Option<f64>,
    /// Its kind in a word: `kill`, `freeze`, `cut`.
    pub kind: String,
    /// What in a sentence: which node, which service.
    pub what: String,
    /// When all was again as before; absent if that was never seen.
    #[serde(default)]
    pub recovered_s: Option<f64>,
}

/// One process that made load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Its name.
    pub name: String,
    /// Processors that it used on average.
    pub cpu_cores: f64,
    /// How late it sent what was due: the 99th percentile.
    pub lag_p99_ms: f64,
    /// Sockets that it held.
    pub sockets: u64,
}

/// Counts of the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Fixes sent.
    pub fixes: u64,
    /// Fixes answered, and well.
    pub acks: u64,
    /// Awards acknowledged, so durable.
    pub awards: u64,
    /// Notices seen on phones.
    pub notices: u64,
    /// First connects.
    pub connects: u64,
    /// Connects after a lost connection.
    pub reconnects: u64,
    /// Commands refused.
    pub refused: u64,
    /// Refusals and closes by their code.
    pub by_code: BTreeMap<String, u64>,
}

impl Totals {
    /// Takes in those of somebody else, or of later.
    pub fn absorb(&mut self, others: Self) {
        self.fixes += others.fixes;
        self.acks += others.acks;
        self.awards += others.awards;
        self.notices += others.notices;
        self.connects += others.connects;
        self.reconnects += others.reconnects;
        self.refused += others.refused;
        for (code, count) in others.by_code {
            *self.by_code.entry(code).or_default() += count;
        }
    }
}

/// One line of the budget: what was allowed, and what was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What is limited. A limit on a percentile of a measure is named `<measure> <percentile>`, such as `fix_ack p99`;
    /// pictures draw it as a line.
    pub name: String,
    /// The limit.
    pub limit: f64,
    /// What was seen; absent if it was not measured, which is never `ok`.
    pub seen: Option<f64>,
    /// The unit of both.
    pub unit: String,
    /// Whether what was seen is within the limit.
    pub ok: bool,
}

/// One line of what the checker found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was checked, in a few words.
    pub name: String,
    /// How many were looked at.
    pub looked_at: u64,
    /// How many of them were wrong.
    pub wrong: u64,
    /// What it means, or the first that was wrong.
    pub what: String,
    /// Whether it is as it should be.
    pub ok: bool,
}

impl Record {
    /// What has failed, in the order of the record.
    pub fn failures(&self) -> Vec<&str> {
        let budget = self.budget.iter().filter(|check| !check.ok).map(|check| check.name.as_str());
        budget.chain(self.verdict.iter().filter(|found| !found.ok).map(|found| found.name.as_str())).collect()
    }
}
