//! The receiving half of a link: what a peer asks and tells, handed to the node's handler.
//!
//! A call is polled once where it is read, so calls begin in the order in which they were sent, as far as their first
//! wait; what does not answer at once goes on in a task of its own. Notes are handed over inline.
//! Promises: at most [`CALLS`] calls under way, after which the stream is not read, and HTTP/2 makes the peer wait;
//! what comes too late is not done; a handler that panics costs its own call only; every call gets a reply.

use super::counters::Counters;
use super::lateness::Lateness;
use super::limits::{BODY_BYTES, CALLS, TTL_MAX};
use super::replies::Replies;
use super::wire::{Envelope, Frame};
use crate::cluster::link::{Handler, Reply};
use crate::cluster::member::NodeId;
use crate::cluster::router::Undelivered;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Of one stream of one peer.
#[derive(Debug)]
pub(super) struct Inbox {
    from: NodeId,
    handler: Arc<dyn Handler>,
    calls: Arc<Semaphore>,
    replies: Arc<Replies>,
    lateness: Lateness,
    /// The node's: a drain waits for the calls in it.
    tasks: TaskTracker,
    counters: Arc<Counters>,
}

impl Inbox {
    pub(super) fn new(
        from: NodeId,
        handler: Arc<dyn Handler>,
        replies: Arc<Replies>,
        tasks: TaskTracker,
        counters: Arc<Counters>,
    ) -> Self {
        let calls = Arc::new(Semaphore::new(CALLS));
        Self { from, handler, calls, replies, lateness: Lateness::new(Instant::now()), tasks, counters }
    }

    /// Reads the stream until it ends, or the node drains; then lets the calls under way answer.
    pub(super) async fn run(mut self, mut frames: impl Stream<Item = Frame> + Unpin, draining: CancellationToken) {
        let gone = self.replies.gone().clone();
        loop {
            let frame = tokio::select! {
                // In this order, so that a simulation is the same each time.
                biased;
                () = gone.cancelled() => return,
                () = draining.cancelled() => break,
                frame = frames.next() => frame,
            };
            match frame {
                Some(frame) => {
                    // Waits where calls are too many; a stream that is gone ends that too.
                    if gone.run_until_cancelled(self.take(frame)).await.is_none() {
                        return;
                    }
                }
                None => return self.replies.abandon(),
            }
        }
        // With all permits back every reply is sent. The bound is each call's
        // own deadline, and the caller's of the whole drain.
        let everyone = u32::try_from(CALLS).unwrap_or(u32::MAX);
        let _ = gone.run_until_cancelled(self.calls.acquire_many(everyone)).await;
        self.replies.close();
    }

    /// The time of the first message, from which lateness is counted.
    pub(super) fn greeted(&mut self, sent_ms: u64) {
        self.lateness.of(sent_ms, Instant::now());
    }

    async fn take(&mut self, frame: Frame) {
        let read = Instant::now();
        let late = self.lateness.of(frame.sent_ms, read);
        for envelope in frame.envelopes {
            self.counters.bytes_received(envelope.body.len());
            let ttl = Duration::from_millis(envelope.ttl_ms.into()).min(TTL_MAX);
            // It was worth something until then, by our own clock.
            let expires = read + ttl.saturating_sub(late);
            if envelope.number == 0 {
                self.note(&envelope, ttl > late);
            } else {
                self.call(envelope, expires).await;
            }
        }
    }

    fn note(&self, envelope: &Envelope, in_time: bool) {
        if !in_time {
            return self.counters.received_late(1);
        }
        let Ok(note) = envelope.read_note() else {
            // A kind of note that this version does not know, most likely.
            return self.counters.received_unreadable(1);
        };
        self.counters.notes_received(1);
        let handled = std::panic::catch_unwind(AssertUnwindSafe(|| self.handler.note(self.from.clone(), note)));
        if handled.is_err() {
            tracing::error!(from = %self.from, "taking a peer's note has panicked");
        }
    }

    async fn call(&self, envelope: Envelope, expires: Instant) {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.calls).acquire_owned().await else { return };
        let number = envelope.number;
        let left = expires.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.counters.received_late(1);
            return self.reply(expired(number), permit);
        }
        let call = match envelope.read_call() {
            Ok(call) => call,
            Err(error) => {
                self.counters.received_unreadable(1);
                tracing::warn!(from = %self.from, %error, "a peer asks what cannot be read");
                return self.reply(Envelope::failed(number), permit);
            }
        };
        self.counters.calls_received(1);
        let (handler, from) = (Arc::clone(&self.handler), self.from.clone());
        let handling = async move { handler.call(from, call, left).await };
        let mut handling = AssertUnwindSafe(handling).catch_unwind().boxed();
        match (&mut handling).now_or_never() {
            Some(outcome) => self.reply(self.write(number, outcome.ok()), permit),
            None => self.finish_later(number, handling, expires, permit),
        }
    }

    /// Lets a call that waits for something go on by itself, until nobody waits for it any more.
    fn finish_later(
        &self,
        number: u64,
        handling: BoxFuture<'static, std::thread::Result<Reply>>,
        expires: Instant,
        permit: OwnedSemaphorePermit,
    ) {
        let replies = Arc::clone(&self.replies);
        let writer = self.writer();
        self.tasks.spawn(async move {
            let gone = replies.gone().clone();
            let answering = async {
                let envelope = match timeout_at(expires, handling).await {
                    Ok(outcome) => writer.write(number, outcome.ok()),
                    Err(_) => expired(number),
                };
                replies.push(envelope, permit).await;
            };
            let _ = gone.run_until_cancelled(answering).await;
        });
    }

    fn reply(&self, envelope: Envelope, permit: OwnedSemaphorePermit) {
        if let Err((envelope, permit)) = self.replies.try_push(envelope, permit) {
            let replies = Arc::clone(&self.replies);
            self.tasks.spawn(async move {
                let gone = replies.gone().clone();
                let _ = gone.run_until_cancelled(replies.push(envelope, permit)).await;
            });
        }
    }

    fn write(&self, number: u64, reply: Option<Reply>) -> Envelope {
        self.writer().write(number, reply)
    }

    fn writer(&self) -> Writer {
        Writer { from: self.from.clone(), counters: Arc::clone(&self.counters) }
    }
}

/// Writes replies out.
struct Writer {
    from: NodeId,
    counters: Arc<Counters>,
}

impl Writer {
    /// `None`: the handler has panicked.
    fn write(&self, number: u64, reply: Option<Reply>) -> Envelope {
        let written = match &reply {
            None => {
                tracing::error!(from = %self.from, "answering a peer's call has panicked");
                None
            }
            Some(reply) => match Envelope::reply(number, reply) {
                Ok(envelope) if envelope.body.len() <= BODY_BYTES => Some(envelope),
                Ok(envelope) => {
                    tracing::error!(
                        bytes = envelope.body.len(),
                        max = BODY_BYTES,
                        "an answer is too large for a link"
                    );
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "an answer cannot be written out");
                    None
                }
            },
        };
        written.unwrap_or_else(|| {
            self.counters.calls_failed(1);
            Envelope::failed(number)
        })
    }
}

/// Nobody waits for it any more; said all the same, in case our clock is the one that is wrong.
fn expired(number: u64) -> Envelope {
    Envelope::reply(number, &Reply::Entity(Err(Undelivered::Expired))).unwrap_or_else(|_| Envelope::failed(number))
}
