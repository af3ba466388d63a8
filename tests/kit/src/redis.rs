//! A private Redis server: its start, a few words with it, and the harm that tests do to it.
//!
//! It keeps nothing on disk: what it held is gone when it has ended, as is right for derived data, and as tests of that
//! want it. Who connects must know the password, which is made at the start; only 127.0.0.1 is listened to.

use crate::watcher::Watcher;
use crate::{Result, Trouble, folder, port, signal, wait};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest start, on a busy machine.
const START: Duration = Duration::from_secs(30);
/// Longest answer to one command; a stopped server gives none.
const ANSWER: Duration = Duration::from_secs(2);

/// A running server; dropping it ends and removes it.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    port: u16,
    /// Where it speaks TLS, if it does.
    tls_port: Option<u16>,
    password: String,
    /// The server as our child; `None` after [`Self::kill`].
    child: Mutex<Option<Child>>,
    _watcher: Watcher,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// Starts one that speaks TLS too, on a port of its own, with a certificate and its key in PEM.
    pub fn start_tls(certificate: &str, key: &str) -> Result<Self> {
        Self::start_with(Some((certificate, key)))
    }

    fn start_with(tls: Option<(&str, &str)>) -> Result<Self> {
        let folder = folder::fresh("redis")?;
        let watcher = Watcher::over(&folder)?;
        let (port, password) = (port::free()?, folder::random_hex(16)?);
        let tls_port = tls.map(|_| port::free()).transpose()?;
        let server = Self { folder, port, tls_port, password, child: Mutex::default(), _watcher: watcher };
        server.configure(tls)?;
        server.restart()?;
        Ok(server)
    }

    /// Where it is, with the password.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Its TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it speaks TLS, with the password; `None`: it does not.
    pub fn tls_url(&self) -> Option<String> {
        self.tls_port.map(|port| format!("rediss://:{}@127.0.0.1:{port}", self.password))
    }

    /// Its TCP port for TLS on 127.0.0.1.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// `kill -9`; all that it held is gone. [`Self::restart`] starts it again.
    pub fn kill(&self) -> Result<()> {
        let Some(mut killed) = self.child().take() else { return Err(Trouble::new("the server is not running")) };
        end(&mut killed)
    }

    /// Starts it again, empty, on the same port, after a death.
    pub fn restart(&self) -> Result<()> {
        let mut child = self.child();
        if child.is_some() {
            return Err(Trouble::new("the server is running"));
        }
        let running = child.insert(self.spawn()?);
        let started = wait::until(START, || {
            if running.try_wait().map_err(Trouble::of("the server"))?.is_some() {
                return Err(Trouble::new(format!("Redis did not start:\n{}", self.log())));
            }
            Ok(self.command(&["PING"]).ok())
        })?;
        started.map(drop).ok_or_else(|| Trouble::new(format!("Redis was to start within {START:?}:\n{}", self.log())))
    }

    /// Stops it where it is (SIGSTOP): it keeps its connections and takes new ones, and answers nobody.
    pub fn stop(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on after [`Self::stop`].
    pub fn cont(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// Empties it.
    pub fn flush(&self) -> Result<()> {
        self.command(&["FLUSHALL"]).map(drop)
    }

    /// One command on a connection of its own; what it says, a line a part, an absent one as an empty line.
    pub fn command(&self, words: &[&str]) -> Result<String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(Trouble::of("Redis"))?;
        let bounded = stream.set_read_timeout(Some(ANSWER)).and_then(|()| stream.set_write_timeout(Some(ANSWER)));
        bounded.map_err(Trouble::of("the connection to Redis"))?;
        let mut answers = BufReader::new(stream);
        ask(&mut answers, &["AUTH", &self.password])?;
        Ok(ask(&mut answers, words)?.join("\n"))
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, name: &str) -> Result<()> {
        let child = self.child();
        let Some(running) = child.as_ref() else { return Err(Trouble::new("the server is not running")) };
        signal::send(name, running.id())
    }

    /// In a file, where no list of processes shows the password.
    fn configure(&self, tls: Option<(&str, &str)>) -> Result<()> {
        let private = |name: &str, text: &str| {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.folder.join(name));
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(Trouble::of("the server's configuration"))
        };
        let mut lines = vec![
            format!("port {}", self.port),
            format!("requirepass {}", self.password),
            format!("dir {}", self.folder.display()),
            "bind 127.0.0.1".to_owned(),
            "daemonize no".to_owned(),
            "save \"\"".to_owned(),
            "appendonly no".to_owned(),
        ];
        if let (Some((certificate, key)), Some(port)) = (tls, self.tls_port) {
            private("tls.pem", certificate)?;
            private("tls.key", key)?;
            let files = "tls-cert-file tls.pem\ntls-key-file tls.key\ntls-ca-cert-file tls.pem\ntls-auth-clients no";
            lines.push(format!("tls-port {port}\n{files}"));
        }
        private("redis.conf", &lines.join("\n"))
    }

    fn spawn(&self) -> Result<Child> {
        let log = File::create(self.folder.join("log")).map_err(Trouble::of("the server's log"))?;
        let errors = log.try_clone().map_err(Trouble::of("the server's log"))?;
        let mut command = Command::new(program()?);
        command.arg("redis.conf").current_dir(&self.folder).stdin(Stdio::null());
        // Not of the terminal's group: an interrupt is for the tests, and the watcher then ends the server.
        command.process_group(0).stdout(log).stderr(errors).spawn().map_err(Trouble::of("redis-server"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut running) = self.child().take() {
            // The watcher ends what is left.
            let _ = end(&mut running);
        }
    }
}

fn end(child: &mut Child) -> Result<()> {
    child.kill().map_err(Trouble::of("kill -9"))?;
    child.wait().map(drop).map_err(Trouble::of("the server's end"))
}

/// Where the server is: by `PATH`, or where Debian puts it.
fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let found = folders.find_map(|folder| Some(folder.join("redis-server")).filter(|program| program.is_file()));
    found.ok_or_else(|| {
        Trouble::new(
            "no Redis server (redis-server) is installed, which this test starts for itself: \
             apt-get install redis-server, or put it into PATH",
        )
    })
}

/// Asks, and hears the parts of the answer.
fn ask(stream: &mut BufReader<TcpStream>, words: &[&str]) -> Result<Vec<String>> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.get_mut().write_all(request.as_bytes()).map_err(Trouble::of("a command to Redis"))?;
    let mut parts = Vec::new();
    hear(stream, &mut parts)?;
    Ok(parts)
}

fn hear(stream: &mut BufReader<TcpStream>, parts: &mut Vec<String>) -> Result<()> {
    let heard = Trouble::of("Redis");
    let mut line = String::new();
    stream.read_line(&mut line).map_err(heard)?;
    let (kind, rest) = line.trim_end().split_at_checked(1).ok_or_else(|| Trouble::new("Redis hung up"))?;
    let count = || rest.parse::<i64>().map_err(Trouble::of("a length"));
    match kind {
        "-" => Err(Trouble::new(rest)),
        "*" => (0..count()?).try_for_each(|_| hear(stream, parts)),
        "$" => {
            let mut text = Vec::new();
            // -1: there is none, and nothing follows.
            if let Ok(length) = u64::try_from(count()?) {
                stream.take(length + 2).read_to_end(&mut text).map_err(Trouble::of("Redis"))?;
                text.truncate(text.len().saturating_sub(2));
            }
            parts.push(String::from_utf8_lossy(&text).into_owned());
            Ok(())
        }
        _ => {
            parts.push(rest.to_owned());
            Ok(())
        }
    }
}
