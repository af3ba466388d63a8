//! When something was amiss during a run: faults on purpose, a generator that was late, a machine that was full.

use crate::record::{Record, Second};

/// How late a generator may send before figures are more about it than about the server, if the budget does not say: half
/// of the 100 ms that a player may have to wait.
const LATE_MS: f64 = 50.0;
/// Share of all processors from which on everybody waits for one.
const FULL: f64 = 0.95;

/// A span of the run in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Its begin.
    pub from: f64,
    /// Its end.
    pub to: f64,
}

/// A fault with its times.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Its number on the page.
    pub number: usize,
    /// Its kind and what it was.
    pub what: String,
    /// From its begin to when it was undone.
    pub acting: Span,
    /// From then to when all was as before; the run's end if that was never seen.
    pub recovering: Option<Span>,
}

/// All of a run.
#[derive(Debug)]
pub struct Spans {
    /// Faults, in order of time.
    pub faults: Vec<Fault>,
    /// Where a generator sent late.
    pub late: Vec<Span>,
    /// Where the machine had no processor to spare.
    pub full: Vec<Span>,
    /// What counts as late.
    pub late_ms: f64,
}

impl Spans {
    /// Looks a run through.
    pub fn of(record: &Record) -> Self {
        let limit = record.budget.iter().find(|check| check.name.contains("generator") && check.unit == "ms");
        let late_ms = limit.map_or(LATE_MS, |check| check.limit);
        let cores = record.machine.cores as f64;
        let points = record.seconds.points();
        let full = |point: &Second| {
            let all = point.server_cpu_cores.zip(point.other_cpu_cores);
            let used = all.map(|(server, other)| server + other + point.generator_cpu_cores);
            cores > 0.0 && used.is_some_and(|used| used > FULL * cores)
        };
        Self {
            faults: faults(record),
            late: spans(points, |point| point.generator_lag_ms > late_ms),
            full: spans(points, full),
            late_ms,
        }
    }
}

/// How long spans are together.
pub fn together(spans: &[Span]) -> f64 {
    spans.iter().map(|span| span.to - span.from).sum()
}

fn faults(record: &Record) -> Vec<Fault> {
    let length = record.seconds.length_s();
    let mut marks: Vec<_> = record.faults.iter().collect();
    marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let fault = |(index, mark): (usize, &&crate::record::FaultMark)| {
        let undone = mark.until_s.unwrap_or(mark.at_s).max(mark.at_s);
        let end = mark.recovered_s.unwrap_or(length);
        Fault {
            number: index + 1,
            what: format!("{}: {}", mark.kind, mark.what),
            acting: Span { from: mark.at_s, to: undone },
            recovering: (end > undone).then_some(Span { from: undone, to: end }),
        }
    };
    marks.iter().enumerate().map(fault).collect()
}

fn spans(points: &[Second], is: impl Fn(&Second) -> bool) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    for point in points.iter().filter(|point| is(point)) {
        let (from, to) = (f64::from(point.t), f64::from(point.t) + point.span_s());
        match found.last_mut() {
            Some(last) if from <= last.to => last.to = to,
            _ => found.push(Span { from, to }),
        }
    }
    found
}
