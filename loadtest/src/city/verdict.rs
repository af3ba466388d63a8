//! The verdict: what all clients wrote down is held against the journal, by the same checker as `waystone verify`.
//!
//! Promise: what could not be looked at is said, in words, and nothing is called right that was not looked at.

use super::merge::Whole;
use crate::fault::Fault;
use crate::record::Finding;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use waystone::persist::Place;
use waystone::verify::{self, History, Verdict};
use waystone::walk::Ruse;

/// Checks that speak of something acknowledged or told which is not there.
const LOSSES: [&str; 6] = ["acknowledged", "told", "phantom", "lost", "missing", "undelivered"];
/// The finding that says whether what was measured is the server.
pub const KEPT_UP: &str = "generators kept up";
/// How long letters may be under way when nobody does anything any more: a node that was cut off comes back within
/// seconds, on a full machine within a minute; and how often it is looked.
const DELIVERED_WITHIN: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Above this lag the generator, not the server, is what was measured, in milliseconds.
const LAG_MAX: f64 = 250.0;

/// What was found.
#[derive(Debug, Default)]
pub struct Judged {
    pub findings: Vec<Finding>,
    /// Differences of histories and journal, those of them that are losses, letters still under way; absent where nobody
    /// could look.
    pub differences: Option<u64>,
    pub lost: Option<u64>,
    pub pending: Option<u64>,
    /// Awards in the journal.
    pub awards: Option<u64>,
    pub not_covered: Vec<String>,
}

/// Holds the histories against the journal, if there is one that we may read.
pub async fn judge(journal: Option<&Place>, histories: &[PathBuf], whole: &Whole) -> Result<Judged, Fault> {
    let mut judged = Judged::default();
    match journal {
        Some(place) => judged.take(&verify_all(place, histories).await?),
        None => judged.not_covered.push(
            "the journal: it is not this program's to read; run `waystone verify --history` with the run's history files"
                .to_owned(),
        ),
    }
    judged.of_generators(whole);
    Ok(judged)
}

/// Waits until no letter is under way between entities, as long as that may take after the last fault. What is still under
/// way then is for the verdict to say.
pub async fn delivered(place: Place) -> Result<(), Fault> {
    let begun = Instant::now();
    while begun.elapsed() < DELIVERED_WITHIN {
        let journal = place.open_read_only().await.map_err(|err| Fault::Store(err.to_string()))?;
        let verdict = verify::verify(journal.as_ref()).await.map_err(|err| Fault::Store(err.to_string()))?;
        if verdict.pending == 0 {
            break;
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

async fn verify_all(place: &Place, histories: &[PathBuf]) -> Result<Verdict, Fault> {
    let mut history = History::default();
    for path in histories {
        let file = File::open(path).map_err(|source| Fault::Io { path: path.clone(), source })?;
        // Places in the verdict name the file.
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        history.take_in(&name, BufReader::new(file)).map_err(|err| Fault::Store(err.to_string()))?;
    }
    let journal = place.open_read_only().await.map_err(|err| Fault::Store(err.to_string()))?;
    let verdict = verify::verify_with(journal.as_ref(), Some(&history)).await;
    verdict.map_err(|err| Fault::Store(err.to_string()))
}

impl Judged {
    fn take(&mut self, verdict: &Verdict) {
        let lost = verdict.differences.iter().filter(|difference| LOSSES.contains(&difference.check)).count() as u64;
        let differences = verdict.differences.len() as u64;
        let looked = verdict.history.map_or(0, |counted| counted.commands + counted.told + counted.seen);
        let first = verdict.differences.first().map(|first| {
            let place = first.history.as_deref().unwrap_or("the journal");
            format!("{place}: {} entry {}: {}: {}", first.entity, first.seq, first.check, first.message)
        });
        let all = "commands, notices and states that clients wrote down agree with the journal, and it with itself";
        self.find("histories and journal", looked, differences, first.unwrap_or_else(|| all.to_owned()));
        let what = format!("{} entries of {} entities were read", verdict.entries, verdict.entities);
        self.find("awards in the journal", verdict.awards, lost, what);
        self.find("letters", verdict.entries, verdict.pending, "none is under way any more at the end".to_owned());
        (self.differences, self.lost) = (Some(differences), Some(lost));
        (self.pending, self.awards) = (Some(verdict.pending), Some(verdict.awards));
    }

    fn of_generators(&mut self, whole: &Whole) {
        let faults = whole.count("faults");
        let what = whole.first_fault.clone().unwrap_or_else(|| "nothing came that nobody awaited".to_owned());
        self.find("what must never happen to a client", whole.totals.fixes + whole.totals.notices, faults, what);
        let lag = whole.lag.as_ref().and_then(|lag| lag.quantile_ms(0.99)).unwrap_or(0.0);
        let busiest = whole.generators.iter().map(|one| one.cpu_cores).fold(0.0, f64::max);
        let (full, late) = (busiest > 0.97, lag > LAG_MAX);
        let figures = format!(
            "99 in 100 were sent within {lag:.1} ms of when they were due; the busiest used {busiest:.2} cores"
        );
        let what = match (full, late) {
            (true, _) => format!("THE GENERATOR WAS SATURATED, use more of them or fewer players: {figures}"),
            (false, true) => format!("THE GENERATOR WAS STARVED, others had the processors: {figures}"),
            (false, false) => figures,
        };
        let looked = whole.lag.as_ref().map_or(0, crate::record::Latency::count);
        self.find(KEPT_UP, looked, u64::from(full || late), what);
        let won = |ruse: Ruse| whole.count(&format!("won by {}", ruse.name()));
        let barred = [Ruse::Hop, Ruse::Rush, Ruse::Mock].map(won).iter().sum();
        let what = "who hops, who rushes, and whose phone calls it made up wins nothing".to_owned();
        let looked = whole.count("made-up fixes that counted for nothing");
        self.find("spoofers whom nothing bears out", looked, barred, what);
        let counts = whole.more.iter().filter(|(name, _)| !matches!(name.as_str(), "faults" | "errors"));
        let counts: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
        let what = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
        self.find("counted beside these", whole.more.values().sum(), 0, what);
        if won(Ruse::Perfect) > 0 {
            self.not_covered.push(format!(
                "{} awards won by spoofers who walk like a script: they are found out after a minute",
                won(Ruse::Perfect)
            ));
        }
    }

    fn find(&mut self, name: &str, looked_at: u64, wrong: u64, what: String) {
        self.findings.push(Finding { name: name.to_owned(), looked_at, wrong, what, ok: wrong == 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Generator;

    #[test]
    fn a_full_generator_is_not_taken_for_a_slow_server() {
        let mut whole = Whole::empty();
        let generator = |cpu_cores| Generator { name: "one".to_owned(), cpu_cores, lag_p99_ms: 1.0, sockets: 1 };
        whole.generators.push(generator(0.99));
        let mut judged = Judged::default();
        judged.of_generators(&whole);
        let found = |judged: &Judged| judged.findings.iter().find(|found| found.name == KEPT_UP).cloned();
        assert!(found(&judged).is_some_and(|found| !found.ok && found.what.contains("SATURATED")));
        whole.generators[0] = generator(0.5);
        let mut judged = Judged::default();
        judged.of_generators(&whole);
        assert!(found(&judged).is_some_and(|found| found.ok));
    }

    #[test]
    fn a_difference_is_told_with_its_place() {
        let difference = waystone::verify::Difference {
            entity: "player/a".to_owned(),
            seq: 3,
            check: "acknowledged",
            message: "it is not there".to_owned(),
            history: Some("h:7".to_owned()),
        };
        let mut judged = Judged::default();
        judged.take(&Verdict { differences: vec![difference], ..Verdict::default() });
        assert_eq!((judged.differences, judged.lost), (Some(1), Some(1)));
        assert!(!judged.findings[0].ok && judged.findings[0].what.starts_with("h:7: player/a entry 3: acknowledged"));
    }
}
