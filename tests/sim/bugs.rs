//! Every planted bug is found by some seed.

use crate::{game, variable};
use std::collections::BTreeSet;
use waystone::faults::{self, BUGS};

/// Seeds in which a bug must show.
const WITHIN: u64 = 150;

#[test]
fn every_planted_bug_is_found() {
    let within = variable("WAYSTONE_SIM_SEEDS").map_or(WITHIN, |seeds| seeds.max(WITHIN));
    let mut missed = Vec::new();
    for bug in BUGS {
        let planted = faults::plant(bug);
        let found = (1..within).find_map(|seed| {
            let checks: BTreeSet<&str> = game::play(seed).found.into_iter().map(|(check, _)| check).collect();
            (!checks.is_empty()).then_some((seed, checks))
        });
        drop(planted);
        match found {
            Some((seed, checks)) => println!("{bug:?}: seed {seed}, by {checks:?}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found within {within} seeds: {missed:?}");
}
