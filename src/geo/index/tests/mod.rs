//! The index against asking every region: on tiny lattices, exhaustively; on the whole earth, by chance; after edits.

mod earth;
mod edits;
mod lattice;

use super::*;
use crate::geo::metric::GridPoint;
use crate::geo::region::OuterRing;
use crate::geo::shape::Shape;

fn at(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).expect("on earth")
}

/// A place by whole units, its longitude wrapped.
fn unit(x: i64, y: i64) -> Position {
    Position::of_grid(GridPoint { x, y })
}

fn id(name: &str) -> RegionId {
    RegionId::new(name).expect("short")
}

fn circle(name: &str, lon: f64, lat: f64, radius: f64) -> Region {
    let shape = Shape::circle(at(lon, lat), Meters::lossy(radius)).expect("in range");
    Region::new(id(name), shape)
}

fn with_rings(region: Region, reaches: &[f64]) -> Region {
    let ring = |&reach: &f64| OuterRing { name: format!("within {reach}"), reach: Meters::lossy(reach) };
    Region { rings: reaches.iter().map(ring).collect(), ..region }
}

fn names<'a>(found: impl IntoIterator<Item = &'a Arc<Region>>) -> Vec<&'a str> {
    let mut names: Vec<&str> = found.into_iter().map(|region| region.id.as_str()).collect();
    names.sort_unstable();
    names
}

/// What `look` finds and its box.
fn look<'a>(index: &'a RegionIndex, place: &Position) -> (Vec<&'a str>, SafeBox) {
    let mut found = Vec::new();
    let safe = index.look(place, &mut found);
    (names(found), safe)
}

/// The names of all regions that hold the place, by asking each.
fn ask_all<'a>(regions: &'a [Region], place: &Position) -> Vec<&'a str> {
    let holds = |region: &&Region| region.shape.signed_distance(place).get() >= -region.reach().get();
    let mut names: Vec<&str> = regions.iter().filter(holds).map(|region| region.id.as_str()).collect();
    names.sort_unstable();
    names
}

/// In which region or ring a place is: what a safe box promises to be the same.
fn sides(regions: &[Region], place: &Position) -> Vec<bool> {
    let of_region = |region: &Region| {
        let s = region.shape.signed_distance(place).get();
        let rings: Vec<bool> = region.rings.iter().map(|ring| s >= -ring.reach.get()).collect();
        rings.into_iter().chain([s >= 0.0])
    };
    regions.iter().flat_map(of_region).collect()
}

#[test]
fn near_finds_across_the_antimeridian_and_at_the_pole_each_once() {
    let index = RegionIndex::build(vec![
        circle("east", 179.9999, 0.0, 50.0),
        circle("west", -179.9999, 0.0, 50.0),
        circle("far", 179.9, 0.0, 50.0),
        circle("pole", 30.0, 89.99, 5_000.0),
        circle("home", 24.94, 60.17, 75.0),
    ]);
    for lon in [180.0, -180.0, 179.9999, -179.9999] {
        assert_eq!(names(index.near(&at(lon, 0.0), Meters::ZERO)), ["east", "west"], "{lon}");
    }
    assert_eq!(names(index.near(&at(179.99, 0.0), Meters::lossy(2_000.0))), ["east", "west"]);
    assert_eq!(names(index.near(&at(-150.0, 89.99), Meters::ZERO)), ["pole"]);
    assert_eq!(names(index.near(&at(24.94, 60.1707), Meters::ZERO)), Vec::<&str>::new());
    assert_eq!(names(index.near(&at(24.94, 60.1707), Meters::lossy(10.0))), ["home"]);
    assert_eq!(names(index.between(&at(179.95, 0.0), &at(-179.95, 0.0))), ["east", "west"]);
}

#[test]
fn get_finds_by_id_and_the_last_of_twins_counts() {
    let index =
        RegionIndex::build(vec![circle("a", 0.0, 0.0, 5.0), circle("b", 0.0, 0.0, 5.0), circle("a", 1.0, 1.0, 7.0)]);
    let radius = |name: &str| index.get(&id(name)).map(|region| region.shape.size().get());
    assert_eq!((radius("a"), radius("b"), radius("c"), index.len()), (Some(7.0), Some(5.0), None, 2));
    assert_eq!(look(&index, &at(0.0, 0.0)).0, ["b"]);
}

#[test]
fn a_default_box_holds_nothing_and_an_empty_index_is_safe_anywhere() {
    let nowhere = SafeBox::default();
    let everywhere = RegionIndex::build(Vec::new());
    for (lon, lat) in [(0.0, 0.0), (-180.0, -90.0), (179.999, 90.0), (24.94, 60.17)] {
        assert!(!nowhere.holds(&at(lon, lat)));
        assert!(look(&everywhere, &at(lon, lat)).1.holds(&at(lon, lat)));
    }
}
