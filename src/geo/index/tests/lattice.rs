//! Shapes of a few units, with each place round them asked: on vertices, edges, and sides of cells and squares.

use super::*;
use proptest::prelude::*;

/// Side of the lattice that vertices lie on.
const SIDE: i64 = 8;

type Points = Vec<(i64, i64)>;

fn ring(points: &[(i64, i64)], x: i64, y: i64) -> Vec<Position> {
    points.iter().map(|&(dx, dy)| unit(x + dx, y + dy)).collect()
}

/// What of these can be a shape: all as one polygon with holes, all as parts, or the first alone.
fn shapes(rings: &[Points], x: i64, y: i64) -> Vec<Shape> {
    let rings: Vec<Vec<Position>> = rings.iter().map(|points| ring(points, x, y)).collect();
    let parts = rings.iter().map(|ring| vec![ring.clone()]).collect();
    let each = rings.iter().map(|ring| Shape::polygon(vec![ring.clone()]));
    let all = [Shape::polygon(rings.clone()), Shape::multi_polygon(parts)];
    // A hole along its outline is refused, but at 180 degrees both are taken for a cut: the corners there are in doubt.
    let in_doubt = |shape: &Shape| matches!(shape, Shape::Area(area) if area.is_joined());
    all.into_iter().chain(each).flatten().filter(|shape| !in_doubt(shape)).collect()
}

/// Compares every place of the lattice and beyond.
fn compare(grid: Grid, regions: &[Region], x: i64, y: i64) {
    let index = RegionIndex::on_grid(grid, regions.to_vec());
    let span = -3..=SIDE + 3;
    let places: Vec<(i64, i64)> = span.clone().flat_map(|dx| span.clone().map(move |dy| (dx, dy))).collect();
    let places: Vec<Position> = places.into_iter().map(|(dx, dy)| unit(x + dx, y + dy)).collect();
    let answers: Vec<Vec<&str>> = places.iter().map(|place| ask_all(regions, place)).collect();
    let on_edge = |place: &Position| regions.iter().any(|region| region.shape.signed_distance(place).get() == 0.0);
    let edges: Vec<bool> = places.iter().map(on_edge).collect();
    for (i, place) in places.iter().enumerate() {
        let (found, safe) = look(&index, place);
        let spot = (place.grid().x - x, place.grid().y - y);
        assert_eq!(found, answers[i], "{spot:?} on {grid:?}");
        for (j, other) in places.iter().enumerate().filter(|(_, other)| safe.holds(other)) {
            let there = (other.grid().x - x, other.grid().y - y);
            assert!(!edges[j] && answers[j] == answers[i], "{spot:?} to {there:?}: {safe:?} on {grid:?}");
        }
    }
}

fn points() -> impl Strategy<Value = Points> {
    prop_oneof![
        prop::collection::vec((0..=SIDE, 0..=SIDE), 3..7),
        // Convex outlines, so that holes and parts come about.
        (0..4_i64, 0..4_i64, 1..5_i64, 1..5_i64, 0..2_i64)
            .prop_map(|(x, y, w, h, lean)| { vec![(x, y), (x + w, y), (x + w, y + h), (x + lean, y + h)] }),
    ]
}

fn corner() -> impl Strategy<Value = (i64, i64)> {
    let x = prop_oneof![Just(0_i64), Just(1_799_999_996), Just(-1_800_000_000), -1_800_000_000..1_800_000_000_i64];
    let y = prop_oneof![Just(0_i64), Just(-5), -800_000_000..800_000_000_i64];
    (x, y)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_place_on_a_lattice_gets_the_right_answer(
        rings in prop::collection::vec(points(), 1..4),
        (x, y) in corner(),
        first in 0_u32..4,
        edges_max in 0_usize..6,
    ) {
        let shapes = shapes(&rings, x, y);
        let names = (0..shapes.len()).map(|i| id(&format!("r{i}")));
        let regions: Vec<Region> = names.zip(shapes).map(|(id, shape)| Region::new(id, shape)).collect();
        for grid in [
            Grid { shifts: [first, first + 1, first + 2, first + 4], edges_max },
            Grid { shifts: [first, 10, 20, 28], edges_max },
            Grid::EARTH,
        ] {
            compare(grid, &regions, x, y);
        }
    }
}

#[test]
fn each_triangle_with_a_slanted_side_through_a_corner_of_a_square_is_right() {
    // Corners of squares lie half a unit off the lattice, where slopes of 1 and 1/3 pass exactly.
    let all: Vec<(i64, i64)> = (0..=3).flat_map(|x| (0..=3).map(move |y| (x, y))).collect();
    for a in [(0, 0), (0, 1), (1, 0)] {
        for &b in &all {
            for &c in &all {
                let shapes = shapes(&[vec![a, b, c]], 0, 0);
                let regions: Vec<Region> = shapes.into_iter().take(1).map(|s| Region::new(id("t"), s)).collect();
                for first in 0..2 {
                    compare(Grid { shifts: [first, first + 1, 3, 28], edges_max: 1 }, &regions, 0, 0);
                }
            }
        }
    }
}
