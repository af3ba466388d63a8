//! Shapes of every kind at every latitude, over the antimeridian and the poles, asked at random and near their edges.

use super::*;
use crate::geo::metric::FULL_TURN;
use proptest::prelude::*;

/// A place and a shape's kind, size and rings in numbers that proptest makes smaller on failure.
#[derive(Debug, Clone)]
struct Seed {
    lon: i64,
    lat: i64,
    kind: u8,
    /// Metres.
    size: f64,
    corners: Vec<(f64, f64)>,
    rings: Vec<f64>,
}

impl Seed {
    /// The place so many sizes east and north of its middle.
    fn place(&self, (u, v): (f64, f64)) -> Position {
        let y = (self.lat as f64 / 1e7 + v * self.size / 111_320.0).clamp(-90.0, 90.0);
        let scale = 111_320.0 * y.to_radians().cos().max(1e-3);
        let x = self.lon + (u * self.size / scale * 1e7) as i64 % (FULL_TURN / 2);
        unit(x, (y * 1e7).round() as i64)
    }

    fn corner(&self, i: usize, part: f64) -> Position {
        let (turn, reach) = self.corners[i];
        let angle = (i as f64 + turn) / self.corners.len() as f64 * std::f64::consts::TAU;
        self.place((part * reach * angle.cos(), part * reach * angle.sin()))
    }

    fn region(&self, name: &str) -> Option<Region> {
        let ring = |part: f64| (0..self.corners.len()).map(|i| self.corner(i, part)).collect::<Vec<Position>>();
        let shape = match self.kind {
            0 => Shape::circle(self.place((0.0, 0.0)), Meters::lossy(self.size)),
            1 => Shape::polygon(vec![ring(1.0)]),
            2 => Shape::polygon(vec![ring(1.0), ring(0.4)]),
            _ => Shape::corridor(ring(1.0), Meters::lossy(self.size * 0.4)),
        };
        Some(with_rings(Region::new(id(name), shape.ok()?), &self.rings))
    }
}

fn seed() -> impl Strategy<Value = Seed> {
    let lon = prop_oneof![Just(0_i64), Just(1_799_999_000), Just(-1_800_000_000), -1_800_000_000..1_800_000_000_i64];
    let lat = prop_oneof![3 => -880_000_000..880_000_000_i64, 1 => 885_000_000..=900_000_000_i64, 1 => Just(0)];
    let size = prop_oneof![6 => 2.0..400.0, 2 => 400.0..5_000.0, 1 => 5_000.0..90_000.0];
    let rings = prop_oneof![
        2 => Just(vec![]),
        1 => (1.0..2_000.0_f64).prop_map(|r| vec![r]),
        1 => (1.0..300.0_f64).prop_map(|r| vec![3.0 * r, 2.0 * r, r]),
    ];
    let corners = prop::collection::vec((0.05_f64..0.95, 0.4_f64..1.0), 3..20);
    (lon, lat, 0_u8..4, size, corners, rings).prop_map(|(lon, lat, kind, size, corners, rings)| Seed {
        lon,
        lat,
        kind,
        size,
        corners,
        rings,
    })
}

/// Places in a box: its corners, its middle and some between.
fn inside(safe: &SafeBox) -> Vec<Position> {
    let between = |low: i32, high: i32, part: i64| i64::from(low) + (i64::from(high) - i64::from(low)) * part / 7;
    let parts = [0, 1, 3, 4, 7];
    let places = parts.into_iter().flat_map(|x| parts.into_iter().map(move |y| (x, y)));
    places.map(|(x, y)| unit(between(safe.west, safe.east, x), between(safe.south, safe.north, y))).collect()
}

/// Places along the straight way between two.
fn steps(from: &Position, to: &Position) -> impl Iterator<Item = Position> {
    let start = from.grid();
    let end = to.grid().turned_toward(start.x);
    let between = move |a: i64, b: i64, part: i64| a + (b - a) * part / 300;
    (0..=300).map(move |part| unit(between(start.x, end.x, part), between(start.y, end.y, part)))
}

/// A place asked for in the index and of each region, also in the box that the index says is safe.
fn compare(index: &RegionIndex, regions: &[Region], place: &Position) {
    let (found, safe) = look(index, place);
    assert_eq!(found, ask_all(regions, place), "at {:?}", (place.lon(), place.lat()));
    if safe == SafeBox::default() {
        return;
    }
    assert!(safe.holds(place) || place.lon() == 180.0, "{safe:?} is not round {:?}", (place.lon(), place.lat()));
    let here = sides(regions, place);
    for other in inside(&safe) {
        let there = sides(regions, &other);
        assert_eq!(here, there, "from {:?} to {:?}", (place.lon(), place.lat()), (other.lon(), other.lat()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn cell_size_changes_nothing_and_no_region_is_missed(
        seeds in prop::collection::vec(seed(), 1..4),
        spots in prop::collection::vec((-2.5_f64..2.5, -2.5_f64..2.5), 24),
    ) {
        // The regions of one case lie on one another.
        let (lon, lat) = (seeds[0].lon, seeds[0].lat);
        let seeds: Vec<Seed> = seeds.into_iter().map(|seed| Seed { lon, lat, ..seed }).collect();
        let named = seeds.iter().enumerate().filter_map(|(i, seed)| seed.region(&format!("r{i}")));
        let regions: Vec<Region> = named.collect();
        let mut places: Vec<Position> = spots.iter().map(|&spot| seeds[0].place(spot)).collect();
        // Vertices, middles of edges, and where circles end.
        let corners = seeds.iter().flat_map(|s| (0..s.corners.len()).map(|i| s.corner(i, 1.0)));
        places.extend(corners);
        let around = seeds.iter().flat_map(|s| [(1.0, 0.0), (0.0, 1.0), (-0.6, 0.8)].map(|spot| s.place(spot)));
        places.extend(around);
        for grid in [Grid::EARTH, Grid { shifts: [13, 17, 22, 28], edges_max: 4 }] {
            let index = RegionIndex::on_grid(grid, regions.clone());
            for place in &places {
                compare(&index, &regions, place);
            }
        }
    }

    #[test]
    fn near_and_between_never_miss(
        seeds in prop::collection::vec(seed(), 1..4),
        spots in prop::collection::vec((-4.0_f64..4.0, -4.0_f64..4.0), 6),
        halo in 0.0_f64..3_000.0,
    ) {
        let named = seeds.iter().enumerate().filter_map(|(i, seed)| seed.region(&format!("r{i}")));
        let regions: Vec<Region> = named.collect();
        let index = RegionIndex::build(regions.clone());
        for pair in spots.windows(2) {
            let (from, to) = (seeds[0].place(pair[0]), seeds[0].place(pair[1]));
            let near = names(index.near(&from, Meters::lossy(halo)));
            let between = names(index.between(&from, &to));
            for region in &regions {
                let s = region.shape.signed_distance(&from).get();
                let name = region.id.as_str();
                prop_assert!(s < -region.reach().get() - halo * 0.98 || near.contains(&name), "{name} is near");
                // What holds both ends may hold all of the way.
                let (start, end) = (region.shape.holds(&from), region.shape.holds(&to));
                // Near a pole a corridor takes its surroundings for flat: there the way is asked step by step.
                let polar = from.lat().abs().max(to.lat().abs()) > 88.0;
                let on_the_way =
                    || if polar { steps(&from, &to).any(|p| region.shape.holds(&p)) } else { region.shape.touched_by(&from, &to) };
                let touched = start != end || !start && on_the_way();
                prop_assert!(!touched || between.contains(&name), "{name} is on the way");
            }
        }
    }
}

#[test]
fn both_names_of_the_antimeridian_are_one_place() {
    let square = |west: f64, east: f64| vec![at(west, 1.0), at(east, 1.0), at(east, 1.001), at(west, 1.001)];
    let shape = |ring: Vec<Position>| Shape::polygon(vec![ring]).expect("sound");
    let index = RegionIndex::build(vec![
        circle("round", 180.0, 1.0, 60.0),
        Region::new(id("east-of-it"), shape(square(-180.0, -179.999))),
        Region::new(id("over-it"), shape(square(179.999, -179.999))),
        Region::new(id("west-of-it"), shape(square(179.999, 180.0))),
    ]);
    for lat in [1.0, 1.0002, 1.0005, 1.001] {
        let (east, west) = (look(&index, &at(180.0, lat)).0, look(&index, &at(-180.0, lat)).0);
        assert_eq!(east, west);
        assert_eq!(east.len(), if lat < 1.0006 { 4 } else { 3 }, "{lat}");
    }
}

#[test]
fn a_pole_is_one_place_of_all_longitudes() {
    let ring = vec![at(10.0, 89.0), at(40.0, 89.5), at(25.0, 90.0)];
    let index = RegionIndex::build(vec![
        Region::new(id("to-the-pole"), Shape::polygon(vec![ring]).expect("sound")),
        circle("round-it", 70.0, 89.99, 5_000.0),
        circle("other-pole", 70.0, -89.99, 5_000.0),
    ]);
    for lon in [-180.0, -88.5, 0.0, 25.0, 180.0] {
        assert_eq!(look(&index, &at(lon, 90.0)).0, ["round-it", "to-the-pole"], "{lon}");
    }
    assert_eq!(look(&index, &at(3.0, -90.0)).0, ["other-pole"]);
}
