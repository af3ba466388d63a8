//! The view of a run on a real terminal (a pseudo-terminal by `script`, which every Linux has) and in a pipe.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

const HIDE: &str = "\u{1b}[?25l";
const SHOW: &str = "\u{1b}[?25h";
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A record of so many seconds in a file of its own, removed when dropped.
struct Run(PathBuf);

impl Run {
    fn of(seconds: u32) -> Self {
        let name = format!("waystone-live-{seconds}-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        let second = |t: u32| format!("{{\"t\":{t},\"offered\":100,\"acked\":99,\"p50_ms\":1.5,\"p99_ms\":9}}");
        let all = (0..seconds).map(second).collect::<Vec<_>>().join(",");
        let text = format!(
            "{{\"form\":1,\"scenario\":\"city\",\"settings\":\"\",\"seed\":7,\"machine\":{{\"cores\":2}},\"commit\":\"\",\
             \"build\":\"release\",\"begun\":\"2026-11-01T10:00:00Z\",\"ok\":true,\"seconds\":[{all}],\
             \"target\":{{\"nodes\":1,\"store\":\"sqlite\",\"redis\":false}}}}"
        );
        fs::write(&path, text).expect("a record is written");
        Self(path)
    }

    /// The program's command line, as a shell reads it.
    fn command(&self, more: &str) -> String {
        format!("'{}' replay '{}' {more}", env!("CARGO_BIN_EXE_waystone-loadtest"), self.0.display())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn on_a_terminal(command: &str) -> Command {
    let mut script = Command::new("script");
    script.args(["-qec", command, "/dev/null"]).env("TERM", "xterm-256color").env_remove("NO_COLOR");
    script
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn pipe_gets_a_line_each_five_seconds_and_nothing_that_moves_a_cursor() {
    let run = Run::of(21);
    let output = Command::new("sh").args(["-c", &run.command("--speed 100")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = said.lines().count();
    assert!(output.status.success() && output.stdout.is_empty() && !said.contains('\u{1b}'), "{said}");
    // At 0, 5, 10, 15 and 20 s; a busy machine may miss a second, which the next makes up for.
    assert!((3..=6).contains(&lines) && said.contains("fixes 99 of 100/s"), "{said}");
}

#[test]
fn terminal_is_drawn_in_place_and_left_as_it_was() {
    let run = Run::of(20);
    let output =
        on_a_terminal(&run.command("--speed 10")).stdin(Stdio::null()).output().expect("script is installed");
    let said = text(&output);
    assert!(output.status.success() && said.contains(" answered/s"), "{said}");
    let frames = said.matches("latency").count();
    // Two seconds, four frames each, and the first and last.
    assert!((3..=11).contains(&frames), "{frames} frames");
    assert!(said.find(HIDE) < said.find("latency") && said.rfind(SHOW) > said.rfind("latency"), "{said:?}");
}

#[test]
fn plain_is_plain_where_the_terminal_could_do_more() {
    let run = Run::of(6);
    for (arguments, name, value) in
        [("--plain --speed 100", "TERM", "xterm"), ("--speed 100", "NO_COLOR", "1"), ("--speed 100", "TERM", "dumb")]
    {
        let output = on_a_terminal(&run.command(arguments)).env(name, value).stdin(Stdio::null()).output().unwrap();
        let said = text(&output);
        assert!(said.contains("fixes 99 of 100/s") && !said.contains('\u{1b}'), "{name}={value}: {said:?}");
    }
}

#[tokio::test]
async fn interrupt_gives_the_cursor_back() {
    let run = Run::of(600);
    let mut script = tokio::process::Command::from(on_a_terminal(&run.command("--speed 1")));
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let (mut keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut said = Vec::new();
    let watched = async {
        while !String::from_utf8_lossy(&said).contains("latency") {
            assert!(out.read_buf(&mut said).await.unwrap() > 0, "it ended by itself");
        }
        // Ctrl-C, as the terminal hands it on.
        keys.write_all(&[3]).await.unwrap();
        out.read_to_end(&mut said).await.unwrap();
        child.wait().await.unwrap()
    };
    let status = timeout(PATIENCE, watched).await.expect("in time");
    let said = String::from_utf8_lossy(&said);
    assert!(!status.success() && said.rfind(SHOW) > said.rfind("latency"), "{said:?}");
}
