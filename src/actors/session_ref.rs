//! A session as others hold it: an actor while there is something to do, and only the actor's state while there is not.
//!
//! Most phones are silent most of the time, and an actor costs as much as all the rest of a connection. Promise: whoever
//! tells a session something need not know whether it sleeps; messages are handled one after the other in the order in
//! which they were cast, by one actor at a time, and none is lost between two of them.

use crate::actors::mailbox::SessionMessage;
use crate::actors::session::{SessionActor, SessionArguments, SessionState};
use ractor::{ActorRef, ActorRuntime, SpawnErr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// A session. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionRef(Arc<Berth>);

/// Where its actor, or its state, is kept.
#[derive(Debug)]
pub struct Berth(Mutex<Held>);

#[derive(Debug)]
enum Held {
    Awake {
        actor: ActorRef<SessionMessage>,
        /// How many messages have been cast, so that it is known whether one is on its way.
        casts: u64,
        /// When the last one was.
        last: Instant,
    },
    Asleep(Box<SessionState>),
    Ended,
}

/// The session has ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the session has ended")]
pub struct Ended;

impl SessionRef {
    /// Starts a session's actor.
    pub fn start(arguments: SessionArguments) -> Result<Self, SpawnErr> {
        let berth = Arc::new(Berth(Mutex::new(Held::Ended)));
        let awake = Held::awake(Box::new(SessionState::new(arguments, Arc::downgrade(&berth))))?;
        *berth.lock() = awake;
        Ok(Self(berth))
    }

    /// Tells it something; one that sleeps is woken.
    pub fn cast(&self, message: SessionMessage) -> Result<(), Ended> {
        let mut held = self.0.lock();
        if let Held::Asleep(_) = *held
            && let Held::Asleep(state) = std::mem::replace(&mut *held, Held::Ended)
        {
            *held = Held::awake(state).map_err(|_| Ended)?;
        }
        let Held::Awake { actor, casts, last } = &mut *held else { return Err(Ended) };
        *casts += 1;
        *last = Instant::now();
        actor.cast(message).map_err(|_| Ended)
    }

    /// Asks it to sleep if it has been silent for so long. It does unless it has something to wait for, or is told
    /// something in the meantime.
    pub fn let_sleep(&self, silent_for: Duration) {
        let mut held = self.0.lock();
        if let Held::Awake { actor, casts, last } = &mut *held
            && last.elapsed() >= silent_for
        {
            // One that has ended needs no sleep.
            actor.cast(SessionMessage::Sleep { casts: *casts }).unwrap_or_default();
        }
    }

    /// Whether it sleeps.
    pub fn is_asleep(&self) -> bool {
        matches!(*self.0.lock(), Held::Asleep(_))
    }

    /// Ends it.
    pub fn stop(&self) {
        let held = std::mem::replace(&mut *self.0.lock(), Held::Ended);
        match held {
            Held::Awake { actor, .. } => actor.stop(None),
            Held::Asleep(state) => state.end(),
            Held::Ended => {}
        }
    }
}

impl Held {
    fn awake(state: Box<SessionState>) -> Result<Self, SpawnErr> {
        let (actor, _) = ActorRuntime::spawn_instant(None, SessionActor, state)?;
        Ok(Self::Awake { actor, casts: 0, last: Instant::now() })
    }
}

impl Berth {
    /// Takes the state of an actor that goes to sleep, which has seen so many casts; it comes back if there was another.
    pub fn take(berth: &Weak<Self>, state: Box<SessionState>, seen: u64) -> Result<(), Box<SessionState>> {
        let Some(berth) = berth.upgrade() else { return Err(state) };
        let mut held = berth.lock();
        match &*held {
            Held::Awake { casts, .. } if *casts == seen => {
                *held = Held::Asleep(state);
                Ok(())
            }
            _ => Err(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
