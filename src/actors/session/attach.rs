//! How a session stays attached to its player while the player moves from node to node: it attaches anew when the
//! player's shard has changed hands, or when the way to the owner was broken, and catches up on what it missed.
//!
//! Promise: whatever was lost on the way is in the player's stream, and the session asks for it from the offset that
//! it told last; so the client hears each notice once, in order, or is sent to reconnect.

use super::SessionState;
use crate::actors::contract::CloseReason;
use crate::actors::mailbox::SessionMessage;
use crate::actors::meetings::Meetings;
use crate::cluster::link::Note;
use crate::cluster::router::{Attached, Request, Response, Undelivered};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::quest::guidance::Guidance;
use ractor::ActorRef;
use std::sync::Arc;
use std::time::Duration;

/// The pauses between two tries: the router itself waits five seconds for an owner, so more is for a long outage.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl SessionState {
    fn shard(&self) -> Shard {
        Shard::of(&EntityId::Player(self.player.clone()))
    }

    /// What is asked of the player's entity by a session that has told so much.
    pub(super) fn attachment(&self, told: u64) -> Request {
        Request::Attach { after: Some(told), session: self.key.clone(), since: self.since }
    }

    /// It is attached; unless the player has moved on in the meantime.
    pub(super) fn attached_in(&mut self, myself: &ActorRef<SessionMessage>, since: u64, epoch: u64) {
        self.since = Some(since);
        self.node.sessions.attached(&self.player, self.key.number, epoch);
        if self.node.router.table().row(self.shard()).epoch > epoch {
            self.attach_again(myself);
        }
    }

    /// Attaches anew, beside what else there is to do: fixes are judged meanwhile.
    pub(super) fn attach_again(&mut self, myself: &ActorRef<SessionMessage>) {
        let Some(told) = self.told.filter(|_| !self.attaching) else { return };
        self.attaching = true;
        let (node, player, key, myself) =
            (Arc::clone(&self.node), self.player.clone(), self.key.clone(), myself.clone());
        let request = self.attachment(told);
        let ask = async move {
            let mut pause = PAUSE_MIN;
            while node.sessions.get_numbered(&player, key.number).is_some() {
                let permit = Arc::clone(&node.attaching).acquire_owned().await;
                let asked = node.router.ask(EntityId::Player(player.clone()), request.clone()).await;
                drop(permit);
                let attached = match asked {
                    Ok(Response::Attached(attached)) => Some(attached),
                    Err(
                        Undelivered::Moved
                        | Undelivered::Busy
                        | Undelivered::Unavailable
                        | Undelivered::Parked
                        | Undelivered::Expired,
                    ) => {
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                        continue;
                    }
                    Ok(_) | Err(Undelivered::Refused(_)) => None,
                };
                // A session that has ended meanwhile needs nothing.
                myself.cast(SessionMessage::Reattached(attached)).unwrap_or_default();
                return;
            }
        };
        let stop = self.node.stop.clone();
        self.node.tasks.spawn(async move { stop.run_until_cancelled(ask).await });
    }

    /// Takes in where things stand; what was told in the meantime is not told again.
    pub(super) async fn attached_again(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        attached: Option<Box<Attached>>,
    ) {
        self.attaching = false;
        let Some((attached, missed)) = attached.and_then(|mut attached| {
            let missed = attached.missed.take()?;
            Some((attached, missed))
        }) else {
            // The client comes back and recovers, or is told that it cannot.
            self.sink.close(CloseReason::Failed);
            myself.stop(None);
            return;
        };
        self.watch(myself, attached.guidance);
        self.tell(myself, missed).await;
        self.attached_in(myself, attached.since, attached.epoch);
    }

    /// The player's team, or what they are watched for in it, may have changed: that holds from now on for all who see
    /// them, and for what they hear.
    pub(super) fn regroup(&self, before: &Guidance) {
        let now = self.guidance.load();
        self.node.positions.guided(&self.player, &now);
        Meetings::guided(&self.node, &self.player, before, &now);
        if let Some(left) = before.team.as_ref().filter(|team| now.team.as_ref() != Some(team)) {
            self.node.channels.leave(left, &self.player);
        }
    }

    /// The session has ended: the player's owner need not tell it anything any more.
    pub(super) fn say_ended(&self) {
        self.node.audience.leave(&self.player, &self.key);
        let owner = self.node.router.table().row(self.shard()).node;
        if let Some(owner) = owner.filter(|owner| owner != self.node.router.me()) {
            self.node.tell_peer(&owner, Note::Ended { session: self.key.clone(), player: self.player.clone() });
        }
    }
}
