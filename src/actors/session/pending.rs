//! Transitions on their way to their regions, oldest first, and what becomes of those that cannot be brought now.
//!
//! Promise: a region hears its transitions in order, each again until it is taken. A region that is parked keeps no other
//! waiting, and no fix from being answered: its own wait here, the newest of them, for as long as the session lives; the
//! next session sees afresh where its player is.

use super::{SessionState, sights};
use crate::actors::mailbox::SessionMessage;
use crate::cluster::router::Undelivered;
use crate::geo::decision::Transition;
use crate::geo::plausibility::Reason;
use crate::ids::EntityId;
use crate::quest::aggregate::Message;
use crate::quest::command::{Command, RegionCommand};
use ractor::ActorRef;
use std::time::Duration;

/// Transitions that wait to be brought while the journal is out of reach; then fixes are answered `unavailable`.
const PENDING_MAX: usize = 64;
/// Of these, how many of one parked region: where the player is now, and the visit before. It is told what it missed
/// last, and needs no more.
const PARKED_MAX: usize = 8;
/// The first and the last pause before a transition is brought again to a region that has too much to do; each is twice
/// the one before, or a stadium would do nothing but ask: 1.5 s in all.
const BUSY_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(800));
/// A pause before transitions that could not be brought are brought again.
const BRING_AGAIN: Duration = Duration::from_secs(1);

impl SessionState {
    /// Whether so much waits that no new fix should be judged before some of it is brought.
    pub(super) fn is_behind(&self) -> bool {
        self.pending.len() >= PENDING_MAX
    }

    /// Puts transitions behind those that wait; rings are for the eye, what counts is the place itself.
    pub(super) fn queue(&mut self, transitions: Vec<Transition>, score: f64, flags: &[Reason]) {
        for Transition { region, kind, why, .. } in transitions.into_iter().filter(|told| told.ring.is_none()) {
            let evidence = sights::evidence(&why, score, flags);
            for what in sights::sightings(kind) {
                self.pending.push_back((region.clone(), what, evidence.clone()));
            }
        }
    }

    /// Brings what waits to the regions, in order. False when something still waits, but for parked regions.
    pub(super) async fn bring(&mut self) -> bool {
        // Boxed, and only when there is something: else each session keeps the room for what it seldom does.
        self.pending.is_empty() || Box::pin(self.bring_pending()).await
    }

    async fn bring_pending(&mut self) -> bool {
        let (mut pause, mut parked) = (BUSY_PAUSES.0, Vec::new());
        while let Some(at) = self.pending.iter().position(|(region, ..)| !parked.contains(region)) {
            let (region, what, why) = self.pending[at].clone();
            let sight = RegionCommand::Sight { player: self.player.clone(), what, why };
            let message = Message::bare(Command::Region(sight));
            match self.node.router.send(EntityId::Region(region.clone()), message).await {
                // A refusal is an answer too: the region has the last word.
                Ok(_) | Err(Undelivered::Refused(_)) => drop(self.pending.remove(at)),
                Err(Undelivered::Parked) => parked.push(region),
                // Many arrive at one place at once; the place takes some thousands a second.
                Err(Undelivered::Busy) if pause <= BUSY_PAUSES.1 => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(_) => return false,
            }
        }
        for region in parked {
            let waits = self.pending.iter().filter(|(of, ..)| *of == region).count();
            let mut old = waits.saturating_sub(PARKED_MAX);
            self.pending.retain(|(of, ..)| {
                let goes = old > 0 && *of == region;
                old -= usize::from(goes);
                !goes
            });
        }
        // Eight parked regions around one player are too many to go on as if nothing were.
        !self.is_behind()
    }

    /// Brings what waits in a while; one timer at a time.
    pub(super) fn try_again(&mut self, myself: &ActorRef<SessionMessage>) {
        if !self.trying {
            self.trying = true;
            myself.send_after(BRING_AGAIN, || SessionMessage::Tick);
        }
    }
}
