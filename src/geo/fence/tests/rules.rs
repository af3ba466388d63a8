//! What a region may set for itself: confirmation, rings, hours, dwell, crossing.

use super::*;
use crate::geo::region::OuterRing;
use crate::geo::rules::Confirm;
use crate::window::Window;

fn with_confirm(confirm: Confirm) -> Scene {
    let rules = FenceRules { confirm, enter_sure: None, exit_sure: None, ..FenceRules::default() };
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0).with_rules(rules.check().expect("sound"))]);
    scene.at(-80.0, 0.0);
    scene
}

#[test]
fn three_of_five_fixes_confirm_also_when_some_disagree() {
    let mut scene = with_confirm(Confirm::Fixes { need: 3, of: 5 });
    for (east, seconds) in [(-40.0, 10.0), (-52.0, 11.0), (-40.0, 12.0), (-52.0, 13.0)] {
        scene.at(east, seconds);
        assert_eq!(scene.told(), Vec::<String>::new());
    }
    scene.at(-40.0, 14.0);
    assert_eq!(scene.told(), ["+a"]);
    // Three of six, never three of five.
    let mut scene = with_confirm(Confirm::Fixes { need: 3, of: 5 });
    for (east, seconds) in [(-40.0, 10.0), (-52.0, 11.0), (-52.0, 12.0), (-40.0, 13.0), (-52.0, 14.0), (-40.0, 15.0)]
    {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), Vec::<String>::new());
}

#[test]
fn time_confirms_when_all_fixes_agree_for_so_long() {
    let mut scene = with_confirm(Confirm::Time(Duration::from_secs(20)));
    for (east, seconds) in [(-40.0, 10.0), (-40.0, 20.0), (-52.0, 25.0), (-40.0, 31.0), (-40.0, 50.9)] {
        scene.at(east, seconds);
        assert_eq!(scene.told(), Vec::<String>::new());
    }
    scene.at(-40.0, 51.0);
    assert_eq!(scene.told(), ["+a"]);
}

#[test]
fn one_fix_is_enough_where_the_rules_say_so() {
    let mut scene = with_confirm(Confirm::Fixes { need: 1, of: 1 });
    scene.at(-45.5, 10.0);
    scene.at(-56.0, 20.0);
    assert_eq!(scene.told(), ["+a", "-a"]);
}

#[test]
fn rings_are_entered_from_the_outside_in_and_left_in_turn() {
    let ring = |name: &str, reach: f64| OuterRing { name: name.to_owned(), reach: Meters::lossy(reach) };
    let region = circle("a", 0.0, 30.0).with_rings(vec![ring("near", 50.0), ring("hint", 150.0)]).expect("in range");
    let index = RegionIndex::build(vec![region]);
    let mut tracker = Tracker::new();
    let mut told = Vec::new();
    for step in 0..340 {
        let fix = Scene::fix(-230.0 + 1.4 * f64::from(step), 0.0, f64::from(step));
        let observed = tracker.observe(&fix, fix.time(), Ground::all(&index));
        told.extend(observed.transitions.into_iter().map(|t| {
            let mark = if matches!(t.kind, TransitionKind::Enter { .. }) { '+' } else { '-' };
            // What was measured is the distance to the ring's own edge.
            assert!(t.why.distance.get().abs() < 20.0, "{t:?}");
            format!("{mark}{}", t.ring.unwrap_or_else(|| "itself".to_owned()))
        }));
    }
    assert_eq!(told, ["+hint", "+near", "+itself", "-itself", "-near", "-hint"]);
    assert_eq!(tracker.inside().count(), 0);
}

#[test]
fn a_window_that_opens_and_closes_around_a_player_is_told() {
    // START is 2025-06-15 15:06:40 UTC, a Sunday; Helsinki is three hours ahead.
    let hours = Window::new(None, None, "Europe/Helsinki", &["Su 18:10-18:20".to_owned()]).expect("sound");
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0).with_hours(Arc::new(hours))]);
    for seconds in [0.0, 10.0, 20.0] {
        scene.at(0.0, seconds);
    }
    assert_eq!(scene.told(), Vec::<String>::new(), "closed: nobody is told");
    assert_eq!(scene.tracker.tick_due(), Some(time(200.0)));
    scene.tick(199.9);
    assert_eq!(scene.told(), Vec::<String>::new());
    scene.tick(200.0);
    assert_eq!(scene.told(), ["opened a"]);
    // Fixes notice it as well as ticks do; out and in again meanwhile is news as ever.
    for (east, seconds) in [(0.0, 210.0), (80.0, 260.0), (80.0, 261.0), (0.0, 320.0), (0.0, 321.0), (0.0, 799.0)] {
        scene.at(east, seconds);
    }
    assert_eq!(scene.told(), ["-a", "+a"]);
    scene.at(0.0, 800.0);
    assert_eq!(scene.told(), ["closed a"]);
    scene.at(80.0, 900.0);
    scene.at(80.0, 901.0);
    assert_eq!(scene.told(), Vec::<String>::new(), "left a closed one");
}

#[test]
fn after_a_day_of_silence_the_next_opening_is_still_ahead() {
    let hours = Window::new(None, None, "Europe/Helsinki", &["Su 18:00-18:20".to_owned()]).expect("sound");
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0).with_hours(Arc::new(hours))]);
    scene.at(0.0, 0.0);
    scene.at(0.0, 1.0);
    scene.tick(90_000.0);
    assert_eq!(scene.told(), ["already a", "expired a"]);
    // Whoever ticks when it is due must not be told to tick at once again.
    assert!(scene.tracker.tick_due().is_some_and(|due| due > time(90_000.0)));
}

#[test]
fn a_player_known_to_be_inside_hears_that_it_closed_meanwhile() {
    let hours = Window::new(None, None, "Europe/Helsinki", &["Su 08:00-12:00".to_owned()]).expect("sound");
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0).with_hours(Arc::new(hours))]);
    scene.tracker.seed(id("a"), time(-36_000.0));
    scene.at(0.0, 0.0);
    assert_eq!(scene.told(), ["closed a"]);
}

#[test]
fn a_dwell_of_the_region_itself_is_told_once_a_visit() {
    let rules = FenceRules { dwell: Some(Duration::from_secs(60)), ..FenceRules::default() };
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0).with_rules(rules)]);
    scene.at(-80.0, 0.0);
    for seconds in 0..100 {
        scene.at(0.0, 20.0 + f64::from(seconds));
    }
    scene.at(80.0, 160.0);
    scene.at(80.0, 161.0);
    assert_eq!(scene.told(), ["+a", "dwell a", "-a"]);
}

#[test]
fn a_crossing_says_whether_it_counts() {
    for counts in [false, true] {
        let rules = FenceRules { cross_counts: counts, ..FenceRules::default() };
        let mut scene = Scene::with(vec![circle("a", 0.0, 10.0).with_rules(rules)]);
        scene.at(-40.0, 0.0);
        let fix = Scene::fix(40.0, 0.0, 10.0);
        let observed = scene.tracker.observe(&fix, fix.time(), Ground::all(&scene.index));
        assert_eq!(observed.transitions.len(), 1);
        assert_eq!(observed.transitions[0].kind, TransitionKind::Cross { counts });
    }
}

#[test]
fn a_jump_of_200_m_claimed_to_2_m_does_not_enter() {
    let sharp = |east: f64, seconds: f64| {
        Fix::new(place(east, 0.0), time(seconds)).with_accuracy(Meters::lossy(2.0)).expect("positive")
    };
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0)]);
    for seconds in 0..10 {
        scene.see(sharp(-200.0, f64::from(seconds)));
    }
    assert_eq!(scene.see(sharp(0.0, 10.0)), Fate::Held(Reason::Jump));
    // Others agree: they are taken, but for ten seconds after a jump nothing is decided.
    for seconds in 11..16 {
        assert!(matches!(scene.see(sharp(0.0, f64::from(seconds))), Fate::Accepted { .. }));
    }
    assert_eq!(scene.told(), Vec::<String>::new());
    // The phone comes to its senses: no enter, no exit.
    for seconds in 16..100 {
        scene.see(sharp(-200.0, f64::from(seconds)));
    }
    assert_eq!(scene.told(), Vec::<String>::new());
    // Who truly jumped, out of a tunnel say, has come after those ten seconds.
    for seconds in 100..112 {
        scene.see(sharp(0.0, f64::from(seconds)));
        assert_eq!(scene.told(), if seconds == 111 { vec!["+a"] } else { vec![] });
    }
    // By the first rule set the wild ones entered.
    let mut first = Scene { tracker: Tracker::by(&RuleSet::V1), ..Scene::with(vec![circle("a", 0.0, 50.0)]) };
    for (east, seconds) in [(-200.0, 0.0), (-200.0, 1.0), (0.0, 2.0), (0.0, 3.0)] {
        first.see(sharp(east, seconds));
    }
    assert_eq!(first.told(), ["+a"]);
}

#[test]
fn who_stands_in_too_many_places_is_told_of_so_many_and_never_twice() {
    let many = REMEMBERED_MAX + 20;
    let mut scene = Scene::with((0..many).map(|i| circle(&format!("r{i:03}"), 0.0, 50.0)).collect());
    for seconds in 0..10 {
        scene.at(0.0, f64::from(seconds));
    }
    let told = scene.told();
    assert_eq!((told.len(), scene.tracker.inside().count()), (REMEMBERED_MAX, REMEMBERED_MAX));
    assert!(told.iter().all(|word| word.starts_with("already ")));
    for seconds in 60..70 {
        scene.at(200.0, f64::from(seconds));
    }
    assert_eq!(scene.told().len(), REMEMBERED_MAX, "each that was entered is left");
}

#[test]
fn what_a_phone_calls_made_up_brings_nobody_in_and_may_show_them_out() {
    let rules = FenceRules { min_score: 0.5, ..FenceRules::default() };
    let mock = |east: f64, seconds: f64| Scene::fix(east, 0.0, seconds).with_mock(true);
    let mut scene = Scene::with(vec![circle("a", 0.0, 50.0).with_rules(rules)]);
    scene.at(-90.0, 0.0);
    for step in 1..40 {
        scene.see(mock(f64::from(step) * 3.0 - 90.0, f64::from(step) * 3.0));
    }
    assert_eq!(scene.told(), Vec::<String>::new());
    for step in 40..61 {
        scene.at(90.0 - f64::from(step - 30) * 3.0, f64::from(step) * 3.0);
    }
    assert_eq!(scene.told(), ["+a"]);
    for step in 61..100 {
        scene.see(mock(f64::from(step - 61) * 3.0, f64::from(step) * 3.0));
    }
    assert_eq!(scene.told(), ["-a"]);
    // What nobody asks for is only flagged.
    let mut lenient = Scene::with(vec![circle("a", 0.0, 50.0)]);
    for step in 0..40 {
        lenient.see(mock(f64::from(step) * 3.0 - 90.0, f64::from(step) * 3.0));
    }
    assert_eq!(lenient.told(), ["+a"]);
}

#[test]
fn who_hops_through_all_places_is_not_believed_when_one_comes_round_again() {
    let places: Vec<f64> = (0..12).map(|n| f64::from(n % 2 * 6 + n / 2) * 400.0).collect();
    let all = || Scene::with((0..12).map(|n| circle(&format!("p{n}"), f64::from(n) * 400.0, 40.0)).collect());
    let hop = |mut scene: Scene| {
        for step in 0..400_u32 {
            scene.at(places[step as usize % 12], f64::from(step) * 0.3);
        }
        scene.told().into_iter().filter(|told| told.starts_with('+') || told.starts_with("already")).count()
    };
    assert_eq!(hop(all()), 0);
    assert!(hop(Scene { tracker: Tracker::by(&RuleSet::V2), ..all() }) > 0, "or it shows nothing");
}
