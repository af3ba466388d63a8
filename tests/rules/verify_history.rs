//! What clients wrote down of sound games is found sound: hundreds of small games over bad connections.

use crate::rng::seeds;
use crate::throng;
use crate::verify_core::verdict_with;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use waystone::verify::History;

/// Games; each of the threads plays its share.
const GAMES: u64 = 500;
const THREADS: u64 = 4;

/// What must be found in all of the histories together, and how often at least: else clean ones prove little.
const SPICE: [(&str, usize); 14] = [
    ("\"recovered\":true", 1_000),
    ("\"device\":1", 500),
    ("\"unknown\"", 200),
    ("\"refused\"", 200),
    ("\"state\"", 2_000),
    ("\"board\"", 2_000),
    ("badge.given", 200),
    ("code.given", 100),
    ("reward.gone", 20),
    ("quest.finished", 100),
    ("quest.ended", 50),
    ("team.left", 100),
    ("hint.given", 200),
    ("step.completed", 2_000),
];

#[test]
fn clean_histories_are_found_sound() {
    let (found, seeds) = (Mutex::new(BTreeMap::new()), seeds(GAMES));
    std::thread::scope(|scope| {
        for share in 0..THREADS {
            let (found, seeds) = (&found, &seeds);
            scope.spawn(move || {
                for seed in seeds.iter().filter(|seed| **seed % THREADS == share) {
                    let text = is_found_sound(*seed);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    for (word, _) in SPICE {
                        *found.entry(word).or_insert(0) += text.matches(word).count();
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("every game was sound");
    for (word, least) in SPICE {
        assert!(seeds.len() == 1 || found[word] >= least, "{word} was to be there {least} times: {found:?}");
    }
}

/// Plays a game; gives its history.
fn is_found_sound(seed: u64) -> String {
    let phones = throng::play(seed);
    let text = phones.history();
    for digits in ["24.94123", "60.17123"] {
        assert!(!text.contains(digits), "a position stands in the history");
    }
    let history = History::parse("history", text.as_bytes()).expect("what a recorder writes can be read");
    let verdict = verdict_with(&phones.world.log, &phones.world.catalog, &history);
    assert!(verdict.is_clean() && verdict.pending == 0, "again: RULES_SEED={seed}\n{}\n{text}", verdict.render());
    // What the rules themselves promise has tests of its own.
    if seed.is_multiple_of(10) {
        phones.world.check();
    }
    text
}
