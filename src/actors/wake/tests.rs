//! When the next fix matters, by what the player may know.

use super::*;
use crate::actors::world::World;
use crate::content;
use crate::ids::RegionId;
use crate::quest::guidance::Places;
use std::collections::BTreeSet;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const QUEST: &str = "schema: quest/v1\nid: q\ntitle: q\nplay: { mode: solo }\nplaces:\n  \
    here: { center: [24.94, 60.17], radius: 50 }\n  cave: { center: [24.95, 60.17], radius: 50, hidden: true }\n  \
    way: { line: [[24.9, 60.16], [24.91, 60.16]], width: 40 }\nsteps:\n  - { id: one, visit: { at: here } }\n  \
    - { id: two, visit: { at: cave } }\n  - { id: three, follow: { along: way, within: 20m } }\n";

fn world() -> World {
    let published = content::publish(QUEST, "q.yaml", 1, &|step| step.to_string());
    let world = World::default();
    world.publish(vec![published.unwrap_or_else(|report| panic!("{report}"))]);
    world
}

fn region(place: &str) -> RegionId {
    RegionId::new(format!("q@1:{place}")).expect("an id")
}

fn playing(seq: u64, shown: &[&str]) -> Guidance {
    let shown: BTreeSet<RegionId> = shown.iter().map(|place| region(place)).collect();
    let places = Places { version: 1, open: BTreeSet::from([region("here")]), shown };
    let quest = QuestId::new("q").expect("an id");
    Guidance { seq, places: [(quest, places)].into(), ..Guidance::default() }
}

fn fix(lon: f64, lat: f64) -> Fix {
    let fix = Fix::new(Position::new(lon, lat).expect("on earth"), NOW);
    fix.with_accuracy(Meters::lossy(10.0)).expect("positive")
}

#[test]
fn hidden_place_counts_from_the_entry_on_that_shows_it() {
    let content = world().content();
    let mut waking = Waking::default();
    let mut next = |guidance: &Guidance, lon| {
        waking.seen(&fix(lon, 60.17));
        waking.next(guidance, &content, NOW).expect("a fix has counted").distance
    };
    // 0.01 degrees of longitude at 60.17 degrees north are 555.2 m; 13.6 m are the fix's own.
    assert_eq!(next(&playing(1, &[]), 24.95), 491);
    assert_eq!(next(&playing(1, &[]), 24.949), 436, "less the way gone: nothing was measured anew");
    assert_eq!(next(&playing(2, &["cave"]), 24.95), 36, "50 m to the edge from its middle");
    assert_eq!(
        next(&playing(2, &["cave"]), 24.9505),
        10,
        "half is used up; it is measured anew, and 8 m is under 10"
    );
    assert_eq!(next(&Guidance::default(), 24.95), 4_986, "nobody plays");
}

#[test]
fn what_is_pending_asks_for_a_fix_after_a_time() {
    let content = world().content();
    let mut waking = Waking::default();
    assert_eq!(waking.next(&playing(1, &[]), &content, NOW), None);
    assert_eq!(waking.watch(20, &playing(1, &[]), &content, NOW).map_err(|refusal| refusal.code), Err(1006));
    waking.seen(&fix(24.94, 60.17));
    let mut guidance = playing(1, &[]);
    assert_eq!(waking.next(&guidance, &content, NOW), Some(NextFix { distance: 36, after_s: None }));
    guidance.stays.insert(region("here"), NOW + Duration::from_secs(40));
    assert_eq!(waking.next(&guidance, &content, NOW), Some(NextFix { distance: 36, after_s: Some(41) }));
    waking.held();
    assert_eq!(waking.next(&guidance, &content, NOW), Some(NextFix { distance: 10, after_s: Some(15) }));
    // At the edge the fix does not say on which side.
    waking.seen(&fix(24.94, 60.17 + 48.0 / 111_400.0));
    assert_eq!(waking.next(&playing(2, &[]), &content, NOW), Some(NextFix { distance: 10, after_s: Some(15) }));
}

#[test]
fn near_a_corridor_that_is_followed_every_fix_matters() {
    let content = world().content();
    let mut waking = Waking::default();
    let mut guidance = playing(1, &[]);
    waking.seen(&fix(24.905, 60.1605));
    assert_eq!(waking.next(&guidance, &content, NOW).map(|next| next.distance), Some(22), "55.7 m off a line");
    guidance.seq = 2;
    guidance.follows.insert(region("way"), (Meters::lossy(30.0), 0));
    assert_eq!(waking.next(&guidance, &content, NOW), Some(NextFix { distance: 10, after_s: Some(15) }));
}

#[test]
fn circles_have_the_names_that_the_player_knows() {
    let content = world().content();
    let mut waking = Waking::default();
    waking.seen(&fix(24.94, 60.18));
    let wake = waking.watch(20, &playing(1, &[]), &content, NOW).expect("a fix has counted");
    let names: Vec<(&str, bool)> = wake.circles.iter().map(|circle| (circle.place.as_str(), circle.open)).collect();
    assert_eq!((names, wake.roam), (vec![("here", true), ("way", false)], None));
    let wake = waking.watch(2, &playing(2, &["cave"]), &content, NOW).expect("a fix has counted");
    assert_eq!(wake.circles.len(), 1);
    let cave = Position::new(24.95, 60.17).expect("on earth").distance(fix(24.94, 60.18).position());
    let roam = wake.roam.expect("three places do not fit into two circles");
    assert!((f64::from(roam.radius) - (cave.get() - 200.0 - 10.0)).abs() <= 1.0, "{roam:?}");
}

/// `cargo test --lib cost_of_next -- --ignored --nocapture` prints what each fix pays for its `next`. Seen in an
/// optimized build with 10,000 places, shown or hidden: 0.03 us standing, 0.35 us walking, 1.4 us driving among them.
#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn cost_of_next() {
    let place = |n: usize, hidden: bool| {
        let (lon, lat) = (24.0 + (n % 100) as f64 * 0.002, 60.0 + (n / 100) as f64 * 0.001);
        format!("  p{n:05}: {{ center: [{lon}, {lat}], radius: 40, hidden: {hidden} }}\n")
    };
    for (what, hidden) in [("10,000 places", false), ("10,000 hidden places, all told", true)] {
        let places: String = (0..10_000).map(|n| place(n, hidden)).collect();
        let steps = "  - { id: one, visit: { at: p00000 } }";
        let quest = format!("schema: quest/v1\nid: q\ntitle: q\nplaces:\n{places}steps:\n{steps}\n");
        let world = World::default();
        let published = content::publish(&quest, "q", 1, &|step| step.to_string());
        world.publish(vec![published.unwrap_or_else(|report| panic!("{report}"))]);
        let content = world.content();
        let names: Vec<String> = (0..10_000).map(|n| format!("p{n:05}")).collect();
        let shown: Vec<&str> = names.iter().filter(|_| hidden).map(String::as_str).collect();
        let guidance = playing(1, &shown);
        // A walk of 1.4 m each second through them.
        let fixes: Vec<Fix> = (0..5_000).map(|n| fix(24.01 + f64::from(n) * 2.5e-5, 60.0505)).collect();
        let mut waking = Waking::default();
        let (start, mut sum, mut anew) = (std::time::Instant::now(), 0_u64, 0);
        for fix in &fixes {
            waking.seen(fix);
            sum += u64::from(waking.next(&guidance, &content, NOW).map_or(0, |next| next.distance));
            anew += u32::from(waking.measured.as_ref().is_some_and(|measured| measured.at == *fix.position()));
        }
        eprintln!("{what}: {:?} a fix, {anew} of 5,000 measured anew ({sum})", start.elapsed() / 5_000);
        let start = std::time::Instant::now();
        let wake = waking.watch(20, &guidance, &content, NOW).expect("a fix has counted");
        eprintln!("{what}: {:?} for {} circles", start.elapsed(), wake.circles.len());
    }
}
