//! The reference client: the Centrifuge client protocol over one WebSocket, in JSON or Protobuf.
//!
//! The demo, the replay, the tests and the load test speak to a server through it, as any stock SDK does.
//! [`Client`] is one connection and ends with it; [`Link`] reconnects and recovers. Promise: every call has a
//! deadline, every queue a bound, and nothing keeps running once the last clone is dropped.

mod binary;
mod codec;
mod connection;
mod link;
mod trust;

pub use super::protocol::Form;
pub use codec::{Connected, Publication, Resume, Subscribed};
pub use link::{Link, LinkEvent, Repeat, TokenFn};
pub use trust::Trust;

use codec::{Body, Fault};
use connection::{Closed, Outgoing, Pending, Wire};
use serde_json::Value;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite;
use tungstenite::error::UrlError;

/// How long a call waits for its reply, unless told otherwise: longer, and a player has put the phone away.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The most calls in flight on one connection: a person makes two; more than this is a loop gone wild.
pub const IN_FLIGHT_MAX: usize = 256;

/// The most pushes that wait to be read. Past it the connection closes: what is recoverable comes again.
pub const PUSHES_MAX: usize = 1_024;

/// The connection broke without a word from the server.
pub const CODE_TRANSPORT: u32 = 1;
/// The server's pings stayed away.
pub const CODE_NO_PING: u32 = 2;
/// We did not read our pushes in time.
pub const CODE_PUSHES_NOT_READ: u32 = 5;
/// The server said something that is not the protocol.
pub const CODE_BAD_PROTOCOL: u32 = 6;
/// We ended it ourselves.
pub const CODE_OURS: u32 = 0;

/// What can go wrong with a connection or a call.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket could not be opened.
    #[error("cannot connect: {0}; is the server running, and is the URL like ws://host:port/connect?")]
    Connect(#[source] Box<tungstenite::Error>),
    /// The token names no player, which resuming needs.
    #[error("the token is not a JWT with a `sub`, so there is no stream to resume; mint one with a player's id")]
    Token,
    /// The server answered the connect command with an error.
    #[error("the server refused to connect us: {message} (code {code})")]
    Refused {
        /// The server's documented code.
        code: u32,
        /// Its words.
        message: String,
        /// Whether it may be otherwise later.
        temporary: bool,
    },
    /// The server answered a call with an error.
    #[error("refused: {message} (code {code})")]
    Rpc {
        /// The server's documented code.
        code: u32,
        /// Its words, with the remedy.
        message: String,
        /// Whether the same call may succeed later.
        temporary: bool,
    },
    /// The connection ended. A call under way then may or may not have been done: repeat it by its command id.
    #[error("the connection is closed: {reason} (code {code})")]
    Closed {
        /// The close code of the protocol, or one of this module's `CODE_` constants.
        code: u32,
        /// Why, in words.
        reason: String,
    },
    /// No reply in time. The call may or may not have been done: repeat it by its command id.
    #[error("no reply to {what} within {after:?}; the server is overloaded or gone")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// What came is not the protocol.
    #[error("the server does not speak the protocol: {0}; is the path of the URL right?")]
    Protocol(String),
}

impl ClientError {
    /// Whether connecting again can help, by the protocol's rules on codes.
    pub fn may_reconnect(&self) -> bool {
        match self {
            Self::Connect(error) => match &**error {
                tungstenite::Error::Url(fault) => matches!(fault, UrlError::UnableToConnect(_)),
                tungstenite::Error::HttpFormat(_) => false,
                _ => true,
            },
            // 109: the token has run out, and each attempt fetches a new one.
            Self::Refused { code, temporary, .. } => *temporary || *code == 109,
            Self::Closed { code, .. } => may_reconnect(*code),
            Self::Deadline { .. } | Self::Rpc { .. } => true,
            Self::Token | Self::Protocol(_) => false,
        }
    }
}

/// Whether a connection that was closed with this code may be made again; after 1009 the same message would come again.
pub fn may_reconnect(code: u32) -> bool {
    !matches!(code, 1009 | 3_500..=3_999 | 4_500..=4_999 | CODE_BAD_PROTOCOL)
}

/// What comes without being asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Push {
    /// Something was published to a channel that we are subscribed to.
    Publication {
        /// The channel; `#<player>` is the player's own.
        channel: String,
        /// What.
        data: Value,
        /// Its place in the channel's stream, if that has places.
        offset: Option<u64>,
    },
    /// The connection has ended; nothing follows.
    Disconnected {
        /// As in [`ClientError::Closed`].
        code: u32,
        /// Why, in words.
        reason: String,
    },
}

/// One connection; clones share it, and it closes when the last is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    commands: mpsc::Sender<Outgoing>,
    /// Tokio's lock, as it is held while waiting for the next push; any clone may be the one that reads.
    pushes: tokio::sync::Mutex<mpsc::Receiver<Push>>,
    ended_told: OnceLock<()>,
    pending: Pending,
    permits: Semaphore,
    next_id: AtomicU32,
    closed: Arc<OnceLock<Closed>>,
    form: Form,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Connects in JSON, names the player by `token`, and asks for what was missed since `resume`.
    pub async fn connect(url: &str, token: &str, resume: Option<Resume>) -> Result<(Self, Connected), ClientError> {
        Self::connect_by(Form::Json, None, url, token, resume).await
    }

    /// The same, also by TLS, with a server whose certificate is trusted.
    pub async fn connect_trusting(
        trust: Option<&Trust>,
        url: &str,
        token: &str,
        resume: Option<Resume>,
    ) -> Result<(Self, Connected), ClientError> {
        Self::connect_by(Form::Json, trust, url, token, resume).await
    }

    /// The same in either form.
    pub async fn connect_in(
        form: Form,
        url: &str,
        token: &str,
        resume: Option<Resume>,
    ) -> Result<(Self, Connected), ClientError> {
        Self::connect_by(form, None, url, token, resume).await
    }

    async fn connect_by(
        form: Form,
        trust: Option<&Trust>,
        url: &str,
        token: &str,
        resume: Option<Resume>,
    ) -> Result<(Self, Connected), ClientError> {
        let channel =
            if resume.is_some() { codec::own_channel(token).ok_or(ClientError::Token)? } else { String::new() };
        let first = codec::connect(form, token, resume.as_ref().map(|resume| (channel.as_str(), resume)));
        let opening = connection::open(url, form, first, trust);
        let (wire, connected) = tokio::time::timeout(DEADLINE, opening)
            .await
            .map_err(|_| ClientError::Deadline { what: "connect".to_owned(), after: DEADLINE })??;
        Ok((Self::run(form, wire, &connected), connected))
    }

    fn run(form: Form, wire: Wire, connected: &Connected) -> Self {
        // A command waits here only while the socket is full; calls in flight are bounded by the permits anyway.
        let (commands, queued) = mpsc::channel(IN_FLIGHT_MAX);
        let (push, pushes) = mpsc::channel(PUSHES_MAX);
        let (pending, closed) = (Pending::default(), Arc::new(OnceLock::new()));
        let work = connection::Work {
            wire,
            commands: queued,
            pushes: push,
            pending: pending.clone(),
            closed: closed.clone(),
            ping: connected.ping,
            pong: connected.pong,
        };
        #[expect(clippy::disallowed_methods, reason = "the client owns it and ends it when it is dropped")]
        let task = tokio::spawn(work.run()).abort_handle();
        let permits = Semaphore::new(IN_FLIGHT_MAX);
        let next_id = AtomicU32::new(codec::CONNECT_ID + 1);
        let pushes = tokio::sync::Mutex::new(pushes);
        let ended_told = OnceLock::new();
        let inner = Inner { commands, pushes, ended_told, pending, permits, next_id, closed, form, task };
        Self { inner: Arc::new(inner) }
    }

    /// Calls a method and waits for its reply, at most [`DEADLINE`].
    pub async fn rpc(&self, method: &str, data: Value) -> Result<Value, ClientError> {
        self.rpc_within(method, data, DEADLINE).await
    }

    /// Calls a method and waits for its reply, at most `deadline`.
    pub async fn rpc_within(&self, method: &str, data: Value, deadline: Duration) -> Result<Value, ClientError> {
        self.call(method, deadline, |id| codec::rpc(self.inner.form, id, method, &data)).await
    }

    /// Subscribes to a channel and returns the reply's body; publications come by [`Self::next_push`].
    pub async fn subscribe(&self, channel: &str) -> Result<Value, ClientError> {
        self.call("subscribe", DEADLINE, |id| codec::subscribe(self.inner.form, id, channel)).await
    }

    /// Sends without waiting for a reply; Ok means queued, not received.
    pub async fn send(&self, data: Value) -> Result<(), ClientError> {
        let queued = self.inner.commands.send(Outgoing::Line(codec::send(self.inner.form, &data)));
        match tokio::time::timeout(DEADLINE, queued).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.closed_error()),
            Err(_) => Err(ClientError::Deadline { what: "send".to_owned(), after: DEADLINE }),
        }
    }

    /// The next push; [`Push::Disconnected`] is the last, and `None` follows it.
    pub async fn next_push(&self) -> Option<Push> {
        if let Some(push) = self.inner.pushes.lock().await.recv().await {
            return Some(push);
        }
        self.inner.ended_told.set(()).ok()?;
        let Closed { code, reason } = self.closed();
        Some(Push::Disconnected { code, reason })
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.inner.commands.is_closed()
    }

    /// Drops the TCP connection without a word, as a phone does that enters a tunnel.
    pub fn kill(&self) {
        self.end("killed");
    }

    /// Says goodbye and ends the connection.
    pub async fn close(&self) {
        let goodbye = async {
            if self.inner.commands.send(Outgoing::Close).await.is_ok() {
                self.inner.commands.closed().await;
            }
        };
        // A server that does not answer the close frame is left without its answer.
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
        self.end("closed");
    }

    async fn call(
        &self,
        what: &str,
        deadline: Duration,
        command: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<Value, ClientError> {
        let exchange = async {
            // Neither fails while the connection lives.
            let _permit = self.inner.permits.acquire().await.map_err(|_| self.closed_error())?;
            let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
            let reply = self.inner.pending.expect(id).ok_or_else(|| self.closed_error())?;
            let queued = self.inner.commands.send(Outgoing::Line(command(id))).await;
            queued.map_err(|_| self.closed_error())?;
            match reply.arrived().await {
                Some(Ok(Body::Value(value))) => Ok(value),
                Some(Ok(Body::Connect(_))) => Err(ClientError::Protocol(format!("{what} was answered as a connect"))),
                Some(Err(Fault { code, message, temporary })) => Err(ClientError::Rpc { code, message, temporary }),
                None => Err(self.closed_error()),
            }
        };
        match tokio::time::timeout(deadline, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Deadline { what: what.to_owned(), after: deadline }),
        }
    }

    fn end(&self, reason: &str) {
        let _ = self.inner.closed.set(Closed { code: CODE_OURS, reason: reason.to_owned() });
        self.inner.task.abort();
    }

    fn closed(&self) -> Closed {
        self.inner.closed.get().cloned().unwrap_or_else(Closed::transport)
    }

    fn closed_error(&self) -> ClientError {
        let Closed { code, reason } = self.closed();
        ClientError::Closed { code, reason }
    }
}

#[cfg(test)]
mod forms;
#[cfg(test)]
mod tests;
