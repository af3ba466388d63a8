//! What waits to be written to one socket: a queue bounded in bytes and in age, not in messages.
//!
//! A count would close healthy clients at a burst of small events; bytes are what memory knows. Actors push from
//! their own tasks and never wait; the connection's task takes and writes.
//! Promises: the connect reply leaves before any push; notices leave in order or the connection is closed (the
//! client then resumes from its offset); live pushes give way when the queue is half full.

use super::close::Close;
use super::protocol;
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

/// The queue of one connection.
#[derive(Default)]
pub(super) struct Outbound {
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
    text: String,
    at: Instant,
    /// Whether its bytes count: the connect reply and what was missed do not, the actor's ring bounds them.
    counts: bool,
}

/// What the connection is to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Write this.
    Frame(String),
    /// Close; nothing is left to write.
    Close(Close),
    /// Wait.
    Nothing,
}

impl Outbound {
    /// Says whose it is. False if it is somebody else's already.
    pub(super) fn belongs_to(&self, player: &PlayerId) -> bool {
        self.player.get_or_init(|| player.clone()) == player
    }

    fn line(&self, push: &Push) -> String {
        self.player.get().map(|player| protocol::push(player, push)).unwrap_or_default()
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
    pub(super) fn reply(&self, line: String) {
        self.state().add(line, true);
    }

    /// Queues the connect reply with what was missed, then what has been held back since. `seen` is the last offset
    /// that the reply covers.
    pub(super) fn open(&self, reply: String, missed: Vec<String>, seen: u64) {
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
        let mut frame = String::new();
        while let Some(line) = state.lines.front() {
            if !frame.is_empty() && frame.len() + line.text.len() >= FRAME_BYTES {
                break;
            }
            let Some(line) = state.lines.pop_front() else { break };
            if line.counts {
                state.bytes -= line.text.len();
            }
            if frame.is_empty() {
                frame = line.text;
            } else {
                frame.push('\n');
                frame.push_str(&line.text);
            }
        }
        if state.lines.is_empty() && state.lines.capacity() > 64 {
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
    fn add(&mut self, text: String, counts: bool) {
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
mod tests {
    use super::*;
    use crate::quest::notice::{Notice, What};
    use crate::units::Timestamp;
    use serde_json::json;
    use std::sync::Arc;

    fn outbound() -> Outbound {
        let outbound = Outbound::default();
        assert!(outbound.belongs_to(&PlayerId::new("ada").expect("valid")));
        assert!(!outbound.belongs_to(&PlayerId::new("eve").expect("valid")));
        outbound
    }

    fn opened() -> Outbound {
        let outbound = outbound();
        outbound.open("connect".into(), vec![], 0);
        assert_eq!(outbound.next(Instant::now()), Next::Frame("connect".into()));
        outbound
    }

    fn notice(offset: u64) -> Push {
        let team = crate::ids::TeamId::new("kettu").expect("valid");
        let notice = Notice { at: Timestamp::from_millis(0), what: What::TeamLeft { team } };
        Push::Notice { offset, notice: Arc::new(notice) }
    }

    fn live(bytes: usize) -> Push {
        Push::Live { channel: "team:a".into(), data: Arc::new(json!("x".repeat(bytes))) }
    }

    fn written(outbound: &Outbound) -> (Vec<String>, Next) {
        let mut lines = Vec::new();
        loop {
            match outbound.next(Instant::now()) {
                Next::Frame(frame) => lines.extend(frame.split('\n').map(str::to_owned)),
                end => return (lines, end),
            }
        }
    }

    #[test]
    fn pushes_before_the_connect_reply_come_after_it_once() {
        let outbound = outbound();
        for offset in [4, 5, 6] {
            outbound.push(notice(offset));
        }
        assert_eq!(outbound.next(Instant::now()), Next::Nothing);
        outbound.open("connect".into(), vec!["missed".into()], 4);
        let (lines, _) = written(&outbound);
        assert_eq!(&lines[..2], ["connect", "missed"]);
        assert!(lines[2].contains("\"offset\":5") && lines[3].contains("\"offset\":6") && lines.len() == 4);
    }

    #[test]
    fn lines_are_joined_into_frames_of_bounded_size() {
        let outbound = opened();
        outbound.reply("a".into());
        outbound.reply("b".into());
        assert_eq!(outbound.next(Instant::now()), Next::Frame("a\nb".into()));
        for _ in 0..3 {
            outbound.reply("x".repeat(10_000));
        }
        for _ in 0..3 {
            assert_eq!(outbound.next(Instant::now()), Next::Frame("x".repeat(10_000)));
        }
        assert_eq!(outbound.next(Instant::now()), Next::Nothing);
    }

    #[test]
    fn burst_of_500_notices_closes_nobody_that_reads() {
        let outbound = opened();
        let mut got = 0;
        for offset in 1..=500 {
            outbound.push(notice(offset));
            if offset % 250 == 0 {
                got += written(&outbound).0.len();
            }
        }
        assert_eq!(got, 500);
    }

    #[test]
    fn full_queue_closes_as_slow_and_frees_its_memory() {
        let outbound = opened();
        for offset in 0..2000 {
            outbound.push(notice(offset));
        }
        assert_eq!(outbound.next(Instant::now()), Next::Close(Close::SLOW));
        assert_eq!(outbound.state().bytes, 0);
        outbound.push(notice(1));
        assert_eq!(outbound.next(Instant::now()), Next::Close(Close::SLOW), "nothing is queued after the end");
    }

    #[test]
    fn live_pushes_give_way_and_notices_do_not() {
        let outbound = opened();
        for _ in 0..100 {
            outbound.push(live(1000));
        }
        outbound.push(notice(1));
        let (lines, end) = written(&outbound);
        assert!(lines.len() < 40, "{}", lines.len());
        assert!(lines.last().is_some_and(|line| line.contains("\"offset\":1")));
        assert_eq!(end, Next::Nothing);
    }

    #[test]
    fn one_large_reply_passes_and_what_was_missed_does_not_count() {
        let outbound = outbound();
        outbound.open("x".repeat(100_000), vec!["y".repeat(1000); 100], 0);
        outbound.push(notice(1));
        outbound.reply("z".repeat(100_000));
        let (lines, end) = written(&outbound);
        assert_eq!((lines.len(), end), (103, Next::Nothing));
    }

    #[test]
    fn what_waits_too_long_closes_as_slow() {
        let outbound = opened();
        outbound.push(notice(1));
        assert!(matches!(outbound.next(Instant::now() + AGE_MAX / 2), Next::Frame(_)));
        outbound.push(notice(2));
        assert_eq!(outbound.next(Instant::now() + AGE_MAX + Duration::from_millis(1)), Next::Close(Close::SLOW));
    }

    #[test]
    fn end_writes_what_waits_and_keeps_the_first_reason() {
        let outbound = opened();
        outbound.push(notice(1));
        outbound.close(CloseReason::Replaced);
        outbound.close(CloseReason::Draining);
        let (lines, end) = written(&outbound);
        assert_eq!((lines.len(), end), (1, Next::Close(Close::REPLACED)));
    }

    #[test]
    fn flood_before_the_connect_reply_is_bounded() {
        let outbound = outbound();
        for offset in 0..2000 {
            outbound.push(notice(offset));
        }
        assert_eq!(outbound.next(Instant::now()), Next::Close(Close::SLOW));
        let shown = format!("{outbound:?}");
        assert!(shown.contains("lines: 0"), "{shown}");
    }
}
