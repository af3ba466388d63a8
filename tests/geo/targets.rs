//! What fuzzing calls: each takes any bytes and panics when a promise is broken. `fuzz/` runs them by the million,
//! `corpus.rs` replays what was kept and a few seconds of chance on every test run.

use std::collections::BTreeMap;
use waystone::geo::decision::TransitionKind;
use waystone::geo::fence::{Fate, Ground, Tracker};
use waystone::geo::geojson::{Feature, export, import};
use waystone::geo::index::RegionIndex;
use waystone::geo::position::{Fix, Position};
use waystone::geo::region::Region;
use waystone::geo::shape::Shape;
use waystone::ids::RegionId;
use waystone::units::{Meters, Timestamp};

/// What is read is written, read back and written again; from the first reading on nothing changes but where a cut
/// at the antimeridian must round, and after that nothing at all.
pub fn geojson(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = import(text);
    for fault in &read.faults {
        assert!(!fault.to_string().is_empty());
    }
    let once = read_back(&read.features);
    assert!(read_back(&once) == once, "read back it is another");
    for feature in &once {
        assert!(feature.shape.size().get().is_finite());
        let Shape::Area(area) = &feature.shape else { continue };
        assert!(area.vertices() >= 3);
        vertices(
            &export(std::slice::from_ref(feature))["features"][0]["geometry"]["coordinates"],
            &mut |lon, lat| {
                let corner = Position::new(lon, lat).expect("written by us");
                assert!(feature.shape.holds(&corner), "a corner is outside");
                assert!(feature.shape.signed_distance(&corner).get() >= 0.0, "a corner has a distance below zero");
            },
        );
    }
}

fn read_back(features: &[Feature]) -> Vec<Feature> {
    let again = import(&export(features).to_string());
    assert!(again.faults.is_empty(), "what was written is refused: {:?}", again.faults);
    assert!(
        features.iter().map(|f| (&f.id, &f.properties)).eq(again.features.iter().map(|f| (&f.id, &f.properties)))
    );
    again.features
}

/// Calls `each` with every position in nested lists.
fn vertices(value: &serde_json::Value, each: &mut impl FnMut(f64, f64)) {
    match value.as_array().map(Vec::as_slice) {
        Some([lon, lat]) if lon.is_number() => each(lon.as_f64().expect("a number"), lat.as_f64().expect("a number")),
        Some(list) => list.iter().for_each(|value| vertices(value, each)),
        None => {}
    }
}

/// Bytes read one after another; behind the end there are zeros.
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn signed(&mut self) -> i64 {
        i64::from(i16::from_le_bytes([self.byte(), self.byte()]))
    }
}

/// Where regions and fixes lie, in units: at home, over the antimeridian, beside a pole, on the equator.
const HOMES: [(i64, i64); 4] =
    [(249_413_250, 601_687_120), (1_799_999_000, -170_000_000), (700_000_000, 899_999_000), (0, 0)];

fn place(home: (i64, i64), dx: i64, dy: i64) -> Position {
    let x = (home.0 + dx + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
    let y = (home.1 + dy).clamp(-900_000_000, 900_000_000);
    Position::new(x as f64 / 1e7, y as f64 / 1e7).expect("on earth")
}

fn shape(bytes: &mut Bytes, home: (i64, i64)) -> Option<Shape> {
    let kind = bytes.byte();
    let size = f64::from(bytes.byte()) * 2.0;
    let count = usize::from(kind >> 4) + 2;
    let mut corner = || place(home, bytes.signed(), bytes.signed());
    match kind % 3 {
        0 => Shape::circle(corner(), Meters::lossy(size)).ok(),
        1 => Shape::corridor((0..count).map(|_| corner()).collect(), Meters::lossy(size)).ok(),
        _ => Shape::polygon(vec![(0..=count).map(|_| corner()).collect()]).ok(),
    }
}

/// Regions and fixes: a player enters what they are outside of and leaves what they are inside of, the tracker says the
/// same of itself, a fix that was taken does nothing when it comes again, and fixes that are done after four comparisons
/// tell what they would tell the long way round.
pub fn tracker(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let head = bytes.byte();
    let home = HOMES[usize::from(head % 4)];
    let count = usize::from(head >> 4) % 5 + 1;
    let shapes = (0..count).filter_map(|_| shape(&mut bytes, home));
    let regions: Vec<Region> =
        shapes.enumerate().map(|(i, s)| Region::new(RegionId::new(format!("r{i}")).expect("short"), s)).collect();
    let index = RegionIndex::build(regions);
    // The second one gives an account of each decision, for which it takes the long way round.
    let (mut tracker, mut accounting) = (Tracker::new(), Tracker::new());
    let mut inside = BTreeMap::new();
    let mut now = 1_800_000_000_000_i64;
    while !bytes.0.is_empty() {
        let at = place(home, bytes.signed(), bytes.signed());
        // Mostly forward, sometimes back, sometimes far.
        let step = i64::from(bytes.byte() as i8);
        now += if step == i64::from(i8::MAX) { 90_000_000 } else { step.max(0) * 500 };
        let time = Timestamp::from_millis(now + step.min(0) * 1_000);
        let accuracy = Meters::lossy(f64::from(bytes.byte()));
        let fix = Fix::new(at, time).with_accuracy(accuracy).expect("not negative");
        let (server, ground) = (Timestamp::from_millis(now), Ground::all(&index));
        let observed = tracker.observe(&fix, server, ground);
        let same = accounting.observe_explained(&fix, server, ground, &mut |_| {});
        assert_eq!(observed, same, "the short way tells otherwise than the long one");
        for transition in &observed.transitions {
            let was = inside.get(&transition.region).copied().unwrap_or(false);
            match transition.kind {
                TransitionKind::Enter { .. } => assert!(!was, "entered twice"),
                TransitionKind::Exit { .. } => assert!(was, "left without having entered"),
                TransitionKind::Dwell { .. } => assert!(was, "dwells outside"),
                TransitionKind::Cross { .. } | TransitionKind::Along { .. } => continue,
            }
            inside.insert(transition.region.clone(), !matches!(transition.kind, TransitionKind::Exit { .. }));
        }
        let told = inside.iter().filter(|(_, inside)| **inside).map(|(id, _)| id);
        let mut known: Vec<_> = tracker.inside().map(|(id, _)| id).collect();
        known.sort_unstable();
        assert!(told.eq(known), "the tracker thinks otherwise than it told");
        if matches!(observed.fate, Fate::Accepted { .. }) {
            let again = tracker.observe(&fix, server, ground);
            assert!(again.fate == Fate::Repeated && again.transitions.is_empty(), "a repeat did something");
        }
    }
}
