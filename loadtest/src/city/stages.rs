//! A long run in stages: each plays on a server of its own and is verified whole, until so many awards are acknowledged.
//!
//! A stage that was verified is kept in the run's folder and never done again, so a run may be ended at any time and gone
//! on with. Promise: only awards of stages whose verdict is clean count, and a stage that failed ends the run.

use super::CityArgs;
use super::budget::Budget;
use super::conduct;
use super::verdict::KEPT_UP;
use crate::fault::Fault;
use crate::machine::Machine;
use crate::record::{FILE_NAME, Finding, Record};
use std::path::{Path, PathBuf};

/// Stages that a run may have: a million awards in stages of a minute, with room.
const STAGES_MAX: u32 = 10_000;

/// Runs what is missing; the record is that of all stages together.
pub async fn run(
    args: &CityArgs,
    budget: &Budget,
    machine: &Machine,
    seed: u64,
    folder: &Path,
    wanted: u64,
) -> Result<Record, Fault> {
    if args.url.is_some() {
        return Err(Fault::Settings("a run in stages is on servers of its own: leave --url out".to_owned()));
    }
    let (mut have, mut all): (u64, Option<Record>) = (0, None);
    for number in 0..STAGES_MAX {
        if have >= wanted {
            break;
        }
        let place = folder.join(format!("stage-{number:04}"));
        let record = match finished(&place)? {
            Some(record) => record,
            None => {
                // What was broken off has no verdict, so it counts for nothing.
                if place.exists() {
                    std::fs::remove_dir_all(&place).map_err(|source| Fault::Io { path: place.clone(), source })?;
                }
                std::fs::create_dir_all(&place).map_err(|source| Fault::Io { path: place.clone(), source })?;
                conduct::run(args, budget, machine, seed.wrapping_add(u64::from(number)), &place).await?
            }
        };
        let verified = record.verdict.iter().all(|found| found.ok || found.name == KEPT_UP);
        let (ok, awards) = (verified && record.budget.iter().all(|check| check.ok), record.totals.awards);
        all = Some(match all {
            None => record,
            Some(before) => joined(before, record),
        });
        if !ok {
            break;
        }
        have += awards;
        say(number, have, wanted);
        if awards == 0 {
            return Err(Fault::Settings("a stage brought no award: ask for a higher --award-rate".to_owned()));
        }
    }
    let mut record = all.ok_or_else(|| Fault::Settings("--awards: ask for one at least".to_owned()))?;
    let missing = wanted.saturating_sub(have);
    record.verdict.push(Finding {
        name: "awards acknowledged and verified, in stages".to_owned(),
        looked_at: have,
        wrong: missing,
        what: format!("{wanted} were wanted; each stage has a journal of its own, and the folder has each record"),
        ok: missing == 0,
    });
    record.ok &= missing == 0;
    record.not_covered.push("one journal with all awards: each stage began a new one".to_owned());
    record.write(folder).map_err(|err| Fault::Store(err.to_string()))?;
    Ok(record)
}

/// A stage that is done, whatever came of it.
fn finished(place: &Path) -> Result<Option<Record>, Fault> {
    let file: PathBuf = place.join(FILE_NAME);
    if !file.exists() {
        return Ok(None);
    }
    Record::read(&file).map(Some).map_err(|err| Fault::Store(err.to_string()))
}

/// Two stages as one record: counts and latencies add up, seconds follow one another, what was worse stays.
fn joined(mut one: Record, next: Record) -> Record {
    let shift = one.seconds.length_s();
    for second in next.seconds.points() {
        let mut second = second.clone();
        second.t += shift as u32;
        one.seconds.push(second);
    }
    for mut mark in next.faults {
        mark.at_s += shift;
        mark.until_s = mark.until_s.map(|at| at + shift);
        mark.recovered_s = mark.recovered_s.map(|at| at + shift);
        one.faults.push(mark);
    }
    for (name, latency) in next.latencies {
        match one.latencies.get_mut(&name) {
            Some(known) => known.absorb(&latency),
            None => drop(one.latencies.insert(name, latency)),
        }
    }
    one.totals.absorb(next.totals);
    for found in next.verdict {
        match one.verdict.iter_mut().find(|known| known.name == found.name) {
            Some(known) => {
                known.looked_at += found.looked_at;
                known.wrong += found.wrong;
                if known.ok && !found.ok {
                    known.what = found.what;
                }
                known.ok &= found.ok;
            }
            None => one.verdict.push(found),
        }
    }
    for check in next.budget {
        match one.budget.iter_mut().find(|known| known.name == check.name) {
            // Of limits that are all kept the later value stands; one that is broken stays.
            Some(known) if known.ok => *known = check,
            Some(_) => {}
            None => one.budget.push(check),
        }
    }
    one.ok &= next.ok;
    one
}

fn say(number: u32, have: u64, wanted: u64) {
    eprintln!("stage {number} is verified: {have} of {wanted} awards");
}
