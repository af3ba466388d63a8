//! `decisions`: what one fix costs from the phone's numbers to the fence's word: plausibility, memory, look-up.
//!
//! Walkers go as in `fences`, and their phones err by some metres as phones do, so that edges are crossed, doubted and
//! crossed again. The same fixes go through three trackers: as a server runs it, with a second rule set on trial, and
//! with the account of every decision, which takes the long way round.

use crate::city::World;
use crate::meter::now;
use std::hint::black_box;
use waystone::geo::fence::{Ground, Tracker};
use waystone::geo::index::RegionIndex;
use waystone::geo::plausibility::RuleSet;
use waystone::geo::position::Fix;
use waystone::units::{Meters, Timestamp};

/// Walkers that send a fix each second.
const USERS: usize = 1_000;
/// How long they walk.
const SECONDS: usize = 300;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many regions, several with commas
    #[arg(long, value_delimiter = ',', default_value = "1000,100000")]
    regions: Vec<usize>,
    /// Rounds of each figure; the best is kept
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: &Args) {
    println!("ns a fix, best of {} rounds; {USERS} walkers, {SECONDS} fixes each", args.rounds);
    println!("| regions | decision | with a rule set on trial | with accounts | transitions a fix |");
    println!("|---|---|---|---|---|");
    for &count in &args.regions {
        let mut world = World::new(count, args.seed);
        let index = RegionIndex::build(world.regions(count));
        let fixes = fixes(&mut world);
        let mut told = 0;
        let plain = best(args.rounds, &fixes, Tracker::new, |tracker, fix| {
            told += black_box(tracker.observe(fix, fix.time(), Ground::all(&index))).transitions.len();
        });
        let trial = || Tracker::new().with_trial(Some(&RuleSet::V3));
        let tried = best(args.rounds, &fixes, trial, |tracker, fix| {
            black_box(tracker.observe(fix, fix.time(), Ground::all(&index)));
        });
        let accounted = best(args.rounds, &fixes, Tracker::new, |tracker, fix| {
            let account = &mut |decision| {
                black_box(decision);
            };
            black_box(tracker.observe_explained(fix, fix.time(), Ground::all(&index), account));
        });
        let told = told as f64 / (fixes.len() * args.rounds) as f64;
        println!("| {count} | {plain:.0} | {tried:.0} | {accounted:.0} | {told:.4} |");
    }
}

/// The fix of walker w at second t is at t * USERS + w.
fn fixes(world: &mut World) -> Vec<Fix> {
    let places = world.noisy_walks(USERS, SECONDS);
    let fix = |(i, place)| {
        let second = (i / USERS) as i64;
        let time = Timestamp::from_millis(1_790_000_000_000 + 1_000 * second);
        let accuracy = Meters::lossy(5.0 + (i % 7) as f64);
        Fix::new(place, time).with_seq(second as u64).with_accuracy(accuracy).expect("not negative")
    };
    places.into_iter().enumerate().map(fix).collect()
}

fn best(rounds: usize, fixes: &[Fix], new: impl Fn() -> Tracker, mut observe: impl FnMut(&mut Tracker, &Fix)) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let mut trackers: Vec<Tracker> = (0..USERS).map(|_| new()).collect();
        let begun = now();
        for second in fixes.chunks(USERS) {
            for (tracker, fix) in trackers.iter_mut().zip(second) {
                observe(tracker, fix);
            }
        }
        best = best.min(begun.elapsed().as_nanos() as f64 / fixes.len() as f64);
    }
    best
}
