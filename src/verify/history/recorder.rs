//! Writes a history while its clients play: one file, appended to by any number of them.
//!
//! Promise: lines are whole, and those of one client stand in the order in which it wrote them. A write that fails
//! does not disturb the game; [`Recorder::flush`] tells of the first that did.

use super::line::{
    Answered, Asked, BoardSeen, Connected, Did, Disconnected, FORM, Head, Line, Outcome, StateSeen, Told,
};
use crate::ids::PlayerId;
use crate::quest::act::{Act, CommandId};
use crate::units::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Writes one history; clones write to the same.
#[derive(Clone)]
pub struct Recorder {
    out: Arc<Mutex<Out>>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

struct Out {
    writer: Box<dyn Write + Send>,
    failed: Option<io::Error>,
}

/// The hand of one client. Its calls are numbered by itself.
#[derive(Debug)]
pub struct Diary {
    recorder: Recorder,
    player: PlayerId,
    device: u32,
    requests: AtomicU64,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder(..)")
    }
}

impl Recorder {
    /// Begins a file, which must not be there yet. `by` says for people who writes; `now` tells the client's time.
    pub fn create(path: &Path, by: &str, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> io::Result<Self> {
        let file = File::options().create_new(true).append(true).open(path)?;
        Ok(Self::to(BufWriter::new(file), by, now))
    }

    /// Begins a history anywhere.
    pub fn to(
        writer: impl Write + Send + 'static,
        by: &str,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let out = Out { writer: Box::new(writer), failed: None };
        let recorder = Self { out: Arc::new(Mutex::new(out)), now: Arc::new(now) };
        recorder.line(&Head { history: FORM, by: by.to_owned() });
        recorder
    }

    /// A hand for a player's first or only device.
    pub fn client(&self, player: PlayerId) -> Diary {
        self.device(player, 0)
    }

    /// A hand for another device of a player.
    pub fn device(&self, player: PlayerId, device: u32) -> Diary {
        Diary { recorder: self.clone(), player, device, requests: AtomicU64::new(0) }
    }

    /// Writes a line as it is.
    pub fn write(&self, line: &Line) {
        self.line(line);
    }

    /// Hands all that was written to the system, so that another process can read it; tells of the first failure.
    pub fn flush(&self) -> io::Result<()> {
        let mut out = self.out();
        match out.failed.take() {
            Some(err) => Err(err),
            None => out.writer.flush(),
        }
    }

    fn line(&self, line: &impl Serialize) {
        let mut bytes = serde_json::to_vec(line).unwrap_or_default();
        bytes.push(b'\n');
        let mut out = self.out();
        if let Err(err) = out.writer.write_all(&bytes) {
            out.failed.get_or_insert(err);
        }
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Diary {
    /// Whose.
    pub fn player(&self) -> &PlayerId {
        &self.player
    }

    /// The server has welcomed the client.
    pub fn connected(&self, connected: Connected) {
        self.note(Did::Connected(connected));
    }

    /// Before a call is sent. Gives its number, for [`Self::answered`]. Data is kept only if it is a command's: a fix
    /// is somebody's whereabouts.
    pub fn asked(&self, method: &str, data: &Value) -> u64 {
        let request = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let is_command = matches!(Act::parse(method, &data.to_string()), Ok(Some(_)));
        let (cmd, data) = match is_command {
            true => (data["cmd"].as_str().and_then(|cmd| CommandId::new(cmd).ok()), data.clone()),
            false => (None, Value::Null),
        };
        self.note(Did::Asked(Asked { request, method: method.to_owned(), cmd, data }));
        request
    }

    /// A call has its outcome; see [`Self::state`] for that of `state.get`.
    pub fn answered(&self, request: u64, outcome: Outcome) {
        self.note(Did::Answered(Answered { request, outcome }));
    }

    /// A notice came.
    pub fn told(&self, offset: u64, notice: &Value) {
        self.note(Did::Told(Told { offset, notice: notice.clone() }));
    }

    /// `state.get` was answered with this; ends the call as [`Self::answered`] does.
    pub fn state(&self, request: u64, state: &Value) {
        match StateSeen::of(Some(request), state) {
            Some(seen) => self.note(Did::State(seen)),
            None => self.answered(request, Outcome::Unknown),
        }
    }

    /// A board was pushed, or came as the answer to this call: the content of its channel.
    pub fn board(&self, request: Option<u64>, board: &Value) {
        match (BoardSeen::of(request, board), request) {
            (Some(seen), _) => self.note(Did::Board(seen)),
            (None, Some(request)) => self.answered(request, Outcome::Unknown),
            (None, None) => {}
        }
    }

    /// The game is at rest; see [`Did::Settled`].
    pub fn settled(&self) {
        self.note(Did::Settled);
    }

    /// The connection is gone.
    pub fn disconnected(&self, reason: &str) {
        self.note(Did::Disconnected(Disconnected { reason: reason.to_owned() }));
    }

    fn note(&self, what: Did) {
        let at = Some((self.recorder.now)());
        self.recorder.write(&Line { at, player: self.player.clone(), device: self.device, what });
    }
}
