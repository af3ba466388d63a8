//! The inbox of one entity: what is asked of it, in order, until its actor takes it.
//!
//! Beside the actor's mailbox, so that it may take all that waits at once, and so that what it had not taken when it
//! died is there for the next one. Promise: bounded; who finds it full is told so.

use crate::actors::mailbox::Answer;
use crate::cluster::router::Request;
use crate::ids::EntityId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests that wait for a player or a team: a team of 60 whose members all act at once.
const ROOM: usize = 64;
/// Requests that wait for a region, which has no such bound: two runs of its own, so that one gathers while the other
/// is written; at a kilobyte each, half a megabyte for a place that is crowded.
const ROOM_OF_REGION: usize = 512;

/// A request with the place for its answer.
#[derive(Debug)]
pub struct Delivery {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub answer: Answer,
}

/// The inbox.
#[derive(Debug)]
pub struct Inbox {
    room: usize,
    queue: Mutex<VecDeque<Delivery>>,
    /// Whether the actor has taken something and is not done with it.
    at_work: AtomicBool,
}

impl Inbox {
    /// An empty one.
    pub fn new(of: &EntityId) -> Self {
        let room = if matches!(of, EntityId::Region(_)) { ROOM_OF_REGION } else { ROOM };
        Self { room, queue: Mutex::default(), at_work: AtomicBool::new(false) }
    }

    /// Puts a request in. `Ok(true)`: it was empty, so the actor must be told. `Err`: it is full, which is
    /// the answer.
    pub fn put(&self, delivery: Delivery) -> Result<bool, Answer> {
        let mut queue = self.queue();
        if queue.len() >= self.room {
            return Err(delivery.answer);
        }
        queue.push_back(delivery);
        Ok(queue.len() == 1)
    }

    /// Takes the first ones, `most` at most; and whether others are left, of which the taker must think itself.
    pub fn take(&self, most: usize) -> (VecDeque<Delivery>, bool) {
        let mut queue = self.queue();
        if queue.len() <= most {
            return (std::mem::take(&mut *queue), false);
        }
        let rest = queue.split_off(most);
        (std::mem::replace(&mut *queue, rest), true)
    }

    /// Puts back what was taken and not done, before all others.
    pub fn put_back(&self, deliveries: impl DoubleEndedIterator<Item = Delivery>) {
        let mut queue = self.queue();
        deliveries.rev().for_each(|delivery| queue.push_front(delivery));
    }

    /// The actor is at work, or has done what it took.
    pub fn set_at_work(&self, at_work: bool) {
        self.at_work.store(at_work, Ordering::Relaxed);
    }

    /// Whether nothing waits and nothing is being done.
    pub fn is_idle(&self) -> bool {
        !self.at_work.load(Ordering::Relaxed) && self.queue().is_empty()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
