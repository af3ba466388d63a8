//! The tracker, scene by scene. The ground is a plane of metres round one place in Helsinki.

mod account;
mod flapping;
mod following;
mod rules;

use super::super::decision::EnterCause;
use super::super::decision::ExitCause;
use super::super::position::Position;
use super::super::rules::FenceRules;
use super::super::shape::Shape;
use super::*;
use crate::units::MetersPerSecond;

const START: i64 = 1_750_000_000_000;

fn place(east: f64, north: f64) -> Position {
    Position::new(24.94 + east / 55_508.0, 60.17 + north / 111_418.0).expect("on earth")
}

fn time(seconds: f64) -> Timestamp {
    Timestamp::from_millis(START + (seconds * 1000.0) as i64)
}

fn id(name: &str) -> RegionId {
    RegionId::new(name).expect("short")
}

fn circle(name: &str, east: f64, radius: f64) -> Region {
    Region::new(id(name), Shape::circle(place(east, 0.0), Meters::lossy(radius)).expect("in range"))
}

/// A tracker, an index and every transition so far as `+region`, `-region` and so on.
struct Scene {
    index: RegionIndex,
    tracker: Tracker,
    told: Vec<String>,
}

impl Scene {
    fn with(regions: Vec<Region>) -> Self {
        Self { index: RegionIndex::build(regions), tracker: Tracker::new(), told: Vec::new() }
    }

    fn fix(east: f64, north: f64, seconds: f64) -> Fix {
        Fix::new(place(east, north), time(seconds)).with_accuracy(Meters::lossy(5.0)).expect("not negative")
    }

    fn see(&mut self, fix: Fix) -> Fate {
        let observed = self.tracker.observe(&fix, fix.time(), Ground::all(&self.index));
        self.note(&observed.transitions);
        observed.fate
    }

    /// A fix on the east-west line through the circles, 5 m accurate.
    fn at(&mut self, east: f64, seconds: f64) {
        self.see(Self::fix(east, 0.0, seconds));
    }

    fn note(&mut self, transitions: &[Transition]) {
        self.told.extend(transitions.iter().map(|t| {
            let mark = match t.kind {
                TransitionKind::Enter { cause: EnterCause::Fixes } => "+",
                TransitionKind::Enter { cause: EnterCause::AlreadyInside } => "already ",
                TransitionKind::Enter { cause: EnterCause::Opened } => "opened ",
                TransitionKind::Exit { cause: ExitCause::Closed } => "closed ",
                TransitionKind::Exit { cause: ExitCause::Fixes } => "-",
                TransitionKind::Exit { cause: ExitCause::Expired } => "expired ",
                TransitionKind::Dwell { .. } => "dwell ",
                TransitionKind::Cross { .. } => "cross ",
                TransitionKind::Along { quarters } => return format!("{quarters:04b} {}", t.region),
            };
            format!("{mark}{}", t.region)
        }));
    }

    fn tick(&mut self, seconds: f64) {
        let transitions = self.tracker.tick(time(seconds));
        self.note(&transitions);
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

fn accepted() -> Fate {
    Fate::Accepted { score: 1.0, flags: vec![] }
}

#[test]
fn walking_through_is_one_enter_and_one_exit() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0), circle("b", 60.0, 30.0), circle("far", 5000.0, 90.0)]);
    for step in 0..250 {
        scene.at(-150.0 + 1.4 * f64::from(step), f64::from(step));
    }
    assert_eq!(scene.told(), ["+a", "+b", "-a", "-b"]);
    assert_eq!(scene.tracker.inside().count(), 0);
}

#[test]
fn why_says_what_was_measured() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    scene.at(-60.0, 0.0);
    let fix = Scene::fix(-44.0, 0.0, 10.0);
    let observed = scene.tracker.observe(&fix, fix.time(), Ground::all(&scene.index));
    let why = observed.transitions[0].why;
    // 6 m inside at 5 m: Phi(1.515 * 6 / 5) = Phi(1.818) = 0.9655.
    assert!((why.distance.get() - 6.0).abs() < 0.05 && (why.probability - 0.9655).abs() < 0.001, "{why:?}");
    assert_eq!((why.rule, why.accuracy, why.fix_time), (Rule::Sure, Meters::lossy(5.0), time(10.0)));
    let json = serde_json::to_value(&observed.transitions).expect("plain data");
    assert_eq!(json[0]["kind"], serde_json::json!({"enter": {"cause": "fixes"}}));
    assert_eq!(serde_json::from_value::<Vec<Transition>>(json).expect("reads back"), observed.transitions);
}

#[test]
fn an_enter_after_an_exit_at_the_edge_waits_but_not_a_true_return() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    for (east, seconds) in [(70.0, 0.0), (45.0, 10.0), (44.0, 11.0), (56.0, 14.0), (56.5, 15.0)] {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), ["+a", "-a"]);
    for seconds in 20..44 {
        scene.at(44.0, f64::from(seconds));
    }
    assert_eq!(scene.told(), Vec::<String>::new());
    scene.at(44.0, 45.0);
    assert_eq!(scene.told(), ["+a"]);
    for (east, seconds) in [(56.0, 48.0), (56.5, 49.0), (38.0, 55.0)] {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), ["-a", "+a"]);
}

#[test]
fn one_doubtful_fix_neither_enters_nor_exits() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    for (east, seconds) in [(60.0, 0.0), (46.0, 5.0), (52.0, 6.0), (46.0, 7.0), (51.0, 8.0)] {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), Vec::<String>::new());
    for (east, seconds) in [(46.0, 9.0), (46.0, 10.0), (56.0, 12.0), (51.0, 13.0), (56.0, 14.0), (50.0, 15.0)] {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), ["+a"]);
}

#[test]
fn first_sight_inside_needs_confirmation_and_says_so() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    scene.at(0.0, 0.0);
    assert_eq!(scene.told(), Vec::<String>::new());
    scene.at(1.0, 1.0);
    assert_eq!(scene.told(), ["already a"]);
    // A wild first fix is not believed.
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    for (east, seconds) in [(0.0, 0.0), (70.0, 30.0), (0.0, 60.0)] {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), ["+a"]);
}

#[test]
fn seed_is_inside_without_an_event() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    scene.tracker.seed(id("a"), time(-100.0));
    assert_eq!(scene.tracker.inside().collect::<Vec<_>>(), [(&id("a"), time(-100.0))]);
    for (east, seconds) in [(0.0, 0.0), (1.0, 1.0), (80.0, 30.0)] {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), ["-a"]);
    assert_eq!(scene.tracker.inside().count(), 0);
}

#[test]
fn dwell_fires_once_by_fix_or_by_tick_and_not_after_an_exit() {
    let inside = || {
        let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
        scene.tracker.seed(id("a"), time(0.0));
        scene.tracker.arm(&id("a"), time(60.0));
        scene.at(0.0, 1.0);
        scene
    };
    let mut by_fix = inside();
    for seconds in [30.0, 59.9, 60.0, 61.0] {
        by_fix.at(1.0, seconds);
        by_fix.tick(seconds);
    }
    assert_eq!(by_fix.told(), ["dwell a"]);
    let mut by_tick = inside();
    by_tick.tick(59.0);
    assert_eq!(by_tick.told(), Vec::<String>::new());
    by_tick.tick(60.0);
    assert_eq!(by_tick.told(), ["dwell a"]);
    let mut silent = inside();
    silent.tick(122.0);
    assert_eq!(silent.told(), Vec::<String>::new());
    silent.at(0.0, 123.0);
    assert_eq!(silent.told(), ["dwell a"]);
    let mut gone = inside();
    gone.at(70.0, 50.0);
    gone.at(0.0, 90.0);
    gone.tick(100.0);
    assert_eq!(gone.told(), ["-a", "+a"]);
    let mut leaving = inside();
    leaving.at(55.5, 59.0);
    leaving.tick(61.0);
    assert_eq!(leaving.told(), Vec::<String>::new());
    leaving.at(55.5, 62.0);
    assert_eq!(leaving.told(), ["-a"]);
    let mut disarmed = inside();
    disarmed.tracker.disarm(&id("a"));
    disarmed.at(0.0, 70.0);
    assert_eq!(disarmed.told(), Vec::<String>::new());
}

#[test]
fn a_slow_device_clock_does_not_shorten_a_dwell() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    scene.tracker.seed(id("a"), time(0.0));
    scene.tracker.arm(&id("a"), time(60.0));
    // The phone is 100 s behind: its 10 s is our 110 s.
    let fix = Scene::fix(0.0, 0.0, 10.0);
    assert_eq!(scene.tracker.observe(&fix, time(110.0), Ground::all(&scene.index)).transitions, []);
    scene.tick(159.0);
    assert_eq!(scene.told(), Vec::<String>::new());
    scene.tick(160.0);
    assert_eq!(scene.told(), ["dwell a"]);
}

#[test]
fn repeats_and_late_fixes_never_move_state() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    let walk: Vec<Fix> = (0..40_u32)
        .map(|i| Scene::fix(-80.0 + f64::from(i) * 2.0, 0.0, f64::from(i)).with_seq(u64::from(i)))
        .collect();
    for (i, fix) in walk.iter().enumerate() {
        assert_eq!(scene.see(*fix), accepted());
        assert_eq!(scene.see(*fix), Fate::Repeated);
        if i > 0 {
            assert_eq!(scene.see(walk[i - 1]), Fate::Late);
        }
    }
    assert_eq!(scene.told(), ["+a"]);
    let history = Scene::fix(0.0, 0.0, 100.0);
    let observed = scene.tracker.observe(&history, time(701.0), Ground::all(&scene.index));
    assert_eq!(observed, Observed { fate: Fate::Late, transitions: vec![], shadow: None });
    let ahead = scene.tracker.observe(&history, time(69.0), Ground::all(&scene.index));
    assert_eq!(ahead.fate, Fate::Refused(Reason::Future));
}

#[test]
fn a_jump_of_200_m_at_a_claimed_2_m_does_not_enter() {
    let mut scene = Scene::with(vec![circle("a", 200.0, 30.0)]);
    let spoof = Scene::fix(200.0, 0.0, 1.0).with_accuracy(Meters::lossy(1.9)).expect("not negative");
    scene.at(0.0, 0.0);
    assert_eq!(scene.see(spoof), Fate::Held(Reason::Jump));
    scene.at(1.0, 2.0);
    assert_eq!(scene.told(), Vec::<String>::new());
}

#[test]
fn bad_accuracy_and_speed_decide_nothing() {
    let slow = FenceRules { max_speed: Some(MetersPerSecond::lossy(8.0)), ..FenceRules::default() };
    let mut scene = Scene::with(vec![circle("a", 0.0, 500.0).with_rules(slow)]);
    scene.at(-600.0, 0.0);
    let vague = |seconds: f64| Scene::fix(0.0, 0.0, seconds).with_accuracy(Meters::lossy(101.0)).expect("positive");
    scene.see(vague(100.0));
    scene.see(vague(101.0));
    assert_eq!(scene.told(), Vec::<String>::new());
    for seconds in [200.0, 201.0] {
        scene.see(Scene::fix(0.0, 0.0, seconds).with_speed(MetersPerSecond::lossy(8.1)));
    }
    assert_eq!(scene.told(), Vec::<String>::new());
    // Who was fast a moment ago is not slow yet.
    scene.at(0.0, 204.0);
    assert_eq!(scene.told(), Vec::<String>::new());
    scene.at(0.0, 205.0);
    assert_eq!(scene.told(), ["+a"]);
    // 200 m in 10 s: too fast by the way itself, so the exit waits until they are slow.
    let quick = |east: f64, seconds: f64| Scene::fix(east, 0.0, seconds);
    scene.see(quick(300.0, 222.0));
    scene.see(quick(520.0, 232.0));
    assert_eq!(scene.told(), Vec::<String>::new());
    scene.see(quick(521.0, 236.0));
    assert_eq!(scene.told(), Vec::<String>::new());
    scene.see(quick(521.0, 237.0));
    assert_eq!(scene.told(), ["-a"]);
    // A wide region may allow itself a worse accuracy, up to its own size.
    let rules = FenceRules { max_accuracy: Meters::lossy(2_000.0), ..FenceRules::default() };
    let limit = |radius: f64| circle("w", 0.0, radius).with_rules(rules).accuracy_limit().get();
    assert_eq!([limit(50.0), limit(700.0), limit(9_000.0)], [100.0, 700.0, 2_000.0]);
}

#[test]
fn a_way_through_without_a_fix_inside_is_a_cross() {
    let region = || Scene::with(vec![circle("a", 0.0, 10.0)]);
    let mut scene = region();
    scene.at(-30.0, 0.0);
    scene.at(30.0, 20.0);
    scene.at(-30.0, 40.0);
    scene.at(30.0, 60.0);
    // The second comes within 30 s of the first and is not told.
    assert_eq!(scene.told(), ["cross a", "cross a"]);
    let mut slow = region();
    slow.at(-30.0, 0.0);
    slow.at(30.0, 121.0);
    let mut past = region();
    past.see(Scene::fix(-30.0, 11.0, 0.0));
    past.see(Scene::fix(30.0, 11.0, 20.0));
    let mut vague = region();
    vague.at(-30.0, 0.0);
    vague.see(Scene::fix(30.0, 0.0, 20.0).with_accuracy(Meters::lossy(51.0)).expect("positive"));
    for mut scene in [slow, past, vague] {
        assert_eq!(scene.told(), Vec::<String>::new());
    }
}

#[test]
fn a_day_of_silence_ends_every_stay() {
    let scene = || {
        let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
        scene.tracker.seed(id("a"), time(0.0));
        scene.at(0.0, 1.0);
        scene
    };
    let mut by_tick = scene();
    by_tick.tick(86_400.0);
    assert_eq!(by_tick.told(), Vec::<String>::new());
    by_tick.tick(86_401.0);
    by_tick.tick(86_402.0);
    assert_eq!(by_tick.told(), ["expired a"]);
    let mut by_fix = scene();
    by_fix.at(0.0, 86_401.0);
    by_fix.at(0.0, 86_402.0);
    assert_eq!(by_fix.told(), ["expired a", "already a"]);
}

#[test]
fn what_is_not_wanted_is_forgotten_in_silence() {
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    scene.tracker.seed(id("a"), time(0.0));
    for seconds in [1.0, 2.0] {
        let fix = Scene::fix(0.0, 0.0, seconds);
        let nothing = Ground { wanted: &|_| false, version: 1, ..Ground::all(&scene.index) };
        assert_eq!(scene.tracker.observe(&fix, fix.time(), nothing).transitions, []);
    }
    assert_eq!(scene.tracker.inside().count(), 0);
    scene.at(0.0, 3.0);
    scene.at(0.0, 4.0);
    assert_eq!(scene.told(), ["already a"]);
}
