//! What must not matter: how a ring was drawn, and where on the globe its twin lies.

use super::fence::{Fate, Ground, Tracker};
use super::geojson::{export_geometry, geometry};
use super::index::RegionIndex;
use super::position::{Fix, Position};
use super::region::Region;
use super::shape::Shape;
use crate::ids::RegionId;
use crate::units::{Meters, Timestamp};
use ::geo::{Intersects, LineString, coord};
use proptest::prelude::*;

/// A place on the grid of 1e-7 degrees, its longitude wrapped.
fn place(x: i64, y: i64) -> Position {
    let x = (x + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
    Position::new(x as f64 / 1e7, y as f64 / 1e7).expect("wrapped")
}

/// A ring that winds once round a point: vertices at rising angles, so it does not cross itself but for rounding.
fn star(reach: f64) -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((0.05_f64..0.95, 0.2_f64..1.0), 3..12).prop_map(move |corners| {
        let n = corners.len() as f64;
        let corner = |(i, (turn, r)): (usize, (f64, f64))| {
            let angle = (i as f64 + turn) / n * std::f64::consts::TAU;
            ((reach * r * angle.cos()).round() as i64, (reach * r * angle.sin()).round() as i64)
        };
        corners.into_iter().enumerate().map(corner).collect()
    })
}

fn polygon(ring: &[(i64, i64)], x: i64, y: i64) -> Option<Shape> {
    Shape::polygon(vec![ring.iter().map(|&(dx, dy)| place(x + dx, y + dy)).collect()]).ok()
}

/// Enters and exits of a walk: which fix, which kind.
fn events(shape: Shape, walk: &[(i64, i64)], x: i64, y: i64) -> Vec<(usize, String)> {
    let index = RegionIndex::build(vec![Region::new(RegionId::new("a").expect("short"), shape)]);
    let mut tracker = Tracker::new();
    let mut told = Vec::new();
    for (i, &(dx, dy)) in walk.iter().enumerate() {
        let time = Timestamp::from_millis(i as i64 * 60_000);
        let fix = Fix::new(place(x + dx, y + dy), time).with_accuracy(Meters::lossy(5.0)).expect("positive");
        let observed = tracker.observe(&fix, time, Ground::all(&index));
        assert!(matches!(observed.fate, Fate::Accepted { .. }), "{:?}", observed.fate);
        told.extend(observed.transitions.into_iter().map(|t| (i, format!("{:?}", t.kind))));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn order_direction_and_longitude_do_not_matter(
        ring in star(20_000.0),
        spot in (-25_000_i64..25_000, -25_000_i64..25_000),
        turn in 0_usize..12,
        x in prop_oneof![Just(1_799_990_000_i64), Just(-1_799_999_999), -1_800_000_000_i64..1_800_000_000],
        y in -800_000_000_i64..800_000_000,
    ) {
        let Some(shape) = polygon(&ring, 0, y) else { return Ok(()) };
        let s = shape.signed_distance(&place(spot.0, y + spot.1)).get();
        let mut other = ring.clone();
        other.rotate_left(turn % ring.len());
        other.reverse();
        let moved = polygon(&other, x, y).expect("as sound as its twin");
        let same = moved.signed_distance(&place(x + spot.0, y + spot.1)).get();
        prop_assert!((s - same).abs() < 1e-6, "{s} {same}");
        let mirror: Vec<_> = ring.iter().map(|&(dx, dy)| (-dx, -dy)).collect();
        let mirrored = polygon(&mirror, -x, -y).expect("as sound as its twin");
        let same = mirrored.signed_distance(&place(-x - spot.0, -y - spot.1)).get();
        prop_assert!((s - same).abs() < 1e-6, "{s} {same}");
    }

    #[test]
    fn walks_tell_the_same_at_any_longitude(
        ring in star(20_000.0),
        walk in prop::collection::vec((-25_000_i64..25_000, -25_000_i64..25_000), 2..20),
        x in prop_oneof![Just(1_799_990_000_i64), Just(-1_799_999_999), -1_800_000_000_i64..1_800_000_000],
    ) {
        let y = 601_700_000;
        let Some(shape) = polygon(&ring, 0, y) else { return Ok(()) };
        let here = events(shape, &walk, 0, y);
        let there = events(polygon(&ring, x, y).expect("as sound as its twin"), &walk, x, y);
        prop_assert_eq!(here, there);
    }

    // On a lattice of a few units, so that many places lie exactly on edges and vertices.
    #[test]
    fn membership_agrees_with_geo_on_edges_and_vertices(
        ring in star(9.0),
        hole in star(4.0),
        spots in prop::collection::vec((-10_i64..=10, -10_i64..=10), 40),
    ) {
        let places = |ring: &[(i64, i64)]| ring.iter().map(|&(x, y)| place(x, y)).collect::<Vec<_>>();
        let coordinate = |(x, y): (i64, i64)| coord! { x: x as f64, y: y as f64 };
        let line = |ring: &[(i64, i64)]| ring.iter().copied().map(coordinate).collect::<LineString>();
        let with_hole = Shape::polygon(vec![places(&ring), places(&hole)]).map(|shape| (shape, vec![line(&hole)]));
        let without_hole = Shape::polygon(vec![places(&ring)]).map(|shape| (shape, vec![]));
        let Ok((shape, holes)) = with_hole.or(without_hole)
        else { return Ok(()) };
        let oracle = ::geo::Polygon::new(line(&ring), holes);
        for (x, y) in spots {
            let expected = oracle.intersects(&coordinate((x, y)));
            prop_assert_eq!(shape.holds(&place(x, y)), expected, "at {} {}", x, y);
        }
    }

    #[test]
    fn circle_agrees_with_karney(
        lat in -89.9_f64..89.9, radius in 1.0_f64..60_000.0, bearing in 0.0_f64..360.0, part in 0.5_f64..1.5,
    ) {
        use ::geo::{Destination, Distance, Geodesic, point};
        let center = Position::new(179.999, lat).expect("on earth");
        let shape = Shape::circle(center, Meters::lossy(radius)).expect("in range");
        let to = Geodesic.destination(point!(x: center.lon(), y: center.lat()), bearing, radius * part);
        let to = Position::new(to.x(), to.y()).expect("on earth");
        let karney = Geodesic.distance(point!(x: center.lon(), y: center.lat()), point!(x: to.lon(), y: to.lat()));
        let s = shape.signed_distance(&to).get();
        prop_assert!((s - (radius - karney)).abs() < 0.01, "{} against {}", s, radius - karney);
        let index = RegionIndex::build(vec![Region::new(RegionId::new("a").expect("short"), shape)]);
        prop_assert!(karney > radius || index.near(&to, Meters::ZERO).count() == 1);
    }

    // In five ways a ring may be drawn: another start, the other direction, closed or not, shifted by the caller.
    #[test]
    fn the_same_rings_are_the_same_area_and_survive_geojson(
        ring in star(900_000.0),
        hole in star(90_000.0),
        island in star(60_000.0),
        turn in 0_usize..12,
        x in prop_oneof![Just(1_799_900_000_i64), Just(-1_800_000_000), -1_800_000_000_i64..1_800_000_000],
        y in -880_000_000_i64..880_000_000,
        spots in prop::collection::vec((-1_000_000_i64..1_000_000, -1_000_000_i64..1_000_000), 20),
    ) {
        let places = |ring: &[(i64, i64)], dx: i64| ring.iter().map(|&(u, v)| place(x + u + dx, y + v)).collect::<Vec<_>>();
        let island_at = 2_000_000;
        let parts = [vec![places(&ring, 0), places(&hole, 0)], vec![places(&island, island_at)]];
        let Ok(shape) = Shape::multi_polygon(parts.to_vec()) else { return Ok(()) };
        let mut twin = parts.clone();
        twin.reverse();
        for ring in twin.iter_mut().flatten() {
            let n = ring.len();
            ring.rotate_left(turn % n);
            ring.reverse();
            ring.push(ring[0]);
        }
        prop_assert!(Shape::multi_polygon(twin.to_vec()).is_ok_and(|twin| twin == shape));
        let (once, _) = geometry(&export_geometry(&shape)).expect("what is written is read");
        let (twice, _) = geometry(&export_geometry(&once)).expect("what is written is read");
        prop_assert!(once == twice);
        // Only where the antimeridian cuts an edge is anything rounded.
        let far = x.abs() < 1_790_000_000;
        prop_assert!(!far || once == shape);
        for (u, v) in spots {
            let at = place(x + u, y + v);
            let s = shape.signed_distance(&at).get();
            prop_assert!(s.abs() < 0.02 || shape.holds(&at) == once.holds(&at), "{}", s);
            prop_assert!(s.abs() > 1_000.0 || (s - once.signed_distance(&at).get()).abs() < 0.02, "{}", s);
            prop_assert_eq!(shape.holds(&at), s >= 0.0);
        }
    }

    #[test]
    fn a_ring_round_the_earth_holds_its_pole_at_every_longitude(
        lats in prop::collection::vec(600_000_000_i64..899_000_000, 4..40),
        first in -1_800_000_000_i64..1_800_000_000,
        south in any::<bool>(),
        spots in prop::collection::vec((-1_800_000_000_i64..1_800_000_000, 500_000_000_i64..=900_000_000), 20),
    ) {
        let sign = if south { -1 } else { 1 };
        let gap = 3_600_000_000 / lats.len() as i64;
        let at = |i: usize| place(first + i as i64 * gap, sign * lats[i]);
        let shape = Shape::polygon(vec![(0..lats.len()).map(at).collect()]).expect("sound");
        for (x, y) in spots {
            prop_assert!(shape.holds(&place(x, sign * 900_000_000)) && !shape.holds(&place(x, -sign * y)));
            // By hand: above the edge over that longitude.
            let from = (x - first).rem_euclid(3_600_000_000);
            let i = ((from / gap) as usize).min(lats.len() - 1);
            let (a, b) = (lats[i], lats[(i + 1) % lats.len()]);
            let wide = if i + 1 == lats.len() { 3_600_000_000 - gap * i as i64 } else { gap };
            let above = i128::from(y - a) * i128::from(wide) - i128::from(b - a) * i128::from(from - gap * i as i64);
            prop_assert_eq!(shape.holds(&place(x, sign * y)), above >= 0);
        }
        let (once, _) = geometry(&export_geometry(&shape)).expect("what is written is read");
        let (twice, _) = geometry(&export_geometry(&once)).expect("what is written is read");
        prop_assert!(once == twice && once.holds(&place(first, sign * 900_000_000)));
        prop_assert!((once.size().get() - shape.size().get()).abs() < 1.0);
    }

    // The nearest place on an edge, looked for in small steps.
    #[test]
    fn distances_beside_a_pole_are_right(
        lats in prop::collection::vec(899_000_000_i64..899_999_000, 4..9),
        spot in (-1_800_000_000_i64..1_800_000_000, 899_000_000_i64..=900_000_000),
    ) {
        let gap = 3_600_000_000 / lats.len() as i64;
        let corners: Vec<(i64, i64)> = lats.iter().enumerate().map(|(i, &y)| (i as i64 * gap, y)).collect();
        let shape = Shape::polygon(vec![corners.iter().map(|&(x, y)| place(x, y)).collect()]).expect("sound");
        let at = place(spot.0, spot.1);
        let mut nearest = f64::INFINITY;
        for (i, &(ax, ay)) in corners.iter().enumerate() {
            let by = corners[(i + 1) % corners.len()].1;
            let bx = if i + 1 == corners.len() { 3_600_000_000 } else { ax + gap };
            for step in 0..=600_i64 {
                let on = place(ax + (bx - ax) * step / 600, ay + (by - ay) * step / 600);
                nearest = nearest.min(at.distance(&on).get());
            }
        }
        let s = shape.signed_distance(&at).get().abs();
        // A step is at most 35 m long, so the nearest place may lie 18 m beside the nearest step.
        prop_assert!(s <= nearest + 0.02 && s >= (nearest * nearest - 18.0 * 18.0).max(0.0).sqrt() - 0.5, "{} against {}", s, nearest);
    }
}
