//! A record in a few lines, for who waits at the terminal; pictures are made of the record itself.

use crate::record::Record;
use std::fmt::Write as _;

/// The record as JSON without what only pictures need.
pub fn json(record: &Record) -> String {
    let mut short = record.clone();
    (short.map, short.seconds) = (None, crate::record::Timeline::default());
    serde_json::to_string_pretty(&short).unwrap_or_else(|err| format!("{{\"error\":\"{err}\"}}")) + "\n"
}

/// For people.
pub fn table(record: &Record) -> String {
    let mut text = String::new();
    let Record { target, totals, latencies, faults, budget, verdict, not_covered, generators, .. } = record;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} ({}, commit {}, seed {})", record.settings, record.build, record.commit, record.seed);
    let redis = if target.redis { " and Redis" } else { "" };
    let _ = writeln!(
        text,
        "{} nodes on {}{redis}, {:.0} s\n",
        target.nodes,
        target.store.name(),
        record.seconds.length_s()
    );
    let _ = writeln!(
        text,
        "{} fixes sent, {} answered; {} awards; {} notices; {} connects, {} again; {} refused {:?}",
        totals.fixes,
        totals.acks,
        totals.awards,
        totals.notices,
        totals.connects,
        totals.reconnects,
        totals.refused,
        totals.by_code
    );
    for (name, latency) in latencies {
        let at = |quantile| latency.quantile_ms(quantile).unwrap_or(0.0);
        let _ = writeln!(
            text,
            "{name:18} {:>9} times, p50 {:>8.2} ms, p99 {:>8.2} ms, p99.9 {:>8.2} ms, max {:>8.2} ms",
            latency.count(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        );
    }
    for one in generators {
        let _ = writeln!(text, "{}: {:.2} cores, lag p99 {:.2} ms", one.name, one.cpu_cores, one.lag_p99_ms);
    }
    for mark in faults {
        let until = mark.until_s.map_or_else(String::new, |until| format!(" to {until:.1}"));
        let recovered = mark.recovered_s.map(|at| at - mark.at_s);
        let recovered = recovered
            .map_or_else(|| "NEVER SEEN TO RECOVER".to_owned(), |s| format!("as before {s:.1} s after it began"));
        let _ = writeln!(text, "at {:.1}{until} s: {}: {recovered}", mark.at_s, mark.what);
    }
    let _ = writeln!(text);
    let mark = |ok: bool| if ok { "ok    " } else { "FAILED" };
    for check in budget {
        let seen = check.seen.map_or_else(|| "not measured".to_owned(), |seen| format!("{seen:.3}"));
        let _ = writeln!(text, "{} {}: {seen} of {} {}", mark(check.ok), check.name, check.limit, check.unit);
    }
    for found in verdict {
        let _ = writeln!(
            text,
            "{} {}: {} wrong of {}: {}",
            mark(found.ok),
            found.name,
            found.wrong,
            found.looked_at,
            found.what
        );
    }
    for line in not_covered {
        let _ = writeln!(text, "not covered: {line}");
    }
    let _ = writeln!(text, "\n{}", if record.ok { "ok" } else { "FAILED" });
    text
}
