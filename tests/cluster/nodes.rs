//! The nodes: the real binary, three times, on one private database and one Redis, with lines between them that can fail.

use crate::front::Front;
use crate::ground::Ground;
use crate::stage::{rounds, say};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use waystone::clock::Clock;
use waystone::cluster::member::NodeId;
use waystone::cluster::placement::Placement;
use waystone::cluster::shard::{SHARDS, Shard};
use waystone::links::certificates;
use waystone::{config, faults};
use waystone_kit::{Lines, Postgres, Redis, port};

/// Longest wait for a node to be ready, to end, or for shards to settle: holds are ten seconds, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long shards may take to settle to the last one, usually.
const SETTLED: Duration = Duration::from_secs(22);
const LOOK: Duration = Duration::from_millis(50);

/// What the quest is: awards in seconds, and limited rewards.
const QUEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quests/sprint.yaml");

/// The node that speaks TLS to Redis; the others do not.
const PRIVATE: &str = "c";
/// Its authority, in the folder of the cluster.
const REDIS_CA: &str = "redis.pem";

/// Who owns each shard, if that node lives.
pub(crate) type Owners = BTreeMap<u16, String>;

/// The cluster under test.
pub(crate) struct Cluster {
    pub lines: Lines,
    pub ground: Arc<Ground>,
    folder: PathBuf,
    postgres: Arc<Postgres>,
    url: String,
    redis: Arc<Redis>,
    nodes: BTreeMap<&'static str, Node>,
}

struct Node {
    http: u16,
    links: u16,
    child: Option<Child>,
}

/// Where a node speaks to Redis, and how it says so.
fn redis_of(redis: &Redis, name: &str) -> (u16, String) {
    let tls = redis.tls_port().zip(redis.tls_url());
    tls.filter(|_| name == PRIVATE).unwrap_or_else(|| (redis.port(), redis.url()))
}

impl Cluster {
    /// Starts it, and waits until each node has its share.
    pub(crate) async fn start<const N: usize>(names: [&'static str; N]) -> Self {
        let unique = format!("cluster-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        fs::create_dir_all(&folder).expect("the target's folder for tests can be written");
        let postgres = spawn_blocking(Postgres::start).await.expect("no panic").expect("a private server");
        let url = postgres.create_database().expect("a fresh database");
        let tls = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let (pem, key) = (tls.cert.pem(), tls.signing_key.serialize_pem());
        fs::write(folder.join(REDIS_CA), &pem).expect("the folder can be written");
        let redis = spawn_blocking(move || Redis::start_tls(&pem, &key)).await.expect("no panic");
        let redis = redis.expect("a private server");
        let now = Clock::system().now();
        certificates::make(&folder.join("certificates"), &names, false, now).expect("a fresh folder");
        fs::write(folder.join("auth.key"), format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
            .expect("the folder can be written");
        let secret = config::read_secret(&folder.join("auth.key")).expect("just written");
        let port = || port::free().expect("one of a hundred ports is free");
        let node = |name| (name, Node { http: port(), links: port(), child: None });
        let nodes: BTreeMap<&'static str, Node> = names.into_iter().map(node).collect();
        let links: Vec<_> = nodes.iter().map(|(name, node)| (*name, node.links)).collect();
        let lines = Lines::lay(&links, postgres.port(), |name| redis_of(&redis, name).0);
        let lines = lines.expect("one of a hundred ports is free");
        let front = Front::open(nodes.values().map(|node| node.http)).await;
        let ground = Ground::new(front, secret, &folder);
        let (postgres, redis) = (Arc::new(postgres), Arc::new(redis));
        let mut cluster = Self { lines, ground, folder, postgres, url, redis, nodes };
        let migrated = cluster.waystone(&["migrate"]).await;
        assert!(migrated.status.success(), "{migrated:?}");
        for name in names {
            cluster.launch(name, "").await;
        }
        cluster.all_owned_by(&names).await;
        cluster
    }

    /// The place of a node in the order of names.
    pub(crate) fn place(&self, name: &str) -> usize {
        self.nodes.keys().position(|known| *known == name).expect("a node of ours")
    }

    /// Starts a node that does not run; it may be odd in some way (see [`faults::VARIABLE`]).
    pub(crate) async fn launch(&mut self, name: &'static str, odd: &str) {
        let file = |file: String| self.folder.join("certificates").join(file).to_string_lossy().into_owned();
        let data = self.folder.join(name).to_string_lossy().into_owned();
        let (ca, cert, key) = (file("ca.pem".into()), file(format!("{name}.pem")), file(format!("{name}.key")));
        let auth = self.folder.join("auth.key").to_string_lossy().into_owned();
        fs::create_dir_all(&data).expect("the folder can be written");
        fs::copy(&auth, Path::new(&data).join("auth.key")).expect("it can be read");
        let node = self.nodes.get_mut(name).expect("a node of ours");
        let (http, links) = (format!("127.0.0.1:{}", node.http), format!("127.0.0.1:{}", node.links));
        let advertise = format!("127.0.0.1:{}", self.lines.link_port(name).expect("a node of ours"));
        let over = |url: &str, direct: u16, line: u16| {
            url.replace(&format!("127.0.0.1:{direct}"), &format!("127.0.0.1:{line}"))
        };
        let postgres = over(&self.url, self.postgres.port(), self.lines.postgres_port(name).expect("a node of ours"));
        let (port, url) = redis_of(&self.redis, name);
        let redis = over(&url, port, self.lines.redis_port(name).expect("a node of ours"));
        let log = || File::options().create(true).append(true).open(self.folder.join(format!("{name}.log")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
        command.args(["serve", "--listen", &http, "--data", &data, "--hs256-secret-file", &auth]);
        command.args([
            "--postgres",
            &postgres,
            "--redis",
            &redis,
            "--cluster-listen",
            &links,
            "--cluster-name",
            name,
        ]);
        command.args(["--cluster-advertise", &advertise, "--cluster-ca-file", &ca]);
        command.args(["--cluster-cert-file", &cert, "--cluster-key-file", &key, "--quest", QUEST]);
        // The authority of its Redis, for the system knows it not.
        command.env("SSL_CERT_FILE", self.folder.join(REDIS_CA));
        command.stdin(Stdio::null()).stdout(log().expect("writable")).stderr(log().expect("writable"));
        // In a single round shards need not stay where they are for as long as they do for people: tests would wait.
        let hold = (rounds() == 1).then_some("hold:3");
        let odd: Vec<&str> = [odd].into_iter().filter(|odd| !odd.is_empty()).chain(hold).collect();
        if !odd.is_empty() {
            command.env(faults::VARIABLE, odd.join(","));
        }
        let child = node.child.insert(command.spawn().expect("the binary was built"));
        self.lines.runs(name, child.id());
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

    /// Waits until just these nodes own all shards: each what it should, or after a long wait at least half of that. On
    /// a busy machine a node may have been too slow to claim something, and is then not trusted with it for a minute.
    pub(crate) async fn all_owned_by(&self, names: &[&str]) {
        let begun = Instant::now();
        // For who should own what, a node's name will do for its id.
        let nodes: Vec<(NodeId, &str)> = names.iter().map(|name| (NodeId::new(name), *name)).collect();
        let placement = Placement::over(nodes.iter().map(|(node, name)| (node, *name)));
        loop {
            let owners = self.owners().await;
            let target = |shard| placement.target(shard).map(NodeId::as_str);
            let owner = |shard: Shard| owners.get(&shard.number()).map(String::as_str);
            let strays = Shard::all().filter(|shard| owner(*shard) != target(*shard)).count();
            let counts = names.iter().map(|name| owners.values().filter(|owner| owner == name).count());
            let counts: Vec<usize> = counts.collect();
            let all = usize::from(SHARDS);
            let fair = counts.iter().sum::<usize>() == all && counts.iter().all(|n| n * names.len() * 2 > all);
            if strays == 0 || (fair && begun.elapsed() > SETTLED) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{names:?} were to own all shards, and own {counts:?}");
            tokio::time::sleep(LOOK * 5).await;
        }
    }

    /// Who owns which shard now; nobody owns anything while the database does not answer.
    pub(crate) async fn owners(&self) -> Owners {
        const OWNERS: &str =
            "SELECT shard || ' ' || name FROM shard JOIN node ON node.node = shard.owner AND node.until > now()";
        let rows = self.sql(OWNERS).await.unwrap_or_default();
        let row =
            |row: &str| row.split_once(' ').map(|(shard, name)| (shard.parse().expect("a number"), name.into()));
        rows.lines().filter_map(row).collect()
    }

    /// How often shards have changed hands so far.
    pub(crate) async fn moves(&self) -> u64 {
        let sum = self.sql("SELECT sum(epoch) FROM shard").await.expect("the database answers");
        sum.trim().parse().expect("a number")
    }

    async fn sql(&self, sql: &'static str) -> waystone_kit::Result<String> {
        let (postgres, url) = (Arc::clone(&self.postgres), self.url.clone());
        spawn_blocking(move || postgres.psql_on(&url, sql)).await.expect("no panic")
    }

    /// Stops the database in order, and starts it again; how long that took.
    pub(crate) async fn restart_postgres(&self) -> Duration {
        let (postgres, begun) = (Arc::clone(&self.postgres), Instant::now());
        spawn_blocking(move || postgres.restart_fast()).await.expect("no panic").expect("it starts again");
        begun.elapsed()
    }

    /// Does something to Redis.
    pub(crate) async fn redis(&self, act: fn(&Redis) -> waystone_kit::Result<()>) {
        let redis = Arc::clone(&self.redis);
        spawn_blocking(move || act(&redis)).await.expect("no panic").expect("it is ours");
    }

    /// How many keys Redis holds.
    pub(crate) async fn redis_keys(&self) -> u64 {
        let redis = Arc::clone(&self.redis);
        let size = spawn_blocking(move || redis.command(&["DBSIZE"])).await.expect("no panic").expect("it answers");
        size.trim().parse().expect("a number")
    }

    /// What the journal and all players' histories say of each other so far: nothing bad.
    pub(crate) async fn verify(&self) -> Value {
        let history = self.ground.history.to_string_lossy().into_owned();
        let verified = self.waystone(&["verify", "--json", "--history", &history]).await;
        assert!(verified.status.success(), "`waystone verify` was to find no fault: {verified:?}");
        serde_json::from_slice(&verified.stdout).expect("JSON")
    }

    async fn waystone(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waystone"));
        command.args(args).args(["--postgres", &self.url]).stdin(Stdio::null());
        spawn_blocking(move || command.output()).await.expect("no panic").expect("the binary runs")
    }

    /// How often a line of a node's log says something.
    pub(crate) fn said(&self, name: &str, what: &str) -> usize {
        let log = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        log.lines().filter(|line| line.contains(what)).count()
    }

    /// The protocol version of a node's newest link.
    pub(crate) fn last_version_spoken(&self, name: &str) -> Option<u16> {
        let log = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let up = lines.rfind(|line| line["message"] == "a link is up")?;
        u16::try_from(up["version"].as_u64()?).ok()
    }

    /// The end, in order.
    pub(crate) async fn end(mut self) {
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
