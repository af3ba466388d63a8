//! Real recordings through the front door: the tables of `data/tracks`, made by Shapely, GEOS and PROJ without our
//! code, against the notices that a phone gets for its batches of fixes.
//!
//! The regions become the places of quests, one quest for each set of rules. A quest's place has one outline, so the
//! areas of several parts stay with `tests/tracks`, which holds the fence alone against the same tables; what a
//! region tells does not depend on the others. `cross` has no notice.

use crate::harness::{DEADLINE, TestServer};
use crate::phone::Phone;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use waystone::app::QuestSource;
use waystone::net::client::ClientError;
use waystone::units::Timestamp;

/// A batch spans at most this: what is older than ten minutes is history.
const SPAN_S: i64 = 500;
const BATCH: usize = 100;

/// One track as one phone sent it, with what must follow.
struct Run {
    name: String,
    quests: Vec<QuestSource>,
    start_ms: i64,
    fixes: Vec<Value>,
    /// Fix and reason.
    held: Vec<(usize, String)>,
    told: Vec<Told>,
}

/// Fix, place, `entered` or `left`, rule, metres to the edge.
type Told = (usize, String, &'static str, String, f64);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tracks")
}

fn table(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(name)).expect("make_expected.py wrote it");
    serde_json::from_str(&text).expect("JSON")
}

fn points(track: &str) -> Vec<[f64; 2]> {
    let file = std::fs::File::open(folder().join(format!("{track}.gpx"))).expect("the track is beside the tables");
    let recording = gpx::read(std::io::BufReader::new(file)).expect("a GPX file");
    let segments = recording.tracks.into_iter().flat_map(|track| track.segments);
    segments.flat_map(|segment| segment.points).map(|point| [point.point().x(), point.point().y()]).collect()
}

/// `Mojstrovka:07` is the place `p07`.
fn place_of(region: &str) -> String {
    format!("p{}", region.rsplit_once(':').expect("track:number").1)
}

/// Quests whose open steps are visits to the regions, by their rules. None can be finished, so that all stay watched.
fn quests(features: &[Value]) -> (Vec<QuestSource>, Vec<String>) {
    let mut by_rules: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for feature in features.iter().filter(|feature| feature["geometry"]["type"] != "MultiPolygon") {
        let properties = &feature["properties"];
        let mut rules = Vec::new();
        for (property, key) in [("max_speed", "max_speed"), ("max_accuracy", "min_accuracy")] {
            if let Some(limit) = properties[property].as_f64() {
                rules.push(format!("{key}: {limit}"));
            }
        }
        by_rules.entry(rules.join(", ")).or_default().push(feature);
    }
    let mut places = Vec::new();
    let sources = by_rules.iter().enumerate().map(|(n, (rules, features))| {
        let mut text = format!("schema: quest/v1\nid: q{n}\ntitle: Track\nsafety: {{ {rules} }}\nplaces:\n");
        let mut steps = "steps:\n  - { id: never, answer: { question: Why, accept: [because] } }\n".to_owned();
        for feature in features {
            let place = place_of(feature["properties"]["id"].as_str().expect("an id"));
            let (shape, coordinates) = (&feature["geometry"]["type"], &feature["geometry"]["coordinates"]);
            let outline = match shape.as_str() {
                Some("Point") => format!("center: {coordinates}, radius: {}", feature["properties"]["radius"]),
                _ => format!("polygon: {coordinates}"),
            };
            let _ = writeln!(text, "  {place}: {{ {outline} }}");
            let _ = writeln!(steps, "  - {{ id: s-{place}, visit: {{ at: {place} }} }}");
            places.push(place);
        }
        QuestSource { name: format!("q{n}.yaml"), text: text + &steps }
    });
    (sources.collect(), places)
}

/// Reads all tracks in all their series.
fn load() -> Vec<Run> {
    let (regions, mut runs) = (table("regions.json"), Vec::new());
    for track in table("expected.json").as_array().expect("tracks") {
        let name = track["track"].as_str().expect("a name");
        let (points, start_ms) = (points(name), track["start_ms"].as_i64().expect("a time"));
        let seconds: Vec<i64> = serde_json::from_value(track["seconds"].clone()).expect("numbers");
        let (quests, places) = quests(regions[name]["features"].as_array().expect("features"));
        for series in track["runs"].as_array().expect("series") {
            let accuracies = series["accuracies"].as_array().expect("numbers");
            let fix = |(i, ([lon, lat], second)): (usize, (&[f64; 2], &i64))| {
                let acc = &accuracies[i % accuracies.len()];
                json!({ "lon": lon, "lat": lat, "acc": acc, "t": start_ms + 1000 * second, "seq": i })
            };
            let expected: Vec<(usize, String, String, String, String, f64)> =
                serde_json::from_value(series["transitions"].clone()).expect("a table");
            let told = expected.into_iter().filter_map(|(fix, region, kind, _, rule, metres)| {
                let what = match kind.as_str() {
                    "enter" => "entered",
                    "exit" => "left",
                    _ => return None,
                };
                let place = Some(place_of(&region)).filter(|place| places.contains(place))?;
                Some((fix, place, what, rule, metres))
            });
            runs.push(Run {
                name: format!("{name} {}", series["series"]),
                quests: quests.clone(),
                start_ms,
                fixes: points.iter().zip(&seconds).enumerate().map(fix).collect(),
                held: serde_json::from_value(series["held"].clone()).expect("a table"),
                told: told.collect(),
            });
        }
    }
    runs
}

/// Batches of at most 100 fixes and a span that does not grow old.
fn batches(fixes: &[Value]) -> impl Iterator<Item = &[Value]> {
    let time = |fix: &Value| fix["t"].as_i64().expect("a time");
    let mut rest = fixes;
    std::iter::from_fn(move || {
        let first = time(rest.first()?);
        let within = rest.iter().take(BATCH).take_while(|fix| time(fix) - first <= SPAN_S * 1000).count();
        let (batch, after) = rest.split_at(within);
        rest = after;
        Some(batch)
    })
}

/// Sends a batch, waiting as long as the server says when it is too much.
async fn send(phone: &Phone, batch: &[Value]) -> Value {
    let end = Instant::now() + DEADLINE;
    loop {
        match phone.client.rpc("fixes", json!({ "fixes": batch })).await {
            Ok(reply) => return reply,
            Err(ClientError::Rpc { code: 111, message, .. }) if Instant::now() < end => {
                let wait = message.split(' ').find_map(|word| word.parse().ok());
                sleep(Duration::from_millis(wait.unwrap_or_else(|| panic!("how long? {message}")))).await;
            }
            Err(err) => panic!("{err}"),
        }
    }
}

async fn walk(run: Run) {
    let server = TestServer::start_at(Timestamp::from_millis(run.start_ms), run.quests.clone(), |_| {}).await;
    let mut phone = server.phone("walker").await;
    for n in 0..run.quests.len() {
        phone.start(&format!("q{n}")).await;
    }
    let (mut held, mut sent, mut accepted) = (Vec::new(), 0, 0);
    for batch in batches(&run.fixes) {
        let last = batch.last().expect("not empty")["t"].as_i64().expect("a time");
        let behind = last - server.clock.now().as_millis();
        server.clock.advance(Duration::from_millis(u64::try_from(behind).unwrap_or(0)));
        let reply = send(&phone, batch).await;
        for ignored in reply["ignored"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let index = usize::try_from(ignored["index"].as_u64().expect("a place")).expect("small");
            held.push((sent + index, ignored["reason"].as_str().expect("a reason").to_owned()));
        }
        sent += batch.len();
        accepted += reply["accepted"].as_u64().expect("a count");
        assert_eq!(reply["seq"], sent - 1, "{reply}");
    }
    assert_eq!(held, run.held, "{}", run.name);
    assert_eq!(accepted as usize + held.len(), sent, "{}", run.name);

    // As many notices as the table has; one more would come before the farewell.
    let crossings = [json!({ "type": "region.entered" }), json!({ "type": "region.left" })];
    let mut told = Vec::new();
    for _ in 0..run.told.len() {
        told.push(crossing(&run, &phone.expect_any(&crossings).await));
    }
    server.entries().await;
    phone.act("quest.leave", json!({ "quest": "q0" })).await;
    phone.expect(json!({ "type": "quest.ended" })).await;
    let count = phone.count(&crossings[0]) + phone.count(&crossings[1]);
    assert_eq!(count, run.told.len(), "{}: more was told than happened: {:#?}", run.name, phone.notices);

    // Regions speak in their own order, and each in the order of the fixes; the table has them by fix, then region.
    let order = |told: &[Told], place: &str| -> Vec<usize> {
        told.iter().filter(|told| told.1 == place).map(|told| told.0).collect()
    };
    for (_, place, ..) in &run.told {
        assert_eq!(order(&told, place), order(&run.told, place), "{} {place}", run.name);
    }
    told.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (ours, theirs) in told.iter().zip(&run.told) {
        assert_eq!((ours.0, &ours.1, ours.2, &ours.3), (theirs.0, &theirs.1, theirs.2, &theirs.3), "{}", run.name);
        assert!((ours.4 - theirs.4).abs() < 0.01, "{}: {ours:?} against {theirs:?}", run.name);
    }
    server.end().await;
}

fn crossing(run: &Run, notice: &Value) -> Told {
    let fix = run.fixes.iter().position(|fix| fix["t"] == notice["why"]["fix_time"]);
    let text = |value: &Value| value.as_str().expect("a word").to_owned();
    let what = if notice["type"] == "region.entered" { "entered" } else { "left" };
    let metres = notice["why"]["distance"].as_f64().expect("metres");
    (fix.expect("a fix of ours"), text(&notice["place"]), what, text(&notice["why"]["rule"]), metres)
}

/// The eight walks go side by side: the longest takes 40 s, since 20 fixes a second are taken from one phone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_tracks_tell_through_the_front_door_what_proj_and_geos_say() {
    let runs = load();
    assert_eq!(runs.len(), 8);
    let told: Vec<usize> = runs.iter().map(|run| run.told.len()).collect();
    assert!(told.iter().all(|told| *told >= 10), "the tables have become empty: {told:?}");
    futures_util::future::join_all(runs.into_iter().map(walk)).await;
}
