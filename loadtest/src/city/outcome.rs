//! What a run becomes: recoveries after faults, the map, what it says nothing about, and the record of all.

use super::CityArgs;
use super::chaos::Faults;
use super::counts::CELL;
use super::merge::Whole;
use super::town::Town;
use super::verdict::Judged;
use crate::machine::Machine;
use crate::record::{Cell, Check, FORM, FaultMark, Hardware, Map, Place, Record, Second, Target};

/// Points of streets in a record's map: enough for a picture.
const STREET_POINTS: usize = 20_000;
/// Seconds before a fault that say how it was; how long after its end it may begin to show; and how many good seconds in
/// a row make a recovery.
const BEFORE: u32 = 5;
const SHOWS_WITHIN: f64 = 10.0;
const GOOD: usize = 2;
/// What 99 in 100 fixes may take at least before a second is called bad, in milliseconds.
const BAD_MS: f64 = 100.0;

/// All that a run has brought.
#[derive(Debug)]
pub struct Gathered {
    pub target: Target,
    pub seconds: Vec<Second>,
    pub faults: Vec<FaultMark>,
    pub whole: Whole,
    pub judged: Judged,
    pub checks: Vec<Check>,
}

/// Finds for each fault when all was as before: as many sockets, fixes answered as they are due, and 99 in 100 of them not
/// much later than before; two seconds in a row after the first that was not so. A fault that nobody noticed has recovered
/// when it began. Notes in each second how many faults are under way.
pub fn recoveries(faults: &mut [FaultMark], seconds: &mut [Second]) {
    // By the marks, which know it better than a look once a second.
    seconds.iter_mut().for_each(|second| second.faults_active = 0);
    for mark in faults.iter_mut() {
        let (at, until) = (mark.at_s, mark.until_s.unwrap_or(mark.at_s));
        for second in seconds.iter_mut() {
            let t = f64::from(second.t);
            second.faults_active += u32::from(t + 1.0 > at && t <= until);
        }
        let (before, after): (Vec<&Second>, Vec<&Second>) =
            seconds.iter().partition(|second| f64::from(second.t) < at.floor());
        let before = &before[before.len().saturating_sub(BEFORE as usize)..];
        let sockets = before.iter().map(|second| second.sockets).max().unwrap_or(0);
        let usual = before.iter().filter_map(|second| second.p99_ms).fold(0.0, f64::max);
        let good = |second: &Second| {
            second.sockets * 100 >= sockets * 99
                && second.acked * 10 >= second.offered * 9
                && second.p99_ms.is_some_and(|p99| p99 <= (usual * 2.0).max(BAD_MS))
        };
        let shows = |second: &&&Second| f64::from(second.t) <= until + SHOWS_WITHIN;
        let first_bad = after.iter().take_while(shows).position(|second| !good(second));
        mark.recovered_s = match first_bad {
            // Seen for a while, and nothing to be seen.
            None => (after.len() >= GOOD).then_some(at),
            Some(bad) => {
                let found = after[bad..].windows(GOOD).find(|window| window.iter().all(|second| good(second)));
                found.map(|window| f64::from(window[0].t).max(at))
            }
        };
    }
}

/// The record.
pub fn record(
    args: &CityArgs,
    machine: &Machine,
    seed: u64,
    begun: String,
    town: &Town,
    gathered: Gathered,
) -> Record {
    let Gathered { target, seconds, faults, whole, judged, checks } = gathered;
    let not_covered = not_covered(args, &judged, target.nodes);
    let ok = checks.iter().all(|check| check.ok) && judged.findings.iter().all(|finding| finding.ok);
    Record {
        form: FORM,
        scenario: "city".to_owned(),
        settings: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        seed,
        machine: Hardware::look(),
        commit: machine.commit.clone(),
        build: machine.build.to_owned(),
        begun,
        target,
        seconds: seconds.into_iter().collect(),
        latencies: whole.latencies.clone(),
        faults,
        map: Some(map(town, &whole)),
        generators: whole.generators.clone(),
        totals: whole.totals.clone(),
        budget: checks,
        verdict: judged.findings,
        not_covered,
        ok,
    }
}

/// What a reader might take for shown, and is not.
fn not_covered(args: &CityArgs, judged: &Judged, nodes: u32) -> Vec<String> {
    let mut lines = judged.not_covered.clone();
    let mut line = |text: String| lines.push(text);
    line("the network: all goes over the loopback address of one machine, which server and phones share".to_owned());
    if args.faults == Faults::None {
        line("faults: none were made".to_owned());
    }
    if args.url.is_some() && args.faults != Faults::None {
        line("faults: a server that is not this program's is left alone".to_owned());
    }
    if nodes == 1 {
        line("a cluster: one node was loaded".to_owned());
    }
    line("photos, hints, follows and stays: the city's quests have none".to_owned());
    lines
}

fn map(town: &Town, whole: &Whole) -> Map {
    let place = |(number, at): (usize, &waystone::walk::LonLat)| Place {
        name: format!("p{number}"),
        lon: at.lon,
        lat: at.lat,
        awards: whole.by_place.get(number).copied().unwrap_or(0),
    };
    let cell = |((x, y), count): (&(i32, i32), &u64)| Cell {
        lon: (f64::from(*x) + 0.5) * CELL.0,
        lat: (f64::from(*y) + 0.5) * CELL.1,
        count: *count,
    };
    let mut heat: Vec<Cell> = whole.heat.iter().map(cell).collect();
    // The same run, the same file; and no more than a record takes, the fullest first.
    heat.sort_by(|a, b| b.count.cmp(&a.count).then(a.lon.total_cmp(&b.lon)).then(a.lat.total_cmp(&b.lat)));
    heat.truncate(40_000);
    Map {
        streets: town.lines(STREET_POINTS),
        places: town.places().iter().enumerate().map(place).collect(),
        heat,
        cell: CELL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(t: u32, sockets: u64, acked: u64, p99: f64) -> Second {
        Second { t, sockets, acked, offered: 100, p99_ms: Some(p99), ..Second::default() }
    }

    #[test]
    fn recovered_is_what_is_as_before_for_two_seconds() {
        let mut seconds: Vec<Second> = (0..20).map(|t| second(t, 100, 100, 3.0)).collect();
        seconds[8] = second(8, 20, 10, 900.0);
        seconds[9] = second(9, 60, 90, 400.0);
        // One good second among bad ones is none.
        seconds[11] = second(11, 100, 100, 700.0);
        let mark = |at_s, until_s| FaultMark {
            at_s,
            until_s: Some(until_s),
            kind: "kill".to_owned(),
            what: String::new(),
            recovered_s: None,
        };
        let mut faults = [mark(7.5, 8.4), mark(19.5, 19.9), mark(15.2, 15.2)];
        recoveries(&mut faults, &mut seconds);
        assert_eq!(faults[0].recovered_s, Some(12.0));
        assert_eq!(faults[1].recovered_s, None, "what is not seen is not claimed");
        assert_eq!(faults[2].recovered_s, Some(15.2), "nobody noticed");
        assert_eq!([seconds[6].faults_active, seconds[7].faults_active, seconds[8].faults_active], [0, 1, 1]);
    }
}
