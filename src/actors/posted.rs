//! Fixes that come without a socket, from apps that post them: they are judged by the player's live session, on
//! whichever node it is. A player without one gets a silent session on the node that took the post; it ends when no
//! more come, or when the player connects.
//!
//! Promise: a posted fix is judged just as one that came over a socket, in the order of its time; what it leads to is
//! in the player's stream when they connect. Bounded: [`SILENT_MAX`] silent sessions, and the node's credits for posts.

use crate::actors::contract::{CloseReason, Hello, Push, Sink};
use crate::actors::game::{Game, Session};
use crate::actors::live_session::{self, Asked, Judged, SessionAnswer};
use crate::actors::seen;
use crate::cluster::link::{Device, SessionQuestion};
use crate::geo::position::Fix;
use crate::ids::PlayerId;
use crate::quest::refusal::Refusal;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Silent sessions of a node, at the 21 kB of any other: as many as it takes sockets.
pub const SILENT_MAX: usize = 20_000;
/// How long one is kept without a post. Apps report each few minutes while nobody moves.
const KEPT: Duration = Duration::from_secs(15 * 60);
/// How often those are looked for that are over.
const SWEEP: Duration = Duration::from_secs(60);

/// The silent sessions of a node.
#[derive(Debug, Default)]
pub struct Posted(Mutex<Silent>);

#[derive(Debug, Default)]
struct Silent {
    sessions: HashMap<PlayerId, Kept>,
    sweeping: bool,
}

#[derive(Debug)]
struct Kept {
    /// Ends when it is dropped.
    _session: Session,
    ear: Arc<Deaf>,
    used: Instant,
}

/// The sink of a silent session: nobody listens, and the player's stream keeps what there is to hear.
#[derive(Debug, Default)]
struct Deaf(AtomicBool);

impl Sink for Deaf {
    fn push(&self, _: Push) {}
    fn close(&self, _: CloseReason) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Posted {
    /// Judges fixes of a player, in the order of their times.
    pub async fn judge(
        &self,
        game: &Game,
        hello: Hello,
        (device, mut fixes): (Option<Device>, Vec<Fix>),
        newcomers: bool,
    ) -> Result<Judged, Refusal> {
        fixes.sort_by_key(Fix::time);
        let (node, player) = (game.node(), hello.player.clone());
        let question = SessionQuestion::Judge(fixes.iter().map(seen::of).collect());
        self.touch(&player);
        let asked = Asked { question, device };
        let mut answer = live_session::ask(node, &player, asked.clone()).await;
        if answer == SessionAnswer::Nowhere {
            if !newcomers {
                return Err(Refusal::busy("the server is short of memory: send the same again later"));
            }
            self.open(game, hello).await?;
            answer = live_session::ask(node, &player, asked).await;
        }
        match answer {
            SessionAnswer::Judged(judged) => Ok(judged),
            SessionAnswer::Refused(refusal) => Err(refusal),
            SessionAnswer::Wake(_) | SessionAnswer::Nowhere => {
                Err(Refusal::unavailable("the session has just ended; send the same again"))
            }
        }
    }

    async fn open(&self, game: &Game, hello: Hello) -> Result<(), Refusal> {
        if self.lock().sessions.len() >= SILENT_MAX {
            return Err(Refusal::unavailable(
                "this node has as many phones as it can take; send the same again later",
            ));
        }
        let (player, ear) = (hello.player.clone(), Arc::new(Deaf::default()));
        let (session, _) = game.connect(hello, Arc::clone(&ear) as Arc<dyn Sink>).await?;
        let mut silent = self.lock();
        silent.sessions.insert(player, Kept { _session: session, ear, used: Instant::now() });
        let begin = !std::mem::replace(&mut silent.sweeping, true);
        drop(silent);
        if begin {
            let (swept, stop) = (game.clone(), game.node().stop.clone());
            let sweep = async move {
                while swept.posted().sweep() {
                    tokio::time::sleep(SWEEP).await;
                }
            };
            game.node().tasks.spawn(async move { stop.run_until_cancelled(sweep).await });
        }
        Ok(())
    }

    fn touch(&self, player: &PlayerId) {
        if let Some(kept) = self.lock().sessions.get_mut(player) {
            kept.used = Instant::now();
        }
    }

    /// Ends those that are over; `false` when none is left.
    fn sweep(&self) -> bool {
        let mut silent = self.lock();
        silent.sessions.retain(|_, kept| !kept.ear.0.load(Ordering::Relaxed) && kept.used.elapsed() < KEPT);
        silent.sweeping = !silent.sessions.is_empty();
        silent.sweeping
    }

    fn lock(&self) -> MutexGuard<'_, Silent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
