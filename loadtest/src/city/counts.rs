//! What one generator counts: by the second, and over the whole run.
//!
//! One mutex for all: a generator has one thread, so nobody ever waits for it. Latencies begin when something was due,
//! not when it was sent (open loop), so a server that stands still is charged for all that was due meanwhile; what is
//! never answered is charged with the time that it has waited when the run ends.

use super::pipe::{Beat, Sum};
use crate::record::{Latency, Totals};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use waystone::walk::LonLat;

/// Longest latency told apart, in microseconds: ten minutes, after which a fix is too old for the server too.
const LATENCY_MAX: u64 = 600_000_000;
/// Digits of latencies of the whole run, and of one second.
const DIGITS: (u8, u8) = (3, 2);
/// Side of a cell of the map, in degrees of longitude and of latitude: about 50 m at 60 degrees north.
pub const CELL: (f64, f64) = (0.0009, 0.000_45);
/// Most cells; what lies outside of them by then is not drawn.
const CELLS_MAX: usize = 40_000;

/// From the moment at which an answer, a scan or a choice was due to its notice on each member's phone.
pub const AWARD_TO_NOTICE: &str = "award_to_notice";

/// The counts.
#[derive(Debug)]
pub struct Counts(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    beat: Beat,
    beat_latency: Histogram<u64>,
    beat_lag: Histogram<u64>,
    latencies: BTreeMap<&'static str, Histogram<u64>>,
    lag: Histogram<u64>,
    totals: Totals,
    more: BTreeMap<String, u64>,
    heat: HashMap<(i32, i32), u64>,
    by_place: Vec<u64>,
    first_fault: Option<String>,
    sockets: u64,
    /// Latencies count from now on: the warm-up is over.
    measured: bool,
}

fn histogram(digits: u8) -> Histogram<u64> {
    // The bounds are constants, and valid.
    Histogram::new_with_bounds(1, LATENCY_MAX, digits).expect("constant bounds are valid")
}

/// Microseconds of a span, one at least.
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(LATENCY_MAX).max(1)
}

impl Counts {
    /// Nothing so far.
    pub fn new(places: usize) -> Self {
        Self(Mutex::new(Inner {
            beat: Beat::default(),
            beat_latency: histogram(DIGITS.1),
            beat_lag: histogram(DIGITS.1),
            latencies: BTreeMap::new(),
            lag: histogram(DIGITS.0),
            totals: Totals::default(),
            more: BTreeMap::new(),
            heat: HashMap::new(),
            by_place: vec![0; places],
            first_fault: None,
            sockets: 0,
            measured: false,
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The warm-up is over.
    pub fn measure(&self) {
        self.inner().measured = true;
    }

    /// Fixes are due now.
    pub fn offered(&self, fixes: u64) {
        self.inner().beat.offered += fixes;
    }

    /// Fixes were sent, from there.
    pub fn sent(&self, fixes: u64) {
        let mut inner = self.inner();
        inner.beat.sent += fixes;
        inner.totals.fixes += fixes;
    }

    /// Someone honest is there.
    pub fn seen_at(&self, at: LonLat) {
        let cell = ((at.lon / CELL.0).floor() as i32, (at.lat / CELL.1).floor() as i32);
        let mut inner = self.inner();
        if inner.heat.len() < CELLS_MAX || inner.heat.contains_key(&cell) {
            *inner.heat.entry(cell).or_default() += 1;
        }
    }

    /// A fix is answered, so long after it was due.
    pub fn acked(&self, took: Duration) {
        let (mut inner, us) = (self.inner(), micros(took));
        inner.beat.acked += 1;
        inner.totals.acks += 1;
        inner.beat_latency.saturating_record(us);
        inner.record(crate::record::measure::FIX_ACK, us);
    }

    /// A latency of another measure.
    pub fn took(&self, measure: &'static str, span: Duration) {
        self.inner().record(measure, micros(span));
    }

    /// What was due was looked at so late.
    pub fn late(&self, by: Duration) {
        let (mut inner, us) = (self.inner(), micros(by));
        inner.beat_lag.saturating_record(us);
        inner.lag.saturating_record(us);
    }

    /// A socket more, first or again; or one less.
    pub fn connected(&self, again: bool) {
        let mut inner = self.inner();
        inner.sockets += 1;
        let count = if again { &mut inner.totals.reconnects } else { &mut inner.totals.connects };
        *count += 1;
    }

    /// A socket less.
    pub fn disconnected(&self) {
        let mut inner = self.inner();
        inner.sockets = inner.sockets.saturating_sub(1);
    }

    /// A notice was seen.
    pub fn notice(&self) {
        let mut inner = self.inner();
        inner.beat.notices += 1;
        inner.totals.notices += 1;
    }

    /// An award was seen by the one who won it, at a place if there is one.
    pub fn award(&self, place: Option<usize>) {
        let mut inner = self.inner();
        inner.beat.awards += 1;
        inner.totals.awards += 1;
        if let Some(count) = place.and_then(|place| inner.by_place.get_mut(place)) {
            *count += 1;
        }
    }

    /// A refusal or a close by its code; `error`: one that a client need not expect.
    pub fn refused(&self, code: u32, error: bool) {
        let mut inner = self.inner();
        *inner.totals.by_code.entry(code.to_string()).or_default() += 1;
        inner.totals.refused += 1;
        inner.beat.errors += u64::from(error);
        if error {
            *inner.more.entry("errors".to_owned()).or_default() += 1;
        }
    }

    /// Something that may happen under faults, and is an error of that second: a lost connection, a dial without success.
    pub fn error(&self, kind: &str) {
        let mut inner = self.inner();
        inner.beat.errors += 1;
        *inner.more.entry(kind.to_owned()).or_default() += 1;
    }

    /// Counts something else by its name.
    pub fn count(&self, name: &str, by: u64) {
        *self.inner().more.entry(name.to_owned()).or_default() += by;
    }

    /// What must never happen; the first is kept in words.
    pub fn fault(&self, what: impl FnOnce() -> String) {
        let mut inner = self.inner();
        *inner.more.entry("faults".to_owned()).or_default() += 1;
        inner.first_fault.get_or_insert_with(what);
    }

    /// Ends a second.
    pub fn beat(&self, t: u32) -> Beat {
        let mut inner = self.inner();
        let mut beat = std::mem::take(&mut inner.beat);
        (beat.t, beat.sockets) = (t, inner.sockets);
        beat.lag_p99_us = if inner.beat_lag.is_empty() { 0 } else { inner.beat_lag.value_at_quantile(0.99) };
        let latencies = inner.beat_latency.iter_recorded();
        beat.latencies = latencies.map(|at| (at.value_iterated_to(), at.count_at_value())).collect();
        inner.beat_latency.reset();
        inner.beat_lag.reset();
        beat
    }

    /// All of it.
    pub fn sum(&self) -> Sum {
        let inner = self.inner();
        let latencies = inner.latencies.iter().map(|(name, all)| ((*name).to_owned(), Latency(all.clone())));
        Sum {
            latencies: latencies.collect(),
            lag: Latency(inner.lag.clone()),
            totals: inner.totals.clone(),
            more: inner.more.clone(),
            heat: inner.heat.iter().map(|((x, y), count)| (*x, *y, *count)).collect(),
            by_place: inner.by_place.clone(),
            first_fault: inner.first_fault.clone(),
        }
    }
}

impl Inner {
    fn record(&mut self, measure: &'static str, us: u64) {
        // Connects of the warm-up are the connects; everything else is measured after it.
        if self.measured || measure == crate::record::measure::CONNECT {
            self.latencies.entry(measure).or_insert_with(|| histogram(DIGITS.0)).saturating_record(us);
        }
    }
}
