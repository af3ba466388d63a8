//! The clock and the scales: CPU time of this thread, memory of this process.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};
use waystone::geo::position::Position;

/// CPU time that this thread has used, where the system tells (Linux); else time on the wall.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time; nothing here is a server")]
pub fn cpu(since: Instant) -> Duration {
    // The system brings the account up to date when it chooses who runs next.
    std::thread::yield_now();
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let used = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    used.map_or_else(|| Instant::now().duration_since(since), Duration::from_nanos)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time; nothing here is a server")]
pub fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds of CPU for each of `count` items of one round: the best round of as many as fit into `seconds`, three
/// at least. The best, because other work on the machine only ever adds.
pub fn best(count: usize, seconds: f64, mut round: impl FnMut()) -> f64 {
    let origin = now();
    let mut best = f64::INFINITY;
    let mut rounds = 0;
    while rounds < 3 || origin.elapsed().as_secs_f64() < seconds {
        let before = cpu(origin);
        round();
        best = best.min((cpu(origin) - before).as_nanos() as f64 / count as f64);
        rounds += 1;
    }
    best
}

/// As [`best`], for asking about each of some places; and how many answers there were in all.
pub fn best_ask<T>(places: &[Position], seconds: f64, mut ask: impl FnMut(&Position, &mut Vec<T>)) -> (f64, usize) {
    let (mut found, mut hits) = (Vec::new(), 0);
    let ns = best(places.len(), seconds, || {
        hits = 0;
        for place in places {
            found.clear();
            ask(black_box(place), &mut found);
            hits += black_box(&found).len();
        }
    });
    (ns, hits)
}

/// Bytes of memory that this process occupies (Linux; else 0).
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0) * 1024
}
