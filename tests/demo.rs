//! `waystone demo --nodes`: the real program with its own Postgres, Redis and nodes. What the console shows of it is tested in a
//! browser (tests/console); here, that nothing of it outlives it, however it ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest start, on a busy machine: a new database, two nodes in a debug build.
const START: Duration = Duration::from_secs(90);
/// Longest end.
const END: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

struct Demo {
    data: PathBuf,
    process: Child,
    /// The folder of its servers.
    servers: PathBuf,
    children: Vec<u32>,
}

/// Processes that work in one of the folders, or whose command line names one.
fn working_in(folders: &[&Path]) -> Vec<u32> {
    let named = |process: &Path| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let place = fs::read_link(process.join("cwd")).unwrap_or_default();
        folders.iter().any(|folder| line.contains(&*folder.to_string_lossy()) || place.starts_with(folder))
    };
    let processes = fs::read_dir("/proc").expect("Linux has one").flatten();
    processes
        .filter(|entry| named(&entry.path()))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The value after a flag in a process's command line.
fn argument(process: u32, flag: &str) -> Option<String> {
    let line = fs::read(format!("/proc/{process}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    words.find(|word| word == flag)?;
    words.next()
}

impl Demo {
    fn start(name: &str) -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("demo-{}-{name}", std::process::id()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
        command.args(["demo", "--nodes", "2", "--port", "0", "--walkers", "4", "--no-open", "--data"]).arg(&data);
        let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("the binary was built");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let begun = Instant::now();
        loop {
            let line = lines.next().expect("the demo was to start: see what it said above").expect("text");
            if line.contains("ready in") {
                break;
            }
            assert!(begun.elapsed() < START, "the demo was to start within {START:?}");
        }
        let nodes = working_in(&[&data]);
        let ca = nodes.iter().find_map(|node| argument(*node, "--cluster-ca-file")).expect("a node's certificate");
        let servers = Path::new(&ca).parent().expect("in a folder").to_owned();
        let demo = process.id();
        let children: Vec<u32> =
            working_in(&[&data, &servers]).into_iter().filter(|process| *process != demo).collect();
        // Two nodes, a Postgres, a Redis, and the guard.
        assert!(children.len() >= 5, "{children:?}");
        Self { data, process, servers, children }
    }

    async fn all_gone(mut self) {
        let begun = Instant::now();
        loop {
            let left: Vec<u32> = working_in(&[&self.data, &self.servers]);
            if left.is_empty() && !self.servers.exists() {
                break;
            }
            assert!(begun.elapsed() < END, "{left:?} of {:?} are left, or {}", self.children, self.servers.display());
            sleep(LOOK).await;
        }
        self.process.wait().expect("it is ours");
        fs::remove_dir_all(&self.data).expect("keys and logs are left");
    }
}

#[tokio::test]
async fn nothing_outlives_a_demo_of_two_nodes() {
    let mut demo = Demo::start("killed");
    demo.process.kill().expect("it is ours");
    demo.all_gone().await;

    let demo = Demo::start("stopped");
    let asked = Command::new("kill").args(["-INT", &demo.process.id().to_string()]).status();
    assert!(asked.expect("kill exists").success());
    demo.all_gone().await;
}

#[test]
fn a_node_of_a_demo_does_not_start_without_one() {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("demo-{}-alone", std::process::id()));
    fs::create_dir_all(&data).expect("the target's folder for tests can be written");
    let key = data.join("auth.key");
    fs::write(&key, "thirty-two bytes for these tests").expect("just made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
    command.args(["serve", "--under-demo", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    command.arg("--hs256-secret-file").arg(&key);
    let alone = command.stdin(Stdio::null()).output().expect("the binary was built");
    assert_eq!(alone.status.code(), Some(1), "{alone:?}");
    let piped = command.stdin(Stdio::piped()).output().expect("the binary was built");
    assert!(String::from_utf8_lossy(&piped.stderr).contains("only the demo"), "{piped:?}");
    fs::remove_dir_all(&data).expect("it is ours");
}
