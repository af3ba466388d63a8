//! The figures of a run that can be compared, each with its standard error as far as the run itself shows it.

use crate::record::{Latency, Record, Second, measure};
use crate::words;

/// What stands where a figure was not measured.
pub const MISSING: &str = "not measured";
/// Parts of a run that scatter is taken from: long enough for a part to be like another, enough to have a deviation.
const PARTS: usize = 10;

/// Which direction is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// It says what was done, not how well.
    Neither,
}

/// One figure of a run.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Its name, the same in all runs.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// Which direction is good.
    pub better: Better,
    /// Its standard error within the run.
    pub error: f64,
}

impl Figure {
    fn new(name: impl Into<String>, value: f64, unit: &'static str, better: Better, error: f64) -> Self {
        Self { name: name.into(), value, unit, better, error }
    }

    /// Value and unit.
    pub fn text(&self) -> String {
        words::with_unit(self.value, self.unit)
    }
}

/// A measure as people call it.
pub fn measure_name(key: &str) -> String {
    match key {
        measure::FIX_ACK => "Fix to answer".to_owned(),
        measure::FIX_TO_NOTICE => "Fix to notice".to_owned(),
        measure::AWARD_ACK => "Act to durable award".to_owned(),
        "award_to_notice" => "Act to notice".to_owned(),
        measure::CONNECT => "Connect".to_owned(),
        measure::RESUME => "Reconnect and catch up".to_owned(),
        other => other.to_owned(),
    }
}

/// A check of the budget as people call it.
pub fn check_name(name: &str) -> String {
    match name.split_once(' ') {
        Some((key, percentile)) if measure_name(key) != key => format!("{}, {percentile}", measure_name(key)),
        _ => name.to_owned(),
    }
}

/// All figures of a run that were measured.
pub fn figures(record: &Record) -> Vec<Figure> {
    let points = record.seconds.points();
    let mut found = Vec::new();
    if !points.is_empty() {
        found.extend(rates(points));
    }
    for (key, latency) in &record.latencies {
        let scatter = if key == measure::FIX_ACK { Some(points) } else { None };
        found.extend(percentiles(&measure_name(key), latency, scatter));
    }
    found.extend(server(points));
    let recoveries = record.faults.iter().filter_map(|fault| Some(fault.recovered_s? - fault.at_s));
    if let Some(slowest) = recoveries.max_by(f64::total_cmp) {
        // One fault is one look: a second of grain is all that is known of its error.
        found.push(Figure::new("Slowest recovery from a fault", slowest, "s", Better::Lower, 1.0));
    }
    found
}

fn rates(points: &[Second]) -> Vec<Figure> {
    let rate = |name: &str, of: fn(&Second) -> u64, better| {
        let (value, error) = mean(points, |part| per_second(part, of));
        Figure::new(name, value, "/s", better, error)
    };
    let share = |part: &[Second]| {
        let offered = part.iter().map(|point| point.offered).sum::<u64>();
        let acked = part.iter().map(|point| point.acked).sum::<u64>();
        (offered > 0).then(|| offered.saturating_sub(acked) as f64 / offered as f64 * 100.0)
    };
    let (missing, error) = mean(points, share);
    vec![
        rate("Fixes due", |point| point.offered, Better::Neither),
        rate("Fixes answered", |point| point.acked, Better::Higher),
        Figure::new("Due fixes without a good answer", missing, "%", Better::Lower, error),
        rate("Awards", |point| point.awards, Better::Higher),
        rate("Notices", |point| point.notices, Better::Neither),
        rate("Errors", |point| point.errors, Better::Lower),
    ]
}

fn percentiles(name: &str, latency: &Latency, points: Option<&[Second]>) -> Vec<Figure> {
    let all = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
    let figures = all.into_iter().filter_map(|(label, quantile)| {
        let value = latency.quantile_ms(quantile)?;
        let of_points = points.and_then(|points| relative_scatter(points, label)).unwrap_or(0.0) * value;
        let error = order_error(latency, quantile).max(of_points);
        Some(Figure::new(format!("{name}, {label}"), value, "ms", Better::Lower, error))
    });
    figures.collect()
}

/// The span in which the order of so many values places a quantile, as one standard error.
fn order_error(latency: &Latency, quantile: f64) -> f64 {
    let spread = (quantile * (1.0 - quantile) / latency.count().max(1) as f64).sqrt();
    let at = |quantile: f64| latency.quantile_ms(quantile.clamp(0.0, 1.0)).unwrap_or(0.0);
    (at(quantile + spread) - at(quantile - spread)).abs() / 2.0
}

/// How much a percentile of the timeline varies from part to part, as a share of its mean: neighbouring answers share
/// their fate, which their mere number does not show.
fn relative_scatter(points: &[Second], label: &str) -> Option<f64> {
    let of = |point: &Second| match label {
        "p50" => point.p50_ms,
        "p99" => point.p99_ms,
        "p99.9" => point.p999_ms,
        _ => None,
    };
    let part = |part: &[Second]| {
        let values: Vec<f64> = part.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let (value, error) = mean(points, part);
    (value > 0.0).then(|| error / value)
}

fn server(points: &[Second]) -> Vec<Figure> {
    let mut found = Vec::new();
    let peak = points.iter().filter_map(|point| point.server_rss_mb).max_by(f64::total_cmp);
    if let Some(peak) = peak {
        let part = |part: &[Second]| part.iter().filter_map(|point| point.server_rss_mb).max_by(f64::total_cmp);
        // A peak only grows, so parts differ by growth; a fiftieth is what allocators differ by from run to run.
        let error = mean(points, part).1.min(peak / 50.0);
        found.push(Figure::new("Server memory, peak", peak, "MB", Better::Lower, error));
    }
    let cost = |part: &[Second]| {
        let seen: Vec<&Second> = part.iter().filter(|point| point.server_cpu_cores.is_some()).collect();
        let used: f64 = seen.iter().map(|point| point.server_cpu_cores.unwrap_or(0.0) * point.span_s()).sum();
        let acked = seen.iter().map(|point| point.acked).sum::<u64>();
        (acked > 0).then(|| used * 1e6 / acked as f64)
    };
    if cost(points).is_some() {
        let (value, error) = mean(points, cost);
        found.push(Figure::new("Server CPU a fix, all work included", value, "us", Better::Lower, error));
    }
    found
}

fn per_second(part: &[Second], of: fn(&Second) -> u64) -> Option<f64> {
    let span: f64 = part.iter().map(Second::span_s).sum();
    (span > 0.0).then(|| part.iter().map(of).sum::<u64>() as f64 / span)
}

/// A figure over all points, and its standard error from its parts.
fn mean(points: &[Second], of: impl Fn(&[Second]) -> Option<f64>) -> (f64, f64) {
    let all = of(points).unwrap_or(0.0);
    let parts: Vec<f64> = points.chunks(points.len().div_ceil(PARTS).max(1)).filter_map(of).collect();
    if parts.len() < 2 {
        return (all, all.abs());
    }
    let count = parts.len() as f64;
    let middle = parts.iter().sum::<f64>() / count;
    let variance = parts.iter().map(|part| (part - middle).powi(2)).sum::<f64>() / (count - 1.0);
    (all, (variance / count).sqrt())
}
