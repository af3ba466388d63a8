//! What waits to be written to one socket: a queue bounded in bytes and in age, not in messages.
//!
//! What waits when the socket can be written goes out as one frame, up to a bound; nothing waits for more to come.
//! A count would close healthy clients at a burst of small events; bytes are what memory knows. Actors push from
//! their own tasks and never wait; the connection's task takes and writes.
//! Promises: the connect reply leaves before any push; notices leave in order or the connection is closed (the
//! client then resumes from its offset); live pushes give way when the queue is half full.

use super::close::Close;
use super::protocol::Form;
use crate::actors::contract::{CloseReason, Push, Sink};
use crate::ids::PlayerId;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that may wait; what is queued when this is reached closes the connection. 320 notices of 200 bytes.
const WAITING_BYTES_MAX: usize = 64 * 1024;
/// Lines that may wait besides: bounds what empty lines cost.
const WAITING_LINES_MAX: usize = 4096;
/// How long a line may wait, and how long one write may take.
pub(super) const AGE_MAX: Duration = Duration::from_secs(5);
/// Lines are joined into frames up to about this size: fewer system calls in a burst, small enough for any client.
const FRAME_BYTES: usize = 16 * 1024;
/// And up to this many: four times the commands of a full frame, so that a client's app is not held up by parsing one.
const FRAME_LINES: usize = 256;

/// The queue of one connection.
#[derive(Default)]
pub(super) struct Outbound {
    form: Form,
    /// Known once a token has been verified, before the first push can come.
    player: OnceLock<PlayerId>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    /// Of the lines that count.
    bytes: usize,
    /// Whether the connect reply is queued; until then pushes are held back.
    open: bool,
    held: Vec<Push>,
    held_bytes: usize,
    close: Option<Close>,
}

struct Line {
    text: Vec<u8>,
    at: Instant,
    /// Whether its bytes count: the connect reply and what was missed do not, the actor's ring bounds them.
    counts: bool,
}

/// What the connection is to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Write this as one message.
    Frame(Vec<u8>),
    /// Close; nothing is left to write.
    Close(Close),
    /// Wait.
    Nothing,
}

impl Outbound {
    pub(super) fn new(form: Form) -> Self {
        Self { form, ..Self::default() }
    }

    /// How its connection writes.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Says whose it is. False if it is somebody else's already.
    pub(super) fn belongs_to(&self, player: &PlayerId) -> bool {
        self.player.get_or_init(|| player.clone()) == player
    }

    fn line(&self, push: &Push) -> Vec<u8> {
        self.player.get().map(|player| self.form.push(player, push)).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when there may be something to do.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Queues the answer to a command. For the connection's own task, which writes what waits after each step: it
    /// is not woken, or each answer would cost it a second round for nothing.
    pub(super) fn reply(&self, line: Vec<u8>) {
        self.state().add(line, true);
    }

    /// Queues the connect reply with what was missed, then what has been held back since. `seen` is the last offset
    /// that the reply covers.
    pub(super) fn open(&self, reply: Vec<u8>, missed: Vec<Vec<u8>>, seen: u64) {
        let mut state = self.state();
        state.add(reply, false);
        for line in missed {
            state.add(line, false);
        }
        state.open = true;
        state.held_bytes = 0;
        for push in std::mem::take(&mut state.held) {
            if !matches!(&push, Push::Notice { offset, .. } if *offset <= seen) {
                state.add(self.line(&push), true);
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Asks for an end: what waits is still written unless `close` is [`Close::SLOW`]. The first reason stays.
    pub(super) fn end(&self, close: Close) {
        self.state().end(close);
        self.wake.notify_one();
    }

    /// What to do at `now`.
    pub(super) fn next(&self, now: Instant) -> Next {
        let mut state = self.state();
        if state.lines.front().is_some_and(|line| now.saturating_duration_since(line.at) > AGE_MAX) {
            state.end(Close::SLOW);
        }
        let mut frame = Vec::new();
        for _ in 0..FRAME_LINES {
            if state
                .lines
                .front()
                .is_none_or(|line| !frame.is_empty() && frame.len() + line.text.len() >= FRAME_BYTES)
            {
                break;
            }
            let Some(line) = state.lines.pop_front() else { break };
            if line.counts {
                state.bytes -= line.text.len();
            }
            if frame.is_empty() {
                frame = line.text;
            } else {
                frame.extend_from_slice(self.form.separator());
                frame.extend_from_slice(&line.text);
            }
        }
        if state.lines.is_empty() && state.lines.capacity() > 16 {
            // A burst must not leave its room behind in an idle connection.
            state.lines.shrink_to(4);
        }
        match state.close {
            _ if !frame.is_empty() => Next::Frame(frame),
            Some(close) => Next::Close(close),
            None => Next::Nothing,
        }
    }
}

impl State {
    fn add(&mut self, text: Vec<u8>, counts: bool) {
        if self.close.is_some() {
            return;
        }
        // The line that crosses the bound is still taken: alone it may be larger than all of it.
        if self.bytes > WAITING_BYTES_MAX || self.lines.len() >= WAITING_LINES_MAX {
            self.end(Close::SLOW);
            return;
        }
        if counts {
            self.bytes += text.len();
        }
        self.lines.push_back(Line { text, at: Instant::now(), counts });
    }

    fn end(&mut self, close: Close) {
        if close == Close::SLOW {
            self.lines = VecDeque::new();
            self.bytes = 0;
        }
        if self.close.is_none() {
            self.close = Some(close);
            self.held = Vec::new();
        }
    }

    fn hold(&mut self, push: Push, bytes: usize) {
        self.held_bytes += bytes;
        if self.held_bytes > WAITING_BYTES_MAX {
            self.end(Close::SLOW);
        } else {
            self.held.push(push);
        }
    }
}

impl Sink for Outbound {
    fn push(&self, push: Push) {
        let mut state = self.state();
        if state.close.is_some() {
            return;
        }
        if !state.open {
            let bytes = self.line(&push).len();
            state.hold(push, bytes);
            return;
        }
        if matches!(push, Push::Live { .. }) && state.bytes > WAITING_BYTES_MAX / 2 {
            return;
        }
        state.add(self.line(&push), true);
        drop(state);
        self.wake.notify_one();
    }

    fn close(&self, reason: CloseReason) {
        self.end(reason.into());
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Outbound")
            .field("lines", &state.lines.len())
            .field("bytes", &state.bytes)
            .field("close", &state.close)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
