//! Which players have a live session on this node. A player's entity tells its news here; whether anyone listens is
//! no concern of its own, so it may sleep while the phone stays connected.

use crate::actors::mailbox::SessionMessage;
use crate::ids::PlayerId;
use crate::quest::guidance::Guidance;
use crate::quest::notice::Notice;
use ractor::ActorRef;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The live sessions by player.
#[derive(Debug, Default)]
pub struct Sessions(RwLock<BTreeMap<PlayerId, ActorRef<SessionMessage>>>);

impl Sessions {
    /// Enters a session; the one that it replaces is returned.
    pub fn enter(&self, player: &PlayerId, session: ActorRef<SessionMessage>) -> Option<ActorRef<SessionMessage>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(player.clone(), session)
    }

    /// Takes a session out, unless another has taken its place already.
    pub fn leave(&self, player: &PlayerId, session: &ActorRef<SessionMessage>) {
        let mut sessions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.get(player).is_some_and(|current| current.get_id() == session.get_id()) {
            sessions.remove(player);
        }
    }

    /// Tells a player's session, if there is one, its notices and what to watch.
    pub fn tell(&self, player: &PlayerId, notices: Vec<(u64, Arc<Notice>)>, guidance: impl FnOnce() -> Guidance) {
        let session = self.read().get(player).cloned();
        if let Some(session) = session {
            let news = SessionMessage::News { notices, guidance: Box::new(guidance()) };
            if session.cast(news).is_err() {
                tracing::debug!(%player, "a session ended just now; its notices are in the stream");
            }
        }
    }

    /// A player's session.
    pub fn get(&self, player: &PlayerId) -> Option<ActorRef<SessionMessage>> {
        self.read().get(player).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<ActorRef<SessionMessage>> {
        self.read().values().cloned().collect()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<PlayerId, ActorRef<SessionMessage>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
