//! `fences`: nanoseconds a fix, bytes a region, seconds to build, microseconds to edit.

use crate::city::World;
use crate::edits;
use crate::meter::{best, best_ask, cpu, now, resident};
use crate::plain::PlainIndex;
use std::hint::black_box;
use std::process::Command;
use waystone::geo::index::{RegionIndex, SafeBox};
use waystone::geo::position::Position;

/// Walkers that send a fix each second.
const USERS: usize = 1_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many regions, several with commas
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    regions: Vec<usize>,
    /// For so long each figure is measured again, and the best kept
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build once and print the bytes a region; how the program asks itself
    #[arg(long, hide = true)]
    memory: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Ours,
    Plain,
}

/// Fixes in the three ways that people move.
struct Fixes {
    clustered: Vec<Position>,
    sparse: Vec<Position>,
    walks: Vec<Position>,
}

pub fn run(args: &Args) {
    if let Some(kind) = args.memory {
        return println!("{}", memory(kind, args.regions[0], args.seed));
    }
    println!("ns of CPU a fix, best of {} s each; hits are regions that hold a fix, on average", args.seconds);
    println!(
        "| regions | | clustered | sparse | walking | walking, safe box | skipped | hits | build s | bytes a region |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut edited = Vec::new();
    for &count in &args.regions {
        let mut world = World::new(count, args.seed);
        let regions = world.regions(count);
        let fixes = Fixes {
            clustered: world.fixes(200_000, 1.0),
            sparse: world.fixes(200_000, 4.0),
            walks: world.walks(USERS, 300),
        };
        plain(count, &PlainIndex::build(&regions), &fixes, args);
        let (origin, begun) = (now(), cpu(now()));
        let index = RegionIndex::build(regions);
        let seconds = (cpu(origin) - begun).as_secs_f64();
        ours(count, &index, seconds, &fixes, args);
        edited.push(edits::measure(count, index, &mut world, &fixes.clustered));
    }
    println!();
    println!("| regions | one edit us | 10,000 edits ms | reader ns | reader ns beside edits | edits/s meanwhile |");
    println!("|---|---|---|---|---|---|");
    for line in edited {
        println!("{line}");
    }
}

fn ours(count: usize, index: &RegionIndex, build: f64, fixes: &Fixes, args: &Args) {
    let mut found = Vec::new();
    let every = |fixes: &[Position]| {
        best_ask(fixes, args.seconds, |place, found| {
            black_box(index.look(place, found));
        })
    };
    let ((sparse, _), (walking, _), (clustered, hits)) =
        (every(&fixes.sparse), every(&fixes.walks), every(&fixes.clustered));
    let mut looked = 0;
    let with_box = best(fixes.walks.len(), args.seconds, || {
        let mut boxes = vec![SafeBox::default(); USERS];
        looked = 0;
        for second in fixes.walks.chunks(USERS) {
            for (safe, place) in boxes.iter_mut().zip(second) {
                if !safe.holds(black_box(place)) {
                    found.clear();
                    *safe = index.look(place, &mut found);
                    looked += 1;
                }
            }
        }
    });
    let skipped = 100.0 * (1.0 - f64::from(looked) / fixes.walks.len() as f64);
    let hits = hits as f64 / fixes.clustered.len() as f64;
    let bytes = ask_child(Kind::Ours, count, args.seed);
    println!(
        "| {count} | **waystone** | {clustered:.0} | {sparse:.0} | {walking:.0} | {with_box:.1} | {skipped:.1} % \
         | {hits:.3} | {build:.2} | {bytes} |"
    );
}

fn plain(count: usize, index: &PlainIndex, fixes: &Fixes, args: &Args) {
    type Find = fn(&PlainIndex, &Position, &mut Vec<u32>);
    let ways: [(&str, Find); 2] = [
        ("rstar + geo Contains, haversine", PlainIndex::contains),
        ("rstar + geo Intersects", PlainIndex::intersects),
    ];
    let bytes = ask_child(Kind::Plain, count, args.seed);
    for (name, find) in ways {
        let every = |fixes: &[Position]| best_ask(fixes, args.seconds, |place, found| find(index, place, found));
        let ((sparse, _), (walking, _), (clustered, hits)) =
            (every(&fixes.sparse), every(&fixes.walks), every(&fixes.clustered));
        let hits = hits as f64 / fixes.clustered.len() as f64;
        println!(
            "| {count} | {name} | {clustered:.0} | {sparse:.0} | {walking:.0} | - | - | {hits:.3} | - | {bytes} |"
        );
    }
}

/// Bytes of memory a region, of a process that does nothing but build.
fn ask_child(kind: Kind, regions: usize, seed: u64) -> String {
    let kind = if kind == Kind::Ours { "ours" } else { "plain" };
    let told = std::env::current_exe().and_then(|program| {
        // Large vectors of the build go back to the system at once, so that only what stays is counted.
        Command::new(program)
            .env("MALLOC_MMAP_THRESHOLD_", "131072")
            .args(["fences", "--memory", kind, "--regions", &regions.to_string(), "--seed", &seed.to_string()])
            .output()
    });
    told.map_or_else(|_| "-".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn memory(kind: Kind, count: usize, seed: u64) -> u64 {
    let mut world = World::new(count, seed);
    let before = resident();
    let regions = world.regions(count);
    let after = match kind {
        Kind::Ours => {
            let index = RegionIndex::build(regions);
            let after = resident();
            drop(index);
            after
        }
        Kind::Plain => {
            // Its shapes are copies; what they were made from is taken off.
            let made_from = resident();
            let index = PlainIndex::build(&regions);
            let after = resident() - (made_from - before);
            drop(index);
            after
        }
    };
    (after - before) / count as u64
}
