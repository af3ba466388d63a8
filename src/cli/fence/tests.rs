//! A made track through a made town, as a table and as JSON.

use super::super::tests::{folder, paper};
use super::*;
use crate::config::Terminal;
use serde_json::Value;

const REGIONS: &str = r#"{"type": "FeatureCollection", "features": [
    {"type": "Feature", "id": "kivi", "properties": {"radius": 40, "fence": {"rings": {"near": "60m"}}},
     "geometry": {"type": "Point", "coordinates": [24.94, 60.17]}},
    {"type": "Feature", "id": "far", "properties": {"radius": 40},
     "geometry": {"type": "Point", "coordinates": [24.99, 60.17]}}]}"#;

/// Straight through the first region, a fix each 10 s and 14 m.
fn walk() -> String {
    let mut csv = "time,lat,lon,accuracy\n".to_owned();
    for i in 0..25 {
        let lon = 24.94 + (f64::from(i) * 14.0 - 170.0) / 55_508.0;
        csv.push_str(&format!("2026-06-01T12:{:02}:{:02}Z,60.17,{lon:.7},5\n", i / 6, i % 6 * 10));
    }
    csv
}

fn traced(name: &str, regions: &str, edit: impl FnOnce(&mut TraceArgs)) -> (anyhow::Result<Exit>, String, String) {
    let folder = folder(name);
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let mut args = TraceArgs {
        regions: write("regions.geojson", regions),
        track: write("walk.csv", &walk()),
        accuracy: None,
        rules: RuleSet::CURRENT.version,
        all: false,
        json: false,
    };
    edit(&mut args);
    let (mut out, printed, errors) = paper(Terminal::default());
    let exit = run(&FenceCommand::Trace(args), &mut out);
    std::fs::remove_dir_all(&folder).expect("it is ours");
    (exit, printed.text(), errors.text())
}

#[test]
fn a_table_tells_each_transition_and_why() {
    let (exit, printed, _) = traced("fence-table", REGIONS, |_| {});
    assert_eq!(exit.expect("it ran"), Exit::Done);
    let told: Vec<&str> = printed.lines().filter(|line| line.contains("accuracy, p")).collect();
    let kinds: Vec<&str> = told.iter().filter_map(|line| line.get(18..58)).map(str::trim_end).collect();
    assert_eq!(
        kinds.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(),
        ["kivi (near) enter", "kivi enter", "kivi exit", "kivi (near) exit"],
        "{printed}"
    );
    assert!(told[1].contains("is enough alone") && !printed.contains("24.9"), "{printed}");
    assert!(printed.contains("transitions  enter 2, exit 2") || printed.contains("enter 2, exit 2"), "{printed}");
}

#[test]
fn json_has_every_decision_and_no_coordinates() {
    let (exit, printed, _) = traced("fence-json", REGIONS, |args| args.json = true);
    assert_eq!(exit.expect("it ran"), Exit::Done);
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 26);
    let decisions: Vec<&Value> = lines.iter().filter_map(|line| line["decisions"].as_array()).flatten().collect();
    assert!(decisions.len() >= 20 && decisions.iter().all(|decision| decision["region"] == "kivi"));
    let decided = decisions.iter().filter(|decision| decision["finding"] == "decided").count();
    assert_eq!(lines[25]["sums"]["transitions"], serde_json::json!({"enter": 2, "exit": 2}));
    assert_eq!((decided, lines[0]["fate"].as_str()), (4, Some("accepted")));
    assert!(!printed.contains("24.9") && !printed.contains("60.17"));
}

#[test]
fn coarse_fixes_decide_nothing_and_say_so() {
    let edit = |args: &mut TraceArgs| (args.accuracy, args.all) = (Some(150.0), true);
    let (exit, printed, _) = traced("fence-coarse", REGIONS, edit);
    assert_eq!(exit.expect("it ran"), Exit::Done);
    assert!(printed.contains("less accurate than 100 m") && printed.contains("none"), "{printed}");
}

#[test]
fn faults_of_regions_are_told_together_with_their_names() {
    let broken = REGIONS
        .replace("\"60m\"", "\"60km\"")
        .replace("\"radius\": 40},\n     \"geometry\"", "\"radius\": -1},\n     \"geometry\"");
    let (exit, _, errors) = traced("fence-faults", &broken, |_| {});
    assert_eq!(exit.expect("it ran"), Exit::Faults);
    assert!(errors.contains("kivi") && errors.contains("4 rings") && errors.contains("far"), "{errors}");
}

#[test]
fn unknown_rules_are_a_failure_that_lists_the_known_ones() {
    let (exit, ..) = traced("fence-rules", REGIONS, |args| args.rules = 9);
    let error = format!("{:#}", exit.expect_err("there are none"));
    assert!(error.contains("known here: 1, 2, 3"), "{error}");
}
