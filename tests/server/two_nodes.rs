//! Two nodes on one journal in memory, with real sockets: whichever of them serves a console, it shows both.

use crate::harness::{DEADLINE, SECRET, quest, sign};
use crate::phone::Phone;
use crate::wire;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use waystone::actors::game::Game;
use waystone::actors::start::{Joining, RunningNode};
use waystone::actors::world::World;
use waystone::clock::Clock;
use waystone::cluster::member::{Identity, Protocols};
use waystone::content;
use waystone::links::memory::Net;
use waystone::links::{Links, Me};
use waystone::net::auth::{Auth, AuthConfig, Key, Secret};
use waystone::net::console::ConsoleConfig;
use waystone::net::listener::{self, EdgeConfig, Running};
use waystone::persist::memory::{MemoryJournal, MemoryMembers};
use waystone::persist::{Journal as _, Members as _};
use waystone::units::Timestamp;

const PROTOCOLS: Protocols = Protocols { min: 1, max: 2 };
/// The second node gets its share when the first has held it for ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);
const GATE: [f64; 2] = [24.9400, 60.1700];
const YARD: [f64; 2] = [24.9430, 60.1700];

struct Node {
    addr: SocketAddr,
    game: Game,
    journal: MemoryJournal,
    running: RunningNode,
    edge: Running,
    links: Arc<Links>,
}

/// The world of both, and what makes a node of it.
struct Cluster {
    clock: Clock,
    net: Net,
    journal: MemoryJournal,
}

impl Cluster {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_781_000_000_000));
        Self { clock, net: Net::new(7), journal: MemoryJournal::new() }
    }

    async fn node(&self, name: &str) -> Node {
        let (journal, address) = (self.journal.reopen(), format!("{name}:1"));
        let identity = Identity { name: name.into(), address: address.clone(), protocols: PROTOCOLS };
        let members = MemoryMembers::join(&journal, identity).await.expect("the name is free");
        let source = quest("tests/data/quests/quick.yaml");
        let published = content::publish(&source.text, &source.name, 1, &|step| step.to_string());
        let world = World::default();
        world.publish(vec![published.expect("a sound quest")]);
        let node = members.me().clone();
        let me = Me { cluster: journal.id().to_owned(), node, name: name.into(), protocols: PROTOCOLS };
        let joining = Joining::new(self.clock.clone(), Arc::new(journal.clone()), members, world).await;
        let joining = joining.expect("memory answers");
        let links = self.net.join(me, &address);
        links.serve(joining.handler());
        let running = joining.join(Arc::<Links>::clone(&links), Box::new(|| async { Ok(()) }.boxed()));
        let game = Game::new(Arc::clone(&running.node), name);
        let mut edge = EdgeConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (key, cookies) = (Secret::new(name), Secret::new(SECRET));
        edge.console = Some(ConsoleConfig { key, cookies, map: None, companion: None, stage: None });
        let key = Key::hs256(Secret::new(SECRET)).expect("32 bytes");
        let auth = Arc::new(Auth::new(vec![key], AuthConfig::default(), self.clock.clone()));
        let edge = listener::serve(edge, game.clone(), auth, self.clock.clone()).await.expect("a free port");
        Node { addr: edge.addr(), game, journal, running, edge, links }
    }

    async fn phone(&self, node: &Node, player: &str) -> Phone {
        let exp = self.clock.now().as_millis() / 1000 + 3_600;
        let token = sign(&json!({ "sub": player, "exp": exp }));
        Phone::connect(&format!("ws://{}/connect", node.addr), player, &token, self.clock.clone()).await
    }
}

impl Node {
    async fn get(&self, target: &str, header: &str) -> wire::Response {
        let mut raw = wire::Raw::open(self.addr).await;
        let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{header}\r\n", self.addr);
        raw.send(head.as_bytes()).await;
        raw.response().await
    }

    /// `kill -9`, as far as that can be had in one process.
    fn die(self, net: &Net) {
        self.journal.faults().crash();
        net.kill(&self.links.me().node);
        self.running.abandon();
        drop(self.edge);
    }
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// Looks at the overview of a node until it pleases.
async fn look(node: &Node, cookie: &str, what: &str, pleases: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let overview = node.get("/v1/overview", cookie).await;
        assert_eq!(overview.status, 200, "{overview:?}");
        let overview = overview.json();
        if pleases(&overview) {
            return overview;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}; last seen: {overview}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_on_either_node_shows_both() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node("a").await, cluster.node("b").await);
    let opened = a.get("/console/open?key=a", "").await;
    let cookie = opened.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let cookie = format!("Cookie: {cookie}\r\n");
    assert_eq!(b.get("/console/", &cookie).await.status, 200, "what one node has opened is open on the other");
    assert_eq!(b.get("/console/", "").await.status, 403);

    // Both own shards, whose numbers add up to all.
    let shards = |overview: &Value, state: &str| -> Vec<u64> {
        let nodes = overview["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().filter(|node| node["state"] == state).map(|node| node["shards"].as_u64().unwrap_or(0)).collect()
    };
    for node in [&a, &b] {
        let settled = |overview: &Value| {
            let up = shards(overview, "up");
            up.len() == 2 && up.iter().sum::<u64>() == 256 && up.iter().all(|shards| *shards > 64)
        };
        look(node, &cookie, "two nodes that are up", settled).await;
    }

    // Enough teams that each node owns some, with players on either.
    let mut phones = Vec::new();
    for number in 0..8 {
        let node = if number % 2 == 0 { &a } else { &b };
        let mut phone = cluster.phone(node, &format!("p{number}")).await;
        phone.found(&format!("Team {number}")).await;
        phone.start("quick").await;
        phone.stand_at(GATE).await;
        phone.expect_done("meet").await;
        phones.push(phone);
    }
    phones[0].enter("yard", YARD).await;
    phones[0].act("quest.photo", json!({ "quest": "quick", "step": "selfie", "photo": "photo:1" })).await;
    for node in [&a, &b] {
        let all = |overview: &Value| {
            let teams = overview["teams"].as_array().cloned().unwrap_or_default();
            teams.len() == 8
                && teams.iter().all(|team| team["points"] == 10)
                && names(&overview["players"], "id") == ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"]
                && names(&overview["reviews"], "photo") == ["photo:1"]
                && overview["counts"]["sessions"] == 8
                && overview["recent"].as_array().is_some_and(|lines| {
                    lines.iter().filter(|line| line["kind"] == "step").count() == 8
                        && lines.windows(2).all(|two| two[0]["at"].as_i64() <= two[1]["at"].as_i64())
                })
        };
        look(node, &cookie, "all that is played", all).await;
    }

    // What happens on one is told once on the other, while somebody looks.
    let (looker, mut told) = (a.game.look(), a.game.watch_others());
    looker.refresh().await;
    let mut here = a.game.watch();
    phones[1].enter("yard", YARD).await;
    let heard = async {
        let line = tokio::select! { line = told.recv() => line, line = here.recv() => line };
        line.expect("the node lives").text.clone()
    };
    let line = tokio::time::timeout(DEADLINE, heard).await.expect("it is told");
    assert!(line.starts_with("p1 "), "{line}");
    drop(looker);

    // A node dies: it is shown as down, and nothing that it had is missing, not even for a moment.
    let lost = [names(&a.get("/v1/overview", &cookie).await.json()["teams"], "id")];
    phones.clear();
    b.die(&cluster.net);
    let moved = |overview: &Value| {
        assert_eq!(names(&overview["teams"], "id"), lost[0], "a team is missing");
        shards(overview, "up") == [256] && shards(overview, "down") == [0]
    };
    look(&a, &cookie, "the other's shards served here", moved).await;
    // It comes back under its name, and stands there once.
    let b = cluster.node("b").await;
    let back =
        |overview: &Value| names(&overview["nodes"], "name") == ["a", "b"] && shards(overview, "up").len() == 2;
    look(&a, &cookie, "the other again", back).await;
    b.die(&cluster.net);
    a.die(&cluster.net);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_revokes_is_closed_on_the_other() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node("a").await, cluster.node("b").await);
    let (mut ada, bo) = (cluster.phone(&b, "ada").await, cluster.phone(&b, "bo").await);
    let exp = cluster.clock.now().as_millis() / 1000 + 3_600;
    let clerk = sign(&json!({ "sub": "clerk", "exp": exp, "role": "operator" }));
    let mut raw = wire::Raw::open(a.addr).await;
    let body = json!({ "player": "ada" }).to_string();
    let begun = Instant::now();
    let request = format!(
        "POST /v1/operator/revocations HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {clerk}\r\nContent-Length: {}\r\n\r\n{body}",
        a.addr,
        body.len()
    );
    raw.send(request.as_bytes()).await;
    assert_eq!(raw.response().await.status, 201);
    assert_eq!(ada.closed().await, (4502, "revoked".to_owned()));
    println!("closed on the other node after {:?}", begun.elapsed());
    let state = bo.state().await;
    assert!(state.is_object(), "others stay: {state}");
    let line = b.game.access().audit(None, 1).await.expect("memory answers");
    assert_eq!((line[0].action.as_str(), line[0].node.as_str()), ("token.revoke", "a"), "one log for both");
}
