//! Planted bugs, each of which some check must find: else sound runs prove little.

use crate::chaos::{Chaos, play};
use crate::scenes::flapping;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// Shards count as held for long at once.
    NoHold,
    /// Appends do not compare the epoch.
    NoFence,
    /// A node goes on when its lease may have run out.
    PastTheLease,
    /// Shards of living nodes can be claimed.
    ClaimOfTheLiving,
    /// A claim makes no new epoch.
    EpochStays,
    /// A node that lost a shard goes on with it.
    DeafToLoss,
    /// The planner is not told what is closing.
    ForgetsClosing,
    /// Time runs a hundred times too fast for the planner: no patience with links.
    NoPatience,
}

const ALL: [Bug; 8] = [
    Bug::NoHold,
    Bug::NoFence,
    Bug::PastTheLease,
    Bug::ClaimOfTheLiving,
    Bug::EpochStays,
    Bug::DeafToLoss,
    Bug::ForgetsClosing,
    Bug::NoPatience,
];

/// Seeds within which a bug must show.
const SEEDS: u64 = 6;

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for bug in ALL {
        let found = (1..=SEEDS).find_map(|seed| {
            let chaos = Chaos { nodes: 5, seconds: 60, seed, bugs: [bug].into() };
            let faults = [play(&chaos).ledger.faults, flapping([bug].into()).ledger.faults].concat();
            faults.first().map(|fault| (seed, fault.clone()))
        });
        match found {
            Some((seed, fault)) => println!("{bug:?}: seed {seed}, {fault}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
