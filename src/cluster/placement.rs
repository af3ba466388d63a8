//! Which member should own which shard: rendezvous hashing over names. Pure, and the same on every node.
//!
//! Each member has a weight for each shard, and the heaviest owns it. So when a member leaves, only its own shards
//! move, to all the others evenly; when one joins, only those move that it now weighs most for; and nobody need agree
//! on anything but who is there. A name keeps its weights, so a node that starts again gets its shards back.

use crate::cluster::member::NodeId;
use crate::cluster::shard::{SHARDS, Shard};
use crate::ids::stable_hash;

/// A member that may own shards.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    node: NodeId,
    seed: u64,
}

impl Candidate {
    /// Its weight for a shard. Two incarnations under one name weigh the same: the id decides.
    fn weight(&self, shard: Shard) -> (u64, &NodeId) {
        (mix(self.seed, shard), &self.node)
    }
}

/// Who should own what, over one set of members.
#[derive(Debug, Default)]
pub struct Placement {
    candidates: Vec<Candidate>,
    /// Of each shard, the place of its target among the candidates; empty if there are none.
    targets: Vec<usize>,
}

impl Placement {
    /// Over these members: who they are and their names.
    pub fn over<'a>(members: impl IntoIterator<Item = (&'a NodeId, &'a str)>) -> Self {
        let seeded =
            |(node, name): (&NodeId, &str)| Candidate { node: node.clone(), seed: stable_hash(name.bytes()) };
        let candidates: Vec<Candidate> = members.into_iter().map(seeded).collect();
        let heaviest = |shard| (0..candidates.len()).max_by_key(|at| candidates[*at].weight(shard));
        let targets = Shard::all().filter_map(heaviest).collect();
        Self { candidates, targets }
    }

    /// Whether it is over these members.
    pub fn is_over<'a>(&self, members: impl IntoIterator<Item = &'a NodeId>) -> bool {
        self.candidates.iter().map(|candidate| &candidate.node).eq(members)
    }

    /// Who should own a shard; nobody, if there is no member.
    pub fn target(&self, shard: Shard) -> Option<&NodeId> {
        let at = *self.targets.get(usize::from(shard.number()))?;
        Some(&self.candidates[at].node)
    }

    /// How many come before a member for a shard; `None` if it is no candidate.
    pub fn rank(&self, shard: Shard, node: &NodeId) -> Option<u32> {
        let own = self.candidates.iter().find(|candidate| candidate.node == *node)?.weight(shard);
        let heavier = self.candidates.iter().filter(|candidate| candidate.weight(shard) > own).count();
        u32::try_from(heavier).ok()
    }
}

/// A weight from the hash of a name and a shard: a step of SplitMix64.
///
/// The stable hash alone is no weight. It multiplies once after the last byte, so its upper bits, which decide who is
/// heavier, hardly feel the shard: of three nodes `a`, `b` and `c` one would own nothing.
fn mix(seed: u64, shard: Shard) -> u64 {
    let mut mixed = seed.wrapping_add((u64::from(shard.number()) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Shards that a member has on average among so many.
pub fn fair_share(members: usize) -> usize {
    usize::from(SHARDS) / members.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn over(names: &[String]) -> Placement {
        let nodes: Vec<NodeId> = names.iter().map(|name| NodeId::new(format!("id of {name}"))).collect();
        Placement::over(nodes.iter().zip(names.iter().map(String::as_str)))
    }

    fn spread(placement: &Placement) -> BTreeMap<NodeId, usize> {
        let mut spread: BTreeMap<NodeId, usize> =
            placement.candidates.iter().map(|candidate| (candidate.node.clone(), 0)).collect();
        for shard in Shard::all() {
            *spread.entry(placement.target(shard).expect("there are members").clone()).or_default() += 1;
        }
        spread
    }

    fn named(prefix: &str, count: usize) -> Vec<String> {
        (0..count).map(|n| format!("{prefix}{n}")).collect()
    }

    /// Shards whose target differs.
    fn moved(one: &Placement, other: &Placement) -> Vec<Shard> {
        Shard::all().filter(|shard| one.target(*shard) != other.target(*shard)).collect()
    }

    #[test]
    fn three_nodes_share_evenly() {
        let even = |names: &[String]| spread(&over(names)).values().all(|count| (64..=106).contains(count));
        for names in [&["a", "b", "c"], &["one", "two", "three"], &["x1", "x2", "x3"]] {
            let names = names.map(String::from);
            assert!(even(&names), "{:?}", spread(&over(&names)));
        }
        let even = (0..1_000).filter(|n| even(&named(&format!("waystone-{n}-"), 3))).count();
        assert!(even >= 980, "of a thousand clusters only {even} are within 25 % of a third each: chance gives 985");
    }

    #[test]
    fn who_joins_takes_its_share_and_nothing_else_moves() {
        for count in [1, 2, 3, 5, 20, 200] {
            let names = named("node-", count + 1);
            let (before, after) = (over(&names[..count]), over(&names));
            let newcomer = NodeId::new(format!("id of {}", names[count]));
            let moved = moved(&before, &after);
            assert!(moved.iter().all(|shard| after.target(*shard) == Some(&newcomer)), "{count} nodes");
            let fair = fair_share(count + 1);
            assert!(moved.len() <= fair + fair / 3 + 4, "to {count} nodes one came and got {}", moved.len());
        }
    }

    #[test]
    fn targets_hang_on_names_not_on_ids() {
        let (one, other) = (NodeId::new("1"), NodeId::new("2"));
        let (stays, again) = (NodeId::new("0"), NodeId::new("9"));
        let before = Placement::over([(&stays, "b"), (&one, "a")]);
        let after = Placement::over([(&stays, "b"), (&other, "a")]);
        assert!(
            Shard::all().all(|shard| (before.target(shard) == Some(&one)) == (after.target(shard) == Some(&other)))
        );
        let twins = Placement::over([(&one, "a"), (&again, "a")]);
        assert!(Shard::all().all(|shard| twins.target(shard) == Some(&again)), "the larger id of two under a name");
        let names: Vec<u16> =
            Shard::all().filter(|shard| before.target(*shard) == Some(&one)).take(5).map(Shard::number).collect();
        assert_eq!(names, [0, 1, 2, 3, 6], "nodes of two versions would take shards from each other");
    }

    #[test]
    fn ranks_count_who_comes_before() {
        let placement = over(&named("n", 7));
        for shard in Shard::all() {
            let mut ranks: Vec<u32> =
                placement.candidates.iter().filter_map(|c| placement.rank(shard, &c.node)).collect();
            ranks.sort_unstable();
            assert_eq!(ranks, [0, 1, 2, 3, 4, 5, 6]);
            assert_eq!(placement.rank(shard, placement.target(shard).expect("seven")), Some(0));
        }
        assert_eq!(placement.rank(Shard::all().next().expect("one"), &NodeId::new("a stranger")), None);
    }

    #[test]
    fn without_members_nothing_has_a_target() {
        assert!(Shard::all().all(|shard| Placement::default().target(shard).is_none()));
    }
}
