//! What a cluster needs beside its nodes, for a demo only: a Postgres and a Redis of its own, on the loopback address, each with
//! a password made at the start, in a folder that is gone with the demo.
//!
//! Promise: either both run or nothing does; and when the demo's process is gone, however it ended, they are too.

use crate::keys;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// Longest start of a server, on a busy machine.
const START: Duration = Duration::from_secs(30);
/// Longest end of one.
const STOP: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(10);
/// Ports are taken from here: below those that the system gives to outgoing connections, one of which could else have a
/// port just when its server starts again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// The role and the database of the nodes.
const ROLE: &str = "waystone";
const DATABASE: &str = "postgres";

/// Ends what it has been told of when the pipe that it reads is closed: by us, or by the system after our death.
/// `$1` is the folder; each line names a process, or says that all have ended.
const GUARD: &str = r#"
trap '' HUP INT QUIT TERM
while read -r process; do
    case $process in ended) processes= ;; *) processes="$processes $process" ;; esac
done
for process in $processes; do kill -QUIT "$process"; done 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    alive=
    for process in $processes; do kill -0 "$process" 2>/dev/null && alive=yes; done
    [ -z "$alive" ] && break
    sleep 0.1
done
for process in $processes; do kill -KILL "$process"; done 2>/dev/null
rm -rf "$1"
"#;

/// Why a demo of several nodes has nothing to stand on.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// A program is not there.
    #[error("a demo of several nodes starts {what} for itself, and none is installed: {remedy}")]
    Missing {
        /// Which.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Postgres refuses to be root.
    #[error(
        "Postgres refuses to run as root, and there is neither a user `postgres` nor `nobody`: make one, or be another user"
    )]
    Root,
    /// One did not start.
    #[error("{what} did not start: {why}")]
    Start {
        /// Which.
        what: &'static str,
        /// What it said last.
        why: String,
    },
    /// Something of the system's.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServicesError {
    let what = what.into();
    move |source| ServicesError::System { what, source }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The folder of `initdb` and `postgres`.
    postgres: PathBuf,
    redis: PathBuf,
}

impl Programs {
    /// By `PATH`, or where Debian puts those of Postgres, the newest first.
    pub fn find() -> Result<Self, ServicesError> {
        Self::find_in(&std::env::var_os("PATH").unwrap_or_default(), Path::new("/usr/lib/postgresql"))
    }

    fn find_in(path: &std::ffi::OsStr, debian: &Path) -> Result<Self, ServicesError> {
        let path: Vec<PathBuf> = std::env::split_paths(path).collect();
        let mut versions: Vec<PathBuf> =
            fs::read_dir(debian).map(|found| found.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
        versions.sort_by_key(|folder| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
        let versions = versions.into_iter().rev().map(|folder| folder.join("bin"));
        // What stands in the path may be a link to a program whose companions stand elsewhere.
        let real = |folder: PathBuf| folder.join("initdb").canonicalize().ok()?.parent().map(Path::to_owned);
        let mut homes = path.iter().cloned().chain(versions).filter_map(real);
        let postgres = homes.find(|folder| folder.join("postgres").is_file()).ok_or(ServicesError::Missing {
            what: "a Postgres server (initdb, postgres)",
            remedy: "apt-get install postgresql, or put its programs into PATH",
        })?;
        let redis = path.iter().map(|folder| folder.join("redis-server")).find(|program| program.is_file());
        let redis = redis.ok_or(ServicesError::Missing {
            what: "a Redis server (redis-server)",
            remedy: "apt-get install redis-server, or put it into PATH",
        })?;
        Ok(Self { postgres, redis })
    }
}

/// Both at work. Dropping them leaves their end to the guard, which does it at once.
#[derive(Debug)]
pub struct Services {
    /// The database's address, with the password.
    pub postgres: String,
    /// The Redis's address, with the password.
    pub redis: String,
    /// The folder that goes with them.
    pub folder: PathBuf,
    /// Ended in the order from the last to the first, each by its signal.
    running: Vec<(Child, &'static str)>,
    guard: Child,
}

/// One that is about to start.
struct Setting<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    /// As whom it runs, if not as ourselves.
    user: Option<(u32, u32)>,
}

impl Services {
    /// Starts both; takes some seconds, most of them for a new database. `near` is where their folder is made, unless we are
    /// root: the user that Postgres then runs as could not enter it.
    pub async fn start(programs: &Programs, near: &Path) -> Result<Self, ServicesError> {
        let root = fs::metadata("/proc/self").or_else(|_| fs::metadata(near)).is_ok_and(|meta| meta.uid() == 0);
        let user = if root { Some(other_user()?) } else { None };
        let unique: String = keys::link_key().chars().take(8).collect();
        let parent = if root { std::env::temp_dir() } else { near.to_owned() };
        let folder = parent.join(format!("waystone-cluster-{unique}"));
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed(folder.display().to_string()))?;
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD, "waystone-guard"]).arg(&folder).current_dir("/").process_group(0);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().map_err(failed("/bin/sh"))?;
        let (postgres, redis) = (String::new(), String::new());
        // From here on dropping this ends whatever has been started, and removes the folder.
        let mut services = Self { postgres, redis, folder: folder.clone(), running: Vec::new(), guard };
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).map_err(failed(folder.display().to_string()))?;
        }
        let setting = Setting { programs, folder: &folder, user };
        services.redis = setting.redis(&mut services).await?;
        services.postgres = setting.postgres(&mut services).await?;
        Ok(services)
    }

    /// Ends both in order.
    pub async fn end(mut self) {
        for (child, signal) in self.running.drain(..).rev() {
            end(child, signal).await;
        }
        if let Some(mut lines) = self.guard.stdin.take() {
            // A guard that is gone has ended them by now.
            writeln!(lines, "ended").unwrap_or_default();
        }
        let begun = Instant::now();
        while matches!(self.guard.try_wait(), Ok(None)) && begun.elapsed() < STOP {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn run(&mut self, child: Child, end: &'static str) -> io::Result<&mut Child> {
        if let Some(lines) = &mut self.guard.stdin {
            writeln!(lines, "{}", child.id())?;
        }
        self.running.push((child, end));
        Ok(&mut self.running.last_mut().expect("just pushed").0)
    }
}

impl Setting<'_> {
    async fn redis(&self, services: &mut Services) -> Result<String, ServicesError> {
        let (port, password) = (free_port()?, keys::link_key());
        // In a file, where no list of processes shows the password.
        let lines = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {}\ndaemonize no\nsave \"\"\nappendonly no\n",
            self.folder.display()
        );
        let config = self.secret_file("redis.conf", &lines)?;
        let mut command = self.command(self.programs.redis.clone(), "redis.log")?;
        let child = command.arg(config).spawn().map_err(failed("redis-server"))?;
        let child = services.run(child, "TERM").map_err(failed("the guard"))?;
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        self.until("Redis", "redis.log", child, listens).await?;
        Ok(format!("redis://:{password}@127.0.0.1:{port}"))
    }

    async fn postgres(&self, services: &mut Services) -> Result<String, ServicesError> {
        let (port, password, data) = (free_port()?, keys::link_key(), self.folder.join("postgres"));
        let secret = self.secret_file("password", &password)?;
        let mut init = self.command(self.programs.postgres.join("initdb"), "initdb.log")?;
        init.args(["--username", ROLE, "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync"]);
        init.arg("--pwfile").arg(secret).arg("--pgdata").arg(&data);
        let made = tokio::task::spawn_blocking(move || init.status()).await;
        let made = made.map_err(io::Error::other).and_then(|made| made).map_err(failed("initdb"))?;
        if !made.success() {
            return Err(ServicesError::Start { what: "Postgres", why: self.last_words("initdb.log") });
        }
        let mut command = self.command(self.programs.postgres.join("postgres"), "postgres.log")?;
        command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        // No socket: its path would have to be short. Memory in the folder, which is removed in any case.
        command.args(["-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap"]);
        let child = command.spawn().map_err(failed("postgres"))?;
        let child = services.run(child, "INT").map_err(failed("the guard"))?;
        // What `pg_ctl` looks at: the server's own note of its state.
        let ready = || {
            let note = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            note.lines().nth(7).is_some_and(|state| state.trim() == "ready")
        };
        self.until("Postgres", "postgres.log", child, ready).await?;
        Ok(format!("postgres://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"))
    }

    fn secret_file(&self, name: &str, text: &str) -> Result<PathBuf, ServicesError> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed(path.display().to_string()))?;
        if let Some((uid, gid)) = self.user {
            chown(&path, Some(uid), Some(gid)).map_err(failed(path.display().to_string()))?;
        }
        Ok(path)
    }

    /// A program that nobody's own settings disturb, and what it says in a file.
    fn command(&self, program: PathBuf, log: &str) -> Result<Command, ServicesError> {
        let said = File::create(self.folder.join(log)).map_err(failed(log))?;
        let errors = said.try_clone().map_err(failed(log))?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        // Not of the terminal's group: an interrupt is for the demo, which then ends its servers in order.
        command.env("LC_ALL", "C").current_dir(self.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(said).stderr(errors);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        Ok(command)
    }

    async fn until(
        &self,
        what: &'static str,
        log: &str,
        child: &mut Child,
        ready: impl Fn() -> bool,
    ) -> Result<(), ServicesError> {
        let begun = Instant::now();
        while !ready() {
            let ended = child.try_wait().map_err(failed(what))?.is_some();
            if ended || begun.elapsed() > START {
                return Err(ServicesError::Start { what, why: self.last_words(log) });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn last_words(&self, log: &str) -> String {
        let text = fs::read_to_string(self.folder.join(log)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// One on the loopback address that nobody has now.
pub(super) fn free_port() -> Result<u16, ServicesError> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut tries = (0..100).map(|_| rand::random_range(PORTS));
    let none = || failed("a free port")(io::ErrorKind::AddrInUse.into());
    tries.find(free).ok_or_else(none)
}

/// As whom servers run when we are root.
fn other_user() -> Result<(u32, u32), ServicesError> {
    let users = fs::read_to_string("/etc/passwd").map_err(failed("/etc/passwd"))?;
    let find = |name: &str| {
        let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = lines.find(|fields| fields.first() == Some(&name))?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).ok_or(ServicesError::Root)
}

/// Ends a child by a signal, and by force if that is not heard.
async fn end(mut child: Child, signal: &'static str) {
    // Without unsafe a signal is sent by a program; where that fails, force remains.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -s \"$1\" \"$2\" 2>/dev/null", "sh", signal, &child.id().to_string()]);
    let sent = tokio::task::spawn_blocking(move || shell.stdin(Stdio::null()).status()).await;
    let begun = Instant::now();
    while matches!(&sent, Ok(Ok(status)) if status.success()) && begun.elapsed() < STOP {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
    child.kill().unwrap_or_default();
    child.wait().map(drop).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let folder = std::env::temp_dir().join(format!("waystone-programs-{}", std::process::id()));
        let find = || Programs::find_in(folder.as_os_str(), &folder.join("none")).map_err(|err| err.to_string());
        fs::create_dir_all(&folder).expect("a folder");
        assert!(find().expect_err("no Postgres").contains("apt-get install postgresql"));
        for program in ["initdb", "postgres"] {
            fs::write(folder.join(program), "").expect("written");
        }
        assert!(find().expect_err("no Redis").contains("apt-get install redis-server"));
        fs::write(folder.join("redis-server"), "").expect("written");
        let home = folder.canonicalize().expect("it is there");
        assert_eq!(find().expect("all there").postgres, home);
        fs::remove_dir_all(&folder).expect("removed");
    }
}
