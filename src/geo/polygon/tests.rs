//! What is refused, and the corners of membership.

use super::*;

fn ring(points: &[(f64, f64)]) -> Vec<Position> {
    points.iter().map(|&(x, y)| Position::new(x, y).expect("on earth")).collect()
}

fn refused(rings: &[&[(f64, f64)]]) -> Option<ShapeError> {
    area_of(&[rings.iter().map(|r| ring(r)).collect()]).err()
}

const SQUARE: &[(f64, f64)] = &[(0.0, 0.0), (0.01, 0.0), (0.01, 0.01), (0.0, 0.01), (0.0, 0.0)];

#[test]
fn ring_refuses_what_has_no_inside() {
    assert_eq!(refused(&[]), Some(ShapeError::TooFewVertices));
    assert_eq!(refused(&[&[]]), Some(ShapeError::TooFewVertices));
    assert_eq!(refused(&[&[(0.0, 0.0), (1.0, 0.0), (0.0, 0.0), (1.0, 0.0)]]), Some(ShapeError::TooFewVertices));
    assert_eq!(refused(&[&[(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]]), Some(ShapeError::ZeroArea));
    assert_eq!(refused(&[SQUARE]), None);
}

#[test]
fn ring_refuses_crossing_touching_and_turning_back() {
    let bow_tie: &[_] = &[(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)];
    let touching: &[_] = &[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (1.0, 0.0), (0.0, 2.0)];
    let spike: &[_] = &[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (1.0, 0.0), (1.0, 1.0)];
    // Along the antimeridian as anywhere.
    let spike_there: &[_] = &[(180.0, 0.0), (180.0, 1.0), (180.0, 2.0), (180.0, 1.0), (179.0, 1.0)];
    for bad in [bow_tie, touching, spike, spike_there] {
        assert_eq!(refused(&[bad]), Some(ShapeError::SelfCrossing));
    }
}

#[test]
fn holes_must_lie_inside() {
    let inner: &[_] = &[(0.002, 0.002), (0.004, 0.002), (0.004, 0.004)];
    let astray: &[_] = &[(0.02, 0.002), (0.04, 0.002), (0.04, 0.004)];
    let across: &[_] = &[(0.002, 0.002), (0.02, 0.004), (0.002, 0.006)];
    assert_eq!(refused(&[SQUARE, inner]), None);
    assert_eq!(refused(&[SQUARE, astray]), Some(ShapeError::HoleOutside));
    assert_eq!(refused(&[SQUARE, across]), Some(ShapeError::RingsCross));
    // In the notch of an L, all its corners within the box: only the exact test sees it.
    let l: &[_] = &[(0.0, 0.0), (0.01, 0.0), (0.01, 0.001), (0.001, 0.001), (0.001, 0.01), (0.0, 0.01)];
    assert_eq!(refused(&[l, inner]), Some(ShapeError::HoleOutside));
}

#[test]
fn shape_is_refused_above_its_vertices() {
    let many: Vec<(f64, f64)> = (0..=VERTICES_MAX)
        .map(|i| {
            let angle = i as f64 / VERTICES_MAX as f64 * 6.2;
            (angle.cos(), angle.sin())
        })
        .collect();
    assert_eq!(refused(&[&many]), Some(ShapeError::TooManyVertices));
    assert_eq!(refused(&[&many[1..]]), None);
}

#[test]
fn parts_must_not_overlap_but_may_lie_either_side_of_the_antimeridian() {
    let square = |x: f64, y: f64, size: f64| {
        let wrap = |x: f64| if x > 180.0 { x - 360.0 } else { x };
        vec![ring(&[(wrap(x), y), (wrap(x + size), y), (wrap(x + size), y + size), (wrap(x), y + size)])]
    };
    let error = |parts: Vec<Rings>| area_of(&parts).err();
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(0.5, 0.5, 1.0)]), Some(ShapeError::RingsCross));
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(1.0, 0.0, 1.0)]), Some(ShapeError::RingsCross));
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(0.2, 0.2, 0.1)]), Some(ShapeError::PartsOverlap));
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(1.0, 1.0, 1.0)]), None);
    assert_eq!(error(vec![]), Some(ShapeError::TooFewVertices));
    let fiji = area_of(&[square(179.0, 0.0, 0.5), square(-179.9, 0.0, 0.5), square(179.8, 1.0, 0.5)]);
    let fiji = fiji.expect("apart");
    let inside = |lon: f64, lat: f64| fiji.signed_distance(&Position::new(lon, lat).expect("on earth")) >= 0.0;
    assert!(inside(179.2, 0.2) && inside(-179.6, 0.2) && inside(179.9, 1.2) && inside(-179.8, 1.2));
    assert!(inside(180.0, 1.2) && inside(-180.0, 1.2) && !inside(180.0, 0.2) && !inside(-179.6, 1.2));
}

#[test]
fn edge_and_vertex_belong_and_a_hole_wound_like_its_shell_is_a_hole() {
    let hole = [(0.002, 0.002), (0.008, 0.002), (0.008, 0.008), (0.002, 0.008)];
    let backwards: Vec<_> = hole.iter().rev().copied().collect();
    for hole in [&hole[..], &backwards[..]] {
        let polygon = area_of(&[vec![ring(SQUARE), ring(hole)]]).expect("sound");
        let s = |x, y| polygon.signed_distance(&Position::new(x, y).expect("on earth"));
        for (x, y) in [(0.0, 0.0), (0.01, 0.005), (0.005, 0.01), (0.002, 0.002), (0.005, 0.008)] {
            assert_eq!(s(x, y), 0.0);
        }
        assert!(s(0.005, 0.005) < -300.0 && s(0.001, 0.005) > 100.0 && s(-0.001, 0.0) < -100.0);
        // A ray to the east through vertices counts them once.
        assert!(s(-0.001, 0.002) < 0.0 && s(0.001, 0.002) > 0.0);
    }
}

fn shape(rings: &[&[(f64, f64)]]) -> Area {
    area_of(&[rings.iter().map(|r| ring(r)).collect()]).expect("sound")
}

fn holds(area: &Area, lon: f64, lat: f64) -> bool {
    area.side(Position::new(lon, lat).expect("on earth").grid()) != Side::Outside
}

fn meters(area: &Area, lon: f64, lat: f64) -> f64 {
    area.signed_distance(&Position::new(lon, lat).expect("on earth"))
}

#[test]
fn a_ring_round_the_earth_encloses_the_pole_on_its_smaller_side() {
    let arctic: &[_] = &[(0.0, 80.0), (120.0, 80.0), (-120.0, 80.0)];
    let uneven: &[_] = &[(10.0, -60.0), (-110.0, -85.0), (130.0, -70.0)];
    for (area, pole) in [(shape(&[arctic]), 90.0), (shape(&[uneven]), -90.0)] {
        for lon in (-180..=180).step_by(15) {
            assert!(holds(&area, f64::from(lon), pole) && !holds(&area, f64::from(lon), -pole), "{lon}");
            assert!(holds(&area, f64::from(lon), pole * 0.999_999_9) && !holds(&area, f64::from(lon), 0.0));
        }
    }
    let area = shape(&[arctic]);
    // On its edge, beside the way by which it is closed, and a degree in: 111.7 km.
    assert_eq!(meters(&area, 60.0, 80.0), 0.0);
    assert!((meters(&area, 0.0, 81.0) - 111_660.0).abs() < 100.0, "{}", meters(&area, 0.0, 81.0));
    assert!((meters(&area, 33.0, 90.0) - 1_116_828.0).abs() < 2_000.0, "{}", meters(&area, 33.0, 90.0));
    assert!((meters(&area, 7.0, 79.0) + 111_650.0).abs() < 100.0, "{}", meters(&area, 7.0, 79.0));
    let twice: &[_] = &[(0.0, 80.0), (120.0, 80.0), (-120.0, 80.0), (0.0, 81.0), (120.0, 81.0), (-120.0, 81.0)];
    assert_eq!(refused(&[twice]), Some(ShapeError::AroundPole));
    // A band round a pole: outline and hole both go round.
    let inner: &[_] = &[(50.0, 85.0), (170.0, 85.0), (-70.0, 85.0)];
    let band = shape(&[arctic, inner]);
    assert!(holds(&band, 10.0, 82.0) && holds(&band, -179.0, 85.0) && !holds(&band, 10.0, 86.0));
    assert!(!holds(&band, 77.0, 90.0));
    assert!((meters(&band, 50.0, 90.0) + 558_470.0).abs() < 1_000.0, "{}", meters(&band, 50.0, 90.0));
}

#[test]
fn a_sector_has_its_pole_at_every_longitude() {
    let sector = shape(&[&[(0.0, 89.0), (90.0, 89.0), (90.0, 90.0), (0.0, 90.0)]]);
    let triangle = shape(&[&[(0.0, 89.0), (90.0, 89.0), (45.0, 90.0)]]);
    for lon in (-180..=180).step_by(20) {
        for area in [&sector, &triangle] {
            assert!(holds(area, f64::from(lon), 90.0) && !holds(area, f64::from(lon), -90.0));
            assert_eq!(meters(area, f64::from(lon), 90.0), 0.0);
        }
    }
    // 55 m from the pole on its far side: the pole is the nearest place.
    assert!((meters(&sector, -135.0, 89.9995) + 55.85).abs() < 0.01, "{}", meters(&sector, -135.0, 89.9995));
    assert!((meters(&sector, 45.0, 89.9995) - 39.49).abs() < 0.01, "{}", meters(&sector, 45.0, 89.9995));
}

#[test]
fn a_rectangle_round_the_world_has_no_edge_at_the_antimeridian() {
    let band = shape(&[&[(-180.0, -60.0), (180.0, -60.0), (180.0, 60.0), (-180.0, 60.0)]]);
    let stepwise =
        shape(&[&[(-180.0, -60.0), (0.0, -60.0), (180.0, -60.0), (180.0, 60.0), (0.0, 60.0), (-180.0, 60.0)]]);
    for area in [&band, &stepwise] {
        for lon in [-180.0, 180.0, 0.0, 179.999_999_9, 90.0] {
            assert!(holds(area, lon, 0.0) && holds(area, lon, 60.0) && holds(area, lon, -60.0), "{lon}");
            assert!(!holds(area, lon, 60.1) && !holds(area, lon, -90.0) && !holds(area, lon, 90.0));
            assert!((meters(area, lon, 59.999) - 111.41).abs() < 0.01, "{}", meters(area, lon, 59.999));
        }
    }
    let all = shape(&[&[(-180.0, -90.0), (180.0, -90.0), (180.0, 90.0), (-180.0, 90.0)]]);
    assert!(holds(&all, 180.0, 90.0) && holds(&all, 3.0, -90.0) && meters(&all, -180.0, 12.0) > 1e7);
    let size = all.size();
    assert!((size - 2.0 * 6_371_007.2).abs() < 1.0, "{size}");
    // A hole over the antimeridian.
    let pierced = shape(&[
        &[(-180.0, -60.0), (180.0, -60.0), (180.0, 60.0), (-180.0, 60.0)],
        &[(170.0, -5.0), (-170.0, -5.0), (-170.0, 5.0), (170.0, 5.0)],
    ]);
    assert!(!holds(&pierced, 180.0, 0.0) && !holds(&pierced, -175.0, 0.0) && !holds(&pierced, 175.0, 0.0));
    assert!(holds(&pierced, 170.0, 0.0) && holds(&pierced, 180.0, 5.1) && holds(&pierced, 165.0, 0.0));
}

#[test]
fn what_was_cut_at_the_antimeridian_is_one_piece() {
    // The western part reaches further south, so a stretch of the cut stays an edge.
    let west = ring(&[(170.0, -2.0), (180.0, -2.0), (180.0, 5.0), (170.0, 5.0)]);
    let east = ring(&[(-180.0, 0.0), (-170.0, 0.0), (-170.0, 5.0), (-180.0, 5.0)]);
    let area = area_of(&[vec![west], vec![east]]).expect("sound");
    let near = meters(&area, 180.0, 2.0);
    assert!((near - meters(&area, -180.0, 2.0)).abs() < 1e-9 && (near - 221_150.0).abs() < 100.0, "{near}");
    assert!(holds(&area, 180.0, 3.0) && holds(&area, -180.0, 3.0) && holds(&area, 180.0, -1.0));
    assert_eq!(meters(&area, -180.0, -1.0), 0.0);
    assert!(!holds(&area, -179.999, -1.0) && meters(&area, 180.0, 0.0) == 0.0);
    // Seven on the ground, and the cut on both of its sides.
    assert_eq!(area.edges().count(), 9);
    let uncut = shape(&[&[(170.0, 0.0), (-170.0, 0.0), (-170.0, 5.0), (170.0, 5.0)]]);
    assert!(holds(&uncut, 180.0, 3.0) && meters(&uncut, 179.0, 4.0) == meters(&uncut, -179.0, 4.0));
}

#[test]
fn an_edge_from_180_to_minus_180_is_nothing_unless_drawn_as_a_whole_turn() {
    // As in Natural Earth's Fiji and Antarctica.
    let fiji = shape(&[&[
        (-180.0, -16.0),
        (-179.9, -16.5),
        (-180.0, -16.6),
        (179.3, -16.8),
        (179.4, -16.3),
        (180.0, -16.0),
    ]]);
    assert!(holds(&fiji, 180.0, -16.4) && holds(&fiji, -179.95, -16.4) && !holds(&fiji, 0.0, -16.4));
    let south: Vec<(f64, f64)> = (-18..=18).map(|i| (f64::from(i) * 10.0, -70.0)).collect();
    let open = shape(&[&south]);
    let drawn: Vec<(f64, f64)> = south.iter().copied().chain([(180.0, -90.0), (-180.0, -90.0)]).collect();
    for area in [open, shape(&[&drawn])] {
        assert!(holds(&area, 12.0, -90.0) && holds(&area, 180.0, -80.0) && !holds(&area, 0.0, -69.0));
        assert!((meters(&area, 180.0, -70.001) - 111.56).abs() < 0.01, "{}", meters(&area, 180.0, -70.001));
    }
}

#[test]
fn rings_may_touch_in_points_as_ogc_allows() {
    // A hole with a corner on its outline's corner, and one with a corner on its side.
    for (x, y) in [(0.0, 0.0), (0.005, 0.0)] {
        let hole: &[_] = &[(x, y), (0.006, 0.002), (0.004, 0.006)];
        assert_eq!(refused(&[SQUARE, hole]), None);
    }
    let nested: &[_] = &[(0.002, 0.002), (0.008, 0.002), (0.008, 0.008), (0.002, 0.008)];
    let within: &[_] = &[(0.004, 0.004), (0.006, 0.004), (0.006, 0.006), (0.004, 0.006)];
    assert_eq!(refused(&[SQUARE, nested, within]), Some(ShapeError::HoleInHole));
    // An island in the hole is a part of its own.
    let island = area_of(&[vec![ring(SQUARE), ring(nested)], vec![ring(within)]]).expect("sound");
    assert!(holds(&island, 0.005, 0.005) && !holds(&island, 0.003, 0.005) && holds(&island, 0.001, 0.005));
    // Corners on the sides of a square, nothing but touching points: only the middles of the edges tell.
    let diamond = ring(&[(0.005, 0.0), (0.01, 0.005), (0.005, 0.01), (0.0, 0.005)]);
    assert_eq!(area_of(&[vec![ring(SQUARE)], vec![diamond]]).err(), Some(ShapeError::PartsOverlap));
}

/// The plain loop over every edge that the boxes must agree with, to the last bit.
fn plain(area: &Area, p: GridPoint) -> (Side, f64) {
    let mut inside = false;
    for turn_x in [0, FULL_TURN, -FULL_TURN] {
        let p = GridPoint { x: p.turned_toward(area.bounds().middle_x()).x + turn_x, y: p.y };
        for (a, b) in area.edges() {
            if on_segment(a, b, p) {
                return (Side::Edge, 0.0);
            }
            let (lower, upper) = if a.y <= b.y { (a, b) } else { (b, a) };
            inside ^= (a.y > p.y) != (b.y > p.y) && turn(lower, upper, p) > 0;
        }
    }
    let home = p.turned_toward(area.bounds().middle_x());
    let mut best = (f64::INFINITY, 0.0);
    for turn_x in [0, FULL_TURN, -FULL_TURN] {
        let frame = crate::geo::metric::Frame::at(GridPoint { x: home.x + turn_x, y: home.y });
        for (a, b) in area.edges() {
            let (fraction, square) = frame.nearest_on(a, b);
            if square < best.0 {
                best = (square, frame.measure(a, b, fraction));
            }
        }
    }
    if inside { (Side::Inside, best.1) } else { (Side::Outside, -best.1) }
}

#[test]
fn boxes_change_no_answer() {
    let wavy = |n: usize, x: f64, y: f64, reach: f64| -> Vec<Position> {
        let corner = |i: usize| {
            let angle = i as f64 / n as f64 * std::f64::consts::TAU;
            let r = reach * (1.0 + 0.3 * (angle * 17.0).sin());
            let x = x + r * angle.cos();
            (if x > 180.0 { x - 360.0 } else { x }, y + r * angle.sin())
        };
        ring(&(0..n).map(corner).collect::<Vec<_>>())
    };
    let holed = area_of(&[
        vec![wavy(700, 179.9, 60.0, 0.2), wavy(90, 179.95, 60.0, 0.05)],
        vec![wavy(40, -179.5, 60.0, 0.1)],
    ]);
    for area in [holed.expect("sound"), area_of(&[vec![wavy(300, 20.0, 89.3, 0.4)]]).expect("sound")] {
        let Bounds { low, high } = area.bounds();
        let mut corners: Vec<GridPoint> = area.edges().step_by(7).map(|(a, _)| a).collect();
        let mut seed = 7_u64;
        let mut next = |from: i64, to: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            from + ((seed >> 33) as i64) % (to - from + 1)
        };
        corners.extend(
            (0..400).map(|_| GridPoint { x: next(low.x - 900_000, high.x + 900_000), y: next(low.y, high.y) }),
        );
        for p in corners {
            let position = Position::of_grid(p);
            let (side, s) = plain(&area, position.grid());
            assert_eq!(area.side(position.grid()), side);
            assert_eq!(area.signed_distance(&position).to_bits(), s.to_bits(), "{s}");
        }
    }
}
