//! What is refused, and the corners of membership.

use super::*;

fn ring(points: &[(f64, f64)]) -> Vec<Position> {
    points.iter().map(|&(x, y)| Position::new(x, y).expect("on earth")).collect()
}

fn refused(rings: &[&[(f64, f64)]]) -> Option<ShapeError> {
    Polygon::new(rings.iter().map(|r| ring(r)).collect()).err()
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
    for bad in [bow_tie, touching, spike] {
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
    assert_eq!(refused(&[SQUARE, across]), Some(ShapeError::HoleOutside));
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
fn a_ring_round_a_pole_is_refused() {
    assert_eq!(refused(&[&[(0.0, 80.0), (120.0, 80.0), (-120.0, 80.0)]]), Some(ShapeError::AroundPole));
}

#[test]
fn parts_must_not_overlap_but_may_lie_either_side_of_the_antimeridian() {
    let square = |x: f64, y: f64, size: f64| {
        let wrap = |x: f64| if x > 180.0 { x - 360.0 } else { x };
        vec![ring(&[(wrap(x), y), (wrap(x + size), y), (wrap(x + size), y + size), (wrap(x), y + size)])]
    };
    let error = |parts| MultiPolygon::new(parts).err();
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(0.5, 0.5, 1.0)]), Some(ShapeError::RingsCross));
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(1.0, 0.0, 1.0)]), Some(ShapeError::RingsCross));
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(0.2, 0.2, 0.1)]), Some(ShapeError::PartsOverlap));
    assert_eq!(error(vec![square(0.0, 0.0, 1.0), square(1.0, 1.0, 1.0)]), None);
    assert_eq!(error(vec![]), Some(ShapeError::TooFewVertices));
    let fiji = MultiPolygon::new(vec![square(179.0, 0.0, 0.5), square(-179.9, 0.0, 0.5), square(179.8, 1.0, 0.5)]);
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
        let polygon = Polygon::new(vec![ring(SQUARE), ring(hole)]).expect("sound");
        let s = |x, y| polygon.signed_distance(&Position::new(x, y).expect("on earth"));
        for (x, y) in [(0.0, 0.0), (0.01, 0.005), (0.005, 0.01), (0.002, 0.002), (0.005, 0.008)] {
            assert_eq!(s(x, y), 0.0);
        }
        assert!(s(0.005, 0.005) < -300.0 && s(0.001, 0.005) > 100.0 && s(-0.001, 0.0) < -100.0);
        // A ray to the east through vertices counts them once.
        assert!(s(-0.001, 0.002) < 0.0 && s(0.001, 0.002) > 0.0);
    }
}
