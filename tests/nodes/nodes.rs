//! The nodes, and phones that connect to one of them.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use waystone::actors::access::Credential;
use waystone::actors::contract::{CloseReason, FixReply, Hello, Push, Sink};
use waystone::actors::game::{Game, Session};
use waystone::actors::node::Node;
use waystone::actors::start::{Joining, RunningNode};
use waystone::actors::world::World;
use waystone::clock::Clock;
use waystone::cluster::member::{Identity, NodeId, Protocols};
use waystone::cluster::shard::Shard;
use waystone::content;
use waystone::geo::position::{Fix, Position};
use waystone::ids::PlayerId;
use waystone::links::memory::Net;
use waystone::links::{Links, Me};
use waystone::persist::commons::{Commons, RedisUrl};
use waystone::persist::memory::{MemoryJournal, MemoryMembers};
use waystone::persist::{Journal as _, Members as _};
use waystone::quest::act::Act;
use waystone::quest::refusal::Refusal;
use waystone::units::{Meters, Timestamp};
use waystone_kit::Redis;

/// Saturday, 4 July 2026, 09:00 UTC.
const MORNING: Timestamp = Timestamp::from_millis(1_783_155_600_000);
const NAMES: [&str; 3] = ["a", "b", "c"];
const PROTOCOLS: Protocols = Protocols { min: 1, max: 2 };
/// Longer than anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a node may try to hand over at the end: the last has nobody left.
const HAND_OVER: Duration = Duration::from_secs(1);

/// Three members of one cluster.
pub struct Nodes {
    pub clock: Clock,
    pub all: Vec<OneNode>,
}

pub struct OneNode {
    pub game: Game,
    running: RunningNode,
    _links: Arc<Links>,
}

impl Nodes {
    /// Starts them on a quest, and waits until each has its share.
    pub async fn start(quest: &str) -> Self {
        Self::start_on(quest, None).await
    }

    /// The same, with a Redis in common.
    pub async fn start_on(quest: &str, redis: Option<&Redis>) -> Self {
        let (journal, net, clock) = (MemoryJournal::new(), Net::new(1), Clock::with_timers(MORNING));
        let mut all = Vec::new();
        for name in NAMES {
            all.push(join(&journal, &net, &clock, name, quest, redis).await);
        }
        let nodes = Self { clock, all };
        nodes
            .until("each node has its share of the shards, and all know it", || {
                nodes.all.iter().all(|one| {
                    let served =
                        Shard::all().filter(|shard| one.running.node.ownership.serves(*shard).is_some()).count();
                    let known = one.running.node.router.table().rows().iter().all(|row| row.node.is_some());
                    served * NAMES.len() * 2 > 256 && known
                })
            })
            .await;
        nodes
    }

    /// One of them, as its own parts see it.
    pub fn node(&self, place: usize) -> &Node {
        &self.all[place].running.node
    }

    /// A phone on one of them.
    pub async fn phone(&self, name: &str, node: usize) -> Phone {
        let player = PlayerId::new(name).expect("an id");
        let ear = Arc::new(Ear::default());
        let hello = Hello { player, name: None, lang: None, resume: None, credential: Credential::default() };
        let (session, _) = self.all[node].game.connect(hello, Arc::clone(&ear) as Arc<dyn Sink>).await.expect("open");
        Phone { session, ear, clock: self.clock.clone(), commands: 0 }
    }

    /// Waits for something.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends them in order.
    pub async fn end(self) {
        for one in self.all {
            drop(one.game);
            one.running.hand_over(HAND_OVER).await;
            one.running.drain().await;
        }
    }
}

async fn join(
    journal: &MemoryJournal,
    net: &Net,
    clock: &Clock,
    name: &str,
    quest: &str,
    redis: Option<&Redis>,
) -> OneNode {
    let journal = journal.reopen();
    let world = World::default();
    let published = content::publish(quest, "quest", 1, &|step| step.to_string());
    world.publish(vec![published.unwrap_or_else(|report| panic!("{report:?}"))]);
    let identity = Identity { name: name.to_owned(), address: name.to_owned(), protocols: PROTOCOLS };
    let members = MemoryMembers::join(&journal, identity).await.expect("the name is free");
    let node: NodeId = members.me().clone();
    let me = Me { cluster: journal.id().to_owned(), node, name: name.to_owned(), protocols: PROTOCOLS };
    let links = net.join(me, name);
    let commons = redis
        .map(|redis| Commons::new(RedisUrl::new(&redis.url()).expect("a URL"), journal.id(), members.me().clone()));
    let joining = Joining::new(clock.clone(), Arc::new(journal), members, world).await.expect("memory answers");
    if let Some(commons) = commons {
        joining.share(commons);
    }
    links.serve(joining.handler());
    let publish = Box::new(|| Box::pin(async { Ok(()) }) as futures_util::future::BoxFuture<'static, _>);
    let running = joining.join(Arc::<Links>::clone(&links), publish);
    OneNode { game: Game::new(Arc::clone(&running.node), name), running, _links: links }
}

/// A phone.
pub struct Phone {
    pub session: Session,
    ear: Arc<Ear>,
    clock: Clock,
    commands: u32,
}

/// What a phone heard.
#[derive(Debug, Default)]
struct Ear {
    heard: Mutex<Vec<Value>>,
    /// The last content of each live channel.
    live: Mutex<BTreeMap<String, Value>>,
}

impl Ear {
    fn heard(&self) -> MutexGuard<'_, Vec<Value>> {
        self.heard.lock().expect("nobody panics with it")
    }
}

impl Sink for Ear {
    fn push(&self, push: Push) {
        match push {
            Push::Notice { notice, .. } => self.heard().push(serde_json::to_value(&*notice).expect("plain data")),
            Push::Live { channel, data } => {
                self.live.lock().expect("nobody panics with it").insert(channel, (*data).clone());
            }
            Push::Unsubscribed { .. } => {}
        }
    }
    fn close(&self, _: CloseReason) {}
}

impl Phone {
    /// Has a command done.
    pub async fn act(&mut self, method: &str, mut data: Value) -> Value {
        self.commands += 1;
        data["cmd"] = json!(format!("c{}", self.commands));
        let (cmd, act) = Act::parse(method, &data.to_string()).expect("well formed").expect("a method");
        self.session.act(cmd, act).await.unwrap_or_else(|refusal| panic!("{method}: {refusal}"))
    }

    /// Stands somewhere, now.
    pub async fn stand(&self, place: [f64; 2]) {
        let reply = self.try_to_stand(place).await.unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!(reply.accepted, 1, "{reply:?}");
    }

    /// Stands somewhere, now, and hears whether that is known.
    pub async fn try_to_stand(&self, place: [f64; 2]) -> Result<FixReply, Refusal> {
        let position = Position::new(place[0], place[1]).expect("on earth");
        let fix = Fix::new(position, self.clock.now()).with_accuracy(Meters::lossy(5.0)).expect("positive");
        self.session.fixes(vec![fix]).await
    }

    /// How often it has heard a kind of notice.
    pub fn heard(&self, kind: &str) -> usize {
        self.ear.heard().iter().filter(|notice| notice["type"] == kind).count()
    }

    /// Listens to a live channel.
    pub async fn listen(&self, channel: &str) -> Value {
        let content = self.session.subscribe(channel).await.unwrap_or_else(|refusal| panic!("{channel}: {refusal}"));
        self.ear.live.lock().expect("nobody panics with it").insert(channel.to_owned(), content.clone());
        content
    }

    /// What a live channel that it listens to has shown last.
    pub fn shown(&self, channel: &str) -> Value {
        self.ear.live.lock().expect("nobody panics with it")[channel].clone()
    }

    /// The score of its team, by its own state.
    pub async fn points(&self) -> Value {
        self.session.state().await.expect("it can be asked")["points"].clone()
    }

    /// Starts a quest.
    pub async fn start(&mut self, quest: &str) {
        self.act("quest.start", json!({ "quest": quest })).await;
    }
}
