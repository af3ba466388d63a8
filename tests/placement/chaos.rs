//! Chaos: something happens all the time, then nothing, and everything must find its place.

use crate::bugs::Bug;
use crate::chance::Chance;
use crate::ledger::{Cause, Ledger};
use crate::world::{MS, S, World};
use std::collections::BTreeSet;

/// One game.
#[derive(Debug, Clone)]
pub struct Chaos {
    pub nodes: usize,
    pub seconds: u64,
    pub seed: u64,
    pub bugs: BTreeSet<Bug>,
}

/// What fate does later to end what it began.
#[derive(Debug, Clone, Copy)]
enum Undo {
    Start(usize),
    Unblock(usize, usize),
    Reach(usize),
    Unjam(usize),
}

/// Plays one.
pub fn play(chaos: &Chaos) -> World {
    let mut world = World::at_rest(chaos.nodes, chaos.seed, chaos.bugs.clone());
    let mut fate = Chance::of(chaos.seed, "fate");
    let mut undone: Vec<(u64, Undo)> = Vec::new();
    world.sticky = 5;
    let end = world.now + chaos.seconds * S;
    while world.now < end {
        let pause = fate.below(4 * S);
        world.run(world.now + pause);
        undone.retain(|(due, undo)| *due > world.now || !apply(&mut world, *undo));
        strike(&mut world, &mut fate, &mut undone);
    }
    world.mend();
    world.bring_back();
    world.settle();
    world.check_calm(10 * S);
    world
}

fn apply(world: &mut World, undo: Undo) -> bool {
    match undo {
        Undo::Start(slot) => world.start(slot),
        Undo::Unblock(one, other) => world.unblock(one, other),
        Undo::Reach(slot) => drop(world.cut.remove(&slot)),
        Undo::Unjam(slot) => drop(world.jammed.remove(&slot)),
    }
    true
}

/// Some machines: mostly one, now and then a whole rack.
fn victims(world: &World, fate: &mut Chance) -> Vec<usize> {
    let mut slots: Vec<usize> = (0..world.slots.len()).collect();
    fate.shuffle(&mut slots);
    let most = if fate.percent(60) { 1 } else { 1 + fate.below(slots.len() as u64 / 2) };
    slots.truncate(usize::try_from(most).expect("small"));
    slots
}

fn strike(world: &mut World, fate: &mut Chance, undone: &mut Vec<(u64, Undo)>) {
    let victims = victims(world, fate);
    let other = usize::try_from(fate.below(world.slots.len() as u64)).expect("small");
    let span = 200 * MS + fate.below(12 * S);
    let due = world.now + span;
    let kind = fate.below(100);
    for slot in victims {
        match kind {
            0..30 => {
                world.kill(slot);
                undone.push((due, Undo::Start(slot)));
            }
            30..45 => {
                world.drain(slot);
                undone.push((due + 5 * S, Undo::Start(slot)));
            }
            45..60 => world.freeze(slot, span),
            60..70 => {
                world.cut.insert(slot);
                undone.push((due, Undo::Reach(slot)));
            }
            70..90 if slot != other => {
                let refused = kind >= 87;
                world.block(slot, other, refused);
                undone.push((due, Undo::Unblock(slot, other)));
                if kind < 80 {
                    world.block(other, slot, refused);
                    undone.push((due, Undo::Unblock(other, slot)));
                }
            }
            90..94 => world.reset(slot, other),
            94..97 => {
                world.jammed.insert(slot);
                undone.push((due, Undo::Unjam(slot)));
            }
            97..100 => world.away = world.away.max(due),
            _ => {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a failing seed is run again by hand")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Cluster sizes of the usual run and how many logical seconds of chaos each sees.
const GAMES: &[(usize, u64)] = &[(200, 20), (50, 50), (20, 300), (7, 1_600), (5, 1_600), (3, 1_600)];
/// Shards that must have changed hands in a usual run.
const MOVES: u64 = 100_000;

#[test]
fn chaos_ends_with_everything_in_its_place() {
    let seed = variable("WAYSTONE_PLACEMENT_SEED").unwrap_or(1);
    let seconds = variable("WAYSTONE_PLACEMENT_SECONDS");
    let nodes = variable("WAYSTONE_PLACEMENT_NODES").map(|nodes| usize::try_from(nodes).expect("small"));
    let games: Vec<Chaos> = GAMES
        .iter()
        .filter(|(usual, _)| nodes.is_none_or(|nodes| nodes == *usual))
        .map(|(nodes, usual)| Chaos {
            nodes: *nodes,
            seconds: seconds.unwrap_or(*usual),
            seed,
            bugs: BTreeSet::new(),
        })
        .collect();
    let (mut all, mut told) = (Ledger::default(), Vec::new());
    let books: Vec<Ledger> = std::thread::scope(|scope| {
        let runs: Vec<_> = games.iter().map(|game| scope.spawn(move || play(game).ledger)).collect();
        runs.into_iter().map(|run| run.join().expect("it ends")).collect()
    });
    for (game, ledger) in games.iter().zip(books) {
        told.push(row(&format!("{} nodes, {} s", game.nodes, game.seconds), &ledger));
        assert!(ledger.faults.is_empty(), "{game:?}:\n{}", ledger.faults.join("\n"));
        all.add(ledger);
    }
    told.push(row("all", &all));
    println!("{HEAD}\n{}", told.join("\n"));
    assert!(seconds.is_some() || all.moves >= MOVES, "only {} shards changed hands", all.moves);
    assert!(seconds.is_some() || (all.refused > 0 && all.doubles > 0 && all.buried > 0), "too little happened");
}

/// The head of the table; gaps are half / 99 of 100 / longest, in milliseconds.
const HEAD: &str = "\n                      moves   handed  closing  appends  late refused  doubles  buried \
                    | gaps ms: killed             silent              moved";

fn row(name: &str, ledger: &Ledger) -> String {
    let gaps = [Cause::Killed, Cause::Silent, Cause::Moved].map(|cause| {
        let (_, half, most, all) = ledger.gaps(cause);
        format!("{half:>5} /{most:>6} /{all:>6}")
    });
    format!(
        "{name:<18} {:>8} {:>8} {:>8} {:>8} {:>13} {:>8} {:>7} | {}",
        ledger.moves,
        ledger.handed,
        ledger.closing_most,
        ledger.appends,
        ledger.refused,
        ledger.doubles,
        ledger.buried,
        gaps.join(" ")
    )
}
