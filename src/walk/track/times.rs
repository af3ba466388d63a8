//! Times of recordings: read from several forms, and mended so that they rise.
//!
//! Promise: [`rising`] gives as many times as it got, each at least a millisecond after the one before.

use crate::units::Timestamp;
use std::time::Duration;

/// GPS time began here; a recording from before it bears a broken time.
const GPS_EPOCH: Timestamp = Timestamp::from_millis(315_964_800_000);

/// Numbers below this are seconds since 1970, others milliseconds: as seconds it is the year 5138, as ms 1973.
const MILLIS_FROM: f64 = 1e11;

/// The step where nothing better is known: what phones record.
const STEP: Duration = Duration::from_secs(1);

/// Reads ISO 8601 (UTC where no zone is given), or seconds or milliseconds since 1970.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        let millis = if number.abs() < MILLIS_FROM { number * 1_000.0 } else { number };
        // The bound is the year 9999, past which no other part of the system can write a date.
        return (millis.abs() < 2.5e14).then(|| Timestamp::from_millis(millis.round() as i64));
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_millis(instant.as_millisecond()));
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let instant = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

/// Makes times rise: keeps the good ones, spreads the others between their good neighbors, and says so.
pub(super) fn rising(recorded: &[Option<Timestamp>], notes: &mut Vec<String>) -> Vec<Timestamp> {
    let kept = good_ones(recorded);
    let good = kept.iter().flatten().count();
    let (all, missing) = (recorded.len(), recorded.iter().filter(|time| time.is_none()).count());
    if good == all {
        return kept.into_iter().flatten().collect();
    }
    if good < 2 {
        notes.push(format!("the {all} points have no usable times ({missing} have none); one a second is assumed"));
        return even_steps(kept.iter().flatten().next().copied().unwrap_or(GPS_EPOCH), all);
    }
    let still = all - good - missing;
    notes.push(format!(
        "of {all} points {missing} have no time and {still} have one that does not rise; filled in between"
    ));
    fill(&kept)
}

/// The times that rise, taking each that is later than the last one taken.
fn good_ones(recorded: &[Option<Timestamp>]) -> Vec<Option<Timestamp>> {
    let mut last = None;
    let mut keep = |time: Timestamp| {
        let good = time >= GPS_EPOCH && last.is_none_or(|last| time > last);
        if good {
            last = Some(time);
        }
        good
    };
    recorded.iter().map(|time| time.filter(|time| keep(*time))).collect()
}

fn even_steps(start: Timestamp, count: usize) -> Vec<Timestamp> {
    (0..).take(count).map(|step: u32| start + STEP * step).collect()
}

/// Spreads missing times between good neighbors; before the first and after the last by steps of a second.
fn fill(kept: &[Option<Timestamp>]) -> Vec<Timestamp> {
    let mut times = Vec::with_capacity(kept.len());
    let mut missing: u32 = 0;
    let mut before: Option<Timestamp> = None;
    for time in kept {
        let Some(good) = *time else {
            missing += 1;
            continue;
        };
        match before {
            None => times.extend((1..=missing).rev().map(|back| good - STEP * back)),
            Some(before) => {
                let step = good.since(before) / (missing + 1);
                times.extend((1..=missing).map(|count| before + step * count));
            }
        }
        times.push(good);
        (before, missing) = (Some(good), 0);
    }
    if let Some(last) = before {
        times.extend((1..=missing).map(|count| last + STEP * count));
    }
    strictly(times)
}

/// More points than milliseconds between two good times: push the rest on by one each.
fn strictly(mut times: Vec<Timestamp>) -> Vec<Timestamp> {
    for index in 1..times.len() {
        times[index] = times[index].max(times[index - 1] + Duration::from_millis(1));
    }
    times
}
