//! The real binary as a child that the test starts, kills and always reaps, and the folder that it plays on.

use crate::ground::history_of;
use crate::http;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use waystone::persist::{Journal, Place};

/// Longest wait for a server to be ready: a debug build on a busy machine opens a folder in half a second.
const READY: Duration = Duration::from_secs(30);
/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// Longest run of a command that reads a folder and ends.
const COMMAND: Duration = Duration::from_secs(60);

/// A data folder of one test, deleted when the test has passed and kept when it has failed.
pub(crate) struct Folder {
    root: PathBuf,
    data: PathBuf,
    postgres: Option<String>,
}

impl Folder {
    /// An empty one, with the journal in it.
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, None)
    }

    /// An empty one, for a server whose journal is in this database.
    pub(crate) fn with(name: &str, postgres: Option<String>) -> Self {
        let unique = format!("crash-{name}-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        fs::create_dir_all(&root).expect("the target's folder for tests can be written");
        Self { data: root.join("data"), root, postgres }
    }

    /// An empty one whose data is on another disk.
    pub(crate) fn on_disk(name: &str, disk: &Path) -> Self {
        let mut folder = Self::new(name);
        folder.data = disk.join("data");
        folder
    }

    /// Where the journal is.
    fn place(&self) -> Place {
        Place::new(&self.data, self.postgres.as_deref())
    }

    /// The journal, for reading, as of now.
    pub(crate) async fn journal(&self) -> Arc<dyn Journal> {
        self.place().open_read_only().await.expect("a journal that a server has opened")
    }

    /// The flags that say where it is.
    fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--data".to_owned(), self.data.to_string_lossy().into_owned()];
        flags.extend(self.postgres.iter().flat_map(|url| ["--postgres".to_owned(), url.clone()]));
        flags
    }

    /// Where the server keeps its keys, and its journal if that is not in a database.
    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// A copy of the data, for a fault to be planted in.
    pub(crate) fn copy(&self, name: &str) -> Self {
        let copy = Self::new(name);
        fs::create_dir_all(copy.data()).expect("a fresh folder");
        for file in fs::read_dir(self.data()).expect("the server has made it") {
            let file = file.expect("readable");
            fs::copy(file.path(), copy.data().join(file.file_name())).expect("room for a copy");
        }
        copy
    }

    /// What `waystone verify` says of it, and of the history of its game if one was written.
    pub(crate) async fn verify(&self) -> Output {
        let (mut flags, history) = (self.flags(), history_of(&self.data));
        if history.exists() {
            flags.extend(["--history".to_owned(), history.to_string_lossy().into_owned()]);
        }
        let args: Vec<&str> = ["verify", "--json"].into_iter().chain(flags.iter().map(String::as_str)).collect();
        waystone(&args).await
    }

    /// What `waystone why` says of a player.
    pub(crate) async fn why(&self, player: &str) -> Output {
        let flags = self.flags();
        let args: Vec<&str> = ["why", player, "--json"].into_iter().chain(flags.iter().map(String::as_str)).collect();
        waystone(&args).await
    }

    /// What servers have said on standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.root.join("err")).unwrap_or_default()
    }

    fn log(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.root.join(name)).expect("the folder can be written")
    }

    fn tail(&self, name: &str) -> String {
        let text = fs::read_to_string(self.root.join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("the folder is kept: {}", self.root.display()));
            say(&format!("the server said last:\n{}\n{}", self.tail("out"), self.tail("err")));
        } else {
            // Most folders have no history.
            fs::remove_file(history_of(&self.data)).unwrap_or_default();
            fs::remove_dir_all(&self.root).unwrap_or_else(|err| say(&format!("a folder stays: {err}")));
        }
    }
}

/// How a server is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// Its port.
    pub port: u16,
    /// Walkers within the process, who die with it.
    pub walkers: u32,
    /// Where it dies by itself, and at which visit to that place.
    pub fault: Option<(&'static str, u32)>,
}

impl Start {
    /// On a port that nobody has now.
    pub(crate) fn on_free_port(walkers: u32) -> Self {
        let port = waystone_kit::port::free().expect("one of a hundred ports is free");
        Self { port, walkers, fault: None }
    }
}

/// A running server; dropping it kills and reaps it.
pub(crate) struct Server {
    child: Option<Child>,
    how: Start,
}

impl Server {
    /// Starts it and does not wait.
    pub(crate) fn spawn(folder: &Folder, how: Start) -> Self {
        let quest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quests/sprint.yaml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
        command.args(["demo", "--no-open", "--pace", "4", "--quest", quest]);
        command.args(["--port", &how.port.to_string(), "--walkers", &how.walkers.to_string()]);
        command.args(folder.flags());
        if let Some((point, visit)) = how.fault {
            command.env(waystone::faults::VARIABLE, format!("{point}:{visit}"));
        }
        let child = command.stdin(Stdio::null()).stdout(folder.log("out")).stderr(folder.log("err")).spawn();
        Self { child: Some(child.expect("the binary can be run")), how }
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(folder: &Folder, how: Start) -> Self {
        let mut server = Self::spawn(folder, how);
        server.ready().await;
        server
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) {
        let (begun, port) = (Instant::now(), self.how.port);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            if http::get(port, "/readyz", None).await.is_ok_and(|reply| reply.status == 200) {
                return;
            }
            let ended = self.child().try_wait().expect("our own child");
            assert!(ended.is_none(), "the server was to get ready on port {port}, but it ended: {ended:?}");
            assert!(begun.elapsed() < READY, "the server was to be ready within {READY:?} and is not");
        }
    }

    /// `kill -9`, and reaps it.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Sends a signal by name, such as `INT`.
    pub(crate) fn signal(&mut self, name: &str) {
        let pid = self.child().id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the server was to get SIG{name} and has ended already");
    }

    /// Waits for its end; how it ended and how long that took.
    pub(crate) async fn ended(mut self, deadline: Duration) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        let mut look = interval(LOOK);
        loop {
            look.tick().await;
            if let Some(status) = self.child().try_wait().expect("our own child") {
                self.child = None;
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < deadline, "the server was to end within {deadline:?} and runs on");
        }
    }

    /// Ends it as a service manager does, which it must obey.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        let (status, took) = self.ended(Duration::from_secs(15)).await;
        assert!(status.success(), "a server that is told to end ends with 0, not {status}, after {took:?}");
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("it is taken only at the end")
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended already; the wait reaps it in any case.
            child.kill().unwrap_or_default();
            child.wait().expect("our own child");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command of the binary to its end.
pub(crate) async fn waystone(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
    command.args(args).stdin(Stdio::null());
    let run = spawn_blocking(move || command.output());
    let done = timeout(COMMAND, run).await.unwrap_or_else(|_| panic!("{args:?} was to end within {COMMAND:?}"));
    done.expect("it does not panic").expect("the binary can be run")
}

/// Says something beside the results.
#[expect(clippy::print_stderr, reason = "a test's remarks are for who reads its output")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
