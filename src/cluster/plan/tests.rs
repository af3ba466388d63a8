//! The plan, rule by rule. What the rules make together is in `tests/placement`.

use super::*;
use crate::cluster::member::{Identity, Member, Owner, Protocols};
use crate::cluster::shard::SHARDS;

const UP: LinkState = LinkState::Up { protocol: 1, connection: 1 };
const DOWN: LinkState = LinkState::Down { refused: false };
const REFUSED: LinkState = LinkState::Down { refused: true };

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn id(name: &str) -> NodeId {
    NodeId::new(name)
}

/// A node with its planner; ids are names.
struct Node {
    planner: Planner,
    view: View,
    mine: BTreeMap<Shard, Holding>,
    links: BTreeMap<NodeId, LinkState>,
}

impl Node {
    /// A node that sees these, the first of which it is, and no shard owned.
    fn of(names: &[&str]) -> Self {
        let view = View {
            me: id(names[0]),
            members: BTreeMap::new(),
            owners: vec![Owner::default(); usize::from(SHARDS)],
            quests: 0,
        };
        let mut node = Self { planner: Planner::default(), view, mine: BTreeMap::new(), links: BTreeMap::new() };
        names.iter().for_each(|name| node.joins(name));
        node
    }

    /// Such a node after long quiet, with everything where it should be.
    fn settled(names: &[&str]) -> Self {
        let mut node = Self::of(names);
        (0..=5).for_each(|second| drop(node.plan(second * 1_000)));
        for shard in Shard::all() {
            let target = node.planner.target(shard).expect("there are members").clone();
            node.owns(shard, target.as_str(), 7, Duration::from_secs(60));
        }
        assert_eq!(node.plan(5_001), [], "nothing to do");
        node
    }

    fn joins(&mut self, name: &str) {
        let identity =
            Identity { name: name.to_owned(), address: format!("{name}:1"), protocols: Protocols { min: 1, max: 1 } };
        self.view.members.insert(id(name), Member { identity, standing: Standing::default() });
        if id(name) != self.view.me {
            self.links.insert(id(name), UP);
        }
    }

    fn leaves(&mut self, name: &str) {
        self.view.members.remove(&id(name));
        self.links.remove(&id(name));
    }

    fn owns(&mut self, shard: Shard, name: &str, epoch: u64, held: Duration) {
        self.view.owners[usize::from(shard.number())] = Owner { node: Some(id(name)), epoch, held };
        if id(name) == self.view.me {
            self.mine.insert(shard, Holding { epoch, closing: false });
        } else {
            self.mine.remove(&shard);
        }
    }

    fn says(&mut self, name: &str, unreachable: &[&str]) {
        let standing = &mut self.view.members.get_mut(&id(name)).expect("a member").standing;
        standing.unreachable = unreachable.iter().map(|name| id(name)).collect();
    }

    fn drains(&mut self, name: &str) {
        self.view.members.get_mut(&id(name)).expect("a member").standing.draining = true;
    }

    fn of_target(&self, name: &str) -> Vec<Shard> {
        Shard::all().filter(|shard| self.planner.target(*shard) == Some(&id(name))).collect()
    }

    /// A plan after a new look.
    fn plan(&mut self, now: u64) -> Vec<Step> {
        // Which shard serves no rule of hold here: looks are told apart by it.
        self.view.owners[0].held += ms(1);
        self.planner.plan(ms(now), &self.view, &self.mine, &self.links)
    }

    fn says_now(&self) -> Vec<String> {
        self.planner.standing(false).unreachable.iter().map(ToString::to_string).collect()
    }
}

fn handed(steps: &[Step]) -> Vec<(Shard, NodeId)> {
    let of = |step: &Step| match step {
        Step::HandOver { shard, to } => Some((*shard, to.clone())),
        _ => None,
    };
    steps.iter().filter_map(of).collect()
}

fn claimed(steps: &[Step]) -> Vec<Shard> {
    steps
        .iter()
        .filter_map(|step| if let Step::Claim(shards) = step { Some(shards.clone()) } else { None })
        .flatten()
        .collect()
}

#[test]
fn a_node_alone_claims_everything_at_once() {
    let mut node = Node::of(&["a"]);
    assert_eq!(node.plan(0), [Step::Claim(Shard::all().collect())]);
    assert!(node.planner.is_fit());
}

#[test]
fn a_node_without_a_lease_claims_nothing_and_only_stops() {
    let mut node = Node::of(&["a"]);
    node.leaves("a");
    assert_eq!(node.plan(0), []);
    let shard = Shard::all().next().expect("one");
    node.owns(shard, "b", 3, ms(0));
    node.mine.insert(shard, Holding { epoch: 2, closing: false });
    assert_eq!(node.plan(1_000), [Step::Lost(vec![shard])]);
}

#[test]
fn shards_of_one_that_is_gone_are_claimed_by_their_targets_at_once() {
    let mut node = Node::settled(&["a", "b", "c"]);
    let of_c = node.of_target("c");
    node.leaves("c");
    let claims = claimed(&node.plan(6_000));
    assert!(!claims.is_empty() && claims.len() < of_c.len(), "its part of them: {} of {}", claims.len(), of_c.len());
    assert!(claims.iter().all(|shard| of_c.contains(shard) && node.planner.target(*shard) == Some(&id("a"))));
}

#[test]
fn the_next_in_order_claims_after_two_seconds_and_moves_nothing_back_for_a_minute() {
    let mut node = Node::settled(&["a", "b"]);
    let of_b = node.of_target("b");
    of_b.iter().for_each(|shard| node.view.owners[usize::from(shard.number())].node = None);
    assert_eq!(node.plan(6_000), []);
    assert_eq!(node.plan(7_999), []);
    assert_eq!(node.plan(8_000), [Step::Claim(of_b.clone())]);
    of_b.iter().for_each(|shard| node.owns(*shard, "a", 8, ms(0)));
    assert_eq!(node.plan(8_100), []);
    of_b.iter().for_each(|shard| node.owns(*shard, "a", 8, HOLD));
    assert_eq!(node.plan(68_000), [], "the other did not claim what was its own");
    assert_eq!(handed(&node.plan(68_200)).len(), CLOSING_MAX);
}

#[test]
fn a_new_target_has_its_own_time_to_claim() {
    let mut node = Node::settled(&["a", "b", "c"]);
    let shard = node.of_target("b")[0];
    node.view.owners[usize::from(shard.number())].node = None;
    assert_eq!(node.plan(6_000), []);
    node.leaves("b");
    let claims = claimed(&node.plan(9_000));
    assert!(claims.iter().all(|shard| node.planner.target(*shard) == Some(&id("a"))), "c gets its time");
}

#[test]
fn what_is_owned_but_not_held_is_claimed_again() {
    let mut node = Node::settled(&["a", "b"]);
    let shard = node.of_target("a")[0];
    node.mine.remove(&shard);
    assert_eq!(node.plan(6_000), [], "an answer may be under way");
    assert_eq!(node.plan(8_000), [Step::Claim(vec![shard])]);
}

#[test]
fn what_another_claimed_is_lost_and_what_was_let_go_is_not() {
    let mut node = Node::settled(&["a", "b"]);
    let of_a = node.of_target("a");
    node.owns(of_a[0], "b", 8, ms(0));
    node.mine.insert(of_a[0], Holding { epoch: 7, closing: false });
    node.owns(of_a[1], "dead", 9, ms(0));
    node.mine.insert(of_a[1], Holding { epoch: 7, closing: true });
    node.view.owners[usize::from(of_a[2].number())].node = None;
    node.view.owners[usize::from(of_a[3].number())].epoch = 6;
    let lost: Vec<Step> = node.plan(6_000).into_iter().filter(|step| matches!(step, Step::Lost(_))).collect();
    assert_eq!(lost, [Step::Lost(vec![of_a[0], of_a[1]])]);
}

#[test]
fn who_joins_is_given_its_shards_later_and_few_at_once() {
    let mut node = Node::settled(&["a", "b"]);
    node.joins("c");
    assert_eq!(node.plan(6_000), [], "it has just come");
    assert_eq!(node.plan(8_900), [], "not all may have seen it yet");
    let first = handed(&node.plan(9_000));
    assert_eq!(first.len(), CLOSING_MAX);
    assert!(first.iter().all(|(shard, to)| *to == id("c") && node.planner.target(*shard) == Some(to)));
    for (shard, _) in &first {
        node.mine.get_mut(shard).expect("mine").closing = true;
    }
    assert_eq!(node.plan(9_100), [], "so many are closing");
    node.mine.get_mut(&first[3].0).expect("mine").closing = false;
    let next = handed(&node.plan(9_200));
    assert!(next.len() == 1 && next[0].0 > first[7].0, "one that failed waits for its next turn: {next:?}");
}

#[test]
fn shards_held_a_short_while_stay_unless_their_node_leaves() {
    let mut node = Node::settled(&["a", "b"]);
    let shard = node.of_target("b")[0];
    node.owns(shard, "a", 9, ms(9_999));
    assert_eq!(node.plan(6_000), []);
    node.drains("a");
    assert_eq!(handed(&node.plan(6_100)).len(), CLOSING_MAX);
    let mut node = Node::settled(&["a", "b"]);
    node.owns(shard, "a", 9, HOLD);
    node.links.insert(id("b"), DOWN);
    assert_eq!(node.plan(6_000), [], "what is let go could not be brought");
    node.links.insert(id("b"), UP);
    assert_eq!(node.plan(6_100), [Step::HandOver { shard, to: id("b") }]);
}

#[test]
fn who_drains_claims_nothing_and_is_given_nothing() {
    let mut node = Node::settled(&["a", "b", "c"]);
    node.drains("a");
    node.leaves("c");
    let steps = node.plan(6_000);
    assert_eq!(claimed(&steps), []);
    assert!(handed(&steps).iter().all(|(_, to)| *to == id("b")));
    let mut node = Node::settled(&["a", "b", "c"]);
    node.drains("c");
    assert_eq!(node.plan(6_000), []);
    assert_eq!(node.of_target("c"), []);
    node.drains("a");
    node.drains("b");
    assert_eq!(node.plan(7_000), [], "nobody is left who could take anything");
}

#[test]
fn a_link_that_is_down_for_long_is_reported_and_one_that_flaps_is_not() {
    let mut node = Node::settled(&["a", "b", "c"]);
    node.links.insert(id("b"), DOWN);
    node.plan(10_000);
    node.plan(12_999);
    assert!(node.says_now().is_empty());
    node.plan(13_000);
    assert_eq!(node.says_now(), ["b"]);
    node.links.insert(id("b"), UP);
    node.plan(14_000);
    node.plan(23_999);
    assert_eq!(node.says_now(), ["b"], "it has not been up for long");
    node.plan(24_000);
    assert!(node.says_now().is_empty());
    for second in 30..90 {
        let connection = second;
        node.links.insert(id("b"), if second % 2 == 0 { DOWN } else { LinkState::Up { protocol: 1, connection } });
        node.plan(second * 1_000);
        node.plan(second * 1_000 + 900);
        assert!(node.says_now().is_empty());
    }
}

#[test]
fn a_reconnect_unseen_starts_the_time_anew_and_no_link_is_a_link_down() {
    let mut node = Node::settled(&["a", "b"]);
    node.links.remove(&id("b"));
    node.plan(10_000);
    node.plan(13_000);
    assert_eq!(node.says_now(), ["b"]);
    for second in 14..40 {
        node.links.insert(id("b"), LinkState::Up { protocol: 1, connection: second / 5 });
        node.plan(second * 1_000);
    }
    assert_eq!(node.says_now(), ["b"]);
    node.leaves("b");
    node.plan(40_000);
    assert!(node.says_now().is_empty(), "only the living are reported");
}

#[test]
fn who_cannot_be_reached_by_most_is_unfit_whoever_says_so() {
    for (by_a, by_b, by_c) in [(&["c"][..], &["c"][..], &[][..]), (&[], &[], &["a", "b"]), (&["c"], &[], &["b"])] {
        let mut node = Node::settled(&["a", "b", "c"]);
        node.says("a", by_a);
        node.says("b", by_b);
        node.says("c", by_c);
        node.plan(6_000);
        assert!(node.planner.is_fit());
        assert_eq!(node.of_target("c"), []);
        node.view.me = id("c");
        let of_c: Vec<Shard> =
            Shard::all().filter(|shard| node.view.owner(*shard).node.as_ref() == Some(&id("c"))).collect();
        let mut other = Node { planner: Planner::default(), mine: BTreeMap::new(), ..node };
        other.links = BTreeMap::from([(id("a"), DOWN), (id("b"), REFUSED)]);
        other.mine.extend(of_c.iter().map(|shard| (*shard, Holding { epoch: 7, closing: false })));
        assert_eq!(handed(&other.plan(0)).len(), CLOSING_MAX, "it lets go though nobody can be told");
        other.leaves("b");
        let later = other.plan(9_000);
        assert!(claimed(&later).is_empty());
    }
}

#[test]
fn of_two_that_cannot_reach_each_other_the_larger_id_is_unfit() {
    let mut node = Node::settled(&["a", "b", "c"]);
    node.says("b", &["a", "a stranger"]);
    node.plan(6_000);
    assert_eq!(node.of_target("b"), []);
    node.drains("b");
    node.says("c", &["b"]);
    node.plan(7_000);
    assert_eq!(
        node.of_target("a").len() + node.of_target("c").len(),
        usize::from(SHARDS),
        "one that drains costs no other"
    );
}

#[test]
fn of_a_cluster_in_halves_one_stays_whole() {
    let names: Vec<String> = (0..20).map(|n| format!("n{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut node = Node::settled(&names);
    for name in &names[..10] {
        node.says(name, &names[10..]);
    }
    node.plan(6_000);
    let owners: BTreeSet<String> =
        Shard::all().filter_map(|shard| node.planner.target(shard)).map(ToString::to_string).collect();
    assert!(owners.iter().all(|owner| owner.as_str() < "n10") && owners.len() == 10, "{owners:?}");
}

#[test]
fn a_process_that_is_gone_is_buried_once_and_soon() {
    let mut node = Node::settled(&["a", "b"]);
    node.links.insert(id("b"), REFUSED);
    assert_eq!(node.plan(6_000), []);
    assert_eq!(node.plan(6_199), []);
    node.links.insert(id("b"), DOWN);
    assert_eq!(node.plan(6_300), []);
    node.links.insert(id("b"), REFUSED);
    assert_eq!(node.plan(6_400), [], "it refused anew");
    assert_eq!(node.plan(6_600), [Step::Bury(id("b"))]);
    assert_eq!(node.plan(6_700), []);
    node.links.insert(id("b"), UP);
    node.plan(7_000);
    node.links.insert(id("b"), REFUSED);
    node.plan(8_000);
    assert_eq!(node.plan(9_000), [], "once an incarnation");
}

#[test]
fn who_is_unfit_buries_nobody() {
    let mut node = Node::settled(&["c", "a", "b"]);
    node.says("c", &["a", "b"]);
    node.links.insert(id("b"), REFUSED);
    node.plan(6_000);
    assert!(!node.planner.is_fit());
    assert!(!node.plan(7_000).iter().any(|step| matches!(step, Step::Bury(_))));
}

/// A node after a look each second until 20 s, with everything where it should be.
fn regular(names: &[&str]) -> Node {
    let mut node = Node::settled(names);
    (6..=20).for_each(|second| assert_eq!(node.plan(second * 1_000), []));
    node
}

#[test]
fn who_is_missing_after_the_database_was_away_is_given_time_if_it_is_reached() {
    let mut node = regular(&["a", "b", "c"]);
    let of_c = node.of_target("c");
    node.links.insert(id("c"), DOWN);
    node.plan(20_500);
    node.leaves("b");
    node.leaves("c");
    assert_eq!(node.plan(25_000), [Step::Claim(of_c.clone())], "its link was down");
    node.joins("b");
    of_c.iter().for_each(|shard| node.owns(*shard, "a", 8, ms(0)));
    assert_eq!(node.plan(26_000), [], "the other is back");
    let mut node = regular(&["a", "b"]);
    node.leaves("b");
    assert_eq!(node.plan(25_000), []);
    assert_eq!(node.plan(26_900), []);
    assert!(!node.plan(27_000).is_empty(), "it did not come back");
}

#[test]
fn who_is_missing_while_the_database_answers_is_gone() {
    let mut node = regular(&["a", "b"]);
    node.leaves("b");
    assert!(!claimed(&node.plan(21_000)).is_empty());
}
