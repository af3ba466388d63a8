//! Walks of two and of many: what is told, what must not matter, and what noise does.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const WITHIN: f64 = 30.0;

fn rules(stay: Option<u64>) -> MovingRules {
    MovingRules { within: Meters::lossy(WITHIN), stay: stay.map(Duration::from_secs), team_mates: true }
}

fn who(name: &str) -> PlayerId {
    PlayerId::new(name).expect("short")
}

fn team() -> TeamId {
    TeamId::new("foxes").expect("short")
}

/// A place so many metres east and north of a town, at any longitude.
fn fix(lon: f64, east: f64, north: f64, seconds: f64, accuracy: f64) -> Fix {
    let lat: f64 = 60.0;
    // Both in whole units, so that the same walk elsewhere is the same to the unit.
    let units = |degrees: f64| (degrees * 1e7).round();
    let lon = (units(lon) + units(east / (111_412.0 * lat.to_radians().cos()))) / 1e7;
    let place = Position::new(lon - 360.0 * (lon / 360.0).round(), lat + north / 111_412.0).expect("on earth");
    let time = Timestamp::from_millis((seconds * 1_000.0) as i64);
    Fix::new(place, time).with_accuracy(Meters::lossy(accuracy)).expect("positive")
}

/// A player at some metres east, at a second, with 5 m accuracy: what is told, in short.
fn at(fences: &mut MovingFences, name: &str, east: f64, seconds: f64) -> Vec<(&'static str, &'static str)> {
    let heard = fences.observe(&who(name), Some(&team()), &fix(25.0, east, 0.0, seconds, 5.0));
    heard.expect("it is looked at").iter().map(short).collect()
}

fn short(meeting: &Meeting) -> (&'static str, &'static str) {
    let kind = match meeting.kind {
        MeetingKind::Near { already: false } => "near",
        MeetingKind::Near { already: true } => "already near",
        MeetingKind::Stayed { .. } => "stayed",
        MeetingKind::Apart => "apart",
        MeetingKind::Suspended => "suspended",
    };
    (kind, meeting.why.rule)
}

#[test]
fn two_meet_stay_and_part_with_memory() {
    let mut fences = MovingFences::new(rules(Some(10)));
    assert_eq!((at(&mut fences, "ada", 0.0, 0.0), at(&mut fences, "bo", 60.0, 0.0)), (vec![], vec![]));
    for second in 1..=30 {
        assert_eq!(at(&mut fences, "ada", 0.0, f64::from(second)), []);
        let told = at(&mut fences, "bo", 60.0 - 2.0 * f64::from(second), f64::from(second));
        // 5 m and 5 m are 7.1 m together: likely below 26.9 m, at 26 m first.
        let wanted = match second {
            18 => vec![("near", "twice")],
            28 => vec![("stayed", "dwell")],
            _ => vec![],
        };
        assert_eq!(told, wanted, "{second}");
    }
    assert_eq!(fences.near(&who("ada")).map(|(mate, _)| mate.as_str()).collect::<Vec<_>>(), ["bo"]);
    assert_eq!(fences.stayed_with(&who("bo")).count(), 1);
    // Apart begins 10 m beyond the radius.
    for (second, east, wanted) in
        [(31, 31.0, vec![]), (32, 39.0, vec![]), (33, 41.0, vec![]), (34, 42.0, vec![("apart", "twice")])]
    {
        assert_eq!(at(&mut fences, "ada", 0.0, f64::from(second)), []);
        assert_eq!(at(&mut fences, "bo", east, f64::from(second)), wanted, "{second}");
    }
    assert_eq!(fences.near(&who("ada")).count(), 0);
}

#[test]
fn evidence_says_why_and_not_where() {
    let mut fences = MovingFences::new(rules(None));
    at(&mut fences, "bo", 10.0, 0.0);
    let heard = fences.observe(&who("ada"), Some(&team()), &fix(25.0, 0.0, 0.0, 1.0, 8.0)).expect("it is looked at");
    assert_eq!(heard, [], "bo's next fix will be judged against this one");
    let heard = fences.observe(&who("bo"), Some(&team()), &fix(25.0, 10.0, 0.0, 1.0, 5.0)).expect("it is looked at");
    let [Meeting { pair, kind, why }] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((pair.0.as_str(), pair.1.as_str(), *kind), ("ada", "bo", MeetingKind::Near { already: true }));
    assert!((why.distance.get() - 10.0).abs() < 0.05 && why.probability > 0.99, "{why:?}");
    assert_eq!((why.accuracy, why.rule), ((Meters::lossy(8.0), Meters::lossy(5.0)), "sure"));
    assert_eq!(why.times, (Timestamp::from_millis(1_000), Timestamp::from_millis(1_000)));
}

#[test]
fn silent_centre_suspends_and_is_near_already_when_it_comes_back() {
    let mut fences = MovingFences::new(rules(None));
    at(&mut fences, "ada", 0.0, 0.0);
    assert_eq!(at(&mut fences, "bo", 3.0, 0.0), [("already near", "sure")]);
    for second in 1..=60 {
        assert_eq!(at(&mut fences, "ada", 0.0, f64::from(second)), []);
    }
    assert_eq!(at(&mut fences, "ada", 0.0, 61.0), [("suspended", "stale")]);
    assert_eq!(at(&mut fences, "ada", 0.0, 62.0), []);
    assert_eq!(fences.near(&who("ada")).count(), 0);
    assert_eq!(at(&mut fences, "bo", 3.0, 62.0), [("already near", "sure")]);
    // The same when both are silent, and when only the clock goes on.
    assert_eq!(at(&mut fences, "bo", 3.0, 130.0), [("suspended", "stale")]);
    assert_eq!(at(&mut fences, "ada", 3.0, 130.0), [("already near", "sure")]);
    assert_eq!(fences.tick(Timestamp::from_millis(190_000)), []);
    assert_eq!(
        fences.tick(Timestamp::from_millis(191_000)).iter().map(short).collect::<Vec<_>>(),
        [("suspended", "stale")]
    );
}

#[test]
fn stay_comes_with_the_clock_too_but_not_from_silence() {
    let mut fences = MovingFences::new(rules(Some(20)));
    at(&mut fences, "ada", 0.0, 0.0);
    at(&mut fences, "bo", 3.0, 0.0);
    assert_eq!(fences.tick(Timestamp::from_millis(19_000)), []);
    let told = fences.tick(Timestamp::from_millis(20_000));
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), [("stayed", "dwell")]);
    assert_eq!(fences.tick(Timestamp::from_millis(21_000)), [], "once");
    let mut fences = MovingFences::new(rules(Some(70)));
    at(&mut fences, "ada", 0.0, 0.0);
    at(&mut fences, "bo", 3.0, 0.0);
    assert_eq!(
        fences.tick(Timestamp::from_millis(71_000)).iter().map(short).collect::<Vec<_>>(),
        [("suspended", "stale")]
    );
}

#[test]
fn late_repeated_and_vague_fixes_change_nothing_and_strangers_are_no_pair() {
    let mut fences = MovingFences::new(rules(None));
    at(&mut fences, "ada", 0.0, 5.0);
    let mut hear = |name: &str, team: Option<&TeamId>, seconds, accuracy| {
        fences.observe(&who(name), team, &fix(25.0, 1.0, 0.0, seconds, accuracy)).map(|told| told.len())
    };
    assert_eq!(hear("ada", Some(&team()), 5.0, 5.0), Err(Unheard::Late));
    assert_eq!(hear("ada", Some(&team()), 4.0, 5.0), Err(Unheard::Late));
    assert_eq!(hear("bo", Some(&team()), 5.0, 101.0), Err(Unheard::Vague));
    assert_eq!(hear("cy", None, 5.0, 5.0), Ok(0));
    assert_eq!(hear("dee", None, 5.0, 5.0), Ok(0));
    assert_eq!(hear("eli", Some(&TeamId::new("owls").expect("short")), 5.0, 5.0), Ok(0));
    assert_eq!(hear("bo", Some(&team()), 5.0, 5.0), Ok(1));
    assert_eq!(hear("bo", Some(&TeamId::new("owls").expect("short")), 6.0, 5.0), Ok(0), "eli has not moved yet");
    assert_eq!(hear("eli", Some(&TeamId::new("owls").expect("short")), 6.0, 5.0), Ok(1));
    assert_eq!(fences.near(&who("ada")).count(), 0, "bo has left the team");
}

#[test]
fn who_leaves_is_forgotten_whole() {
    let mut fences = MovingFences::new(rules(None));
    for n in 0..100 {
        at(&mut fences, &format!("p{n}"), f64::from(n % 10), 0.0);
    }
    let most = fences.movers.values().map(|mover| mover.mates.len()).max();
    assert!(most <= Some(MATES_MAX), "{most:?}");
    for n in 0..100 {
        fences.forget(&who(&format!("p{n}")));
    }
    assert!(fences.is_empty() && fences.cells.is_empty() && fences.ages.is_empty() && fences.pairs.is_empty());
}

#[test]
fn a_new_mover_takes_the_place_of_a_stale_one_or_waits() {
    let mut fences = MovingFences::new(rules(None));
    fences.movers_max = 2;
    at(&mut fences, "ada", 0.0, 0.0);
    at(&mut fences, "bo", 0.0, 30.0);
    let mut hear = |seconds| fences.observe(&who("cy"), Some(&team()), &fix(25.0, 0.0, 0.0, seconds, 5.0));
    assert_eq!(hear(60.0), Err(Unheard::Full));
    assert_eq!(hear(61.0).map(|told| told.len()), Ok(0), "bo is too long ago for one fix to be sure");
    assert_eq!(hear(62.0).map(|told| told.len()), Ok(1));
    assert_eq!(fences.len(), 2);
}

#[test]
fn a_team_is_near_where_any_of_it_is() {
    let mut fences = MovingFences::new(MovingRules { team_mates: false, ..rules(None) });
    at(&mut fences, "ada", 0.0, 0.0);
    at(&mut fences, "bo", 200.0, 0.0);
    fences.observe(&who("zoe"), None, &fix(25.0, 5.0, 0.0, 0.0, 5.0)).expect("it is looked at");
    let owls = TeamId::new("owls").expect("short");
    let near: Vec<&str> = fences.near_team(&who("zoe"), &team()).map(|(mate, _)| mate.as_str()).collect();
    assert_eq!((near, fences.near_team(&who("zoe"), &owls).count()), (vec!["ada"], 0));
}

/// Steps of a walk, in metres.
fn walk() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((-6.0..6.0_f64, -6.0..6.0_f64), 60)
}

/// What is told of two walks of a fix a second; `order` says who of the two is heard first at each second.
fn told(lon: f64, walks: [&[(f64, f64)]; 2], names: [&str; 2], order: &[bool]) -> Vec<(usize, MeetingKind)> {
    let mut fences = MovingFences::new(rules(Some(5)));
    let mut places = [(0.0, 0.0), (45.0, 0.0)];
    let mut all = Vec::new();
    for second in 0..walks[0].len() {
        for n in [0, 1] {
            places[n] = (places[n].0 + walks[n][second].0, places[n].1 + walks[n][second].1);
        }
        let first = usize::from(order[second % order.len()]);
        for n in [first, 1 - first] {
            let fix = fix(lon, places[n].0, places[n].1, second as f64, 4.0);
            let heard = fences.observe(&who(names[n]), Some(&team()), &fix).expect("it is looked at");
            all.extend(heard.into_iter().map(|meeting| (second, meeting.kind)));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn names_order_and_longitude_do_not_matter(
        a in walk(), b in walk(), order in prop::collection::vec(any::<bool>(), 7),
        lon in prop_oneof![Just(180.0), Just(-179.9999), -180.0..180.0_f64],
    ) {
        let plain = told(25.0, [&a, &b], ["ada", "bo"], &[false]);
        prop_assert_eq!(&plain, &told(25.0, [&a, &b], ["bo", "ada"], &[false]), "names");
        prop_assert_eq!(&plain, &told(25.0, [&a, &b], ["ada", "bo"], &order), "order");
        prop_assert_eq!(&plain, &told(lon, [&a, &b], ["ada", "bo"], &order), "longitude");
    }

    #[test]
    fn nobody_near_is_missed(
        places in prop::collection::vec((-80.0..80.0_f64, -80.0..80.0_f64), 2..30), lon in prop_oneof![Just(180.0), Just(10.0)],
    ) {
        let mut fences = MovingFences::new(MovingRules { team_mates: false, ..rules(None) });
        for (n, (east, north)) in places.iter().enumerate() {
            fences.observe(&who(&format!("p{n:02}")), None, &fix(lon, *east, *north, 0.0, 3.0)).expect("it is looked at");
        }
        for (n, here) in places.iter().enumerate() {
            let near: BTreeSet<&str> = fences.movers.keys().zip(&places).enumerate()
                .filter(|(m, (_, there))| *m != n && (here.0 - there.0).hypot(here.1 - there.1) < WITHIN - 5.0)
                .map(|(_, (name, _))| name.as_str()).collect();
            let known: BTreeSet<&str> =
                fences.near(&who(&format!("p{n:02}"))).map(|(mate, _)| mate.as_str()).collect();
            prop_assert!(known.is_superset(&near), "{n}: {known:?} {near:?}");
        }
    }
}

/// Noise of a phone: 5 m on each axis, remembered for some 20 s.
struct Noise {
    state: u64,
    now: (f64, f64),
}

impl Noise {
    fn next(&mut self) -> (f64, f64) {
        let mut uniform = || {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.state >> 11) as f64 / (1_u64 << 53) as f64
        };
        // Twelve uniforms less six are as good as normal.
        let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let keep = (-1.0_f64 / 20.0).exp();
        let fresh = 5.0 * (1.0 - keep * keep).sqrt();
        self.now = (self.now.0 * keep + fresh * normal(), self.now.1 * keep + fresh * normal());
        self.now
    }
}

#[test]
fn two_who_stand_at_the_very_distance_are_not_told_together_and_apart_all_day() {
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let mut plain = 0;
    for seed in 0..10 {
        let mut fences = MovingFences::new(rules(None));
        let (mut a, mut b) = (Noise { state: seed, now: (0.0, 0.0) }, Noise { state: !seed, now: (0.0, 0.0) });
        let mut was_near = None;
        for second in 0..3_600 {
            let (a, b) = (a.next(), b.next());
            let near = (a.0 - (b.0 + WITHIN)).hypot(a.1 - b.1) <= WITHIN;
            plain += u32::from(was_near.replace(near).is_some_and(|was| was != near));
            for (name, east, north) in [("ada", a.0, a.1), ("bo", b.0 + WITHIN, b.1)] {
                // 5 m on each axis are a 68 % radius of 7.6 m.
                let fix = fix(25.0, east, north, f64::from(second), 7.6);
                for meeting in fences.observe(&who(name), Some(&team()), &fix).expect("it is looked at") {
                    *kinds.entry(short(&meeting).0).or_default() += 1;
                }
            }
        }
    }
    let told: u32 = kinds.values().sum();
    eprintln!("in ten hours: {kinds:?} against {plain} of a plain test of the radius");
    assert!(told * 5 <= plain && told <= 250, "{told} against {plain}");
}

/// `cargo test --release --lib cost_of_moving -- --ignored --nocapture` prints what a fix costs. Seen on
/// two busy cores: 10 to 20 us with 6 others in reach of each, 160 to 230 us in a crowd of 58, some 3 us a neighbour.
#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn cost_of_moving() {
    let names: Vec<PlayerId> = (0..10_000).map(|n| who(&format!("p{n}"))).collect();
    // A square kilometre of people: 28 others within 30 m of each. Then a hundred of them.
    for side in [1_000.0_f64, 10_000.0] {
        let mut fences = MovingFences::new(MovingRules { team_mates: false, ..rules(None) });
        let place = |n: usize, second: usize| {
            let spread = |k: usize| (n * k % 9_973) as f64 / 9_973.0 * side;
            fix(25.0, spread(7_919) + second as f64, spread(104_729), second as f64, 5.0)
        };
        for second in 0..5 {
            let start = std::time::Instant::now();
            for (n, name) in names.iter().enumerate() {
                fences.observe(name, None, &place(n, second)).expect("it is looked at");
            }
            eprintln!(
                "{side} m, second {second}: {:?} a fix, {} pairs",
                start.elapsed() / 10_000,
                fences.pairs.len()
            );
        }
    }
}
