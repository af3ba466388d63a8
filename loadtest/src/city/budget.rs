//! What a run may cost: a file of limits, held against what was seen.
//!
//! Promise: a limit on something that was not measured is not kept, and a name that nobody knows is an error, so that a
//! budget with a slip of the pen never passes.

use super::merge::Whole;
use super::verdict::Judged;
use crate::fault::Fault;
use crate::record::{Check, FaultMark, Second};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The budgets that come with this program.
const DEFAULT: &str = include_str!("../../budgets/default.toml");
const FAULTS: &str = include_str!("../../budgets/faults.toml");
const AIM: &str = include_str!("../../budgets/aim.toml");
const VERDICT: &str = include_str!("../../budgets/verdict.toml");
/// Percentiles that may be limited.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Limits by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    #[serde(default)]
    at_most: BTreeMap<String, f64>,
    #[serde(default)]
    at_least: BTreeMap<String, f64>,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Seen<'a> {
    pub whole: &'a Whole,
    pub seconds: &'a [Second],
    pub judged: &'a Judged,
    pub faults: &'a [FaultMark],
    /// Seconds of the warm-up, and players.
    pub warmup: f64,
    pub players: u32,
}

impl Budget {
    /// One that comes with this program (`default`, `faults`, `aim`, `verdict`), or a file.
    pub fn read(name: &str) -> Result<Self, Fault> {
        let text = match name {
            "default" => DEFAULT.to_owned(),
            "faults" => FAULTS.to_owned(),
            "aim" => AIM.to_owned(),
            "verdict" => VERDICT.to_owned(),
            path => std::fs::read_to_string(path)
                .map_err(|source| Fault::Io { path: Path::new(path).to_owned(), source })?,
        };
        let budget: Self =
            toml::from_str(&text).map_err(|err| Fault::Settings(format!("the budget {name}: {err}")))?;
        let known = |wanted: &String| NAMES.iter().any(|(name, _)| name == wanted) || quantile(wanted).is_some();
        match budget.at_most.keys().chain(budget.at_least.keys()).find(|name| !known(name)) {
            Some(unknown) => Err(Fault::Settings(format!(
                "the budget {name} limits \"{unknown}\", which nobody measures: known are {}, and <measure> p50, p99, \
                 p99.9 and max",
                NAMES.map(|(name, _)| name).join(", ")
            ))),
            None => Ok(budget),
        }
    }

    /// Holds it against what was seen.
    pub fn checks(&self, seen: &Seen<'_>) -> Vec<Check> {
        let check = |name: &String, limit: &f64, most: bool| {
            let value = value(name, seen);
            let ok = value.is_some_and(|value| if most { value <= *limit } else { value >= *limit });
            let unit = NAMES.iter().find(|(known, _)| known == name).map_or("ms", |(_, unit)| unit).to_owned();
            let name = if most { name.clone() } else { format!("at least: {name}") };
            Check { name, limit: *limit, seen: value, unit, ok }
        };
        let most = self.at_most.iter().map(|(name, limit)| check(name, limit, true));
        most.chain(self.at_least.iter().map(|(name, limit)| check(name, limit, false))).collect()
    }
}

/// What may be limited beside latencies, with its unit.
const NAMES: [(&str, &str); 18] = [
    ("histories differ", "differences"),
    ("awards lost", "awards"),
    ("messages pending", "messages"),
    ("faults", "faults"),
    ("errors", "errors"),
    ("connections lost", "connections"),
    ("fixes never answered", "fixes"),
    ("won by hop", "awards"),
    ("won by rush", "awards"),
    ("won by mock", "awards"),
    ("generator lag p99", "ms"),
    ("generator cores", "cores"),
    ("recovery", "s"),
    ("server memory", "MB"),
    ("server memory per player", "kB"),
    ("share of fixes answered", ""),
    ("fixes a second", "1/s"),
    ("awards a second", "1/s"),
];

fn quantile(name: &str) -> Option<(&str, f64)> {
    let (measure, wanted) = name.rsplit_once(' ')?;
    let (_, quantile) = QUANTILES.iter().find(|(known, _)| *known == wanted)?;
    (!measure.contains(' ')).then_some((measure, *quantile))
}

fn value(name: &str, seen: &Seen<'_>) -> Option<f64> {
    let Seen { whole, seconds, judged, faults, warmup, players } = seen;
    let warm = || seconds.iter().filter(|second| f64::from(second.t) >= *warmup);
    let worst = |of: fn(&Second) -> Option<f64>| warm().filter_map(of).reduce(f64::max);
    let mean = |of: fn(&Second) -> u64| {
        let count = warm().count();
        (count > 0).then(|| warm().map(of).sum::<u64>() as f64 / count as f64)
    };
    let count = |name: &str| Some(whole.count(name) as f64);
    match name {
        "histories differ" => judged.differences.map(|count| count as f64),
        "awards lost" => judged.lost.map(|count| count as f64),
        "messages pending" => judged.pending.map(|count| count as f64),
        "generator lag p99" => whole.lag.as_ref()?.quantile_ms(0.99),
        "generator cores" => whole.generators.iter().map(|one| one.cpu_cores).reduce(f64::max),
        // What never came back is as bad as can be.
        "recovery" => Some(
            faults.iter().map(|mark| mark.recovered_s.map_or(f64::INFINITY, |at| at - mark.at_s)).fold(0.0, f64::max),
        ),
        "server memory" => worst(|second| second.server_rss_mb),
        "server memory per player" => {
            worst(|second| second.server_rss_mb).map(|mb| mb * 1e3 / f64::from((*players).max(1)))
        }
        "share of fixes answered" => {
            (whole.totals.fixes > 0).then(|| whole.totals.acks as f64 / whole.totals.fixes as f64)
        }
        "fixes a second" => mean(|second| second.acked),
        "awards a second" => mean(|second| second.awards),
        _ => match quantile(name) {
            Some((measure, quantile)) => whole.latencies.get(measure)?.quantile_ms(quantile),
            None => count(name),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_that_come_with_the_program_are_sound() {
        for name in ["default", "faults", "aim", "verdict"] {
            assert!(!Budget::read(name).expect(name).at_most.is_empty(), "{name}");
        }
    }

    #[test]
    fn what_was_not_measured_is_not_kept_and_a_slip_is_an_error() {
        let (whole, judged) = (Whole::empty(), Judged::default());
        let seen = Seen { whole: &whole, seconds: &[], judged: &judged, faults: &[], warmup: 0.0, players: 10 };
        let checks = Budget::read("default").expect("sound").checks(&seen);
        let of = |name: &str| checks.iter().find(|check| check.name == name).expect(name);
        assert!(!of("fix_ack p99").ok && !of("histories differ").ok && !of("at least: share of fixes answered").ok);
        assert!(of("faults").ok && of("won by hop").ok);
        let slip: Result<Budget, _> = toml::from_str("[at_mots]\nfaults = 1");
        assert!(slip.is_err());
        let path = std::env::temp_dir().join(format!("waystone-budget-{}.toml", std::process::id()));
        std::fs::write(&path, "[at_most]\n\"fix_ack p98\" = 1").unwrap();
        let unknown = Budget::read(&path.to_string_lossy()).expect_err("p98 is not measured").to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(unknown.contains("fix_ack p98") && unknown.contains("known are"), "{unknown}");
    }

    #[test]
    fn a_fault_without_recovery_breaks_every_limit() {
        let (whole, judged) = (Whole::empty(), Judged::default());
        let mark = |recovered_s| FaultMark {
            at_s: 5.0,
            until_s: Some(7.0),
            kind: "kill".to_owned(),
            what: String::new(),
            recovered_s,
        };
        let worst = |marks: &[FaultMark]| {
            let seen = Seen { whole: &whole, seconds: &[], judged: &judged, faults: marks, warmup: 0.0, players: 10 };
            value("recovery", &seen).expect("measured")
        };
        assert_eq!(worst(&[mark(Some(9.5)), mark(Some(8.0))]), 4.5);
        assert_eq!(worst(&[mark(Some(9.5)), mark(None)]), f64::INFINITY);
    }
}
