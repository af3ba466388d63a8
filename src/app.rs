//! Builds all parts of a server, joins them, and takes them down in order. Start: journal -> quests -> actors ->
//! edge. End: the edge closes its sockets, the actors finish, the journal closes.

use crate::actors::game::Game;
use crate::actors::start::{self, RunningNode};
use crate::actors::world::World;
use crate::clock::Clock;
use crate::content::{self, Published, Report};
use crate::ids::StepId;
use crate::keys;
use crate::net::auth::{Auth, Secret};
use crate::net::listener::{self, EdgeConfig, ListenError, Running};
use crate::persist::{AppendError, Journal, OpenError, Place, PublishedSource, ReadError};
use std::net::SocketAddr;
use std::sync::Arc;

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
}

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
    let node = start::start(clock.clone(), journal, world.clone()).await?;
    let game = Game::new(Arc::clone(&node.node), "node-1");
    match listener::serve(edge, game.clone(), auth, clock).await {
        Ok(edge) => Ok(App { game, world, edge, node }),
        Err(err) => {
            node.drain().await;
            Err(err.into())
        }
    }
}

impl App {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.edge.addr()
    }

    /// Returns when the journal has another owner: this server must end, since whatever it decides is refused.
    pub async fn lost(&self) {
        self.node.node.journal.lost().await;
    }

    /// Takes everything down in order; what was acknowledged is in the journal.
    pub async fn drain(self) {
        let Self { edge, node, .. } = self;
        edge.drain().await;
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

fn read(text: &str, name: &str, version: u32, secret: &Secret) -> Result<Published, StartError> {
    let refuse = |report| StartError::Quest(Box::new(report));
    let nameless = |_: &StepId| String::new();
    // A step's code depends on the quest's id, which is known when the file has been read once.
    let quest = content::publish(text, name, version, &nameless).map_err(refuse)?.quest.quest.id.clone();
    let code = |step: &StepId| keys::scan_code(secret, &quest, step);
    content::publish(text, name, version, &code).map_err(refuse)
}
