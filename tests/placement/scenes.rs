//! One thing at a time, and exactly what it may cost.

use crate::bugs::Bug;
use crate::chance::Chance;
use crate::ledger::Cause;
use crate::world::{MS, S, World};
use std::collections::BTreeSet;
use waystone::cluster::placement::fair_share;

fn at_rest(nodes: usize, seed: u64) -> World {
    World::at_rest(nodes, seed, BTreeSet::new())
}

fn sound(world: &World) {
    assert!(world.ledger.faults.is_empty(), "{}", world.ledger.faults.join("\n"));
}

/// A link that fails for a second every two seconds, for a minute.
pub fn flapping(bugs: BTreeSet<Bug>) -> World {
    let mut world = World::at_rest(3, 1, bugs);
    for _ in 0..30 {
        world.reset(0, 1);
        world.reset(1, 0);
        let (moves, handed) = (world.ledger.moves, world.ledger.handed);
        world.run(world.now + 2 * S);
        if (moves, handed) != (world.ledger.moves, world.ledger.handed) {
            world.ledger.fault(world.now, "a link that flaps moved a shard");
        }
    }
    world
}

#[test]
fn a_flapping_link_moves_nothing() {
    sound(&flapping(BTreeSet::new()));
}

#[test]
fn who_joins_gets_just_its_share_and_who_drains_leaves_nothing_waiting() {
    for nodes in [2, 3, 10, 50] {
        let mut world = World::new(nodes + 1, 5, BTreeSet::new());
        (0..nodes).for_each(|slot| world.start(slot));
        world.run(45 * S);
        let before = world.ledger.moves;
        world.start(nodes);
        world.run(world.now + 30 * S);
        world.check_places();
        let newcomer = world.process(nodes).expect("it has started");
        let share = world.all[newcomer].mine.len() as u64;
        assert_eq!(world.ledger.moves - before, share, "a join to {nodes} moves what the new one gets, once");
        assert!(share <= 2 * fair_share(nodes + 1) as u64 + 4);
        world.ledger.ended.clear();
        world.drain(nodes);
        world.run(world.now + 30 * S);
        assert_eq!(world.process(nodes), None, "it has left");
        assert_eq!(world.ledger.moves - before, 2 * share, "and its leave moves them once");
        let (_, half, most, all) = world.ledger.gaps(Cause::Moved);
        println!("{nodes} nodes, one more joins and drains: {share} shards, gaps {half} / {most} / {all} ms");
        assert!(all <= 500, "the longest planned gap was {all} ms");
        sound(&world);
    }
}

#[test]
fn a_crash_loop_moves_nothing_and_a_quick_restart_only_its_own() {
    let mut world = World::new(4, 6, BTreeSet::new());
    (0..3).for_each(|slot| world.start(slot));
    world.run(45 * S);
    let before = world.ledger.moves;
    for _ in 0..20 {
        world.start(3);
        world.run(world.now + 2_500 * MS);
        world.kill(3);
        world.run(world.now + S);
    }
    assert_eq!(world.ledger.moves, before, "it never lived long enough");
    sound(&world);
}

#[test]
fn who_is_killed_is_replaced_within_a_second_and_who_is_silent_within_five() {
    let mut chance = Chance::of(3, "when");
    let (mut killed, mut silent) = (World::at_rest(3, 7, BTreeSet::new()), World::at_rest(3, 8, BTreeSet::new()));
    for round in 0..24 {
        let slot = round % 3;
        killed.run(killed.now + chance.below(S));
        killed.kill(slot);
        killed.run(killed.now + 6 * S);
        killed.start(slot);
        killed.run(killed.now + 40 * S);
        silent.run(silent.now + chance.below(S));
        silent.freeze(slot, 8 * S);
        silent.run(silent.now + 40 * S);
    }
    for (world, cause, limit) in [(&killed, Cause::Killed, 1_000), (&silent, Cause::Silent, 5_000)] {
        let (count, half, most, all) = world.ledger.gaps(cause);
        println!("3 nodes, {cause:?}: {count} gaps, {half} / {most} / {all} ms");
        assert!(count > 2_000 && all <= limit, "the longest gap was {all} ms");
        sound(world);
    }
    assert!(silent.ledger.refused > 0, "zombies tried");
}

#[test]
fn a_database_that_was_away_moves_nothing() {
    for seconds in [1, 2, 3, 4, 10, 30] {
        for seed in 1..3 {
            let mut world = at_rest(5, seed);
            let before = world.ledger.moves;
            world.away = world.now + seconds * S;
            world.run(world.now + (seconds + 30) * S);
            assert_eq!(world.ledger.moves, before, "away for {seconds} s, seed {seed}");
            world.check_places();
            sound(&world);
        }
    }
}

#[test]
fn of_two_that_lose_each_other_one_steps_back_once() {
    for one_way in [true, false] {
        let mut world = at_rest(3, 9);
        let before = world.ledger.moves;
        world.block(0, 1, false);
        if !one_way {
            world.block(1, 0, false);
        }
        world.run(world.now + 60 * S);
        let moved = world.ledger.moves - before;
        let fair = fair_share(3) as u64;
        assert!((fair / 2..=fair * 2).contains(&moved), "{moved} shards moved: one node's");
        let without = world.living().into_iter().filter(|of| world.all[*of].mine.is_empty()).count();
        assert_eq!(without, 1);
        world.check_calm(60 * S);
        world.mend();
        world.run(world.now + 30 * S);
        world.check_places();
        assert_eq!(world.ledger.moves - before, 2 * moved);
        sound(&world);
    }
}

#[test]
fn a_node_that_cannot_claim_costs_others_little() {
    let mut world = at_rest(3, 10);
    world.kill(0);
    world.jammed.insert(1);
    world.run(world.now + 10 * S);
    let lying = waystone::cluster::shard::Shard::all()
        .filter(|shard| world.holders.get(shard).is_none_or(BTreeSet::is_empty))
        .count();
    assert_eq!(lying, 0, "the next in order has claimed what it did not");
    let before = (world.ledger.moves, world.ledger.handed);
    world.run(world.now + 40 * S);
    assert_eq!((world.ledger.moves, world.ledger.handed), before, "nothing is given to it that it does not take");
    sound(&world);
}
