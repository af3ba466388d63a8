//! Which session hears a player's news: known where the player lives, wherever the socket is.
//!
//! In memory only. What is lost with it is made good by the sessions: each attaches anew when its player's shard has
//! changed hands or the link to the owner was broken, says what it heard last, and gets the rest.

use crate::cluster::link::SessionKey;
use crate::cluster::shard::{SHARDS, Shard};
use crate::ids::{EntityId, PlayerId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Listeners by player, apart for each shard: bounded by the live sessions of the cluster.
#[derive(Debug)]
pub struct Audience(Vec<Mutex<HashMap<PlayerId, Listener>>>);

/// A session that hears a player's news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Which.
    pub session: SessionKey,
    /// Since when it counts as the player's.
    pub since: u64,
}

/// What became of a session that attached.
#[derive(Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Since when it counts as the player's.
    pub since: u64,
    /// The session whose time is over: the one before, or this one.
    pub over: Option<SessionKey>,
}

impl Default for Audience {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl Audience {
    /// A session attaches: a new one (`since` is `None`) takes the place of any other, one that attaches anew only that
    /// of an older one. `now` is a clock in milliseconds; should it go back, the new one still counts as later.
    pub fn attach(&self, player: &PlayerId, session: SessionKey, since: Option<u64>, now: u64) -> Attachment {
        let mut listeners = self.listeners(player);
        let before = listeners.get(player).filter(|before| before.session != session).cloned();
        let since = since.unwrap_or_else(|| now.max(before.as_ref().map_or(0, |before| before.since + 1)));
        if before.as_ref().is_some_and(|before| before.since > since) {
            return Attachment { since, over: Some(session) };
        }
        listeners.insert(player.clone(), Listener { session, since });
        Attachment { since, over: before.map(|before| before.session) }
    }

    /// Who hears a player's news.
    pub fn of(&self, player: &PlayerId) -> Option<SessionKey> {
        self.listeners(player).get(player).map(|listener| listener.session.clone())
    }

    /// A session has ended, or cannot be told.
    pub fn leave(&self, player: &PlayerId, session: &SessionKey) {
        let mut listeners = self.listeners(player);
        if listeners.get(player).is_some_and(|listener| listener.session == *session) {
            listeners.remove(player);
        }
    }

    /// The shard has left this node, and its players' listeners with it.
    pub fn clear(&self, shard: Shard) {
        self.slot(shard).clear();
    }

    fn listeners(&self, player: &PlayerId) -> MutexGuard<'_, HashMap<PlayerId, Listener>> {
        self.slot(Shard::of(&EntityId::Player(player.clone())))
    }

    fn slot(&self, shard: Shard) -> MutexGuard<'_, HashMap<PlayerId, Listener>> {
        self.0[usize::from(shard.number())].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::member::NodeId;

    fn session(number: u64) -> SessionKey {
        SessionKey { node: NodeId::new("n"), number }
    }

    #[test]
    fn the_later_of_two_sessions_stays_whoever_attaches_anew_first() {
        let (audience, ada) = (Audience::default(), PlayerId::new("ada").expect("an id"));
        let first = audience.attach(&ada, session(1), None, 100);
        assert_eq!(first, Attachment { since: 100, over: None });
        // The clock has gone back; the new one is later all the same.
        let second = audience.attach(&ada, session(2), None, 50);
        assert_eq!(second, Attachment { since: 101, over: Some(session(1)) });
        audience.leave(&ada, &session(1));
        assert_eq!(audience.of(&ada), Some(session(2)), "the first one's end is not the second one's");
        // The shard is another's now: both attach anew, in either order.
        for order in [[(1, 100), (2, 101)], [(2, 101), (1, 100)]] {
            let audience = Audience::default();
            let over: Vec<_> = order
                .iter()
                .filter_map(|(number, since)| audience.attach(&ada, session(*number), Some(*since), 7).over)
                .collect();
            assert_eq!((over, audience.of(&ada)), (vec![session(1)], Some(session(2))));
        }
    }

    #[test]
    fn attaching_twice_replaces_nobody() {
        let (audience, ada) = (Audience::default(), PlayerId::new("ada").expect("an id"));
        let since = audience.attach(&ada, session(1), None, 5).since;
        assert_eq!(audience.attach(&ada, session(1), Some(since), 9), Attachment { since, over: None });
    }
}
