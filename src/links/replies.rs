//! Replies that wait to be sent to a peer on its own stream.
//!
//! Promise: bounded. Each reply holds the permit of its call until it is sent, so there are never more than calls may
//! be under way; and its bytes have a bound of their own, at which calls wait to hand their reply over.

use super::counters::Counters;
use super::limits::{BATCH_BYTES, BATCH_ENVELOPES, REPLY_BYTES};
use super::wire::Envelope;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// On one stream.
#[derive(Debug)]
pub(super) struct Replies {
    state: Mutex<State>,
    room: Arc<Semaphore>,
    /// Nobody reads replies any more.
    gone: CancellationToken,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Waiting>,
    closed: bool,
    waker: Option<Waker>,
}

/// A reply, with what it holds until it is sent.
#[derive(Debug)]
struct Waiting {
    envelope: Envelope,
    _call: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Replies {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        let room = Arc::new(Semaphore::new(REPLY_BYTES));
        Self { state: Mutex::default(), room, gone: CancellationToken::new(), counters }
    }

    /// Cancelled when the stream is no more.
    pub(super) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    pub(super) fn abandon(&self) {
        self.gone.cancel();
    }

    /// Puts a reply into the queue if there is room at once; gives it back otherwise.
    pub(super) fn try_push(
        &self,
        envelope: Envelope,
        call: OwnedSemaphorePermit,
    ) -> Result<(), (Envelope, OwnedSemaphorePermit)> {
        match Arc::clone(&self.room).try_acquire_many_owned(bytes(&envelope)) {
            Ok(room) => {
                self.put(Waiting { envelope, _call: call, _bytes: room });
                Ok(())
            }
            Err(_) => Err((envelope, call)),
        }
    }

    /// Puts a reply into the queue when there is room.
    pub(super) async fn push(&self, envelope: Envelope, call: OwnedSemaphorePermit) {
        if let Ok(room) = Arc::clone(&self.room).acquire_many_owned(bytes(&envelope)).await {
            self.put(Waiting { envelope, _call: call, _bytes: room });
        }
    }

    fn put(&self, waiting: Waiting) {
        let waker = {
            let mut state = self.lock();
            state.queue.push_back(waiting);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The stream ends when all that waits is sent.
    pub(super) fn close(&self) {
        let waker = {
            let mut state = self.lock();
            state.closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What has gathered; `None` after the last.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Vec<Envelope>>> {
        let mut state = self.lock();
        if state.queue.is_empty() {
            if state.closed {
                return Poll::Ready(None);
            }
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut batch = Vec::with_capacity(state.queue.len().min(BATCH_ENVELOPES));
        let mut bytes = 0;
        while batch.len() < BATCH_ENVELOPES && bytes < BATCH_BYTES {
            let Some(Waiting { envelope, .. }) = state.queue.pop_front() else { break };
            bytes += envelope.body.len();
            batch.push(envelope);
        }
        drop(state);
        self.counters.messages_sent(1);
        self.counters.bytes_sent(bytes);
        Poll::Ready(Some(batch))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body has at most `BODY_BYTES`, so a reply always fits into an empty queue.
fn bytes(envelope: &Envelope) -> u32 {
    u32::try_from(envelope.body.len()).unwrap_or(u32::MAX)
}
