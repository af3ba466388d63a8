//! Nothing nearer is missed, no edge is nearer than was said, and what is hidden moves no number.

use super::*;
use crate::geo::region::OuterRing;
use crate::units::Timestamp;
use proptest::prelude::*;

const NONE: &BTreeSet<RegionId> = &BTreeSet::new();

fn at(lon: f64, lat: f64) -> Position {
    let lon = lon - 360.0 * (lon / 360.0).round();
    Position::new(lon, lat.clamp(-90.0, 90.0)).expect("on earth")
}

fn id(n: usize) -> RegionId {
    RegionId::new(format!("q@1:{n:05}")).expect("short")
}

fn region(n: usize, shape: Shape, reach: f64) -> Region {
    let mut region = Region::new(id(n), shape);
    if reach > 0.0 {
        region.rings = vec![OuterRing { name: "warm".to_owned(), reach: Meters::lossy(reach) }];
    }
    region
}

fn circle(n: usize, lon: f64, lat: f64, radius: f64) -> Region {
    region(n, Shape::circle(at(lon, lat), Meters::lossy(radius)).expect("in range"), 0.0)
}

/// The edges of the map, and a town.
fn spot() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        Just((24.94, 60.17)),
        Just((180.0, 0.0)),
        Just((-179.999, 65.0)),
        Just((10.0, 89.97)),
        Just((0.0, -90.0))
    ]
}

/// A shape of any kind at a place, as large as `size` metres or so.
fn shape(kind: u8, lon: f64, lat: f64, size: f64) -> Option<Shape> {
    let dlat = size / 111_000.0;
    let dlon = dlat / lat.to_radians().cos().max(0.001);
    match kind {
        0 => Shape::circle(at(lon, lat), Meters::lossy(size.max(1.0))).ok(),
        1 => Shape::polygon(vec![vec![at(lon, lat), at(lon + dlon, lat), at(lon + 0.3 * dlon, lat + dlat)]]).ok(),
        _ => Shape::corridor(vec![at(lon, lat), at(lon + dlon, lat + dlat)], Meters::lossy(30.0)).ok(),
    }
}

/// Kind, longitude, latitude, size and ring of a region.
type Plan = (u8, f64, f64, f64, f64);

/// A quest of some regions near a spot, every third hidden.
fn quest() -> impl Strategy<Value = ((f64, f64), Vec<Plan>)> {
    let place = (0_u8..3, -1.0..1.0_f64, -1.0..1.0_f64, 5.0..900.0_f64, prop_oneof![Just(0.0), 10.0..300.0_f64]);
    (spot(), prop::collection::vec(place, 0..40), 0.001..0.3_f64).prop_map(|(spot, places, spread)| {
        let plan = |(kind, dx, dy, size, reach): Plan| {
            let lat = (spot.1 + dy * spread).clamp(-89.99, 89.99);
            (kind, spot.0 + dx * spread / lat.to_radians().cos().max(0.001), lat, size, reach)
        };
        (spot, places.into_iter().map(plan).collect())
    })
}

fn made(plans: &[Plan]) -> Vec<Region> {
    let of =
        |(n, &(kind, lon, lat, size, reach)): (usize, &Plan)| Some(region(n, shape(kind, lon, lat, size)?, reach));
    plans.iter().enumerate().filter_map(of).collect()
}

fn hidden(region: &Region) -> bool {
    region.id.as_str().bytes().last().is_some_and(|digit| digit % 3 == 0)
}

fn build(regions: &[Region]) -> (WakeIndex, RegionIndex) {
    let wake = WakeIndex::build(regions.iter().map(|region| (region, hidden(region))));
    (wake, RegionIndex::build(regions.to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_nearer_circle_is_missed(
        (spot, plans) in quest(), dx in -0.4..0.4_f64, dy in -0.4..0.4_f64, max in 1_usize..30,
    ) {
        let regions = made(&plans);
        let from = at(spot.0 + dx / spot.1.to_radians().cos().max(0.001), spot.1 + dy);
        let (index, _) = build(&regions);
        let first: BTreeSet<RegionId> = regions.iter().step_by(7).map(|region| region.id.clone()).collect();
        let shown: BTreeSet<RegionId> = regions.iter().step_by(2).map(|region| region.id.clone()).collect();
        let got = watch(&[Known { index: &index, first: &first, shown: &shown }], &from, max);
        let counts = |spot: &&Spot| !spot.hidden || shown.contains(&spot.region);
        let mut all: Vec<Coarse> = index.spots.iter().filter(counts)
            .map(|spot| spot.seen_from(&from, first.contains(&spot.region))).collect();
        all.sort_by(|a, b| b.first.cmp(&a.first).then_with(|| nearer(a, b)));
        if all.len() <= max {
            prop_assert_eq!(got, Watch { circles: all, roam: None });
        } else {
            let rest = all.split_off(max - 1);
            let roam = rest.iter().map(|coarse| coarse.distance.get()).fold(f64::INFINITY, f64::min).max(0.0);
            prop_assert_eq!(got, Watch { circles: all, roam: Some(Meters::lossy(roam)) });
        }
    }

    #[test]
    fn no_edge_is_nearer_than_was_said(
        (spot, plans) in quest(), start in (-0.1..0.1_f64, -0.1..0.1_f64), way in (-1.0..1.0_f64, -1.0..1.0_f64),
    ) {
        let regions = made(&plans);
        let wide = spot.1.to_radians().cos().max(0.001);
        let from = at(spot.0 + start.0 / wide, spot.1 + start.1);
        let (index, all) = build(&regions);
        let clear = clearance(&[Known { index: &index, first: NONE, shown: NONE }], &from, &all);
        let to = at(from.lon() + way.0 * clear.get() / 111_000.0 / wide, from.lat() + way.1 * clear.get() / 111_000.0);
        prop_assert!((Meters::ZERO..=CLEAR_MAX).contains(&clear));
        if from.distance(&to) < clear {
            for region in regions.iter().filter(|region| !hidden(region)) {
                let side = |place| {
                    let s = region.shape.signed_distance(place).get();
                    (s >= 0.0, s >= -region.reach().get())
                };
                prop_assert_eq!(side(&from), side(&to), "{}", region.id);
            }
        }
    }

    #[test]
    fn what_is_hidden_moves_no_number(
        (spot, plans) in quest(), dx in -0.2..0.2_f64, max in 1_usize..30,
    ) {
        let regions = made(&plans);
        let from = at(spot.0 + dx, spot.1);
        let told: Vec<Region> = regions.iter().filter(|region| !hidden(region)).cloned().collect();
        let (with, all) = build(&regions);
        let (without, _) = build(&told);
        let known = |index| [Known { index, first: NONE, shown: NONE }];
        prop_assert_eq!(watch(&known(&with), &from, max), watch(&known(&without), &from, max));
        prop_assert_eq!(clearance(&known(&with), &from, &all), clearance(&known(&without), &from, &all));
    }

    #[test]
    fn circle_holds_its_region(kind in 0_u8..3, lon in -180.0..180.0_f64, lat in -89.9..89.9_f64, size in 5.0..90_000.0_f64) {
        let Some(shape) = shape(kind, lon, lat, size) else { return Ok(()) };
        let spot = Spot::of(&region(0, shape.clone(), 0.0), false);
        // Places all over the shape's box: whatever the shape holds, the circle holds.
        let (bounds, margin) = shape.bounds_and_margin();
        let e = bounds.envelope(margin);
        for (x, y) in (0..=20).flat_map(|x| (0..=20).map(move |y| (f64::from(x) / 20.0, f64::from(y) / 20.0))) {
            let place = at(e.west + x * (e.east - e.west), e.south + y * (e.north - e.south));
            if shape.holds(&place) {
                prop_assert!(spot.center.distance(&place).get() <= spot.cover + 0.01);
            }
        }
    }
}

#[test]
fn small_places_get_wide_circles_and_the_roam_circle_ends_where_the_next_begins() {
    let regions: Vec<Region> = (1..=3).map(|n| circle(n * 3 - 2, 0.0, 0.01 * n as f64, 30.0)).collect();
    let (index, all) = build(&regions);
    let known = [Known { index: &index, first: NONE, shown: NONE }];
    let here = at(0.0, 0.0);
    let whole = watch(&known, &here, 3);
    assert_eq!((whole.circles.len(), whole.roam), (3, None));
    assert!(whole.circles.iter().all(|coarse| coarse.radius == COARSE_MIN));
    let two = watch(&known, &here, 2);
    assert_eq!(two.circles.len(), 1);
    // 0.02 degrees of latitude at the equator are 2,211.5 m.
    assert!((two.roam.expect("more than fit").get() - 2_011.5).abs() < 0.1, "{two:?}");
    assert_eq!(watch(&known, &here, 1).circles.len(), 0);
    let clear = clearance(&known, &here, &all).get();
    assert!((clear - (1_105.7 - 30.0)).abs() < 0.2, "{clear}");
}

#[test]
fn an_edge_is_an_edge_from_inside_too_and_a_ring_is_one() {
    let (index, all) =
        build(&[region(1, Shape::circle(at(0.0, 0.0), Meters::lossy(900.0)).expect("in range"), 500.0)]);
    let clear = |lat: f64| clearance(&[Known { index: &index, first: NONE, shown: NONE }], &at(0.0, lat), &all).get();
    for (metres, wanted) in [(0.0, 900.0), (800.0, 100.0), (1_000.0, 100.0), (1_350.0, 50.0), (1_500.0, 100.0)] {
        let said = clear(metres / 110_574.3);
        assert!((said - wanted).abs() < 0.5, "{metres}: {said}");
    }
    assert_eq!(clear(1.0), CLEAR_MAX.get());
    let fix =
        Fix::new(at(0.0, 0.0), Timestamp::from_millis(0)).with_accuracy(Meters::lossy(100.0)).expect("positive");
    assert_eq!(less_doubt(Meters::lossy(900.0), &fix).get(), 764.0);
    assert_eq!(less_doubt(Meters::lossy(90.0), &fix), Meters::ZERO);
}

#[test]
fn many_hidden_places_that_are_shown_count_like_any_others_and_the_rest_like_none() {
    let regions: Vec<Region> = (0..400).map(|n| circle(n, 0.001 * n as f64, 0.002 * (n % 7) as f64, 40.0)).collect();
    let all = RegionIndex::build(regions.clone());
    let hidden = WakeIndex::build(regions.iter().map(|region| (region, true)));
    for step in [1, 2, 5, 20] {
        let told: Vec<&Region> = regions.iter().step_by(step).collect();
        let shown: BTreeSet<RegionId> = told.iter().map(|region| region.id.clone()).collect();
        let open = WakeIndex::build(told.into_iter().map(|region| (region, false)));
        for n in 0..50 {
            let from = at(0.0087 * f64::from(n), 0.0011 * f64::from(n % 11));
            let by_hidden = clearance(&[Known { index: &hidden, first: NONE, shown: &shown }], &from, &all);
            let by_open = clearance(&[Known { index: &open, first: NONE, shown: NONE }], &from, &all);
            assert!((by_hidden.get() - by_open.get()).abs() < 0.05, "{by_hidden} {by_open}");
        }
    }
}

#[test]
fn under_very_many_regions_nothing_is_suggested_and_little_is_measured() {
    let regions: Vec<Region> = (0..500).map(|n| circle(n * 3 + 1, 0.0, 0.0, 1_000.0 + n as f64)).collect();
    let (index, all) = build(&regions);
    let known = [Known { index: &index, first: NONE, shown: NONE }];
    assert_eq!(clearance(&known, &at(0.0, 0.0), &all), Meters::ZERO);
    assert_eq!(watch(&known, &at(0.0, 0.0), 20).circles.len(), 19);
}

/// `cargo test --release --lib cost_of_waking -- --ignored --nocapture` prints what one question costs. Seen on two
/// busy cores: 24 ms to build, 11 us for 20 circles, 42 us for 100, 3 us for a clearance that is measured anew.
#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn cost_of_waking() {
    use std::time::Instant;
    let grid = |n: usize| ((n % 100) as f64 * 0.002, 60.0 + (n / 100) as f64 * 0.001);
    let regions: Vec<Region> = (0..10_000).map(|n| (n, grid(n))).map(|(n, (x, y))| circle(n, x, y, 40.0)).collect();
    let built = Instant::now();
    let index = WakeIndex::build(regions.iter().map(|region| (region, false)));
    eprintln!("build of 10,000: {:?}", built.elapsed());
    let all = RegionIndex::build(regions);
    let known = [Known { index: &index, first: NONE, shown: NONE }];
    let places: Vec<Position> =
        (0..2_000).map(|n| at(0.1 + f64::from(n) * 1e-5, 60.05 + f64::from(n % 7) * 1e-4)).collect();
    let mut sum = 0.0;
    for (what, max) in [("watch 20", 20), ("watch 100", 100)] {
        let start = Instant::now();
        for place in &places {
            sum += watch(&known, place, max).roam.map_or(0.0, Meters::get);
        }
        eprintln!("{what}: {:?}", start.elapsed() / 2_000);
    }
    let start = Instant::now();
    for place in &places {
        sum += clearance(&known, place, &all).get();
    }
    eprintln!("clearance: {:?} ({sum:.0})", start.elapsed() / 2_000);
}
