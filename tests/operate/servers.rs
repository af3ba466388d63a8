//! Servers of the real binary, each by a settings file of its own, and who talks to them.

use crate::http;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use waystone::clock::Clock;
use waystone::ids::PlayerId;
use waystone::links::certificates;
use waystone::net::auth::{Claims, Role, Secret, mint};
use waystone::net::client::{Client, Push};
use waystone_kit::{Postgres, port};

/// Longest wait for a server to be ready: a debug build beside compilers.
const READY: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// How long tokens of these tests are good.
const HOUR: Duration = Duration::from_secs(3_600);

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("operate-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the target's folder for tests can be written");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file anew.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder can be written");
    }

    /// A new secret in a file.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        let text = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        self.write(name, &text);
        Secret::new(text.into_bytes())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a failed test leaves says why.
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.0).unwrap_or_default();
        }
    }
}

/// A running server; dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    /// Starts one by these settings, beside its address, and waits until somebody listens.
    pub(crate) async fn start(folder: &Folder, name: &str, settings: &str) -> Self {
        let port = port::free().expect("one of a hundred ports is free");
        folder.write(&format!("{name}.toml"), &format!("[http]\nlisten = \"127.0.0.1:{port}\"\n{settings}"));
        let log = || fs::File::options().create(true).append(true).open(folder.path(&format!("{name}.log")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
        command.arg("serve").arg("--config").arg(folder.path(&format!("{name}.toml")));
        command.stdin(Stdio::null()).stdout(log().expect("writable")).stderr(log().expect("writable"));
        let mut child = command.spawn().expect("the binary was built");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = child.try_wait().expect("our own child");
            let said = || fs::read_to_string(folder.path(&format!("{name}.log"))).unwrap_or_default();
            assert!(ended.is_none(), "{name} has ended: {ended:?}\n{}", said());
            assert!(begun.elapsed() < READY, "{name} was to listen within {READY:?}\n{}", said());
            sleep(LOOK).await;
        }
        Self { child, port }
    }

    /// Waits until it takes work.
    pub(crate) async fn ready(self) -> Self {
        let port = self.port;
        eventually("it is ready", READY, async || {
            let reply = http::get(port, "/readyz", None).await.map_err(|err| err.to_string())?;
            if reply.status == 200 { Ok(()) } else { Err(reply.body) }
        })
        .await;
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/connect", self.port)
    }

    /// Sends a signal by name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill exists").success(), "it runs");
    }

    /// A counter of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = http::get(self.port, "/metrics", None).await.expect("it answers").body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in\n{page}"))
    }

    /// The status of a call with a token.
    pub(crate) async fn status(&self, path: &str, token: &str) -> u16 {
        http::get(self.port, path, Some(token)).await.expect("it answers").status
    }

    /// Has something done, which must succeed.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let reply = http::post(self.port, path, token, body).await.expect("it answers");
        assert!((200..300).contains(&reply.status), "{path}: {reply:?}");
        reply.json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already; the wait reaps it in any case.
        self.child.kill().unwrap_or_default();
        self.child.wait().expect("our own child");
    }
}

/// Two nodes of a cluster, `a` and `b`, on a private database that goes with what is handed back first.
pub(crate) async fn pair(folder: &Folder) -> (Postgres, Server, Server) {
    let postgres = spawn_blocking(Postgres::start).await.expect("no panic").expect("a private server");
    let url = postgres.create_database().expect("a fresh database");
    let mut migrate = Command::new(env!("CARGO_BIN_EXE_waystone"));
    migrate.args(["migrate", "--postgres", &url]).stdin(Stdio::null());
    let migrated = spawn_blocking(move || migrate.output()).await.expect("no panic").expect("the binary runs");
    assert!(migrated.status.success(), "{migrated:?}");
    certificates::make(&folder.path("certificates"), &["a", "b"], false, Clock::system().now()).expect("made");
    let settings = |name: &str| {
        let links = port::free().expect("one of a hundred ports is free");
        format!(
            "[store]\ndata = \"{name}\"\npostgres = \"{url}\"\n[auth]\nhs256_secret_file = \"auth.key\"\n\
             [cluster]\nlisten = \"127.0.0.1:{links}\"\nname = \"{name}\"\nca_file = \"certificates/ca.pem\"\n\
             cert_file = \"certificates/{name}.pem\"\nkey_file = \"certificates/{name}.key\"\n"
        )
    };
    for name in ["a", "b"] {
        fs::create_dir_all(folder.path(name)).expect("the folder can be written");
        // Nodes of a cluster have this one in common as well.
        fs::copy(folder.path("auth.key"), folder.path(name).join("auth.key")).expect("it is there");
    }
    let a = Server::start(folder, "a", &settings("a")).await.ready().await;
    let b = Server::start(folder, "b", &settings("b")).await.ready().await;
    (postgres, a, b)
}

/// A token, signed as of some seconds ago: what is signed in the second of a revocation counts as revoked.
pub(crate) fn token(secret: &Secret, player: &str, role: Role) -> String {
    let player = PlayerId::new(player).expect("an id");
    let claims = Claims::new(player, role, Clock::system().now() - Duration::from_secs(3), HOUR);
    mint(secret, &claims).expect("a key that signs")
}

/// The code and reason by which a connection ends, within a span.
pub(crate) async fn closed(client: &Client, within: Duration) -> (u32, String) {
    let end = async {
        loop {
            match client.next_push().await {
                Some(Push::Disconnected { code, reason }) => return (code, reason),
                Some(Push::Publication { .. }) => {}
                None => panic!("the end was told before"),
            }
        }
    };
    timeout(within, end).await.unwrap_or_else(|_| panic!("it was to be closed within {within:?}"))
}

/// Looks again and again until there is something; says what was seen last when there is not.
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(begun.elapsed() < within, "not within {within:?}: {what}; last seen: {seen}"),
        }
        sleep(LOOK).await;
    }
}
