//! Quest files through the public door: what is sound is published, what is broken is reported where it is broken.
//!
//! Each broken file is a sound one with one piece replaced, so that a report can have only that one cause.

use std::collections::BTreeSet;
use std::path::Path;
use waystone::content::{Published, Report, check, code, publish, schema};
use waystone::ids::StepId;
use waystone::quest::definition::{Condition, Verb};

const FULL: &str = include_str!("data/quests/full.yaml");
const DEMO: &str = include_str!("../quests/helsinki.yaml");
const DOCS: &str = include_str!("../docs/quest-format.md");

/// A sound quest with a piece of everything that can be wrong.
const BASE: &str = include_str!("data/quests/base.yaml");

/// Piece of the base, what stands there instead, code expected, line expected.
type Broken = (&'static str, &'static str, &'static str, u32);

#[rustfmt::skip]
const BROKEN: &[Broken] = &[
    // Form.
    ("[en, fi]", "[en, fi", "syntax", 5),
    ("stay: 60s", "stay: 60", "syntax", 14),
    ("from: 2026-06-01", "from: 1.6.2026", "syntax", 6),
    ("mode: team", "mode: teams", "syntax", 5),
    ("points: 10", "points: -10", "syntax", 15),
    ("within: 15m", "within: 15 feet", "syntax", 25),
    ("after: start", "after: { all: [start], any: [start] }", "syntax", 17),
    ("after: start", "after: { chose: red }", "syntax", 17),
    ("after: start", "after: [start]", "syntax", 17),
    ("title: { en: Harbor, fi: Satama }", "title: [Harbor]", "syntax", 3),
    ("stay: 60s", "stays: 60s", "unknown-key", 14),
    ("all: [round", "alll: [round", "unknown-key", 31),
    ("title: { en: Harbor, fi: Satama }\n", "", "missing-key", 1),
    ("need: 2", "need: 2\n      need: 1", "duplicate-key", 20),
    ("  quay:", "  pier: { center: [1, 1], radius: 30 }\n  quay:", "duplicate-key", 11),
    // Names.
    ("quest/v1", "quest/v2", "unknown-schema", 1),
    ("id: harbor", "id: old harbor", "bad-id", 2),
    ("id: harbor", "id: a:b", "bad-id", 2),
    ("id: walk", "id: kävely", "bad-id", 25),
    ("id: red,", "id: red wine,", "bad-id", 29),
    ("badge: sailor", "badge: best sailor", "bad-id", 37),
    ("id: first", "id: start", "duplicate-id", 34),
    ("at: pier, stay", "at: peir, stay", "unknown-place", 14),
    ("after: start", "after: strat", "unknown-step", 17),
    ("step: pick", "step: pik", "unknown-step", 35),
    ("step: pick", "step: walk", "not-a-choice", 35),
    ("chose: red", "chose: reed", "unknown-option", 35),
    ("x-theme", "theme", "extension-name", 40),
    ("[en, fi]", "[en, finnish]", "bad-language", 4),
    ("[en, fi]", "[en, fi, en]", "bad-language", 4),
    // Steps.
    ("photo: { at: market }", "points: 5", "no-verb", 35),
    ("visit: {", "scan: { at: pier }\n    visit: {", "two-verbs", 15),
    ("sequence:", "all_of: []\n    sequence:", "two-verbs", 35),
    ("need: 2", "need: 4", "need-too-high", 19),
    ("need: 2", "need: 0", "need-zero", 19),
    ("accept: [because]", "accept: []", "no-answer", 22),
    ("tries: 3", "tries: 0", "tries-zero", 22),
    (", { id: blue, label: Blue, points: 5 }", "", "few-options", 29),
    ("id: blue", "id: red", "duplicate-option", 29),
    ("scan: { at: market }", "scan: { at: market, code: ' ' }", "empty-code", 34),
    ("along: quay", "along: pier", "follow-needs-line", 25),
    ("within: 15m", "within: 25m", "within-too-wide", 25),
    ("within: 15m", "within: 0m", "bad-length", 25),
    ("stay: 60s", "stay: 3h", "stay-too-long", 14),
    ("share: 0.5", "share: 50", "bad-share", 14),
    ("share: 0.5", "members: 5", "too-many-members", 14),
    ("photo: { at: market }", "meet: { within: 30m, members: 3 }", "meet-needs-team", 35),
    ("photo: { at: market }", "meet: { within: 30m, members: 1 }", "meet-needs-team", 35),
    ("photo: { at: market }", "meet: { within: 5m }", "meet-distance", 35),
    ("photo: { at: market }", "meet: { within: 2km }", "meet-distance", 35),
    ("photo: { at: market }", "meet: { within: 30m, stay: 3h }", "stay-too-long", 35),
    // Conditions.
    ("{ all: [round, { points: 30 }] }", "{ all: [] }", "empty-condition", 31),
    ("points: 30 }", "points: 36 }", "points-out-of-reach", 31),
    ("    points: 10\n", "    points: 10\n    after: end\n", "cycle", 16),
    ("    points: 10\n", "    points: 10\n    after: start\n", "cycle", 16),
    ("    points: 10\n", "    points: 10\n    after: { all: [second, { points: 1 }] }\n", "cycle", 16),
    ("id: ask\n", "id: ask\n          after: round\n", "cycle", 22),
    ("id: first, scan", "id: first, after: second, scan", "cycle", 34),
    ("after: { step: pick, chose: red }", "after: { not: first }", "unreachable", 35),
    ("after: { step: pick, chose: red }", "after: { not: start }", "unreachable", 35),
    ("after: { step: pick, chose: red }", "after: { all: [{ step: pick, chose: red }, { step: pick, chose: blue }] }", "unreachable", 35),
    // Players, time, limits.
    (", team_size: [2, 4]", "", "bad-team-size", 2),
    ("[2, 4]", "[4, 2]", "bad-team-size", 5),
    ("mode: team", "mode: solo", "bad-team-size", 5),
    ("time_limit: 2h", "time_limit: 0s", "no-time", 5),
    ("languages:", "requires: { quest: harbor }\nlanguages:", "requires-itself", 4),
    ("zone: Europe/Helsinki", "zone: Europe/Helsinky", "unknown-zone", 6),
    (", zone: Europe/Helsinki", "", "zone-missing", 6),
    ("Mo-Fr 09:00-17:00", "Mo-Fri 9 to 5", "bad-hours", 6),
    ("until: 2026-09-01", "until: 2026-05-01", "never-open", 6),
    ("Mo-Fr 09:00-17:00", "Dec 24 09:00-17:00", "never-open", 6),
    ("Mo-Fr 15:00-17:00", "Mo-Fr 18:00-20:00", "never-open", 32),
    ("max_speed: 6", "max_speed: 0", "bad-limit", 39),
    ("min_accuracy: 50", "min_accuracy: -5", "bad-limit", 39),
    ("min_accuracy: 50", "min_score: 1.5", "bad-limit", 39),
    // Places.
    ("radius: 30", "hidden: true", "place-without-shape", 8),
    ("width: 40", "hidden: true", "place-without-shape", 11),
    ("width: 40", "width: 40, radius: 20", "place-with-two-shapes", 11),
    ("[24.95, 60.16], radius", "[24.95, 160.16], radius", "bad-position", 8),
    ("[24.953, 60.161], [24.953", "[24.953], [24.953", "bad-position", 10),
    ("[24.951, 60.161], [24.953, 60.161]", "[24.953, 60.161], [24.951, 60.161]", "self-crossing", 10),
    (", [24.953, 60.162], [24.951, 60.162]]", "]", "few-corners", 10),
    ("radius: 30", "radius: 0", "bad-length", 8),
    ("radius: 30", "radius: 30, fence: { exit_at: 0.6 }", "bad-fence", 8),
    ("radius: 30", "radius: 30, fence: { dwell: 60s }", "bad-fence", 8),
    ("radius: 30", "radius: 30, fence: { rings: { far: 9km } }", "bad-fence", 8),
    ("width: 40", "width: 300km", "bad-length", 11),
    ("radius: 30", "geojson: { type: Point, coordinates: [1, 1], radius: 30 }", "place-with-two-shapes", 8),
    ("center: [24.95, 60.16], radius: 30", "geojson: { type: Point, coordinates: [1, 1] }", "place-without-shape", 8),
    ("center: [24.95, 60.16], radius: 30", "geojson: { type: Point, coordinates: [[1, 1]], radius: 30 }", "bad-position", 8),
    ("center: [24.95, 60.16], radius: 30", "geojson: { type: Line, coordinates: [1, 1] }", "syntax", 8),
    ("center: [24.95, 60.16], radius: 30", "geojson: { type: Feature, geometry: {} }", "syntax", 8),
    ("center: [24.95, 60.16], radius: 30", "geojson: { type: MultiPolygon, coordinates: [[[[1, 1], [2, 2], [2, 1], [1, 2]]]] }", "self-crossing", 8),
    ("center: [24.95, 60.16], radius: 30", "geojson: { type: Polygon,\n      coordinates: [[[1, 1],\n      [2, 95], [2, 1]]] }", "bad-position", 10),
];

#[rustfmt::skip]
const WARNED: &[Broken] = &[
    ("radius: 30", "radius: 12", "small-place", 8),
    ("60.162], [24.951, 60.162]]", "60.1611], [24.951, 60.1611]]", "small-place", 10),
    ("  quay:", "  hut: { center: [24.9, 60.1], radius: 30 }\n  quay:", "unused-place", 11),
    ("title: { en: Harbor, fi: Satama }", "title: { en: Harbor }", "missing-language", 3),
    ("title: { en: Harbor, fi: Satama }", "title: { en: Harbor, fi: Satama, se: Hamn }", "unlisted-language", 3),
    ("after: 5m", "after: 2h", "hint-too-late", 24),
    ("cost: 5", "cost: 21", "hint-too-dear", 24),
    ("mode: team, team_size: [2, 4]", "mode: solo", "team-in-solo", 14),
    ("stock: 10", "stock: 0", "stock-empty", 38),
    (", stock: 10, otherwise: { points: 5 }", "", "pool-without-stock", 38),
    ("each: player", "each: player, otherwise: { points: 1 }", "otherwise-unused", 37),
];

fn replaced(piece: &str, with: &str) -> String {
    assert!(BASE.contains(piece), "the base has no {piece:?}");
    BASE.replacen(piece, with, 1)
}

fn publish_it(source: &str) -> Result<Published, Report> {
    publish(source, "quest.yaml", 7, &|step: &StepId| format!("secret-{step}"))
}

#[test]
fn base_and_both_examples_have_nothing_to_report() {
    for (name, source) in [("base", BASE), ("full", FULL), ("demo", DEMO)] {
        let report = check(source, name);
        assert!(report.faults.is_empty(), "{report}");
        assert!(publish_it(source).is_ok());
    }
}

#[test]
fn every_broken_file_is_refused_with_its_code_and_line() {
    let mut wrong = String::new();
    for (piece, with, code, line) in BROKEN {
        let source = replaced(piece, with);
        let report = check(&source, "quest.yaml");
        let found: Vec<_> = report.faults.iter().map(|fault| (fault.code, fault.line)).collect();
        if !found.contains(&(code, *line)) {
            wrong += &format!("{piece:?} -> {with:?}: wanted {code} in line {line}, got\n{report}\n");
        }
        assert!(publish_it(&source).is_err(), "{with:?} was published");
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(BROKEN.len() >= 35);
}

#[test]
fn every_doubtful_file_is_published_with_its_warning() {
    for (piece, with, code, line) in WARNED {
        let published = publish_it(&replaced(piece, with)).unwrap_or_else(|report| panic!("{with:?}:\n{report}"));
        let found: Vec<_> = published.report.faults.iter().map(|fault| (fault.code, fault.line)).collect();
        assert_eq!(found, [(*code, *line)], "{with:?}:\n{}", published.report);
    }
}

#[test]
fn every_fault_of_meaning_is_in_the_same_report() {
    let mut source = BASE.to_owned();
    let breaks = BROKEN.iter().filter(|(.., code, _)| !["syntax", "unknown-key"].contains(code));
    let chosen =
        ["unknown-place", "need-zero", "no-answer", "within-too-wide", "bad-share", "bad-limit", "bad-hours"];
    let mut wanted = BTreeSet::new();
    for (piece, with, code, _) in breaks.filter(|(.., code, _)| chosen.contains(code)) {
        source = source.replacen(piece, with, 1);
        wanted.insert(*code);
    }
    let report = check(&source, "quest.yaml");
    let found: BTreeSet<_> = report.faults.iter().map(|fault| fault.code).collect();
    assert!(found.is_superset(&wanted) && wanted.len() == chosen.len(), "{report}");
    assert!(report.faults.is_sorted_by_key(|fault| (fault.line, fault.column)));
}

#[test]
fn near_misses_are_offered_as_help() {
    let help = |piece, with| check(&replaced(piece, with), "q").faults.first().and_then(|fault| fault.help.clone());
    assert_eq!(help("at: pier, stay", "at: peir, stay").as_deref(), Some("did you mean \"pier\"?"));
    assert_eq!(help("stay: 60s", "stays: 60s").as_deref(), Some("did you mean \"stay\"?"));
    assert_eq!(help("Europe/Helsinki", "europe/helsinky").as_deref(), Some("did you mean \"Europe/Helsinki\"?"));
    let swapped = help("center: [24.95, 60.16]", "center: [60.16, 124.95]");
    assert_eq!(swapped.as_deref(), Some("longitude comes first: [longitude, latitude]"));
    let circle = help("    points: 10\n", "    points: 10\n    after: end\n");
    assert_eq!(circle.as_deref(), Some("start waits for end waits for round waits for start"));
}

#[test]
fn report_is_drawn_as_compilers_do() {
    let source = FULL.replacen("at: kivi, stay", "at: kivvi, stay", 1).replacen("need: 3", "need: 6", 1);
    let drawn = check(&source, "quests/helsinki.yaml").render(false);
    let wanted = r#"warning[unused-place]: no step happens at "kivi"
  --> quests/helsinki.yaml:19:3
   |
19 |   kivi:      { center: [24.94392, 60.171683], radius: 35, name: Aleksis Kivi }
   |   ^^^^

error[unknown-place]: step "gather" visits a place that does not exist: "kivvi"
  --> quests/helsinki.yaml:35:18
   |
35 |     visit: { at: kivvi, stay: 60s, team: { share: 1.0, together: 2m } }
   |                  ^^^^^ did you mean "kivi"?

error[need-too-high]: "statues" needs 6 of its steps but has only 5
  --> quests/helsinki.yaml:42:13
   |
42 |       need: 6
   |             ^

quests/helsinki.yaml: 2 errors, 1 warning
"#;
    assert_eq!(drawn, wanted);
}

#[test]
fn report_of_a_syntax_error_is_drawn_the_same_way_in_color_and_without() {
    let source = FULL.replacen("stay: 60s", "stay_for: 60s", 1);
    let report = check(&source, "quests/helsinki.yaml");
    let wanted = r#"error[unknown-key]: there is no key "stay_for" here
  --> quests/helsinki.yaml:35:24
   |
35 |     visit: { at: kivi, stay_for: 60s, team: { share: 1.0, together: 2m } }
   |                        ^^^^^^^^ known here: "at", "stay", "team"

quests/helsinki.yaml: 1 error, 0 warnings
"#;
    assert_eq!(report.to_string(), wanted);
    let color = report.render(true);
    assert!(color.starts_with("\u{1b}[1;31merror[unknown-key]\u{1b}[0m: "), "{color:?}");
    // Each piece after an escape begins with its numbers and an `m`.
    let plain: String = color.split('\u{1b}').map(|part| part.split_once('m').map_or("", |(_, text)| text)).collect();
    assert_eq!(plain, wanted, "color adds nothing but color");
}

#[test]
fn report_as_json_names_file_code_and_place() {
    let report = check(&replaced("need: 2", "need: 4"), "quest.yaml");
    let json = serde_json::to_value(&report).expect("serializes");
    let wanted = serde_json::json!({
        "file": "quest.yaml", "errors": 1, "warnings": 0,
        "faults": [{
            "severity": "error", "code": "need-too-high",
            "message": "\"round\" needs 4 of its steps but has only 3",
            "line": 19, "column": 13, "end_column": 14
        }]
    });
    assert_eq!(json, wanted);
}

#[test]
fn full_example_resolves_to_what_it_says() {
    let published = publish_it(FULL).unwrap_or_else(|report| panic!("{report}"));
    let quest = &published.quest;
    let step = |id: &str| &quest.steps[&StepId::new(id).expect("an id")];
    assert_eq!((quest.quest.version, quest.steps.len(), quest.places.len()), (7, 10, 7));
    assert_eq!(quest.roots.iter().map(StepId::as_str).collect::<Vec<_>>(), ["gather", "statues", "secret"]);
    assert!(quest.available.is_some() && quest.requires.is_some() && step("secret").available.is_some());
    assert_eq!(step("crypt").parent.as_ref().map(StepId::as_str), Some("secret"));
    assert!(matches!(&step("statues").verb, Verb::AnyOf { need: 3, steps } if steps.len() == 5));
    assert!(matches!(&step("poet").verb, Verb::Scan { code, .. } if code == "secret-poet"));
    assert!(matches!(&step("promenade").verb, Verb::Follow { within, .. } if within.get() == 15.0));
    assert!(matches!(&step("secret").after, Some(Condition::All(parts)) if parts.len() == 2));
    assert_eq!(step("crypt").content.as_ref().expect("AR")["anchor"]["heading"], 180.0);
    assert_eq!(quest.title.in_lang("fi"), "Pronssia ja graniittia");
    assert_eq!(published.regions.len(), 7);
    let amanda = &published.regions[0];
    assert_eq!(amanda.id.as_str(), "bronze-and-granite@7:amanda");
    assert_eq!((amanda.rules.max_accuracy.get(), amanda.rules.max_speed.map(|speed| speed.get())), (50.0, Some(8.0)));
    assert_eq!(published.keep_track_for.map(|span| span.as_secs()), Some(30 * 86_400));
    assert_eq!(published.extensions["x-theme"]["colour"], "#7c3aed");
    let place = |name: &str| &quest.places[&waystone::ids::PlaceId::new(name).expect("an id")].outline;
    assert_eq!(place("kivi")["radius"], 35.0);
    assert_eq!(place("senate")["coordinates"][0].as_array().map(Vec::len), Some(5), "closed");
    assert_eq!(
        (place("esplanadi")["type"].as_str(), place("esplanadi")["width"].as_f64()),
        (Some("LineString"), Some(40.0))
    );
}

#[test]
fn what_is_left_out_gets_the_documented_default() {
    let source = r#"{ "schema": "quest/v1", "id": "json-too", "title": 1984, "places": { "way": { "line": [[0, 0], [0, 0.01]], "width": 50 } },
        "steps": [ { "id": "a", "answer": { "question": "?", "accept": [42, yes] } }, { "id": "b", "follow": { "along": "way" } },
        { "id": "c", "answer": { "question": "?", "accept": ["x"], "wait": "5s" } } ] }"#;
    let published = publish_it(source).unwrap_or_else(|report| panic!("{report}"));
    let quest = &published.quest;
    assert!(quest.play.is_solo() && !quest.play.repeat && quest.title.in_lang("en") == "1984");
    let verbs: Vec<_> = quest.steps.values().map(|step| &step.verb).collect();
    let Verb::Answer { accept, tries, wait, at: None, .. } = verbs[0] else { panic!("{:?}", verbs[0]) };
    assert_eq!((accept.join(" "), *tries, wait.as_secs()), ("42 yes".to_owned(), u16::MAX, 60));
    assert!(matches!(verbs[1], Verb::Follow { within, .. } if within.get() == 25.0));
    assert!(matches!(verbs[2], Verb::Answer { tries: 1, .. }));
    assert!(!quest.safety.show_position_to_team && published.report.faults.is_empty());
}

#[test]
fn schema_on_disk_is_the_one_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("quests/quest.schema.json");
    let mut wanted = serde_json::to_string_pretty(&schema()).expect("serializes");
    wanted.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &wanted).expect("writable");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let how = "run `UPDATE_SCHEMA=1 cargo test --test quest_check schema` and commit quests/quest.schema.json";
    assert!(stored == wanted, "quests/quest.schema.json is out of date: {how}");
}

#[test]
fn documentation_lists_every_code_with_its_remedy_and_the_tests_try_them() {
    let tried: BTreeSet<_> = BROKEN.iter().chain(WARNED).map(|(.., code, _)| *code).collect();
    for code in code::ALL {
        let severity = format!("{:?}", code.severity).to_lowercase();
        let row = format!("| `{}` | {severity} | {} |", code.name, code.remedy);
        assert!(DOCS.contains(&row), "docs/quest-format.md lacks the row\n{row}");
        // These three need files of their own: see `empty_files_groups_and_shapes_are_refused`.
        let elsewhere = ["no-steps", "empty-group", "bad-shape"].contains(&code.name);
        assert!(elsewhere || tried.contains(code.name), "no test tries {}", code.name);
    }
}

#[test]
fn empty_files_groups_and_shapes_are_refused() {
    let codes = |source: &str| check(source, "q").faults.iter().map(|fault| fault.code).collect::<Vec<_>>();
    let head = "schema: quest/v1\nid: q\ntitle: Q\n";
    assert_eq!(codes(&format!("{head}steps: []\n")), ["no-steps"]);
    assert_eq!(codes(&format!("{head}steps:\n  - {{ id: a, all_of: [] }}\n")), ["empty-group"]);
    let hole = "[[[0, 0], [1, 0], [1, 1], [0, 1]], [[5, 5], [6, 5], [6, 6]]]";
    let place = format!("{head}places: {{ p: {{ polygon: {hole} }} }}\nsteps: [{{ id: a, visit: {{ at: p }} }}]\n");
    assert_eq!(codes(&place), ["bad-shape"]);
    for source in ["", "42", "[]", "\t", "a: *b", "\u{0}", "---\n---\n"] {
        assert!(check(source, "q").has_errors(), "{source:?}");
        assert!(!check(source, "q").render(false).is_empty());
    }
}

#[test]
fn no_cut_or_doubled_line_makes_the_check_panic() {
    let lines: Vec<_> = FULL.lines().collect();
    for at in 0..lines.len() {
        let without: Vec<_> =
            lines.iter().enumerate().filter(|(line, _)| *line != at).map(|(_, text)| *text).collect();
        let doubled =
            lines.iter().enumerate().flat_map(|(line, text)| std::iter::repeat_n(*text, 1 + usize::from(line == at)));
        let cut: String = lines[at].chars().take(lines[at].chars().count() / 2).collect();
        let shortened = [&lines[..at], &[cut.as_str()], &lines[at + 1..]].concat();
        for source in [without.join("\n"), doubled.collect::<Vec<_>>().join("\n"), shortened.join("\n")] {
            let _ = check(&source, "q").render(true);
        }
    }
}

#[test]
fn documented_examples_are_sound_and_the_fragments_together_form_a_quest() {
    let blocks = DOCS.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let (whole, parts): (Vec<_>, Vec<_>) = blocks.partition(|block| block.starts_with("schema:"));
    let (steps, tops): (Vec<_>, Vec<_>) = parts.into_iter().partition(|block| block.starts_with("- "));
    assert!(!whole.is_empty() && steps.len() >= 9);
    let joined = format!("schema: quest/v1\nid: q\ntitle: Q\n{}steps:\n{}", tops.concat(), steps.concat());
    for source in whole.into_iter().chain([joined.as_str()]) {
        let report = check(source, "docs/quest-format.md");
        assert!(report.faults.is_empty(), "{report}");
    }
}
