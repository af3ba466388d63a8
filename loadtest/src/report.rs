//! The result of a run: an aligned table for people, JSON for programs, and a verdict.

use crate::machine::{CpuUsed, Machine};
use crate::tally::Tally;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

/// Share of all processors in use above which latencies say more about the machine than about the server.
const FULL: f64 = 0.9;

/// One figure.
#[derive(Debug, Clone, Serialize)]
struct Figure {
    section: String,
    name: String,
    value: f64,
    unit: &'static str,
}

/// A report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    scenario: String,
    settings: String,
    machine: String,
    load_average_before: String,
    commit: String,
    server_build: &'static str,
    seed: u64,
    figures: Vec<Figure>,
    remarks: Vec<String>,
    faults: u64,
    first_fault: Option<String>,
    #[serde(skip)]
    section: String,
    #[serde(skip)]
    promise: &'static str,
}

impl Report {
    /// An empty report that says where and on what it was made; `own`: the server is of this build.
    pub fn new(scenario: &str, settings: String, machine: &Machine, own: bool, seed: u64) -> Self {
        let Machine { cores, descriptors, .. } = machine;
        Self {
            scenario: scenario.to_owned(),
            settings,
            machine: format!("{cores} cores, {descriptors} descriptors a process"),
            load_average_before: machine.load.clone(),
            commit: machine.commit.clone(),
            server_build: if own { machine.build } else { "not ours: unknown" },
            seed,
            figures: Vec::new(),
            remarks: Vec::new(),
            faults: 0,
            first_fault: None,
            section: String::new(),
            promise: "every command answered, every notice seen once",
        }
    }

    /// What can be said when there was no fault.
    pub fn promise(&mut self, text: &'static str) {
        self.promise = text;
    }

    /// A heading for the figures that follow.
    pub fn section(&mut self, name: impl Into<String>) {
        self.section = name.into();
    }

    /// Adds a figure.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { section: self.section.clone(), name: name.into(), value, unit });
    }

    /// Adds a remark for people.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// Adds percentiles of a histogram of microseconds, as milliseconds.
    pub fn latency(&mut self, name: &str, histogram: &Histogram<u64>) {
        for (label, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let us = histogram.value_at_quantile(quantile);
            self.figure(format!("{name} {label}"), us as f64 / 1_000.0, "ms");
        }
        self.figure(format!("{name} max"), histogram.max() as f64 / 1_000.0, "ms");
    }

    /// Adds what both sides and everybody else used, by the second and by the piece of work.
    pub fn cpu(&mut self, used: &CpuUsed, cores: usize, work: &str, pieces: u64) {
        let share = |time: Duration| time.as_secs_f64() / used.wall.as_secs_f64();
        if let Some(server) = used.server {
            self.figure(format!("server CPU per {work}"), server.as_secs_f64() * 1e6 / pieces.max(1) as f64, "us");
            self.figure("server CPU", share(server), "cores");
        } else {
            self.remark("the server's processor time is not known: give --server-pid");
        }
        self.figure("client CPU", share(used.client), "cores");
        self.figure("CPU of other processes", share(used.others), "cores");
        let all = share(used.server.unwrap_or_default() + used.client + used.others);
        if all > FULL * cores as f64 {
            self.remark(format!(
                "the machine was full ({all:.2} of {cores} cores): latencies include waiting for a processor"
            ));
        }
    }

    /// Takes over faults.
    pub fn judge(&mut self, tally: &Tally) {
        let (faults, first) = tally.faults();
        self.faults += faults;
        self.first_fault = self.first_fault.take().or(first);
    }

    /// Whether all was as it should be.
    pub fn is_good(&self) -> bool {
        self.faults == 0
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let head = [
            ("scenario", self.scenario.as_str()),
            ("settings", &self.settings),
            ("machine", &self.machine),
            ("load average before", &self.load_average_before),
            ("commit", &self.commit),
            ("server build", self.server_build),
        ];
        let width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0).max(20);
        // Writing to a String cannot fail.
        for (name, value) in head {
            let _ = writeln!(text, "{name:width$}  {value}");
        }
        let _ = writeln!(text, "{:width$}  {}\n", "seed", self.seed);
        let mut under = "";
        for Figure { section, name, value, unit } in &self.figures {
            if section != under {
                let _ = writeln!(text, "\n{section}");
                under = section;
            }
            let digits = if value.fract() == 0.0 { 0 } else { 2 };
            let _ = writeln!(text, "{name:width$}  {value:>12.digits$} {unit}");
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "\nnote: {remark}");
        }
        match &self.first_fault {
            Some(first) => {
                let _ = writeln!(text, "\nFAILED: {} faults, the first: {first}", self.faults);
            }
            None => {
                let _ = writeln!(text, "\nok: {}", self.promise);
            }
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|err| format!("{{\"error\":\"{err}\"}}"))
    }
}
