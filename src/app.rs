//! Builds all parts of a server, joins them, and takes them down in order. Start: journal -> quests -> actors ->
//! edge; a member of a cluster has its links between actors and edge. End: the edge closes its sockets while a member
//! hands its shards over, the actors finish, the journal closes.

use crate::actors::game::Game;
use crate::actors::start::{self, Joining, PublishNew, RunningNode};
use crate::actors::world::World;
use crate::clock::Clock;
use crate::cluster::member::{Identity, Protocols};
use crate::content::{self, Published, Report};
use crate::faults;
use crate::ids::StepId;
use crate::keys;
use crate::links::{BindError, Links, Me, Port, Tls};
use crate::net::auth::{Auth, Secret};
use crate::net::listener::{self, EdgeConfig, ListenError, Running};
use crate::net::metrics::Counting;
use crate::net::quests::Publish;
use crate::persist::commons::{Commons, RedisUrl};
use crate::persist::{AppendError, Journal, OpenError, Place, PublishedSource, ReadError};
use crate::quest::definition::QuestRef;
use futures_util::FutureExt as _;
use publisher::Publisher;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

mod publisher;

/// A quest file as it was read.
#[derive(Debug, Clone)]
pub struct QuestSource {
    /// Its name, for errors.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A server at work.
#[derive(Debug)]
pub struct App {
    /// The handle on its actors.
    pub game: Game,
    /// Its quests and regions.
    pub world: World,
    edge: Running,
    node: RunningNode,
    /// `None`: a single server.
    links: Option<Arc<Links>>,
}

/// A node's place in a cluster.
#[derive(Debug)]
pub struct Seat {
    /// Its clock. One that is steered follows the database's, as those of the others do.
    pub clock: Clock,
    /// Its name, by which shards are placed.
    pub name: String,
    /// Where other nodes reach it: `host:port`.
    pub address: String,
    /// Where it listens for them.
    pub listen: SocketAddr,
    /// How they know each other.
    pub tls: Tls,
    /// What the cluster has in common beside its journal; it need not answer. `None`: each node shows its own.
    pub redis: Option<RedisUrl>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The place of the journal.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A quest file.
    #[error("{0}")]
    Quest(Box<Report>),
    /// The journal.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The journal.
    #[error("a quest could not be published: {0}")]
    Publish(#[from] AppendError),
    /// The actors.
    #[error(transparent)]
    Node(#[from] start::StartError),
    /// The port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The port of the links.
    #[error(transparent)]
    Links(#[from] BindError),
}

/// What the links of this version speak.
const PROTOCOLS: Protocols = Protocols { min: 1, max: 2 };
/// How long a member may take to hand its shards over: five seconds is what a shard has, and most take far less.
const HAND_OVER: Duration = Duration::from_secs(10);
/// How long calls of other nodes under way may take at the end.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// Starts a server on a journal: publishes the given quests if they are new or changed, and serves.
pub async fn start(
    place: &Place,
    secret: &Secret,
    quests: &[QuestSource],
    auth: Arc<Auth>,
    edge: EdgeConfig,
) -> Result<App, StartError> {
    start_by(Clock::system(), place, secret, quests, auth, edge).await
}

/// The same by another clock: tests command the hour. The tokens' clock is that of `auth`.
pub async fn start_by(
    clock: Clock,
    place: &Place,
    secret: &Secret,
    quests: &[QuestSource],
    auth: Arc<Auth>,
    edge: EdgeConfig,
) -> Result<App, StartError> {
    let journal: Arc<dyn Journal> = place.open().await?;
    let world = World::default();
    world.publish(publish(journal.as_ref(), secret, quests).await?);
    let edge = EdgeConfig { publisher: Some(publisher(&journal, &world, secret)), ..edge };
    let node = start::start(clock.clone(), journal, world).await?;
    open(node, None, "node-1", edge, auth, clock).await
}

/// Starts a member of a cluster on a journal that it shares with the others.
pub async fn start_member(
    place: &Place,
    seat: Seat,
    secret: &Secret,
    quests: &[QuestSource],
    auth: Arc<Auth>,
    edge: EdgeConfig,
) -> Result<App, StartError> {
    let Seat { clock, name, address, listen, tls, redis } = seat;
    // Before anyone can know of this node.
    let port = Port::open(listen)?;
    let protocols = Protocols { max: faults::newest_protocol(PROTOCOLS.max), ..PROTOCOLS };
    let identity = Identity { name: name.clone(), address, protocols };
    let (journal, members) = place.open_member(identity, keys::fingerprint(secret), clock.clone()).await?;
    let world = World::default();
    world.publish(publish(journal.as_ref(), secret, quests).await?);
    let me = Me { cluster: journal.id().to_owned(), node: members.me().clone(), name: name.clone(), protocols };
    let links = Links::on(port, me, tls);
    let commons = redis.map(|url| Commons::new(url, journal.id(), members.me().clone()));
    let joining = Joining::new(clock.clone(), Arc::clone(&journal), members, world.clone()).await?;
    if let Some(commons) = commons {
        joining.share(commons);
    }
    links.serve(joining.handler());
    let publisher = Some(publisher(&journal, &world, secret));
    let read = published_elsewhere(journal, world, secret.clone());
    let node = joining.join(Arc::<Links>::clone(&links), read);
    let counting = edge.counting.iter().cloned().chain([Arc::<Links>::clone(&links) as Arc<dyn Counting>]).collect();
    open(node, Some(links), &name, EdgeConfig { counting, publisher, ..edge }, auth, clock).await
}

impl Counting for Links {
    fn counts(&self) -> Vec<(String, &'static str, u64)> {
        let named = |(name, help, value)| (format!("link_{name}"), help, value);
        Links::counts(self).list().into_iter().map(named).collect()
    }
}

/// Opens the front door of a node, which people know by a name.
async fn open(
    node: RunningNode,
    links: Option<Arc<Links>>,
    name: &str,
    edge: EdgeConfig,
    auth: Arc<Auth>,
    clock: Clock,
) -> Result<App, StartError> {
    let (game, world) = (Game::new(Arc::clone(&node.node), name), node.node.world.clone());
    match listener::serve(edge, game.clone(), auth, clock).await {
        Ok(edge) => Ok(App { game, world, edge, node, links }),
        Err(err) => {
            node.drain().await;
            Err(err.into())
        }
    }
}

fn publisher(journal: &Arc<dyn Journal>, world: &World, secret: &Secret) -> Arc<dyn Publish> {
    let (journal, world, secret) = (Arc::clone(journal), world.clone(), secret.clone());
    Arc::new(Publisher { journal, world, secret, one: Mutex::default() })
}

/// Makes versions of quests known here that other nodes have published.
fn published_elsewhere(journal: Arc<dyn Journal>, world: World, secret: Secret) -> PublishNew {
    Box::new(move || {
        let (journal, world, secret) = (Arc::clone(&journal), world.clone(), secret.clone());
        async move {
            let catalog = world.content();
            let known = |quest: &PublishedSource| {
                let of = QuestRef { id: quest.quest.clone(), version: quest.version };
                catalog.catalog.get(&of).is_some()
            };
            let mut new = Vec::new();
            for source in journal.published().await?.iter().filter(|source| !known(source)) {
                match read(&source.source, source.quest.as_str(), source.version, &secret) {
                    Ok(quest) => new.push(quest),
                    // A newer Waystone may publish what this one does not understand yet.
                    Err(err) => tracing::error!(quest = %source.quest, %err, "a published quest cannot be read here"),
                }
            }
            world.publish(new);
            Ok(())
        }
        .boxed()
    })
}

impl App {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.edge.addr()
    }

    /// From now on no more players, teams and places are in memory than this.
    pub fn limit_entities(&self, max: usize) {
        self.node.node.awake.limit(max);
    }

    /// Returns when the journal has another owner: this server must end, since whatever it decides is refused. A member
    /// of a cluster loses a shard now and then, and lives on.
    pub async fn lost(&self) {
        match &self.links {
            None => self.node.node.journal.lost().await,
            Some(_) => std::future::pending().await,
        }
    }

    /// Takes everything down in order; what was acknowledged is in the journal.
    pub async fn drain(self) {
        let Self { edge, node, links, .. } = self;
        tokio::join!(edge.drain(), node.hand_over(HAND_OVER));
        if let Some(links) = links {
            links.drain(LAST_CALLS).await;
        }
        node.drain().await;
    }
}

/// Every published version, after the given sources have been published where they are new or changed.
async fn publish(
    journal: &dyn Journal,
    secret: &Secret,
    sources: &[QuestSource],
) -> Result<Vec<Published>, StartError> {
    let mut stored = journal.published().await?;
    for source in sources {
        let draft = read(&source.text, &source.name, 1, secret)?;
        let quest = draft.quest.quest.id.clone();
        let latest = stored.iter().filter(|known| known.quest == quest).max_by_key(|known| known.version);
        if latest.is_some_and(|latest| latest.source == source.text) {
            continue;
        }
        let version = latest.map_or(1, |latest| latest.version + 1);
        let new = PublishedSource { quest, version, source: source.text.clone() };
        journal.publish(new.clone()).await?;
        stored.push(new);
    }
    stored.iter().map(|known| read(&known.source, known.quest.as_str(), known.version, secret)).collect()
}

/// Reads a quest, with the codes that hang at its scan steps.
pub fn read(text: &str, name: &str, version: u32, secret: &Secret) -> Result<Published, StartError> {
    let refuse = |report| StartError::Quest(Box::new(report));
    let nameless = |_: &StepId| String::new();
    // A step's code depends on the quest's id, which is known when the file has been read once.
    let quest = content::publish(text, name, version, &nameless).map_err(refuse)?.quest.quest.id.clone();
    let code = |step: &StepId| keys::scan_code(secret, &quest, step);
    content::publish(text, name, version, &code).map_err(refuse)
}
