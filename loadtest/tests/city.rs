//! The city, small: real nodes in processes of their own, real sockets, a kill, and the verdict over all that was said.
//!
//! How fast all that is depends on who else uses the machine, so these tests hold nothing against latencies: the limits
//! are those of `budgets/verdict.toml`, and a generator that was starved is forgiven, which nothing else is.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder below the target's, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("city-{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    folder
}

fn city(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waystone-loadtest"));
    let place = if args.contains(&"--resume") { None } else { Some("--out") };
    command.arg("city").args(args).args(place).arg(folder);
    command.output().expect("the program starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn record(folder: &Path) -> Value {
    let text = fs::read(folder.join("run.json")).expect("the run's record");
    serde_json::from_slice(&text).expect("JSON")
}

/// The record of a run in which all was right but, perhaps, how fast it was.
fn sound(folder: &Path, args: &[&str]) -> Value {
    let output = city(folder, args);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", said(&output));
    let record = record(folder);
    let all = |name: &str| record[name].as_array().unwrap_or_else(|| panic!("no {name}")).clone();
    let wrong = |line: &Value| line["ok"] != true && line["name"] != "generators kept up";
    let wrong: Vec<Value> = all("budget").into_iter().chain(all("verdict")).filter(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{}", said(&output));
    assert_eq!(output.status.success(), record["ok"] == true, "{}", said(&output));
    assert!(all("budget").len() >= 8 && all("verdict").len() >= 7, "{}", said(&output));
    record
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a count, not {value}"))
}

fn found(record: &Value, name: &str) -> Value {
    let all = record["verdict"].as_array().expect("findings");
    all.iter().find(|found| found["name"] == name).unwrap_or_else(|| panic!("no finding {name}")).clone()
}

#[test]
fn two_hundred_walk_answer_and_are_verified_on_one_node() {
    let folder = folder("walk");
    let size = ["--players", "200", "--minutes", "0.34", "--award-rate", "20", "--generators", "2"];
    let record = sound(&folder, &[&size[..], &["--budget", "verdict"]].concat());
    let totals = &record["totals"];
    // On a machine that is busy with other things a tenth of what a quiet one makes.
    assert!(count(&totals["fixes"]) > 1_000 && count(&totals["awards"]) > 5, "{totals}");
    assert_eq!(count(&totals["connects"]), 200, "{totals}");
    let times = |measure: &str| count(&record["latencies"][measure]["count"]);
    assert!(times("fix_ack") > 500 && times("award_ack") > 3 && times("award_to_notice") > 3, "{totals}");
    assert_eq!(times("connect"), 200);
    assert!(record["seconds"].as_array().is_some_and(|seconds| seconds.len() >= 20), "each second is there");
    assert!(record["generators"].as_array().is_some_and(|generators| generators.len() == 2));
    let journal = found(&record, "awards in the journal");
    assert!(count(&journal["looked_at"]) >= count(&totals["awards"]), "{journal} of {totals}");
    assert!(count(&found(&record, "histories and journal")["looked_at"]) > 500);
    assert!(count(&found(&record, "spoofers whom nothing bears out")["looked_at"]) > 10, "they tried");
    assert!(folder.join("report.html").is_file(), "a page for people");
    let kept = folder.join("history-0.jsonl").exists();
    assert_eq!(kept, record["ok"] != true, "what is only for a search is gone when all is well");
    fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn a_killed_node_of_three_loses_nothing() {
    let folder = folder("kill");
    let size = ["--players", "60", "--minutes", "0.4", "--nodes", "3", "--faults", "kill", "--award-rate", "6"];
    let record = sound(&folder, &[&size[..], &["--budget", "verdict"]].concat());
    let faults = record["faults"].as_array().expect("marks");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0]["kind"] == "kill" && faults[0]["until_s"].is_number(), "{faults:?}");
    assert!(count(&record["totals"]["reconnects"]) >= 10, "a third was connected there: {}", record["totals"]);
    assert_eq!((&record["target"]["store"], &record["target"]["redis"]), (&"postgres".into(), &true.into()));
    assert!(count(&record["latencies"]["resume"]["count"]) >= 10);
    fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn stages_go_on_where_they_ended_and_a_broken_limit_is_told() {
    let folder = folder("stages");
    let stage = ["--players", "16", "--minutes", "0.14", "--warmup", "2", "--award-rate", "8", "--awards"];
    let verdict = ["--budget", "verdict"];
    let first = count(&sound(&folder, &[&stage[..], &["4"], &verdict].concat())["totals"]["awards"]);
    let stages = || (0..).take_while(|n| folder.join(format!("stage-{n:04}/run.json")).is_file()).count();
    let (more, before) = ((first + 1).to_string(), stages());
    let both = sound(&folder, &[&stage[..], &[&more], &verdict, &["--resume"]].concat());
    let both = count(&both["totals"]["awards"]);
    assert!(both > first && stages() > before, "{both} after {first}, {} stages after {before}", stages());
    // A stage that breaks a limit ends the run, and the exit code says so.
    let limit = folder.join("limit.toml");
    fs::write(&limit, "[at_least]\n\"awards a second\" = 1000000").expect("writable");
    let output =
        city(&folder, &[&stage[..], &["1000000", "--budget", &limit.to_string_lossy(), "--resume"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("FAILED at least: awards a second"), "{}", said(&output));
    fs::remove_dir_all(&folder).expect("it is ours");
}
