//! What it cost: memory of the server, processors by who used them, and where the load itself was the limit.

use super::latency::dots;
use super::markup::El;
use super::picture::{Key, Table, fault_keys, figure, over_time, previous_key};
use super::plot::{Dot, Plot, Size};
use super::scale::Axis;
use super::spans::together;
use super::{View, section};
use crate::compare::Figure;
use crate::record::Second;
use crate::words;

/// Resident memory of all nodes.
pub fn memory(view: &View<'_>) -> Vec<El> {
    let points = view.now.seconds.points();
    let Some(last) = points.iter().rev().find_map(|point| point.server_rss_mb) else { return Vec::new() };
    let limit = view.now.budget.iter().find(|check| check.unit == "MB" && check.name.contains("memory"));
    let runs = std::iter::once(view.now).chain(view.before);
    let peak = runs.flat_map(|run| run.seconds.points()).filter_map(|point| point.server_rss_mb).fold(0.0, f64::max);
    let mut keys: Vec<Key> = vec![("line memory", "resident memory of all nodes")];
    keys.extend(fault_keys(&view.spans));
    keys.extend(previous_key(view.before.is_some()));
    let says = format!(
        "{} at the end, the most was {}. A line that keeps rising under an even load would be a leak.",
        words::with_unit(last, "MB"),
        words::with_unit(points.iter().filter_map(|point| point.server_rss_mb).fold(0.0, f64::max), "MB")
    );
    let draw = |size: Size| {
        // A limit far away would press the line to the ground.
        let shown = limit.map(|check| check.limit).filter(|limit| *limit <= peak * 4.0);
        let y = Axis::linear(peak.max(shown.unwrap_or(0.0)), 4, |value| words::with_unit(value, "MB"));
        let mut plot = over_time(size, view.now.seconds.length_s(), y, &view.spans);
        if let Some(before) = view.before {
            plot.faint("the earlier run", &dots(before.seconds.thinned(size.points()).points(), |p| p.server_rss_mb));
        }
        let thin = view.now.seconds.thinned(size.points());
        plot.line("line memory", "", &dots(thin.points(), |point| point.server_rss_mb));
        if let Some(limit) = shown {
            plot.level("limit", &format!("{} allowed", words::with_unit(limit, "MB")), limit, None);
        }
        plot
    };
    let picture = figure("Server memory", &says, &keys, [Size::Wide, Size::Narrow], draw);
    let table = figures(view, &["Server memory, peak"], "Server memory");
    section("Server memory", std::iter::once(picture).chain(table))
}

/// Processors, stacked by who used them.
pub fn cpu(view: &View<'_>) -> Vec<El> {
    let points = view.now.seconds.points();
    let all = |point: &Second| {
        point.server_cpu_cores.unwrap_or(0.0) + point.generator_cpu_cores + point.other_cpu_cores.unwrap_or(0.0)
    };
    let high = points.iter().map(all).fold(0.0, f64::max);
    if high <= 0.0 {
        return Vec::new();
    }
    let cores = view.now.machine.cores as f64;
    let mut keys: Vec<Key> = vec![
        ("area server", "server"),
        ("area generator", "generators of the load"),
        ("area others", "everybody else"),
    ];
    if !view.spans.late.is_empty() {
        keys.push(("band late", "the generator was saturated"));
    }
    if !view.spans.full.is_empty() {
        keys.push(("band full", "the machine was full"));
    }
    let draw = |size: Size| {
        let y = Axis::linear(high.max(cores), 4, |value| words::with_unit(value, "cores"));
        let mut plot = Plot::new(size, Axis::time(view.now.seconds.length_s(), size.ticks()), y);
        stack(&mut plot, view.now.seconds.thinned(size.points()).points());
        plot.strip("band full", "the machine was full", 1, view.spans.full.iter().copied());
        plot.strip("band late", "the generator was saturated", 0, view.spans.late.iter().copied());
        if cores > 0.0 {
            plot.level("limit", &format!("all {cores:.0} cores"), cores, None);
        }
        plot
    };
    let says = saturation(view);
    let picture = figure("Processors in use", &says, &keys, [Size::Wide, Size::Narrow], draw);
    let table = figures(view, &["Server CPU a fix, all work included"], "Cost of a fix");
    section("Processors", std::iter::once(picture).chain(table).chain(generators(view)))
}

fn stack(plot: &mut Plot, points: &[Second]) {
    let layer = |of: &dyn Fn(&Second) -> f64| -> Vec<Dot> { dots(points, |point| Some(of(point))) };
    let server = |point: &Second| point.server_cpu_cores.unwrap_or(0.0);
    let load = |point: &Second| server(point) + point.generator_cpu_cores;
    let all = |point: &Second| load(point) + point.other_cpu_cores.unwrap_or(0.0);
    plot.area("area server", "server", &layer(&|_| 0.0), &layer(&server));
    plot.area("area generator", "generators of the load", &layer(&server), &layer(&load));
    plot.area("area others", "everybody else", &layer(&load), &layer(&all));
}

fn saturation(view: &View<'_>) -> String {
    let (late, full) = (together(&view.spans.late), together(&view.spans.full));
    let lag = view.now.seconds.points().iter().map(|point| point.generator_lag_ms).fold(0.0, f64::max);
    let limit = words::ms(view.spans.late_ms);
    let generator = if late > 0.0 {
        format!(
            "The generator was saturated for {}: it sent more than {limit} late, at worst {}.",
            words::span(late),
            words::ms(lag)
        )
    } else {
        format!(
            "The generator kept up: at worst it sent {} late, and {limit} would count as saturated.",
            words::ms(lag)
        )
    };
    let machine = if full > 0.0 {
        format!("The machine had no processor to spare for {}.", words::span(full))
    } else {
        "The machine always had a processor to spare.".to_owned()
    };
    format!("{generator} {machine}")
}

fn figures(view: &View<'_>, names: &[&str], about: &str) -> Option<El> {
    let row = |name: &&str| {
        let pair = view.pair(name)?;
        let before = pair.before.as_ref().map_or_else(|| "-".to_owned(), Figure::text);
        Some(vec![pair.now.name.clone(), pair.now.text(), before, pair.change()])
    };
    let rows: Vec<_> = names.iter().filter_map(row).collect();
    let head = vec!["", "This run", "Earlier run", "Difference"];
    (!rows.is_empty()).then(|| Table { about: about.to_owned(), head, rows }.element(&[]))
}

fn generators(view: &View<'_>) -> Option<El> {
    let row = |generator: &crate::record::Generator| {
        vec![
            generator.name.clone(),
            words::whole(generator.sockets),
            words::with_unit(generator.cpu_cores, "cores"),
            words::ms(generator.lag_p99_ms),
        ]
    };
    let table = Table {
        about: "The generators of the load".to_owned(),
        head: vec!["Generator", "Sockets", "CPU", "Lag, p99"],
        rows: view.now.generators.iter().map(row).collect(),
    };
    (!table.rows.is_empty()).then(|| table.element(&[]))
}
