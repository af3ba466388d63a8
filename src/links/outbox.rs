//! The sending half of a link to one peer: what waits to be sent, and which calls wait for an answer.
//!
//! A task writes nothing here; whoever calls or tells puts an envelope into the queue, and the stream takes what has
//! gathered whenever it has room. So batches form by themselves under load and nothing waits when there is none.
//! Promises: bounded; each call ends by its deadline, and at once when the link falls; a call that is `NotSent` or
//! `Full` has never left this machine; a note that was dropped is followed by [`Note::Lossy`].

use super::counters::Counters;
use super::limits::{BATCH_BYTES, BATCH_ENVELOPES, BODY_BYTES, NOTE_TTL, QUEUE_BYTES, QUEUE_ENVELOPES};
use super::wire::{Envelope, Frame};
use crate::cluster::link::{Broken, Call, Note, Reply};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// The protocol version from which peers understand [`Note::Owners`].
const OWNERS_SINCE: u16 = 2;

/// To one peer, whether there is a link or not.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct State {
    /// The version that the peer speaks, while there is a link.
    up: Option<u16>,
    /// Counts streams: a stream that has fallen takes nothing any more.
    stream: u64,
    queue: VecDeque<Queued>,
    bytes: usize,
    pending: HashMap<u64, Pending>,
    /// The number of the last call.
    last: u64,
    /// Whether the peer has yet to be told that it missed notes.
    lossy: bool,
    /// Whether this stream has carried notes, which may be lost with it.
    carried: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Queued {
    envelope: Envelope,
    expires: Instant,
}

#[derive(Debug)]
struct Pending {
    answer: oneshot::Sender<Result<Envelope, Broken>>,
    sent: bool,
}

impl State {
    fn fits(&self, bytes: usize) -> bool {
        self.queue.len() < QUEUE_ENVELOPES && self.bytes + bytes <= QUEUE_BYTES
    }

    fn push(&mut self, envelope: Envelope, expires: Instant) {
        self.bytes += envelope.body.len();
        self.queue.push_back(Queued { envelope, expires });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn tell_loss(&mut self) {
        // It needs no room of its own: it is asked for when a batch has just made some.
        if let Ok(lossy) = Envelope::note(&Note::Lossy) {
            self.lossy = false;
            self.push(lossy, Instant::now() + NOTE_TTL);
        }
    }
}

impl Outbox {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self { state: Mutex::default(), counters }
    }

    /// Calls the peer.
    pub(super) async fn call(self: Arc<Self>, call: Call, deadline: Duration) -> Result<Reply, Broken> {
        let envelope = self.outgoing(Envelope::call(&call)).ok_or_else(|| self.not_sent(Broken::NotSent))?;
        let expires = Instant::now() + deadline;
        let (number, answer) = self.enqueue(envelope, expires).map_err(|broken| self.not_sent(broken))?;
        // Whoever stops waiting, by deadline or because it is itself dropped, is forgotten.
        let mut forget = Forget { outbox: &self, number: Some(number) };
        let answered = timeout_at(expires, answer).await;
        let broken = match answered {
            Ok(Ok(Ok(envelope))) => match envelope.read_reply() {
                Ok(reply) => return Ok(reply),
                Err(_) => Broken::NoAnswer,
            },
            Ok(Ok(Err(broken))) => broken,
            Ok(Err(_)) | Err(_) => forget.now(),
        };
        if broken == Broken::NoAnswer {
            self.counters.calls_unanswered(1);
        }
        Err(broken)
    }

    fn not_sent(&self, broken: Broken) -> Broken {
        self.counters.calls_not_sent(1);
        broken
    }

    fn enqueue(
        &self,
        envelope: Envelope,
        expires: Instant,
    ) -> Result<(u64, oneshot::Receiver<Result<Envelope, Broken>>), Broken> {
        let mut state = self.lock();
        if state.up.is_none() {
            return Err(Broken::NotSent);
        }
        if !state.fits(envelope.body.len()) {
            return Err(Broken::Full);
        }
        let (answer, answered) = oneshot::channel();
        state.last += 1;
        let number = state.last;
        state.pending.insert(number, Pending { answer, sent: false });
        state.push(Envelope { number, ..envelope }, expires);
        Ok((number, answered))
    }

    /// Tells the peer something.
    pub(super) fn tell(&self, note: &Note) -> bool {
        let told = self.try_tell(note);
        if !told {
            self.counters.notes_dropped(1);
        }
        told
    }

    fn try_tell(&self, note: &Note) -> bool {
        // Looked at before the note is written out: to a peer that is away this must cost nothing.
        let Some(version) = self.lock().up else {
            self.lock().lossy = true;
            return false;
        };
        if matches!(note, Note::Owners(_)) && version < OWNERS_SINCE {
            // It learns of owners as it always has, by being answered `Moved`: nothing is lost.
            return true;
        }
        let envelope = self.outgoing(Envelope::note(note));
        let mut state = self.lock();
        match envelope {
            Some(envelope) if state.up.is_some() && state.fits(envelope.body.len()) => {
                state.push(envelope, Instant::now() + NOTE_TTL);
                true
            }
            Some(_) | None => {
                state.lossy = true;
                false
            }
        }
    }

    /// An envelope that may be sent.
    fn outgoing(&self, envelope: Result<Envelope, super::wire::WireError>) -> Option<Envelope> {
        match envelope {
            Ok(envelope) if envelope.body.len() <= BODY_BYTES => Some(envelope),
            Ok(envelope) => {
                tracing::error!(bytes = envelope.body.len(), max = BODY_BYTES, "too large for a link, not sent");
                None
            }
            Err(error) => {
                tracing::error!(%error, "what should go to a peer cannot be written out");
                None
            }
        }
    }

    /// A new stream is being opened; returns its number.
    pub(super) fn open(&self) -> u64 {
        let mut state = self.lock();
        state.stream += 1;
        state.stream
    }

    /// The stream stands, and the peer speaks this version.
    pub(super) fn rise(&self, version: u16) {
        let mut state = self.lock();
        state.up = Some(version);
        if state.lossy {
            state.tell_loss();
        }
    }

    /// The link has fallen: every call ends now.
    pub(super) fn fall(&self) {
        let (mut pending, notes) = {
            let mut state = self.lock();
            state.up = None;
            // The stream, should it still be there, takes nothing any more, and ends.
            state.stream += 1;
            let notes = state.queue.iter().filter(|queued| !queued.envelope.is_call()).count();
            state.lossy |= state.carried || notes > 0;
            state.carried = false;
            state.queue.clear();
            state.bytes = 0;
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
            (state.pending.drain().collect::<Vec<_>>(), notes)
        };
        self.counters.notes_dropped(notes);
        // In the order of the calls, so that a simulation is the same each time.
        pending.sort_unstable_by_key(|(number, _)| *number);
        for (_, Pending { answer, sent }) in pending {
            let broken = if sent { Broken::NoAnswer } else { Broken::NotSent };
            // Who does not wait any more needs no answer.
            let _ = answer.send(Err(broken));
        }
    }

    /// Whether a call still waits.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.lock().pending.is_empty()
    }

    /// Refuses new calls and notes from now on; those that wait go on.
    pub(super) fn close(&self) {
        self.lock().up = None;
    }

    /// What has gathered for stream `stream`, if anything; `None` when that stream has fallen.
    pub(super) fn poll_take(&self, stream: u64, cx: &mut Context<'_>) -> Poll<Option<Vec<Envelope>>> {
        let mut state = self.lock();
        if state.stream != stream {
            return Poll::Ready(None);
        }
        let now = Instant::now();
        let mut batch = Vec::with_capacity(state.queue.len().min(BATCH_ENVELOPES));
        let (mut bytes, mut notes) = (0, 0);
        while batch.len() < BATCH_ENVELOPES && bytes < BATCH_BYTES {
            let Some(Queued { mut envelope, expires }) = state.queue.pop_front() else { break };
            state.bytes -= envelope.body.len();
            let left = expires.saturating_duration_since(now);
            if envelope.is_call() {
                match state.pending.get_mut(&envelope.number) {
                    Some(pending) if !left.is_zero() => pending.sent = true,
                    // Nobody waits any more, or will by the time it arrives.
                    Some(_) | None => continue,
                }
            } else {
                if left.is_zero() {
                    state.lossy = true;
                    self.counters.notes_dropped(1);
                    continue;
                }
                notes += 1;
                state.carried = true;
            }
            // At least 1: a remainder below a millisecond is still one.
            envelope.ttl_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1);
            bytes += envelope.body.len();
            batch.push(envelope);
        }
        if state.lossy && state.up.is_some() {
            state.tell_loss();
        }
        if batch.is_empty() {
            if state.queue.is_empty() {
                state.waker = Some(cx.waker().clone());
            } else {
                // All that was looked at had expired; there is more.
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        drop(state);
        self.counters.messages_sent(1);
        self.counters.notes_sent(notes);
        self.counters.calls_sent(batch.len() - notes);
        self.counters.bytes_sent(bytes);
        Poll::Ready(Some(batch))
    }

    /// Replies have come.
    pub(super) fn answer(&self, frame: Frame) {
        let mut state = self.lock();
        for envelope in frame.envelopes {
            self.counters.bytes_received(envelope.body.len());
            if let Some(pending) = state.pending.remove(&envelope.number) {
                // Sending only wakes the caller, who reads the answer in its own time.
                let _ = pending.answer.send(Ok(envelope));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a call out when nobody waits for it any more.
struct Forget<'a> {
    outbox: &'a Outbox,
    number: Option<u64>,
}

impl Forget<'_> {
    /// Forgets it now; says whether it had been sent.
    fn now(&mut self) -> Broken {
        let pending = self.number.take().and_then(|number| self.outbox.lock().pending.remove(&number));
        match pending {
            Some(Pending { sent: false, .. }) => Broken::NotSent,
            Some(Pending { sent: true, .. }) | None => Broken::NoAnswer,
        }
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if self.number.is_some() {
            self.now();
        }
    }
}
