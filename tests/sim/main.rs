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

use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds of a usual run; `WAYSTONE_SIM_SEEDS` says another number.
const SEEDS: u64 = 1_500;
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
    let next = AtomicU64::new(first);
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
                    if one.is_some() {
                        println!("seed {seed}: {:016x}\n{}{}", outcome.digest, outcome.trace, outcome.history);
                    }
                }
            });
        }
    });
}

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
        let (once, again) = (game::play(seed), game::play(seed));
        assert_eq!(once.trace, again.trace);
        assert_eq!(once.digest, again.digest, "seed {seed}:\n{}\n\n{}", once.history, again.history);
    }
}
