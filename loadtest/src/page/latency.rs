//! Latencies: how they are distributed, with the limits of the budget, and how they went over time.

use super::markup::{El, el};
use super::picture::{Key, Table, fault_keys, figure, over_time as time_plot, previous_key};
use super::plot::{Dot, Plot, Size};
use super::scale::Axis;
use super::{View, section};
use crate::compare::measure_name;
use crate::record::{Latency, Record, Second, measure};
use crate::words;

/// Steps of a curve for each nine.
const STEPS: u32 = 24;
/// Percentiles of the tables.
const ROWS: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];
/// Rows of the table over time: few enough to read, many enough to find a bad minute of an hour.
const TIME_ROWS: usize = 30;

/// A picture for each measure, two beside each other.
pub fn curves(view: &View<'_>) -> Vec<El> {
    let measured = view.now.latencies.iter().filter(|(_, latency)| latency.count() > 0);
    let panels: Vec<El> = measured.map(|(key, latency)| panel(view, key, latency)).collect();
    if panels.is_empty() {
        return Vec::new();
    }
    let says = "Each curve answers: how long did the slowest of ten, of a hundred, of a thousand wait? Latencies begin when \
                something was due, not when it was sent, so a server that stalls is charged for all who waited.";
    section("How long players wait", [el("p").text(says), el("div").class("pair").children(panels)])
}

fn panel(view: &View<'_>, key: &str, latency: &Latency) -> El {
    let (name, before) = (measure_name(key), view.before.and_then(|before| before.latencies.get(key)));
    let before = before.filter(|before| before.count() > 0);
    let limits: Vec<(f64, f64, String)> = limits(view.now, key);
    let count = words::whole(latency.count());
    let says = format!(
        "{count} values. Half took up to {}, 99 in 100 up to {}, the slowest {}.",
        words::ms(latency.quantile_ms(0.5).unwrap_or(0.0)),
        words::ms(latency.quantile_ms(0.99).unwrap_or(0.0)),
        words::ms(latency.max_ms().unwrap_or(0.0))
    );
    let mut keys: Vec<Key> = Vec::new();
    if !limits.is_empty() {
        keys.push(("limit", "the budget's limit"));
    }
    keys.extend(previous_key(before.is_some()));
    let draw = |size: Size| {
        let highest = limits.iter().map(|(_, limit, _)| *limit).chain(latency.max_ms()).fold(0.0, f64::max);
        let lowest = latency.quantile_ms(0.0).unwrap_or(0.1).max(0.01);
        let nines = Axis::nines(latency.count());
        let dots = curve(latency, nines.high());
        let faint = before.map(|before| curve(before, nines.high().min((before.count() as f64).log10())));
        let mut plot = Plot::new(size, nines, Axis::log(lowest, highest, words::ms));
        if let Some(faint) = faint {
            plot.faint("the earlier run", &faint);
        }
        plot.line("line curve", "", &dots);
        for (nines, limit, name) in &limits {
            plot.level("limit", name, *limit, Some(*nines));
        }
        plot
    };
    el("section")
        .child(el("h3").text(&name))
        .child(figure(&name, &says, &keys, [Size::Half, Size::Narrow], draw))
        .child(table(view, &name, latency, before).folded(&[]))
}

/// How many nines a quantile has.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-9).log10()
}

fn curve(latency: &Latency, high: f64) -> Vec<Dot> {
    let count = (high * f64::from(STEPS)).ceil().max(1.0) as u32;
    let at = |step: u32| f64::from(step) / f64::from(count) * high;
    (0..=count).map(at).map(|nines| (nines, latency.quantile_ms(1.0 - 10_f64.powf(-nines)))).collect()
}

/// Limits on percentiles of a measure: at how many nines, milliseconds, name.
fn limits(record: &Record, key: &str) -> Vec<(f64, f64, String)> {
    let limit = |check: &crate::record::Check| {
        let (measure, percentile) = check.name.split_once(' ')?;
        let percent: f64 = percentile.strip_prefix('p')?.parse().ok()?;
        let is_ours = measure == key && check.unit == "ms" && (0.0..100.0).contains(&percent);
        is_ours.then(|| {
            (nines(percent / 100.0), check.limit, format!("{percentile}: {} allowed", words::ms(check.limit)))
        })
    };
    record.budget.iter().filter_map(limit).collect()
}

fn table(view: &View<'_>, name: &str, latency: &Latency, before: Option<&Latency>) -> Table {
    let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), words::ms);
    let percentile = |(label, quantile): (&str, f64)| {
        let change = view.pair(&format!("{name}, {label}")).map(crate::compare::Pair::change).unwrap_or_default();
        let before = text(before.and_then(|before| before.quantile_ms(quantile)));
        vec![label.to_owned(), text(latency.quantile_ms(quantile)), before, change]
    };
    let mut rows: Vec<_> = ROWS.into_iter().map(percentile).collect();
    let before_max = text(before.and_then(Latency::max_ms));
    rows.push(vec!["slowest".to_owned(), text(latency.max_ms()), before_max, String::new()]);
    Table { about: format!("{name}: percentiles"), head: vec!["", "This run", "Earlier", "Difference"], rows }
}

/// Percentiles second by second, with faults.
pub fn over_time(view: &View<'_>) -> Vec<El> {
    let points = view.now.seconds.points();
    if !points.iter().any(|point| point.p50_ms.is_some()) {
        return section("Latency over time and faults", faults(view));
    }
    let limit = limits(view.now, measure::FIX_ACK).into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    let mut keys: Vec<Key> = vec![
        ("line p50", "p50: half of all fixes are faster"),
        ("line p99", "p99: 99 in 100 are faster"),
        ("line p999", "p99.9"),
    ];
    keys.extend(fault_keys(&view.spans));
    keys.extend(previous_key(view.before.is_some()));
    let says = "From the moment at which a fix was due to its answer, for the fixes answered in each second. The scale is \
                logarithmic: a line further up is ten times as slow.";
    let draw = |size: Size| {
        let thin = view.now.seconds.thinned(size.points());
        let all = points.iter().flat_map(|point| [point.p50_ms, point.p999_ms.or(point.p99_ms)]).flatten();
        let (low, high) = all.fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let high = limit.as_ref().map_or(high, |(_, limit, _)| high.max(*limit));
        let y = Axis::log(low.max(0.01), high, words::ms);
        let mut plot = time_plot(size, view.now.seconds.length_s(), y, &view.spans);
        if let Some(before) = view.before {
            let thin = before.seconds.thinned(size.points());
            plot.faint("p99 of the earlier run", &dots(thin.points(), |point| point.p99_ms));
        }
        plot.line("line p999", "p99.9", &dots(thin.points(), |point| point.p999_ms));
        plot.line("line p99", "p99", &dots(thin.points(), |point| point.p99_ms));
        plot.line("line p50", "p50", &dots(thin.points(), |point| point.p50_ms));
        if let Some((_, limit, name)) = &limit {
            plot.level("limit", name, *limit, None);
        }
        plot
    };
    let picture = figure("Latency over time", says, &keys, [Size::Wide, Size::Narrow], draw);
    let parts = std::iter::once(picture).chain(time_table(view).folded(&[])).chain(faults(view));
    section("Latency over time and faults", parts)
}

/// A line of a timeline.
pub fn dots(points: &[Second], of: impl Fn(&Second) -> Option<f64>) -> Vec<Dot> {
    points.iter().map(|point| (f64::from(point.t) + point.span_s() / 2.0, of(point))).collect()
}

fn time_table(view: &View<'_>) -> Table {
    let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), words::ms);
    let thin = view.now.seconds.thinned(TIME_ROWS);
    let row = |point: &Second| {
        let rate = words::number(point.rate(point.acked).round());
        let at = words::span(f64::from(point.t));
        vec![at, text(point.p50_ms), text(point.p99_ms), text(point.p999_ms), rate, words::whole(point.errors)]
    };
    Table {
        about: "Latency over time, the worst second of each span".to_owned(),
        head: vec!["From", "p50", "p99", "p99.9", "Fixes answered a second", "Errors"],
        rows: thin.points().iter().map(row).collect(),
    }
}

fn faults(view: &View<'_>) -> Option<El> {
    let rows = view.spans.faults.iter().map(|fault| {
        let acting = fault.acting.to - fault.acting.from;
        let mark = view.now.faults.iter().find(|mark| mark.at_s.total_cmp(&fault.acting.from).is_eq());
        let recovered = mark.and_then(|mark| mark.recovered_s);
        vec![
            fault.number.to_string(),
            fault.what.clone(),
            words::span(fault.acting.from),
            if acting > 0.0 { words::span(acting) } else { "at once".to_owned() },
            recovered.map_or_else(|| "never seen".to_owned(), |at| words::span((at - fault.acting.from).max(0.0))),
        ]
    });
    let table = Table {
        about: "Faults that were made on purpose".to_owned(),
        head: vec!["", "Fault", "At", "Lasted", "Recovered after"],
        rows: rows.collect(),
    };
    (!table.rows.is_empty()).then(|| table.element(&[1]))
}
