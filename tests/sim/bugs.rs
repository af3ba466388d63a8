//! Deliberate bugs, one at a time, each of which the simulation must find.

use crate::world::story;
use waystone::faults::{self, Bug};

/// Seeds that a bug may survive.
const SEEDS: u64 = 400;

const BUGS: &[Bug] = &[
    Bug::AcknowledgeUnwritten,
    Bug::TellBeforeAppend,
    Bug::NoFence,
    Bug::LostIsWritten,
    Bug::KeepFailedState,
    Bug::DedupLostAtLoad,
    Bug::AnswersLostAtLoad,
    Bug::TailIgnored,
    Bug::ResumeOffByOne,
    Bug::ToldTwice,
    Bug::GapIgnored,
    Bug::EarlyNoticesDropped,
    Bug::DroppedWhenUnavailable,
    Bug::DeliveredWhenSent,
    Bug::CursorPassesAppends,
    Bug::UndeliveredForgotten,
    Bug::AlarmsForgotten,
];

#[test]
fn every_bug_is_found() {
    let mut missed = Vec::new();
    for bug in BUGS {
        faults::plant(Some(*bug));
        let found = (0..SEEDS).find_map(|seed| story(seed).fault.map(|fault| (seed, fault)));
        faults::plant(None);
        match found {
            Some((seed, (check, message))) => println!("{bug:?}: seed {seed}, by \"{check}\": {message}"),
            None => missed.push(*bug),
        }
    }
    assert!(missed.is_empty(), "not found in {SEEDS} seeds: {missed:?}");
}
