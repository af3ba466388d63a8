//! Records of runs on disk, as people use them: a page is made and two runs are compared, by the program itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The least record: everything else has a default.
fn record(begun: &str, acked: u32) -> String {
    let second =
        |t: u32| format!("{{\"t\":{t},\"offered\":100,\"sent\":100,\"acked\":{},\"p50_ms\":1.5}}", acked + t % 3);
    let seconds = (0..60).map(second).collect::<Vec<_>>().join(",");
    format!(
        "{{\"form\":1,\"scenario\":\"city\",\"settings\":\"waystone-loadtest city\",\"seed\":7,\"machine\":{{\"cores\":2}},\
         \"commit\":\"abc\",\"build\":\"release\",\"begun\":\"{begun}\",\"ok\":true,\
         \"target\":{{\"nodes\":1,\"store\":\"sqlite\",\"redis\":false}},\"seconds\":[{seconds}]}}"
    )
}

struct Runs(PathBuf);

impl Runs {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("waystone-records-{name}-{}", std::process::id()));
        for (run, begun, acked) in [("one", "2026-11-01T10:00:00Z", 97), ("two", "2026-11-02T10:00:00Z", 60)] {
            fs::create_dir_all(folder.join(run)).expect("a folder for a run");
            fs::write(folder.join(run).join("run.json"), record(begun, acked)).expect("a record is written");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(command: &str, paths: &[&Path]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_waystone-loadtest"));
    program.arg(command).args(paths).output().expect("the program starts")
}

#[test]
fn page_is_made_beside_the_record_and_knows_the_run_before() {
    let runs = Runs::new("page");
    let output = run("report", &[&runs.path("two")]);
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(&said).expect("the page is where the program says");
    assert!(said.ends_with("two/report.html") && page.contains("Beside the earlier run"), "{said}");
}

#[test]
fn difference_beyond_noise_is_told() {
    let runs = Runs::new("compare");
    let output = run("compare", &[&runs.path("one"), &runs.path("two/run.json")]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = table.lines().find(|line| line.starts_with("Fixes answered")).expect("a line");
    assert!(output.status.success() && line.ends_with("worse"), "{table}");
    let same = run("compare", &[&runs.path("one"), &runs.path("one")]);
    assert!(!String::from_utf8_lossy(&same.stdout).contains("worse"));
}

#[test]
fn what_is_no_record_is_refused_with_a_remedy() {
    let runs = Runs::new("strange");
    fs::write(runs.path("one/run.json"), "[]").unwrap();
    let output = run("report", &[&runs.path("one")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is no record of a run"), "{said}");
}
