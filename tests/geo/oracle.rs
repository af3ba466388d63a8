//! Every answer of the oracle against [`Shape`], and against the index.

use crate::places::{Box4, Dice, Drawn, Place, drawn, place};
use base64::Engine as _;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;
use waystone::geo::geojson::{Feature, export, import};
use waystone::geo::index::RegionIndex;
use waystone::geo::position::Position;
use waystone::geo::region::Region;
use waystone::geo::shape::Shape;
use waystone::ids::RegionId;
use waystone::units::Meters;

#[derive(Deserialize)]
struct Expected {
    set: String,
    seed: u64,
    places: usize,
    refused: Vec<usize>,
    decisions: usize,
    inside: usize,
    bits: String,
    /// Area, longitude and latitude in units, tenths of millimetres to the edge (inside positive).
    distances: Vec<(usize, i64, i64, i64)>,
}

/// One set of areas with what is expected of it.
struct Set {
    expected: Expected,
    areas: Vec<Drawn>,
    shapes: Vec<Shape>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/polygons")
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).expect("gzip");
    out
}

fn load(name: &str) -> Set {
    let all: Vec<Expected> =
        serde_json::from_slice(&std::fs::read(folder().join("expected.json")).expect("there")).expect("sound");
    let expected = all.into_iter().find(|expected| expected.set == name).expect("a set of that name");
    let file = std::fs::read(folder().join(format!("{name}.geojson.gz"))).expect("there");
    let text = String::from_utf8(unzipped(&file)).expect("UTF-8");
    let imported = import(&text);
    // What GEOS calls invalid is refused, and nothing else.
    let refused: Vec<usize> =
        imported.faults.iter().filter_map(|fault| fault.feature.as_ref()).map(|feature| feature.index).collect();
    assert_eq!(refused, expected.refused, "{name}");
    let some: Vec<Feature> = imported.features.iter().step_by(9).cloned().collect();
    let once = import(&export(&some).to_string());
    assert!(once.faults.is_empty() && once.features.len() == some.len(), "{name} is read back");
    assert!(import(&export(&once.features).to_string()).features == once.features, "{name} stays the same");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let features = json["features"].as_array().expect("a list").iter().enumerate();
    let sound = features.filter(|(i, _)| !expected.refused.contains(i));
    let areas = sound.map(|(_, feature)| drawn(&feature["geometry"])).collect();
    Set { expected, areas, shapes: imported.features.into_iter().map(|feature| feature.shape).collect() }
}

fn position((x, y): Place) -> Position {
    Position::new(x as f64 / 1e7, y as f64 / 1e7).expect("on earth")
}

/// The areas whose box may hold a place, by whole degrees.
fn by_degree(areas: &[Drawn]) -> BTreeMap<(i64, i64), Vec<usize>> {
    const DEGREE: i64 = 10_000_000;
    let mut cells = BTreeMap::<_, Vec<usize>>::new();
    for (i, Drawn { bounds: (west, south, east, north), .. }) in areas.iter().enumerate() {
        for x in west.div_euclid(DEGREE)..=east.div_euclid(DEGREE) {
            for y in south.div_euclid(DEGREE)..=north.div_euclid(DEGREE) {
                cells.entry((x, y)).or_default().push(i);
            }
        }
    }
    cells
}

fn within((x, y): Place, (west, south, east, north): Box4) -> bool {
    west <= x && x <= east && south <= y && y <= north
}

/// The regions that hold a place, by the index: the one place to change when the index is asked in another way.
fn look<'i>(index: &'i RegionIndex, position: &Position) -> BTreeSet<&'i str> {
    let near = index.near(position, Meters::ZERO);
    near.filter(|region| region.shape.holds(position)).map(|region| region.id.as_str()).collect()
}

fn compare(name: &str) {
    let Set { expected, areas, shapes } = load(name);
    let packed = base64::engine::general_purpose::STANDARD.decode(&expected.bits).expect("base64");
    let bits = unzipped(&packed);
    let region =
        |(i, shape): (usize, &Shape)| Region::new(RegionId::new(i.to_string()).expect("short"), shape.clone());
    let names: Vec<String> = (0..shapes.len()).map(|i| i.to_string()).collect();
    let index = RegionIndex::build(shapes.iter().enumerate().map(region).collect());
    let cells = by_degree(&areas);
    let (mut dice, mut decided, mut inside) = (Dice(expected.seed), 0, 0);
    for number in 0..expected.places {
        let p = place(&mut dice, number, &areas);
        let at = position(p);
        let mut holders = BTreeSet::new();
        let cell = cells.get(&(p.0.div_euclid(10_000_000), p.1.div_euclid(10_000_000)));
        for &i in cell.into_iter().flatten().filter(|&&i| within(p, areas[i].bounds)) {
            let wanted = bits[decided / 8] >> (decided % 8) & 1 == 1;
            assert_eq!(shapes[i].holds(&at), wanted, "{name}: area {i}, place {number} {p:?}");
            if wanted {
                holders.insert(names[i].as_str());
            }
            decided += 1;
        }
        inside += holders.len();
        // All five kinds of places come by.
        if number.is_multiple_of(3) {
            assert_eq!(look(&index, &at), holders, "{name}: by the index, place {number} {p:?}");
        }
    }
    assert_eq!((decided, inside), (expected.decisions, expected.inside), "{name}");
    for &(i, x, y, tenths) in &expected.distances {
        let (ours, theirs) = (shapes[i].signed_distance(&position((x, y))).get(), tenths as f64 / 1e4);
        assert!((ours - theirs).abs() <= 0.01, "{name}: area {i}, ({x}, {y}): {ours} m against {theirs} m");
    }
}

#[test]
fn buildings_and_parks_of_helsinki() {
    compare("helsinki");
}

#[test]
fn counties_of_the_united_states() {
    compare("counties");
}

#[test]
fn countries_over_the_antimeridian_and_round_a_pole() {
    compare("countries");
}

#[test]
fn time_zones_of_europe_antarctica_and_the_pacific() {
    compare("timezones");
}
