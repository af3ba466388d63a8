//! Edits of a live index, and what a reader notices of them.

use crate::city::World;
use crate::meter::{cpu, now};
use arc_swap::ArcSwap;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use waystone::geo::index::{Change, RegionIndex};
use waystone::geo::position::Position;

/// Edits timed one by one.
const SINGLE: usize = 400;
/// Edits made at once.
const BATCH: usize = 10_000;

/// New places for so many regions: each is drawn anew in its own city.
fn changes(world: &mut World, regions: usize, count: usize, rng: &mut StdRng) -> Vec<Change> {
    let draw = |_| {
        let i = rng.random_range(0..regions);
        Change::Put(world.region(&format!("r{i}"), i * world.cities() / regions))
    };
    (0..count).map(draw).collect()
}

/// One line of the table.
pub fn measure(regions: usize, index: RegionIndex, world: &mut World, fixes: &[Position]) -> String {
    let mut rng = StdRng::seed_from_u64(7);
    let mut index = index;
    let (mut times, origin) = (Vec::new(), now());
    for change in changes(world, regions, SINGLE, &mut rng) {
        let before = cpu(origin);
        index = index.with(vec![change]);
        times.push((cpu(origin) - before).as_nanos() as f64 / 1e3);
    }
    times.sort_by(f64::total_cmp);
    let (median, p90) = (times[SINGLE / 2], times[SINGLE * 9 / 10]);
    let batch = changes(world, regions, BATCH, &mut rng);
    let before = cpu(origin);
    let index = index.with(batch);
    let batch_seconds = (cpu(origin) - before).as_secs_f64();
    let live = Arc::new(ArcSwap::from_pointee(index));
    let alone = read(&live, fixes);
    let (stop, edits) = (AtomicBool::new(false), AtomicU64::new(0));
    let pool = changes(world, regions, 2_000, &mut rng);
    let (beside, seconds) = thread::scope(|scope| {
        scope.spawn(|| {
            for change in pool.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                live.store(Arc::new(live.load().with(vec![change.clone()])));
                edits.fetch_add(1, Ordering::Relaxed);
            }
        });
        let begun = now();
        let beside = read(&live, fixes);
        stop.store(true, Ordering::Relaxed);
        (beside, begun.elapsed().as_secs_f64())
    });
    let rate = edits.load(Ordering::Relaxed) as f64 / seconds;
    format!(
        "| {regions} | {median:.0} (p90 {p90:.0}) | {:.0} | {alone:.0} | {beside:.0} | {rate:.0} |",
        batch_seconds * 1e3
    )
}

/// Nanoseconds of CPU a look-up, through the pointer that an editor replaces.
fn read(live: &ArcSwap<RegionIndex>, fixes: &[Position]) -> f64 {
    crate::meter::best(fixes.len(), 1.0, || {
        for some in fixes.chunks(16) {
            let index = live.load();
            let mut found = Vec::new();
            for place in some {
                found.clear();
                black_box(index.look(black_box(place), &mut found));
            }
        }
    })
}
