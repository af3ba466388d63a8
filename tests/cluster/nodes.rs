//! The nodes: the real binary, three times, on one private database.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;
use waystone::clock::Clock;
use waystone::config;
use waystone::ids::PlayerId;
use waystone::links::certificates;
use waystone::net::auth::{Claims, Role, Secret, mint};
use waystone_kit::{Postgres, port};

/// Longest wait for a node to be ready, to end, or for shards to settle: holds are ten seconds, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(50);

/// The cluster under test.
pub(crate) struct Cluster {
    folder: PathBuf,
    postgres: Postgres,
    url: String,
    secret: Secret,
    nodes: BTreeMap<&'static str, Node>,
}

struct Node {
    http: u16,
    links: u16,
    child: Option<Child>,
}

impl Cluster {
    /// Starts it, and waits until every node has its share.
    pub(crate) async fn start<const N: usize>(names: [&'static str; N]) -> Self {
        let unique = format!("cluster-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        fs::create_dir_all(&folder).expect("the target's folder for tests can be written");
        let postgres =
            tokio::task::spawn_blocking(Postgres::start).await.expect("no panic").expect("a private server");
        let url = postgres.create_database().expect("a fresh database");
        let now = Clock::system().now();
        certificates::make(&folder.join("certificates"), &names, false, now).expect("a fresh folder");
        fs::write(folder.join("auth.key"), format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
            .expect("the folder can be written");
        let secret = config::read_secret(&folder.join("auth.key")).expect("just written");
        let port = || port::free().expect("one of a hundred ports is free");
        let node = |name| (name, Node { http: port(), links: port(), child: None });
        let mut cluster = Self { folder, postgres, url, secret, nodes: names.into_iter().map(node).collect() };
        let migrated =
            Command::new(env!("CARGO_BIN_EXE_waystone")).args(["migrate", "--postgres", &cluster.url]).output();
        assert!(migrated.expect("the binary runs").status.success());
        for name in names {
            cluster.launch(name).await;
        }
        cluster.all_owned_by(&names).await;
        cluster
    }

    /// Where players connect.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.values().map(|node| format!("ws://127.0.0.1:{}/connect", node.http)).collect()
    }

    /// A player's token.
    pub(crate) fn token(&self, player: &PlayerId) -> String {
        let exp = Clock::system().now().as_millis() / 1_000 + 3_600;
        let claims =
            Claims { sub: player.clone(), exp, name: None, lang: None, role: Role::Player, aud: None, iss: None };
        mint(&self.secret, &claims).expect("a sound secret")
    }

    /// Starts a node that does not run.
    pub(crate) async fn launch(&mut self, name: &'static str) {
        let file = |file: String| self.folder.join("certificates").join(file).to_string_lossy().into_owned();
        let data = self.folder.join(name).to_string_lossy().into_owned();
        let (ca, cert, key) = (file("ca.pem".into()), file(format!("{name}.pem")), file(format!("{name}.key")));
        let auth = self.folder.join("auth.key").to_string_lossy().into_owned();
        let node = self.nodes.get_mut(name).expect("a node of ours");
        let (http, links) = (format!("127.0.0.1:{}", node.http), format!("127.0.0.1:{}", node.links));
        let log = || File::options().create(true).append(true).open(self.folder.join(format!("{name}.log")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
        command.args(["serve", "--listen", &http, "--data", &data, "--hs256-secret-file", &auth]);
        command.args(["--postgres", &self.url, "--cluster-listen", &links, "--cluster-name", name]);
        command.args(["--cluster-ca-file", &ca, "--cluster-cert-file", &cert, "--cluster-key-file", &key]);
        command.args(["--quest", concat!(env!("CARGO_MANIFEST_DIR"), "/quests/helsinki.yaml")]);
        command.stdin(Stdio::null()).stdout(log().expect("writable")).stderr(log().expect("writable"));
        node.child = Some(command.spawn().expect("the binary was built"));
        let (port, begun) = (node.http, Instant::now());
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "node {name} was to listen");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, name: &str) {
        let child = self.nodes.get_mut(name).and_then(|node| node.child.take());
        let mut child = child.expect("it runs");
        child.kill().expect("it is ours");
        child.wait().expect("it is reaped");
    }

    /// Stands still for a while, and goes on as if nothing had been.
    pub(crate) async fn freeze(&self, name: &str, span: Duration) {
        self.signal(name, "STOP");
        tokio::time::sleep(span).await;
        self.signal(name, "CONT");
    }

    /// Ends in order.
    pub(crate) async fn drain(&mut self, name: &str) {
        self.signal(name, "TERM");
        let mut child = self.nodes.get_mut(name).and_then(|node| node.child.take()).expect("it runs");
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("it is ours") {
                assert!(status.success(), "node {name} was to end in order: {status}");
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "node {name} was to end");
            tokio::time::sleep(LOOK).await;
        }
    }

    fn signal(&self, name: &str, signal: &str) {
        let pid = self.nodes[name].child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill exists").success());
    }

    /// Waits until just these nodes own all shards, each at least half of its share.
    pub(crate) async fn all_owned_by(&self, names: &[&str]) {
        const SHARES: &str = "SELECT string_agg(name || ' ' || n, ',' ORDER BY name) FROM (SELECT coalesce(node.name, '-') \
             AS name, count(*) AS n FROM shard LEFT JOIN node ON node.node = shard.owner AND node.until > now() GROUP BY 1) s";
        let begun = Instant::now();
        loop {
            let shares = self.postgres.psql_on(&self.url, SHARES).expect("the database answers");
            let counts: BTreeMap<&str, usize> = shares
                .trim()
                .split(',')
                .filter_map(|share| share.split_once(' '))
                .map(|(name, n)| (name, n.parse().expect("a count")))
                .collect();
            if counts.len() == names.len()
                && names.iter().all(|name| counts.get(name).is_some_and(|n| n * names.len() * 2 > 256))
            {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{names:?} were to own everything, but: {shares}");
            tokio::time::sleep(LOOK * 2).await;
        }
    }

    /// What the journal says of all that was played; then the end, in order.
    pub(crate) async fn verify_and_end(mut self) {
        let verify =
            Command::new(env!("CARGO_BIN_EXE_waystone")).args(["verify", "--json", "--postgres", &self.url]).output();
        let verify = verify.expect("the binary runs");
        assert!(verify.status.success(), "`waystone verify` was to find no fault: {verify:?}");
        let names: Vec<&'static str> = self.nodes.keys().copied().collect();
        for name in names {
            self.drain(name).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (name, node) in &mut self.nodes {
            if let Some(child) = &mut node.child {
                // Frozen ones too.
                child.kill().unwrap_or_default();
                drop(child.wait());
            }
            if std::thread::panicking() {
                let log = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                say(&format!("node {name} said last:\n{}", lines[lines.len().saturating_sub(12)..].join("\n")));
            }
        }
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.folder).unwrap_or_default();
        }
    }
}

/// For who reads the test's output.
#[expect(clippy::print_stdout, reason = "figures are for people who run the test with --nocapture")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
