//! Which players have a live session on this node. A player's news arrive here from wherever the player lives; the
//! player's entity may sleep while the phone stays connected.

use crate::actors::access::Credential;
use crate::actors::mailbox::SessionMessage;
use crate::actors::node::Node;
use crate::actors::session_ref::SessionRef;
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, PlayerId};
use crate::quest::guidance::Guidance;
use crate::quest::notice::Notice;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// A session without a message for so long may sleep: phones that are on the way send a fix each some seconds.
const SILENT_FOR: Duration = Duration::from_secs(60);
/// How often silent sessions are looked for: twelve times in the minute after which they may sleep, so that those of a
/// storm do not all fall asleep at once.
const LOOK: Duration = Duration::from_secs(5);

/// The live sessions by player.
#[derive(Debug, Default)]
pub struct Sessions {
    live: RwLock<BTreeMap<PlayerId, Live>>,
    /// How many there ever were.
    count: AtomicU64,
}

/// A live session.
#[derive(Debug, Clone)]
struct Live {
    number: u64,
    actor: SessionRef,
    /// In which epoch of its player's shard it is attached; 0: in none.
    epoch: Arc<AtomicU64>,
    /// By what it was let in.
    credential: Credential,
}

impl Sessions {
    /// A number that no session of this node has had.
    pub fn number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Enters a session; the one that it replaces is returned.
    pub fn enter(
        &self,
        player: &PlayerId,
        number: u64,
        actor: SessionRef,
        credential: Credential,
    ) -> Option<SessionRef> {
        let live = Live { number, actor, epoch: Arc::default(), credential };
        let mut sessions = self.live.write().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(player.clone(), live).map(|before| before.actor)
    }

    /// A session goes on by another token.
    pub fn renew(&self, player: &PlayerId, number: u64, credential: Credential) {
        let mut sessions = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = sessions.get_mut(player).filter(|live| live.number == number) {
            live.credential = credential;
        }
    }

    /// The sessions that were let in by such a token.
    pub fn of(&self, such: impl Fn(&PlayerId, &Credential) -> bool) -> Vec<SessionRef> {
        let sessions = self.read();
        sessions
            .iter()
            .filter(|(player, live)| such(player, &live.credential))
            .map(|(_, live)| live.actor.clone())
            .collect()
    }

    /// Takes a session out, unless another has taken its place already.
    pub fn leave(&self, player: &PlayerId, number: u64) {
        let mut sessions = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.get(player).is_some_and(|current| current.number == number) {
            sessions.remove(player);
        }
    }

    /// Tells a player's session its notices and what to watch. `false`: there is no such session.
    pub fn tell(
        &self,
        player: &PlayerId,
        number: u64,
        notices: Vec<(u64, Arc<Notice>)>,
        guidance: Box<Guidance>,
    ) -> bool {
        let Some(session) = self.get_numbered(player, number) else { return false };
        // One that ends just now finds its notices in the stream.
        session.cast(SessionMessage::News { notices, guidance }).is_ok()
    }

    /// A session is attached in this epoch of its player's shard.
    pub fn attached(&self, player: &PlayerId, number: u64, epoch: u64) {
        if let Some(live) = self.read().get(player).filter(|live| live.number == number) {
            live.epoch.store(epoch, Ordering::Relaxed);
        }
    }

    /// Has every session attach anew whose player's shard is not in the epoch in which it is attached, or is one of
    /// `broken`.
    pub fn catch_up(&self, epoch_of: impl Fn(Shard) -> u64, broken: impl Fn(Shard) -> bool) {
        let behind = |(player, live): &(&PlayerId, &Live)| {
            let shard = Shard::of(&EntityId::Player((*player).clone()));
            // One that is not attached yet sees to it by itself.
            let attached = live.epoch.load(Ordering::Relaxed);
            attached != 0 && (attached != epoch_of(shard) || broken(shard))
        };
        let sessions: Vec<SessionRef> =
            self.read().iter().filter(behind).map(|(_, live)| live.actor.clone()).collect();
        for session in sessions {
            // One that has ended by itself has nothing to catch up.
            session.cast(SessionMessage::Reattach).unwrap_or_default();
        }
    }

    /// A player's session.
    pub fn get(&self, player: &PlayerId) -> Option<SessionRef> {
        self.read().get(player).map(|live| live.actor.clone())
    }

    /// A player's session, if it is this one.
    pub fn get_numbered(&self, player: &PlayerId, number: u64) -> Option<SessionRef> {
        self.read().get(player).filter(|live| live.number == number).map(|live| live.actor.clone())
    }

    /// All of them.
    pub fn all(&self) -> Vec<SessionRef> {
        self.read().values().map(|live| live.actor.clone()).collect()
    }

    /// How many sleep.
    pub fn asleep(&self) -> usize {
        self.read().values().filter(|live| live.actor.is_asleep()).count()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<PlayerId, Live>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has silent sessions sleep, until the node ends.
pub async fn let_sleep(node: Arc<Node>) {
    let look = async {
        loop {
            tokio::time::sleep(LOOK).await;
            node.sessions.all().iter().for_each(|session| session.let_sleep(SILENT_FOR));
        }
    };
    node.stop.run_until_cancelled(look).await;
}
