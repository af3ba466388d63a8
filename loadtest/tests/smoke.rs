//! Each scenario once, small: the harness starts a server, loads it, finds nothing wrong, and takes it down again.

use serde_json::Value;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waystone-loadtest")).args(args).output().expect("the program starts")
}

fn report(args: &[&str]) -> Value {
    let output = run(args);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report in JSON")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn figure(report: &Value, name: &str) -> f64 {
    let figures = report["figures"].as_array().expect("figures");
    let found = figures.iter().find(|figure| figure["name"] == name).expect(name);
    found["value"].as_f64().expect("a number")
}

#[test]
fn idle_sessions_are_weighed() {
    let report = report(&["idle", "--sessions", "50", "--hold", "1", "--json"]);
    assert!(figure(&report, "connects") > 0.0 && figure(&report, "RSS per session, after the hold") > 0.0);
}

#[test]
fn sockets_are_weighed_stage_by_stage() {
    let report = report(&["edge", "--sessions", "50", "--rest", "1", "--sleep", "0", "--json"]);
    let [layer, awake] = ["socket layer", "awake"].map(|when| figure(&report, &format!("bytes a socket, {when}")));
    assert!(awake > layer && layer > 0.0, "{layer} {awake}");
    assert!(figure(&report, "sockets opened") > 0.0 && figure(&report, "connects") > 0.0);
}

#[test]
fn fixes_at_a_rate_are_all_answered() {
    let report = report(&["fixes", "--sessions", "8", "--rate", "80", "--seconds", "2", "--warmup", "1", "--json"]);
    let rate = figure(&report, "fixes answered");
    assert!((60.0..=100.0).contains(&rate), "{rate}");
}

#[test]
fn steps_are_seen_by_every_member_once() {
    let report = report(&["awards", "--teams", "2", "--members", "3", "--seconds", "4", "--warmup", "1", "--json"]);
    assert!(figure(&report, "steps completed") > 0.0 && figure(&report, "fix due to notice p50") > 0.0);
}

#[test]
fn other_machines_are_left_alone() {
    let output = run(&["max", "--url", "ws://192.0.2.1/connect", "--token-secret-file", "none"]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true));
    let output = run(&["max", "--url", "ws://192.0.2.1:7170/connect", "--token-secret-file", "none"]);
    assert!(text(&output.stderr).contains("not a loopback address"), "{}", text(&output.stderr));
}
