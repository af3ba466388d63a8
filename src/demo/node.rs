//! The other end of a demo of several nodes: a node that the demo's process has started, and may kill.
//!
//! Promise: without that process, whose pipes are this one's standard input and output, a node does not start this way;
//! when that process is gone, however it ended, the node ends at once. What it has acknowledged is in the journal.

use crate::actors::game::Game;
use crate::demo::MAP;
use crate::demo::lines::{Ear, Mouth, Said, Told};
use crate::demo::party;
use crate::keys;
use crate::net::auth::Secret;
use crate::net::console::ConsoleConfig;
use crate::net::stage::{Stage, StageNews};
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the first line may take.
const FIRST_LINE: Duration = Duration::from_secs(10);
/// What may wait to be said.
const SAYINGS: usize = 16;
/// Wishes that may wait.
const WISHES: usize = 8;
/// How often it is looked at how many shards are served here: the time of a hand-over is exact to this.
const LOOK: Duration = Duration::from_millis(10);

/// The demo's process, as a node of its knows it.
#[derive(Debug)]
pub struct Parent {
    ear: Ear,
    mouth: Mouth,
    key: String,
}

/// At work.
#[derive(Debug)]
pub struct Child {
    says: mpsc::Sender<Said>,
    stop: CancellationToken,
    gone: CancellationToken,
    tasks: TaskTracker,
}

impl Parent {
    /// Meets it at the other ends of standard input and output.
    pub async fn meet() -> io::Result<Self> {
        let mut ear = Ear::new(io::stdin().as_fd().try_clone_to_owned()?)?;
        let mouth = Mouth::new(io::stdout().as_fd().try_clone_to_owned()?)?;
        let first = tokio::time::timeout(FIRST_LINE, ear.hear::<Told>()).await;
        let Ok(Some(Told::Key(key))) = first else {
            return Err(io::Error::other("only the demo starts nodes this way"));
        };
        Ok(Self { ear, mouth, key: key.unwrap_or_else(keys::link_key) })
    }

    /// The console of such a node; and the node goes with its parent from now on.
    pub fn join(self, cookies: Secret) -> (ConsoleConfig, Child) {
        let Self { mut ear, mut mouth, key } = self;
        let (says, mut sayings) = mpsc::channel::<Said>(SAYINGS);
        let (news, heard) = watch::channel(StageNews::default());
        let (stop, mut stops) = mpsc::channel(WISHES);
        let (companion, mut companions) = mpsc::channel(WISHES);
        let child =
            Child { says, stop: CancellationToken::new(), gone: CancellationToken::new(), tasks: TaskTracker::new() };
        let gone = child.gone.clone();
        child.tasks.spawn(child.stop.clone().run_until_cancelled_owned(async move {
            while let Some(told) = ear.hear::<Told>().await {
                if let Told::News(latest) = told {
                    news.send_replace(latest);
                }
            }
            gone.cancel();
        }));
        child.tasks.spawn(child.stop.clone().run_until_cancelled_owned(async move {
            loop {
                let said = tokio::select! {
                    Some(said) = sayings.recv() => said,
                    Some(node) = stops.recv() => Said::Stop(node),
                    Some(wish) = companions.recv() => Said::Companion(wish),
                    else => break,
                };
                if mouth.say(&said).await.is_err() {
                    break;
                }
            }
        }));
        let console = ConsoleConfig {
            key: Secret::new(key.as_bytes()),
            cookies,
            map: Some(MAP),
            companion: Some(companion),
            stage: Some(Stage { news: heard, stop }),
        };
        (console, child)
    }
}

impl Child {
    /// The node serves: says so, and how much of the game, again and again; and looks at simulated players' photos.
    pub fn serves(&self, game: Game) {
        let says = self.says.clone();
        self.tasks.spawn(party::clerk(game.clone(), self.stop.clone()));
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(async move {
            let (mut last, mut said) = (None, says.send(Said::Ready).await.is_ok());
            while said {
                let serves = game.served();
                if last.replace(serves) != Some(serves) {
                    said = says.send(Said::Serves(serves)).await.is_ok();
                }
                tokio::time::sleep(LOOK).await;
            }
        }));
    }

    /// Returns when the demo's process is gone.
    pub async fn orphaned(&self) {
        self.gone.cancelled().await;
    }
}
