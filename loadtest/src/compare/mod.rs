//! A run beside an earlier one: which figures differ, by how much, and whether that is more than noise.
//!
//! Noise is what varied within the two runs (`figures`): a figure's scatter over parts of its run, or, for a percentile,
//! the span in which order statistics place it. Two runs on a machine that others use differ by more, so "beyond noise"
//! is a reason to look and to repeat, not a proof; a difference within noise is none.

mod figures;

pub use figures::{Better, Figure, MISSING, check_name, figures, measure_name};

use crate::record::Record;
use std::fmt::Write as _;

/// Standard errors beyond which a difference is more than noise: 3 in 1,000 by chance.
const ERRORS: f64 = 3.0;
/// Differences below this share are never told as better or worse: nobody chooses a server by them.
const LEAST: f64 = 0.03;

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Beyond noise, to the good.
    Better,
    /// Beyond noise, to the bad.
    Worse,
    /// Beyond noise, neither good nor bad.
    Different,
    /// Not beyond noise.
    Noise,
}

impl Word {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Different => "different",
            Self::Noise => "within noise",
        }
    }
}

/// A figure of a run, and of an earlier one if that has it.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Of this run.
    pub now: Figure,
    /// Of the earlier one.
    pub before: Option<Figure>,
}

impl Pair {
    /// By how many percent it has grown; absent if there is nothing to compare with, or that was zero.
    pub fn percent(&self) -> Option<f64> {
        let before = self.before.as_ref()?.value;
        (before != 0.0).then(|| (self.now.value / before - 1.0) * 100.0)
    }

    /// What the difference means.
    pub fn word(&self) -> Option<Word> {
        let before = self.before.as_ref()?;
        let difference = self.now.value - before.value;
        let noise = ERRORS * self.now.error.hypot(before.error);
        if difference.abs() <= noise.max(before.value.abs() * LEAST) {
            return Some(Word::Noise);
        }
        Some(match (self.now.better, difference > 0.0) {
            (Better::Neither, _) => Word::Different,
            (Better::Higher, true) | (Better::Lower, false) => Word::Better,
            (Better::Higher, false) | (Better::Lower, true) => Word::Worse,
        })
    }

    /// The difference in words: percent, and what it means.
    pub fn change(&self) -> String {
        let Some(word) = self.word() else { return String::new() };
        match self.percent() {
            Some(0.0) => "same".to_owned(),
            Some(percent) => format!("{percent:+.1} %, {}", word.text()),
            None if word == Word::Noise => "same".to_owned(),
            None => word.text().to_owned(),
        }
    }
}

/// All figures of a run beside those of an earlier one.
pub fn pairs(now: &Record, before: Option<&Record>) -> Vec<Pair> {
    let earlier = before.map(figures).unwrap_or_default();
    let pair = |now: Figure| {
        let before = earlier.iter().find(|before| before.name == now.name).cloned();
        Pair { now, before }
    };
    figures(now).into_iter().map(pair).collect()
}

/// What makes a comparison of two runs doubtful.
pub fn doubts(now: &Record, before: &Record) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut compare = |what: &str, now: String, before: String| {
        if now != before {
            doubts.push(format!("{what}: {now}, before {before}"));
        }
    };
    compare("scenario", now.scenario.clone(), before.scenario.clone());
    compare("settings", now.settings.clone(), before.settings.clone());
    compare("build", now.build.clone(), before.build.clone());
    let target = |record: &Record| {
        let target = &record.target;
        format!(
            "{} nodes, {}, {}",
            target.nodes,
            target.store.name(),
            if target.redis { "Redis" } else { "no Redis" }
        )
    };
    compare("server", target(now), target(before));
    let machine = |record: &Record| {
        format!("{} cores of {}, {}", record.machine.cores, record.machine.cpu_model, record.machine.os)
    };
    compare("machine", machine(now), machine(before));
    doubts
}

/// The comparison as an aligned table for a terminal.
pub fn table(now: &Record, before: &Record) -> String {
    let pairs = pairs(now, Some(before));
    let width = pairs.iter().map(|pair| pair.now.name.chars().count()).max().unwrap_or(0).max(16);
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (name, record) in [("before", before), ("now", now)] {
        let verdict = if record.ok { "passed" } else { "failed" };
        let _ = writeln!(text, "{name:8} {}  {}  {verdict}", record.begun, record.commit);
    }
    let _ = writeln!(text, "\n{:width$}  {:>12}  {:>12}  change", "figure", "before", "now");
    for pair in &pairs {
        let before = pair.before.as_ref().map_or(MISSING.to_owned(), Figure::text);
        let _ = writeln!(text, "{:width$}  {before:>12}  {:>12}  {}", pair.now.name, pair.now.text(), pair.change());
    }
    for doubt in doubts(now, before) {
        let _ = writeln!(text, "\nnote: the runs are not alike; {doubt}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples;

    fn word_of(name: &str, now: &Record, before: &Record) -> Option<Word> {
        let pair = pairs(now, Some(before)).into_iter().find(|pair| pair.now.name == name).expect(name);
        pair.word()
    }

    #[test]
    fn run_does_not_differ_from_itself() {
        let run = samples::full(300);
        for pair in pairs(&run, Some(&run)) {
            assert_eq!(pair.word(), Some(Word::Noise), "{pair:?}");
        }
        assert!(doubts(&run, &run).is_empty());
    }

    #[test]
    fn real_difference_is_told_and_a_small_one_is_not() {
        let before = samples::full(300);
        let slower = samples::slowed(300, 1.5);
        let same = samples::slowed(300, 1.01);
        assert_eq!(word_of("Fix to answer, p50", &slower, &before), Some(Word::Worse));
        assert_eq!(word_of("Fix to answer, p50", &before, &slower), Some(Word::Better));
        assert_eq!(word_of("Fix to answer, p50", &same, &before), Some(Word::Noise));
    }

    #[test]
    fn few_values_make_a_tail_uncertain() {
        let run = samples::full(300);
        let figure = |name: &str| figures(&run).into_iter().find(|figure| figure.name == name).expect(name);
        let (tail, middle) = (figure("Fix to notice, p99.9"), figure("Fix to notice, p50"));
        assert!(tail.error / tail.value > 3.0 * middle.error / middle.value, "{tail:?} {middle:?}");
    }

    #[test]
    fn table_says_what_is_unlike() {
        let mut other = samples::full(300);
        other.build = "debug".to_owned();
        let table = table(&samples::full(300), &other);
        assert!(table.contains("build: release, before debug"), "{table}");
        assert!(table.contains("Fix to answer, p99.9"), "{table}");
    }
}
