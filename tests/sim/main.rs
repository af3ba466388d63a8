//! The actor layer under a fate: the real sessions, entities, shards and couriers over a journal in memory, on one
//! thread, by a clock that goes on only when everyone waits. Thousands of seeds; each is one game.
//!
//! Promise: the same seed plays the same game, to the last byte of its history and its journal. See
//! `docs/testing.md` for what is and what is not simulated, and which check finds which planted bug.

mod bugs;
mod chance;
mod game;
mod host;
mod luck;
mod phone;
mod quest;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds of a usual run; `WAYSTONE_SIM_SEEDS` says another number.
const SEEDS: u64 = 2_000;
/// Threads that play them: as many as small machines have.
const THREADS: usize = 2;

#[expect(clippy::disallowed_methods, reason = "a failing seed is run again by hand")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn seeds_play_sound_games() {
    let one = variable("WAYSTONE_SIM_SEED");
    let (first, count) = one.map_or((0, variable("WAYSTONE_SIM_SEEDS").unwrap_or(SEEDS)), |seed| (seed, 1));
    let (next, seen) = (AtomicU64::new(first), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let outcome = game::play(seed);
                    assert!(outcome.found.is_empty(), "{}", told(seed, &outcome));
                    let mut seen = seen.lock().expect("nobody panics with it");
                    for (word, _) in SPICE {
                        let here = outcome.history.matches(word).count() + outcome.trace.matches(word).count();
                        *seen.entry(word).or_insert(0) += here;
                    }
                    if one.is_some() {
                        println!("{}{}", outcome.trace, outcome.history);
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().expect("every game was sound");
    println!("{count} seeds: {seen:?}");
    for (word, least) in SPICE {
        let least = least * usize::try_from(count / 100).unwrap_or(usize::MAX);
        assert!(seen.get(word).is_none_or(|seen| *seen >= least), "{word} happened too seldom: {seen:?}");
    }
}

/// What must have happened in a hundred seeds, and how often at least: else sound games prove little.
const SPICE: [(&str, usize); 12] = [
    ("crashes", 80),
    ("takes over", 30),
    ("in order", 15),
    ("be written", 15),
    ("\"recovered\":true", 500),
    ("\"unknown\"", 300),
    ("region.entered", 60),
    ("step.completed", 300),
    ("quest.finished", 20),
    ("quest.ended", 10),
    ("code.given", 15),
    ("reward.gone", 2),
];

/// What a failure says.
fn told(seed: u64, outcome: &game::Outcome) -> String {
    let found: Vec<String> = outcome.found.iter().map(|(check, what)| format!("  {check}: {what}")).collect();
    format!(
        "seed {seed} is not sound:\n{}\nfate:\n{}history, its end:\n{}\n\
         again: WAYSTONE_SIM_SEED={seed} cargo test --test sim seeds -- --nocapture",
        found.join("\n"),
        outcome.trace,
        game::tail(&outcome.history)
    )
}

#[test]
fn a_seed_plays_the_same_game_again() {
    for seed in 1..25 {
        let (once, again) = (game::play_for_digest(seed), game::play_for_digest(seed));
        assert_eq!(once.trace, again.trace);
        assert_eq!(once.digest, again.digest, "seed {seed}:\n{}\n\n{}", once.history, again.history);
    }
}
