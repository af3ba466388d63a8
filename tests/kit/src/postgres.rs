//! A private Postgres server: its start, its databases, and the harm that tests do to it.
//!
//! Everything durable is on, as in real life. Who connects by TCP must know the password, which is made at the start;
//! the socket in the server's own folder trusts whoever may enter that folder. Tests connect as a role that owns its
//! databases and nothing else: what an application has, and what meets the limit of connections.

use crate::session::Session;
use crate::watcher::Watcher;
use crate::{Result, Trouble, folder, port, signal, wait};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Longest start, with a recovery on a busy machine, and longest wait for the orphans of a killed server.
const START: Duration = Duration::from_secs(60);
/// Longest stop.
const STOP: Duration = Duration::from_secs(30);
/// The role of tests.
const ROLE: &str = "waystone";
/// What the server is told beside its port; later ones win.
const SETTINGS: [(&str, &str); 7] = [
    ("listen_addresses", "127.0.0.1"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    // Room for tests that run side by side, each with a pool.
    ("max_connections", "200"),
    // In the folder, which is removed in any case, and not in the system's shared memory.
    ("dynamic_shared_memory_type", "mmap"),
    ("log_line_prefix", "%m [%p] %d "),
];

/// A running server; dropping it ends and removes it.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    /// As whom it runs, if not as ourselves: it refuses to be root.
    user: Option<(u32, u32)>,
    port: u16,
    password: String,
    settings: Vec<(String, String)>,
    databases: AtomicU32,
    /// The server as our child: a dead one that nobody reaps would keep the next from starting.
    child: Mutex<Option<Child>>,
    _watcher: Watcher,
}

impl Postgres {
    /// Starts one.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one with settings of its own, such as `("max_connections", "10")`.
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        let programs = programs()?;
        let folder = folder::fresh("pg")?;
        let watcher = Watcher::over(&folder)?;
        let user = user_of(&folder)?;
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).map_err(Trouble::of(folder.display()))?;
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let server = Self {
            settings: SETTINGS.iter().chain(settings).map(owned).collect(),
            port: port::free()?,
            password: folder::random_hex(16)?,
            databases: AtomicU32::new(0),
            child: Mutex::new(None),
            _watcher: watcher,
            folder,
            programs,
            user,
        };
        server.init()?;
        server.launch(&mut server.child())?;
        server.psql(&format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{}'", server.password))?;
        Ok(server)
    }

    /// The one of this process, for tests that do it no harm. Panics, with the remedy, when it cannot be had.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match Self::start() {
            Ok(server) => server,
            Err(trouble) => panic!("{trouble}"),
        })
    }

    /// A fresh, empty database; its URL.
    pub fn create_database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(&format!("CREATE DATABASE {name} OWNER {ROLE}"))?;
        Ok(format!("postgres://{ROLE}:{}@127.0.0.1:{}/{name}", self.password, self.port))
    }

    /// Its TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs one statement as the superuser, in the database `postgres`; what it says, a line a row.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.run(self.as_superuser().args(["-c", sql]), sql)
    }

    /// Runs one statement as a test's role in a test's database.
    pub fn psql_on(&self, url: &str, sql: &str) -> Result<String> {
        self.run(self.client().args(["-d", url, "-c", sql]), sql)
    }

    /// Opens a session as a test's role in a test's database.
    pub fn session(&self, url: &str) -> Result<Session> {
        let mut psql = self.client();
        psql.args(["-d", url]);
        Session::open(psql)
    }

    /// Who is connected to a test's database: the process of each, the oldest first.
    pub fn backends(&self, url: &str) -> Result<Vec<u32>> {
        let name = url.rsplit('/').next().unwrap_or_default();
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE datname = '{name}' ORDER BY backend_start");
        self.psql(&sql)?.lines().map(|line| line.trim().parse().map_err(Trouble::of("a process id"))).collect()
    }

    /// `kill -9` of one of them. The server then ends all others too and recovers, as Postgres does.
    pub fn kill_backend(&self, pid: u32) -> Result<()> {
        signal::send("KILL", pid)
    }

    /// `kill -9` of all who are connected to a test's database; how many.
    pub fn kill_backends(&self, url: &str) -> Result<usize> {
        let pids = self.backends(url)?;
        // One may have ended by itself, or because of the first.
        let killed = pids.iter().filter(|pid| signal::send("KILL", **pid).is_ok()).count();
        Ok(killed)
    }

    /// Ends the connections of a test's database in order, as an operator or a proxy does; how many.
    pub fn terminate_backends(&self, url: &str) -> Result<usize> {
        let pids = self.backends(url)?;
        for pid in &pids {
            self.psql(&format!("SELECT pg_terminate_backend({pid})"))?;
        }
        Ok(pids.len())
    }

    /// `kill -9` of the server's main process; its backends are left to notice. [`Self::restart`] starts it again.
    pub fn kill_postmaster(&self) -> Result<()> {
        let mut child = self.child();
        let Some(mut killed) = child.take() else { return Err(Trouble::new("the server is not running")) };
        killed.kill().map_err(Trouble::of("kill -9"))?;
        killed.wait().map(drop).map_err(Trouble::of("the server's end"))
    }

    /// Ends it in order and at once: open transactions are rolled back, clients are sent away.
    pub fn stop(&self) -> Result<()> {
        end(&mut self.child(), "INT")
    }

    /// Starts it again, on the same port, after a stop or a death.
    pub fn restart(&self) -> Result<()> {
        self.launch(&mut self.child())
    }

    /// Stops it in order and starts it again, as after a change of its configuration.
    pub fn restart_fast(&self) -> Result<()> {
        let mut child = self.child();
        end(&mut child, "INT")?;
        self.launch(&mut child)
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn init(&self) -> Result<()> {
        let mut command = self.command("initdb");
        command.args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--auth-local=trust"]);
        // Not flushed: a cluster that a power cut would take away with the test is no loss.
        command.args(["--auth-host=scram-sha-256", "--no-sync", "--pgdata"]).arg(self.data());
        self.run(&mut command, "initdb").map(drop)
    }

    /// Starts the server and waits until it takes connections.
    fn launch(&self, child: &mut Option<Child>) -> Result<()> {
        if child.is_some() {
            return Err(Trouble::new("the server is running"));
        }
        let started = wait::until(START, || {
            let running = match child {
                Some(running) => running,
                None => child.insert(self.spawn()?),
            };
            if running.try_wait().map_err(Trouble::of("the server"))?.is_none() {
                return Ok(self.is_ready(running.id()).then_some(()));
            }
            *child = None;
            // The last backends of a killed server still hold its memory; they notice within moments.
            let patience = self.log().contains("pre-existing shared memory block");
            if patience { Ok(None) } else { Err(Trouble::new(format!("Postgres did not start:\n{}", self.log()))) }
        })?;
        started.ok_or_else(|| Trouble::new(format!("Postgres was to start within {START:?}:\n{}", self.log())))
    }

    fn spawn(&self) -> Result<Child> {
        let log = File::create(self.folder.join("log")).map_err(Trouble::of("the server's log"))?;
        let errors = log.try_clone().map_err(Trouble::of("the server's log"))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]).arg("-k").arg(&self.folder);
        for (name, value) in &self.settings {
            command.args(["-c", &format!("{name}={value}")]);
        }
        // Not of the terminal's group: an interrupt is for the tests, and the watcher then ends the server.
        command.process_group(0).stdout(log).stderr(errors).spawn().map_err(Trouble::of("postgres"))
    }

    /// What `pg_ctl` looks at: the server's own note of its process and its state.
    fn is_ready(&self, pid: u32) -> bool {
        let note = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = note.lines();
        lines.next() == Some(&*pid.to_string()) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn as_superuser(&self) -> Command {
        let mut psql = self.client();
        psql.args(["-U", "postgres", "-d", "postgres", "-p", &self.port.to_string(), "-h"]).arg(&self.folder);
        psql
    }

    fn client(&self) -> Command {
        let mut psql = self.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        psql.env("PGCONNECT_TIMEOUT", "10").env("PGOPTIONS", "-c statement_timeout=30s");
        psql
    }

    /// A program of this Postgres, that nobody's own settings disturb.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").current_dir(&self.folder).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn run(&self, command: &mut Command, what: &str) -> Result<String> {
        let done = command.output().map_err(Trouble::of(what))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned());
        }
        Err(Trouble::new(format!("{what}: {}", String::from_utf8_lossy(&done.stderr).trim_end())))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Without care for the data: the watcher removes it now.
        let _ = end(&mut self.child(), "QUIT");
    }
}

/// Sends a signal to the server and reaps it.
fn end(child: &mut Option<Child>, how: &str) -> Result<()> {
    let Some(mut ending) = child.take() else { return Ok(()) };
    signal::send(how, ending.id())?;
    let ended = wait::until(STOP, || ending.try_wait().map_err(Trouble::of("the server's end")))?;
    if ended.is_some() {
        return Ok(());
    }
    ending.kill().and_then(|()| ending.wait()).map_err(Trouble::of("the server's end"))?;
    Err(Trouble::new(format!("Postgres was to end within {STOP:?} and had to be killed")))
}

/// Where the programs of the server are: by `PATH`, or where Debian puts them, the newest first.
fn programs() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // What stands in the path may be a link to a program whose companions stand elsewhere.
    let real = |folder: PathBuf| folder.join("initdb").canonicalize().ok()?.parent().map(Path::to_owned);
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path()).collect())
        .unwrap_or_default();
    debian.sort_by_key(|folder| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let debian = debian.into_iter().rev().map(|folder| folder.join("bin"));
    let mut folders = std::env::split_paths(&path).chain(debian).filter_map(real);
    folders.find(|folder| folder.join("postgres").is_file()).ok_or_else(|| {
        Trouble::new(
            "no Postgres server (initdb, postgres) is installed, which this test starts for itself: \
             apt-get install postgresql, or put its programs into PATH",
        )
    })
}

/// As whom the server runs: nobody else, unless we are root.
fn user_of(folder: &Path) -> Result<Option<(u32, u32)>> {
    if fs::metadata(folder).map_err(Trouble::of(folder.display()))?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(Trouble::of("/etc/passwd"))?;
    let find = |name: &str| {
        let fields: Vec<&str> =
            users.lines().map(|line| line.split(':').collect()).find(|f: &Vec<&str>| f[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    let user = find("postgres").or_else(|| find("nobody"));
    user.map(Some).ok_or_else(|| Trouble::new("Postgres refuses to run as root: make a user `postgres`"))
}
