//! Records for tests: one that has everything, one that has nothing. Made by arithmetic, so that they are always equal.

use super::{
    Cell, Check, FORM, FaultMark, Finding, Generator, Hardware, Latency, Map, Place, Record, Second, Store, Target,
    Timeline, Totals, measure,
};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// A run of which nothing came.
pub fn empty() -> Record {
    Record {
        form: FORM,
        scenario: "city".to_owned(),
        settings: "waystone-loadtest city".to_owned(),
        seed: 1,
        machine: Hardware::default(),
        commit: "unknown".to_owned(),
        build: "debug".to_owned(),
        begun: "2026-11-29T18:00:00Z".to_owned(),
        target: Target { nodes: 1, store: Store::Unknown, redis: false },
        seconds: Timeline::default(),
        latencies: BTreeMap::new(),
        faults: Vec::new(),
        map: None,
        generators: Vec::new(),
        totals: Totals::default(),
        budget: Vec::new(),
        verdict: Vec::new(),
        not_covered: Vec::new(),
        ok: false,
    }
}

/// A run of so many seconds with two faults, in which one limit was exceeded.
pub fn full(seconds: u32) -> Record {
    let length = f64::from(seconds);
    let (kill, freeze) = (length * 0.3, length * 0.65);
    let timeline: Timeline = (0..seconds).map(|t| second(t, seconds, &[kill, freeze])).collect();
    let sum = |of: fn(&Second) -> u64| timeline.points().iter().map(of).sum::<u64>();
    let totals = Totals {
        fixes: sum(|second| second.sent),
        acks: sum(|second| second.acked),
        awards: sum(|second| second.awards),
        notices: sum(|second| second.notices),
        connects: 2_000,
        reconnects: 1_284,
        refused: sum(|second| second.errors),
        by_code: BTreeMap::from([("3012".to_owned(), 41), ("unavailable".to_owned(), 912)]),
    };
    Record {
        settings: "waystone-loadtest city --players 2000 --rate 1 --minutes 10 --faults gentle --seed 7".to_owned(),
        seed: 7,
        machine: Hardware {
            cores: 2,
            memory_mb: 24_105,
            os: "Debian GNU/Linux 12, kernel 6.1".to_owned(),
            cpu_model: "AMD EPYC".to_owned(),
        },
        commit: "896ed4800".to_owned(),
        build: "release".to_owned(),
        target: Target { nodes: 3, store: Store::Postgres, redis: true },
        latencies: BTreeMap::from([
            (measure::FIX_ACK.to_owned(), latency(900.0, 20_000)),
            (measure::FIX_TO_NOTICE.to_owned(), latency(5_200.0, 4_000)),
            (measure::CONNECT.to_owned(), latency(2_500.0, 2_000)),
        ]),
        faults: vec![
            fault(kill, "kill", "node b was killed and started again", length * 0.06),
            fault(freeze, "freeze", "Postgres stood still for some seconds", length * 0.04),
        ],
        map: Some(map()),
        generators: vec![
            Generator { name: "generator 1".to_owned(), cpu_cores: 0.31, lag_p99_ms: 1.8, sockets: 1_000 },
            Generator { name: "generator 2".to_owned(), cpu_cores: 0.30, lag_p99_ms: 2.1, sockets: 1_000 },
        ],
        budget: vec![
            check("fix_ack p99", 100.0, 21.4, "ms", true),
            check("fix_to_notice p99", 100.0, 131.0, "ms", false),
            check("server memory", 1_024.0, 240.0, "MB", true),
            check("awards lost", 0.0, 0.0, "", true),
        ],
        verdict: vec![Finding {
            name: "every acknowledged award is in the journal once".to_owned(),
            looked_at: totals.awards,
            wrong: 0,
            what: "none is missing, none is there twice".to_owned(),
            ok: true,
        }],
        not_covered: vec!["A network between phones and server: everything ran on one machine.".to_owned()],
        seconds: timeline,
        totals,
        ..empty()
    }
}

/// The same run, with all latencies longer by a factor, an hour before.
pub fn slowed(seconds: u32, factor: f64) -> Record {
    let mut run = full(seconds);
    let longer = |point: &Second| Second {
        p50_ms: point.p50_ms.map(|ms| ms * factor),
        p99_ms: point.p99_ms.map(|ms| ms * factor),
        p999_ms: point.p999_ms.map(|ms| ms * factor),
        server_rss_mb: point.server_rss_mb.map(|mb| mb * factor),
        ..point.clone()
    };
    run.seconds = run.seconds.points().iter().map(longer).collect();
    run.latencies = BTreeMap::from([
        (measure::FIX_ACK.to_owned(), latency(900.0 * factor, 20_000)),
        (measure::FIX_TO_NOTICE.to_owned(), latency(5_200.0 * factor, 4_000)),
        (measure::CONNECT.to_owned(), latency(2_500.0 * factor, 2_000)),
    ]);
    run.begun = "2026-11-29T17:00:00Z".to_owned();
    run.commit = "0b9f48100".to_owned();
    run
}

fn second(t: u32, seconds: u32, faults: &[f64]) -> Second {
    let (at, length) = (f64::from(t), f64::from(seconds.max(1)));
    let wave = (at * 0.7).sin() + (at * 0.23).cos();
    let hurt = faults.iter().any(|fault| at >= *fault && at < fault + length * 0.06);
    let offered = 2_000.0 * (at / (length * 0.1)).min(1.0);
    let acked = if hurt { offered * 0.6 } else { offered };
    Second {
        t,
        offered: offered as u64,
        sent: offered as u64,
        acked: acked as u64,
        errors: if hurt { 40 } else { 0 },
        notices: (acked * 0.2) as u64,
        awards: (acked * 0.05) as u64,
        sockets: offered as u64,
        p50_ms: Some(0.9 + 0.1 * wave),
        p99_ms: Some(if hurt { 640.0 } else { 9.0 + 2.0 * wave }),
        p999_ms: Some(if hurt { 2_100.0 } else { 24.0 + 6.0 * wave }),
        server_cpu_cores: Some(0.9 + 0.1 * wave),
        server_rss_mb: Some(120.0 + 110.0 * at / length),
        generator_cpu_cores: if hurt { 0.99 } else { 0.6 + 0.03 * wave },
        generator_lag_ms: if hurt { 60.0 } else { 1.4 },
        other_cpu_cores: Some(0.1),
        faults_active: u32::from(hurt),
        ..Second::default()
    }
}

/// A heavy tail around a middle, in microseconds.
fn latency(middle: f64, count: u32) -> Latency {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds are valid");
    for index in 0..count {
        let share = (f64::from(index) + 0.5) / f64::from(count);
        let value = middle * (0.5 + share) * (1.0 - share).powf(-0.45);
        histogram.saturating_record(value as u64);
    }
    Latency(histogram)
}

fn fault(at_s: f64, kind: &str, what: &str, lasts: f64) -> FaultMark {
    let (until_s, recovered_s) = (Some(at_s + lasts * 0.5), Some(at_s + lasts));
    FaultMark { at_s, until_s, kind: kind.to_owned(), what: what.to_owned(), recovered_s }
}

fn check(name: &str, limit: f64, seen: f64, unit: &str, ok: bool) -> Check {
    Check { name: name.to_owned(), limit, seen: Some(seen), unit: unit.to_owned(), ok }
}

/// A few streets of a grid, and walkers who like its middle.
fn map() -> Map {
    let (west, south, step) = (24.930, 60.165, 0.0015);
    let at = |x: i32, y: i32| (west + f64::from(x) * step, south + f64::from(y) * step * 0.5);
    let across = (0..=12).map(|y| (0..=12).map(|x| at(x, y)).collect());
    let along = (0..=12).map(|x| (0..=12).map(|y| at(x, y)).collect());
    let heat = (0..13 * 13).map(|cell| {
        let (x, y) = (cell % 13, cell / 13);
        let (lon, lat) = at(x, y);
        Cell { lon, lat, count: (900 / (1 + (x - 6).pow(2) + (y - 6).pow(2))) as u64 }
    });
    let place = |name: &str, x, y, awards| {
        let (lon, lat) = at(x, y);
        Place { name: name.to_owned(), lon, lat, awards }
    };
    Map {
        streets: across.chain(along).collect(),
        places: vec![place("Esplanadi", 6, 6, 412), place("Kauppatori", 9, 4, 230), place("Asema", 3, 9, 75)],
        heat: heat.filter(|cell| cell.count > 0).collect(),
        cell: (step, step * 0.5),
    }
}
