//! A server in process on a folder and a port of its own, by a clock that the test commands.

use crate::phone::Phone;
use crate::wire;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use waystone::app::{self, App, QuestSource};
use waystone::clock::Clock;
use waystone::geo::plausibility::RuleSet;
use waystone::net::auth::{Auth, AuthConfig, Key, RemoteConfig, Secret};
use waystone::net::console::ConsoleConfig;
use waystone::net::listener::EdgeConfig;
use waystone::persist::Place;
use waystone::units::Timestamp;

/// How long anything may take on a busy machine before it counts as missing.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// The key of the console's link.
pub const CONSOLE_KEY: &str = "one-time-key";
/// What signs tokens here.
pub const SECRET: [u8; 32] = *b"thirty-two bytes for these tests";
/// How long tokens last: the longest recorded track takes five hours.
const TOKEN_HOURS: i64 = 12;

/// A quest file of the repository.
pub fn quest(path: &str) -> QuestSource {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&full).unwrap_or_else(|err| panic!("{}: {err}", full.display()));
    QuestSource { name: path.to_owned(), text }
}

/// The two quests that most stories play.
pub fn quick() -> Vec<QuestSource> {
    vec![quest("tests/data/quests/quick.yaml"), quest("tests/data/quests/alone.yaml")]
}

/// A folder that goes with the test.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("waystone-e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The server.
pub struct TestServer {
    app: Option<App>,
    addr: SocketAddr,
    quests: Vec<QuestSource>,
    tune: fn(&mut EdgeConfig),
    /// Beside the secret.
    key_set: Option<RemoteConfig>,
    pub clock: Clock,
    folder: Folder,
}

impl TestServer {
    /// On a summer day in 2026.
    pub async fn start(quests: Vec<QuestSource>) -> Self {
        Self::start_at(Timestamp::from_millis(1_781_000_000_000), quests, |_| {}).await
    }

    /// At an hour of one's own, with an edge of one's own.
    pub async fn start_at(now: Timestamp, quests: Vec<QuestSource>, tune: fn(&mut EdgeConfig)) -> Self {
        LazyLock::force(&WITNESS);
        let (clock, folder) = (Clock::manual(now), Folder::new());
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { app: None, addr, quests, tune, key_set: None, clock, folder };
        server.switch_on().await;
        server
    }

    /// One that knows the keys of an identity provider, and no others.
    pub async fn start_fetching(quests: Vec<QuestSource>, key_set: RemoteConfig) -> Self {
        LazyLock::force(&WITNESS);
        let (clock, folder) = (Clock::manual(Timestamp::from_millis(1_781_000_000_000)), Folder::new());
        let (addr, tune) = (SocketAddr::from(([127, 0, 0, 1], 0)), |_: &mut EdgeConfig| {});
        let mut server = Self { app: None, addr, quests, tune, key_set: Some(key_set), clock, folder };
        server.switch_on().await;
        server
    }

    async fn switch_on(&mut self) {
        let secret = Secret::new(SECRET);
        let key = Key::hs256(secret.clone()).expect("32 bytes");
        let auth = match self.key_set.clone() {
            None => Auth::new(vec![key], AuthConfig::default(), self.clock.clone()),
            Some(config) => {
                let auth = Auth::new(Vec::new(), AuthConfig::default(), self.clock.clone());
                auth.fetching(config).expect("an address")
            }
        };
        let mut edge = EdgeConfig::new(self.addr);
        edge.drain_spread = Duration::from_millis(50);
        let (key, cookies) = (Secret::new(CONSOLE_KEY), secret.clone());
        edge.console = Some(ConsoleConfig { key, cookies, map: None, companion: None, stage: None });
        (self.tune)(&mut edge);
        let started = app::start_by(
            self.clock.clone(),
            &Place::Folder(self.folder.0.clone()),
            &secret,
            &self.quests,
            Arc::new(auth),
            edge,
        )
        .await;
        let app = started.unwrap_or_else(|err| panic!("the server did not start: {err}"));
        self.addr = app.addr();
        self.app = Some(app);
    }

    /// Ends the server in order, and starts it again on the same folder and port.
    pub async fn restart(&mut self) {
        self.switch_off().await;
        self.switch_on().await;
    }

    async fn switch_off(&mut self) {
        let app = self.app.take().expect("it runs");
        tokio::time::timeout(DEADLINE * 2, app.drain()).await.expect("a drain has a deadline of its own");
    }

    /// Ends the server in order; nothing may have gone wrong unseen.
    pub async fn end(mut self) {
        self.switch_off().await;
        assert_eq!(faults(), Vec::<String>::new(), "the server has panicked or logged an error");
    }

    /// Lets plausibility rules run beside the deciding ones.
    pub fn try_rules(&self, version: u16) {
        let rules = RuleSet::of_version(version).expect("there is such a set");
        self.app.as_ref().expect("it runs").world.try_rules(rules);
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn url(&self) -> String {
        format!("ws://{}/connect", self.addr)
    }

    /// Claims of a good player's token; a test may spoil them.
    pub fn claims(&self, player: &str) -> Value {
        json!({ "sub": player, "exp": self.clock.now().as_millis() / 1000 + TOKEN_HOURS * 3600 })
    }

    pub fn token(&self, player: &str) -> String {
        sign(&self.claims(player))
    }

    pub fn operator_token(&self) -> String {
        let mut claims = self.claims("the-operator");
        claims["role"] = json!("operator");
        sign(&claims)
    }

    /// A player's phone, connected for the first time.
    pub async fn phone(&self, player: &str) -> Phone {
        Phone::connect(&self.url(), player, &self.token(player), self.clock.clone()).await
    }

    /// One request over its own connection. `headers` are whole lines without their ends.
    pub async fn http(&self, method: &str, target: &str, headers: &[&str], body: &str) -> wire::Response {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.addr);
        for line in headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let mut raw = wire::Raw::open(self.addr).await;
        raw.send(format!("{head}{length}\r\n{body}").as_bytes()).await;
        raw.response().await
    }

    /// A call with JSON and a bearer's token.
    pub async fn post(&self, target: &str, token: &str, body: &Value) -> wire::Response {
        let bearer = format!("Authorization: Bearer {token}");
        self.http("POST", target, &[&bearer, "Content-Type: application/json"], &body.to_string()).await
    }

    /// An operator's look at something.
    pub async fn look(&self, target: &str) -> Value {
        let bearer = format!("Authorization: Bearer {}", self.operator_token());
        let response = self.http("GET", target, &[&bearer], "").await;
        assert_eq!(response.status, 200, "{target}: {response:?}");
        response.json()
    }

    /// A counter of `/metrics`.
    pub async fn metric(&self, name: &str) -> u64 {
        let page = self.http("GET", "/metrics", &[], "").await;
        let line = page.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in\n{}", page.body))
    }

    /// Journal entries since the start, once no chain of messages is under way any more.
    pub async fn entries(&self) -> u64 {
        let (mut last, mut same) = (self.metric("waystone_entries_total").await, 0);
        eventually("the journal comes to rest", async || {
            let now = self.metric("waystone_entries_total").await;
            same = if now == last { same + 1 } else { 0 };
            last = now;
            if same >= 10 { Ok(now) } else { Err(format!("{now} entries")) }
        })
        .await
    }
}

/// Signs claims as they are, with the test's secret.
pub fn sign(claims: &Value) -> String {
    sign_with(jsonwebtoken::Algorithm::HS256, &SECRET, claims)
}

/// Signs claims with some algorithm of the HS family and some secret.
pub fn sign_with(algorithm: jsonwebtoken::Algorithm, secret: &[u8], claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&jsonwebtoken::Header::new(algorithm), claims, &key).expect("it can be signed")
}

/// Looks again and again until there is something, at most [`DEADLINE`]; says what was seen last when there is not.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}; last seen: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Held by tests that fill memory, or that look at how full it is.
pub static MEMORY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What this process has in memory, in bytes; 0 where nobody says.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
}

/// Notes panics of the server's threads and errors in its log, for all tests of this program.
static WITNESS: LazyLock<()> = LazyLock::new(|| {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A test's own thread bears the test's name; a failed assertion there is no fault of the server.
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        if thread.starts_with("tokio") || thread.starts_with("waystone") {
            note(format!("panic in {thread}: {info}"));
        }
        print(info);
    }));
    // Ours alone: actix-http takes each stranger's bad request for an error of its own.
    let ours = tracing_subscriber::EnvFilter::new("waystone=error");
    tracing_subscriber::fmt().with_env_filter(ours).with_ansi(false).with_writer(|| Notes).init();
});
static FAULTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(fault: String) {
    // What a test has planted itself.
    if fault.contains("planted poison") {
        return;
    }
    FAULTS.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
}

/// What has gone wrong so far.
pub fn faults() -> Vec<String> {
    FAULTS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Notes;

impl io::Write for Notes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        note(String::from_utf8_lossy(bytes).trim().to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
