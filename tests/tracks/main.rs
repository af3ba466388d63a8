//! Real recordings against an oracle: what PROJ, GEOS and a plain reading of the rules say must happen along four GPX
//! tracks is what the tracker tells, fix by fix. `data/tracks/make_expected.py` made the tables without our code.
//! Promise: [`load`] is all another test needs to send the same tracks through another door.

mod made;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use waystone::geo::decision::{EnterCause, ExitCause, Transition, TransitionKind};
use waystone::geo::fence::{Fate, Ground, Tracker};
use waystone::geo::index::RegionIndex;
use waystone::geo::position::{Fix, Position};
use waystone::geo::region::Region;
use waystone::geo::rules::FenceRules;
use waystone::geo::shape::Shape;
use waystone::ids::RegionId;
use waystone::units::{Meters, MetersPerSecond, Timestamp};

/// One track as one phone sent it, with what must follow.
struct Run {
    name: String,
    regions: Vec<Region>,
    fixes: Vec<Fix>,
    /// Fix and reason.
    held: Vec<(usize, String)>,
    transitions: Vec<Told>,
}

/// Fix, region, kind, cause, rule, signed distance in metres.
type Told = (usize, String, String, String, String, f64);

#[derive(Deserialize)]
struct Track {
    track: String,
    start_ms: i64,
    seconds: Vec<i64>,
    runs: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    series: String,
    accuracies: Vec<f64>,
    held: Vec<(usize, String)>,
    transitions: Vec<Told>,
}

#[derive(Deserialize)]
struct Collection {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    properties: Properties,
    geometry: Geometry,
}

#[derive(Deserialize)]
struct Properties {
    id: String,
    radius: Option<f64>,
    max_speed: Option<f64>,
    max_accuracy: Option<f64>,
}

type Places = Vec<[f64; 2]>;

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Point([f64; 2]),
    Polygon(Vec<Places>),
    MultiPolygon(Vec<Vec<Places>>),
}

fn place([lon, lat]: [f64; 2]) -> Position {
    Position::new(lon, lat).expect("on earth")
}

fn region(feature: Feature) -> Region {
    let rings = |rings: Vec<Places>| rings.into_iter().map(|ring| ring.into_iter().map(place).collect()).collect();
    let Properties { id, radius, max_speed, max_accuracy } = feature.properties;
    let shape = match feature.geometry {
        Geometry::Point(center) => Shape::circle(place(center), Meters::lossy(radius.expect("a circle has one"))),
        Geometry::Polygon(polygon) => Shape::polygon(rings(polygon)),
        Geometry::MultiPolygon(parts) => Shape::multi_polygon(parts.into_iter().map(rings).collect()),
    };
    let mut rules = FenceRules { max_speed: max_speed.map(MetersPerSecond::lossy), ..FenceRules::default() };
    if let Some(limit) = max_accuracy {
        rules.max_accuracy = Meters::lossy(limit);
    }
    Region::new(RegionId::new(id).expect("short"), shape.expect("Shapely found it valid")).with_rules(rules)
}

fn points(path: &Path) -> Vec<Position> {
    let file = std::fs::File::open(path).expect("the track is beside the tables");
    let recording = gpx::read(std::io::BufReader::new(file)).expect("a GPX file");
    let segments = recording.tracks.into_iter().flat_map(|track| track.segments);
    segments.flat_map(|segment| segment.points).map(|p| place([p.point().x(), p.point().y()])).collect()
}

/// Reads all tracks in all their series.
fn load() -> Vec<Run> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tracks");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("make_expected.py wrote it");
    let mut regions: BTreeMap<String, Collection> = serde_json::from_str(&text("regions.json")).expect("GeoJSON");
    let tracks: Vec<Track> = serde_json::from_str(&text("expected.json")).expect("the tables");
    let mut runs = Vec::new();
    for track in tracks {
        let points = points(&folder.join(format!("{}.gpx", track.track)));
        assert_eq!(points.len(), track.seconds.len(), "{}", track.track);
        let features = regions.remove(&track.track).expect("regions for each track").features;
        let regions: Vec<Region> = features.into_iter().map(region).collect();
        for series in track.runs {
            let fix = |(i, (&position, &seconds)): (usize, (&Position, &i64))| {
                let time = Timestamp::from_millis(track.start_ms + 1000 * seconds);
                let accuracy = Meters::lossy(series.accuracies[i % series.accuracies.len()]);
                Fix::new(position, time).with_seq(i as u64).with_accuracy(accuracy).expect("not negative")
            };
            runs.push(Run {
                name: format!("{} {}", track.track, series.series),
                regions: regions.clone(),
                fixes: points.iter().zip(&track.seconds).enumerate().map(fix).collect(),
                held: series.held,
                transitions: series.transitions,
            });
        }
    }
    runs
}

fn told(fix: usize, transition: &Transition) -> Told {
    let (kind, cause) = match transition.kind {
        TransitionKind::Enter { cause: EnterCause::Fixes } => ("enter", "fixes"),
        TransitionKind::Enter { cause: EnterCause::AlreadyInside } => ("enter", "already_inside"),
        TransitionKind::Enter { cause: EnterCause::Opened } => ("enter", "opened"),
        TransitionKind::Exit { cause: ExitCause::Fixes } => ("exit", "fixes"),
        TransitionKind::Exit { cause: ExitCause::Expired } => ("exit", "expired"),
        TransitionKind::Exit { cause: ExitCause::Closed } => ("exit", "closed"),
        TransitionKind::Cross { .. } => ("cross", ""),
        TransitionKind::Dwell { .. } => ("dwell", ""),
        TransitionKind::Along { .. } => ("along", ""),
    };
    let rule = serde_json::to_value(transition.why.rule).expect("a word");
    let rule = rule.as_str().expect("a word").to_owned();
    (fix, transition.region.to_string(), kind.to_owned(), cause.to_owned(), rule, transition.why.distance.get())
}

#[test]
fn recorded_tracks_tell_what_proj_and_geos_say() {
    let runs = load();
    assert_eq!(runs.len(), 8);
    for run in runs {
        let index = RegionIndex::build(run.regions);
        let mut tracker = Tracker::new();
        let (mut held, mut transitions) = (Vec::new(), Vec::new());
        for (i, fix) in run.fixes.iter().enumerate() {
            let observed = tracker.observe(fix, fix.time(), Ground::all(&index));
            match observed.fate {
                Fate::Accepted { .. } => {}
                Fate::Held(reason) => held.push((i, reason.code().to_owned())),
                Fate::Repeated | Fate::Late | Fate::Refused(_) => panic!("{} {i}: {:?}", run.name, observed.fate),
            }
            transitions.extend(observed.transitions.iter().map(|transition| told(i, transition)));
        }
        assert_eq!(held, run.held, "{}", run.name);
        let plain = |told: &[Told]| told.iter().map(|t| format!("{} {} {} {} {}", t.0, t.1, t.2, t.3, t.4)).collect();
        let (ours, theirs): (Vec<String>, Vec<String>) = (plain(&transitions), plain(&run.transitions));
        assert_eq!(ours, theirs, "{}", run.name);
        for (ours, theirs) in transitions.iter().zip(&run.transitions) {
            assert!((ours.5 - theirs.5).abs() < 0.01, "{}: {ours:?} against {theirs:?}", run.name);
        }
    }
}

#[test]
fn a_track_sent_twice_tells_nothing_more() {
    for run in load() {
        let index = RegionIndex::build(run.regions);
        let mut tracker = Tracker::new();
        let mut count = 0;
        for (i, fix) in run.fixes.iter().enumerate() {
            count += tracker.observe(fix, fix.time(), Ground::all(&index)).transitions.len();
            for again in run.fixes[i.saturating_sub(5)..=i].iter().rev() {
                let observed = tracker.observe(again, fix.time(), Ground::all(&index));
                assert!(
                    matches!(observed.fate, Fate::Repeated | Fate::Late),
                    "{} {i}: {:?}",
                    run.name,
                    observed.fate
                );
                assert!(observed.transitions.is_empty());
            }
        }
        assert_eq!(count, run.transitions.len(), "{}", run.name);
    }
}
