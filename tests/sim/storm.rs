//! Thousands of seeds, and the same seed twice.

use crate::world::{Story, story};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seeds of a usual run.
const SEEDS: u64 = 2_000;
/// Lines of the history that a failure shows.
const TAIL: usize = 25;

#[expect(clippy::disallowed_methods, reason = "a failing seed is run again by hand")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// Says how to run a seed again, and what was seen last.
pub fn complain(seed: u64, story: &Story) -> String {
    let (check, message) = story.fault.as_ref().expect("there is one");
    let lines: Vec<&str> = story.history.lines().collect();
    let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
    format!("{tail}\nseed {seed}: {check}: {message}\nagain: WAYSTONE_SIM_SEED={seed} cargo test --test sim storm")
}

#[test]
fn storms_lose_nothing_and_double_nothing() {
    if let Some(seed) = asked("WAYSTONE_SIM_SEED") {
        let story = story(seed);
        assert!(story.fault.is_none(), "{}", complain(seed, &story));
        return;
    }
    let (seeds, next) = (asked("WAYSTONE_SIM_SEEDS").unwrap_or(SEEDS), AtomicU64::new(0));
    let (entries, told, processes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let begun = now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..std::thread::available_parallelism().map_or(1, usize::from))
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds {
                            return;
                        }
                        let story = story(seed);
                        if story.fault.is_some() {
                            next.store(seeds, Ordering::Relaxed);
                            panic!("{}", complain(seed, &story));
                        }
                        entries.fetch_add(story.entries, Ordering::Relaxed);
                        told.fetch_add(story.told, Ordering::Relaxed);
                        processes.fetch_add(story.processes, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    println!(
        "{seeds} seeds in {:.0?}: {entries:?} entries, {told:?} notices told, {processes:?} processes",
        begun.elapsed()
    );
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 0..20 {
        let (first, second) = (story(seed), story(seed));
        assert_eq!(first.digest, second.digest, "seed {seed}:\n{}\n--\n{}", first.history, second.history);
    }
}

#[expect(clippy::disallowed_methods, reason = "how long the test itself takes, by the machine's clock")]
fn now() -> Instant {
    Instant::now()
}
