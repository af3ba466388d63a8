//! The account of decisions, and the short way for fixes that change nothing.

use super::*;
use crate::geo::decision::{Finding, State};
use proptest::prelude::*;

#[test]
fn every_decision_tells_what_was_measured_asked_and_concluded() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    let mut accounts = Vec::new();
    for (east, seconds) in [(-90.0, 0.0), (-50.0, 20.0), (-47.0, 30.0), (-47.0, 31.0), (0.0, 60.0)] {
        let fix = Scene::fix(east, 0.0, seconds);
        let mut decisions = Vec::new();
        let ground = Ground::all(&scene.index);
        let observed =
            scene.tracker.observe_explained(&fix, fix.time(), ground, &mut |decision| decisions.push(decision));
        let decision = decisions.pop().expect("the region is near");
        assert_eq!(decisions, []);
        accounts.push((decision.before, decision.after, decision.finding, decision.fixes));
        assert_eq!(observed.transitions.len(), usize::from(decision.finding == Finding::Decided));
        assert_eq!((decision.asked.need, decision.asked.of, decision.asked.enter_at), (2, 2, 0.75));
        assert_eq!(decision.asked.margin, Meters::lossy(5.0));
    }
    assert_eq!(
        accounts,
        [
            (State::Outside, State::Outside, Finding::Agrees, 0),
            (State::Outside, State::Maybe, Finding::Unclear, 0),
            (State::Outside, State::Maybe, Finding::Counted, 1),
            (State::Maybe, State::Inside, Finding::Decided, 2),
            (State::Inside, State::Inside, Finding::Agrees, 0),
        ]
    );
}

#[test]
fn what_cannot_decide_says_why() {
    let slow = FenceRules { max_speed: Some(MetersPerSecond::lossy(3.0)), ..FenceRules::default() };
    let index = RegionIndex::build(vec![circle("a", 0.0, 50.0).with_rules(slow)]);
    let mut tracker = Tracker::new();
    let mut findings = Vec::new();
    let coarse = Scene::fix(0.0, 0.0, 0.0).with_accuracy(Meters::lossy(101.0)).expect("positive");
    let fast = Scene::fix(0.0, 0.0, 5.0).with_speed(MetersPerSecond::lossy(3.1));
    for fix in [coarse, fast] {
        let mut note = |decision: Decision| findings.push(decision.finding);
        tracker.observe_explained(&fix, fix.time(), Ground::all(&index), &mut note);
    }
    assert_eq!(findings, [Finding::Inaccurate, Finding::TooFast]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    // The account takes the long way for each fix; without it most fixes take the short one.
    #[test]
    fn the_short_way_tells_the_same(
        walk in prop::collection::vec((-30.0_f64..30.0, -30.0_f64..30.0, 1.0_f64..40.0, 3.0_f64..130.0), 2..150),
        radius in 5.0_f64..120.0,
        dwell in prop::option::of(1_u64..120),
    ) {
        let rules = FenceRules { dwell: dwell.map(Duration::from_secs), ..FenceRules::default() };
        let regions = vec![circle("a", 0.0, radius).with_rules(rules), circle("b", 150.0, 40.0), circle("c", 160.0, 9.0)];
        let index = RegionIndex::build(regions);
        let (mut short, mut long) = (Tracker::new(), Tracker::new());
        let (mut east, mut north, mut seconds) = (0.0, 0.0, 0.0);
        for (de, dn, dt, accuracy) in walk {
            (east, north, seconds) = (east + de, north + dn, seconds + dt);
            let fix = Scene::fix(east, north, seconds).with_accuracy(Meters::lossy(accuracy)).expect("positive");
            let a = short.observe(&fix, fix.time(), Ground::all(&index));
            let b = long.observe_explained(&fix, fix.time(), Ground::all(&index), &mut |_| {});
            prop_assert_eq!(a, b);
        }
    }
}
