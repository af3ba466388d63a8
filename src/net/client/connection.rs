//! One socket and the task that owns it: commands out, replies to their callers, pushes to the queue.
//!
//! Promise: the task ends with a reason in `closed`, at the latest a little after the server fell silent, and then
//! every caller that waits is told. The socket is never split: one task reads and writes, so no lock is held.

use super::codec::{self, Body, Connected, Fault, Incoming};
use super::trust::Trust;
use super::{
    CODE_BAD_PROTOCOL, CODE_NO_PING, CODE_OURS, CODE_PUSHES_NOT_READ, CODE_TRANSPORT, ClientError, Form, PUSHES_MAX,
    Push,
};
use futures_util::{SinkExt, StreamExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::UrlError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Small buffers, as the load test holds thousands of clients; tungstenite's own are 128 KiB each.
const BUFFER_BYTES: usize = 4 * 1024;

/// The most bytes that wait for a server that does not read.
const WRITE_BYTES_MAX: usize = 256 * 1024;

/// The largest message taken: a reply with a full stream of missed notices.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// How much later than due a ping may come; the same as the stock SDKs, and less where tests wait for it.
const PING_GRACE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 10_000 });

/// How long one write may take before the connection counts as broken.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// The most commands put into one flush, so that reading is not starved by a caller who only writes.
const BURST_MAX: usize = 64;

/// Why a connection ended.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub code: u32,
    pub reason: String,
}

impl Closed {
    fn new(code: u32, reason: impl ToString) -> Self {
        Self { code, reason: reason.to_string() }
    }

    pub(super) fn transport() -> Self {
        Self::new(CODE_TRANSPORT, "the connection broke")
    }

    fn broken(error: &tungstenite::Error) -> Self {
        let code = match error {
            // A sentence that is not WebSocket comes again at the next try; a broken line may not.
            tungstenite::Error::Capacity(_) | tungstenite::Error::Utf8(_) => CODE_BAD_PROTOCOL,
            _ => CODE_TRANSPORT,
        };
        Self::new(code, error)
    }

    fn by_frame(frame: Option<tungstenite::protocol::CloseFrame>) -> Self {
        frame.map_or_else(Self::transport, |frame| Self::new(u16::from(frame.code).into(), frame.reason.as_str()))
    }
}

impl From<Closed> for ClientError {
    fn from(Closed { code, reason }: Closed) -> Self {
        Self::Closed { code, reason }
    }
}

/// What the task is asked to put on the wire.
#[derive(Debug)]
pub(super) enum Outgoing {
    Line(Vec<u8>),
    Close,
}

/// An open socket, and what came in one frame with the connect reply.
pub(super) struct Wire {
    socket: Socket,
    form: Form,
    early: Vec<Incoming>,
}

/// A server's byte stream, in the clear or by TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Reaches the server at `place`, a host with its port or without.
async fn dial(place: &str, secure: bool, trust: Option<&Trust>) -> Result<Box<dyn Stream>, ClientError> {
    let connect = |error: tungstenite::Error| ClientError::Connect(Box::new(error));
    let with_port = if place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        place.to_owned()
    } else {
        format!("{place}:{}", if secure { 443 } else { 80 })
    };
    let tcp = TcpStream::connect(&with_port).await.map_err(|error| connect(error.into()))?;
    tcp.set_nodelay(true).map_err(|error| connect(error.into()))?;
    if !secure {
        return Ok(Box::new(tcp));
    }
    let trust = trust.ok_or_else(|| connect(UrlError::TlsFeatureNotEnabled.into()))?;
    let host = with_port.rsplit_once(':').map_or(place, |(host, _)| host);
    let tls = trust.meet(host, tcp).await.map_err(|error| connect(error.into()))?;
    Ok(Box::new(tls))
}

/// Opens the socket and exchanges the connect command; the caller sets the deadline.
pub(super) async fn open(
    url: &str,
    form: Form,
    first: Vec<u8>,
    trust: Option<&Trust>,
) -> Result<(Wire, Connected), ClientError> {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connect = |error| ClientError::Connect(Box::new(error));
    let (host, secure) = if let Some(rest) = url.strip_prefix("ws://") {
        (rest, false)
    } else if let Some(rest) = url.strip_prefix("wss://") {
        (rest, true)
    } else {
        return Err(connect(UrlError::UnsupportedUrlScheme.into()));
    };
    let io = dial(host.split(['/', '?']).next().unwrap_or_default(), secure, trust).await?;
    let mut request = url.into_client_request().map_err(connect)?;
    if form == Form::Protobuf {
        let name = HeaderValue::from_static(form.subprotocol());
        request.headers_mut().insert("Sec-WebSocket-Protocol", name);
    }
    let (mut socket, _) = client_async_with_config(request, io, Some(config)).await.map_err(connect)?;
    socket.send(message(form, first)).await.map_err(connect)?;
    loop {
        let frame = match socket.next().await {
            Some(Ok(Message::Close(frame))) => return Err(Closed::by_frame(frame).into()),
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(Closed::broken(&error).into()),
            None => return Err(Closed::transport().into()),
        };
        let Some(frame) = payload(form, &frame)? else { continue };
        let mut replies = codec::replies(form, frame)?.into_iter();
        while let Some(reply) = replies.next() {
            match reply {
                Incoming::Reply { id: codec::CONNECT_ID, outcome: Ok(Body::Connect(connected)) } => {
                    return Ok((Wire { socket, form, early: replies.collect() }, connected));
                }
                Incoming::Reply { outcome: Err(Fault { code, message, temporary }), .. } => {
                    return Err(ClientError::Refused { code, message, temporary });
                }
                Incoming::Disconnect { code, reason } => return Err(ClientError::Closed { code, reason }),
                // Nothing else has a meaning before the reply.
                _ => {}
            }
        }
    }
}

/// A line as a message of the WebSocket.
fn message(form: Form, line: Vec<u8>) -> Message {
    match form {
        // What is JSON is UTF-8.
        Form::Json => Message::text(String::from_utf8(line).unwrap_or_default()),
        Form::Protobuf => Message::binary(line),
    }
}

/// What a message of the WebSocket bears, if it is one of the protocol's.
fn payload(form: Form, message: &Message) -> Result<Option<&[u8]>, ClientError> {
    match (message, form) {
        (Message::Text(text), Form::Json) => Ok(Some(text.as_bytes())),
        (Message::Binary(bytes), Form::Protobuf) => Ok(Some(bytes)),
        (Message::Text(_), Form::Protobuf) => Err(ClientError::Protocol("a text message".to_owned())),
        (Message::Binary(_), Form::Json) => Err(ClientError::Protocol("a binary message".to_owned())),
        _ => Ok(None),
    }
}

type Outcome = Result<Body, Fault>;
type Waiting = HashMap<u32, oneshot::Sender<Outcome>>;

/// The callers that wait for a reply, by command id; `None` once the connection has ended.
#[derive(Clone, Debug)]
pub(super) struct Pending(Arc<Mutex<Option<Waiting>>>);

/// A caller's place in [`Pending`]; given up when dropped, so that a deadline leaves nothing behind.
pub(super) struct Expected<'a> {
    pending: &'a Pending,
    id: u32,
    reply: oneshot::Receiver<Outcome>,
}

impl Default for Pending {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Waiting::new()))))
    }
}

impl Pending {
    /// Takes a place; `None` when the connection has ended.
    pub(super) fn expect(&self, id: u32) -> Option<Expected<'_>> {
        let (answer, reply) = oneshot::channel();
        self.lock().as_mut()?.insert(id, answer);
        Some(Expected { pending: self, id, reply })
    }

    fn answer(&self, id: u32, outcome: Outcome) {
        // A reply that no one waits for any more came after its deadline.
        if let Some(answer) = self.lock().as_mut().and_then(|waiting| waiting.remove(&id)) {
            let _ = answer.send(outcome);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().as_ref().map_or(0, HashMap::len)
    }

    fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected<'_> {
    /// The reply; `None` when the connection ended first.
    pub(super) async fn arrived(mut self) -> Option<Outcome> {
        (&mut self.reply).await.ok()
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.pending.lock().as_mut() {
            waiting.remove(&self.id);
        }
    }
}

/// All that the task needs.
pub(super) struct Work {
    pub wire: Wire,
    pub commands: mpsc::Receiver<Outgoing>,
    pub pushes: mpsc::Sender<Push>,
    pub pending: Pending,
    pub closed: Arc<OnceLock<Closed>>,
    pub ping: Duration,
    pub pong: bool,
}

impl Drop for Work {
    /// Runs also when the task is aborted: callers must not wait for a socket that is gone.
    fn drop(&mut self) {
        self.pending.end();
    }
}

impl Work {
    pub(super) async fn run(mut self) {
        let end = match self.serve().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // Whoever ended it on purpose has set the reason already.
        let _ = self.closed.set(end);
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Closed> {
        for reply in std::mem::take(&mut self.wire.early) {
            self.take_reply(reply).await?;
        }
        let patience = self.ping + PING_GRACE;
        let mut heard_at = Instant::now();
        let watchdog = sleep_until(heard_at + patience);
        tokio::pin!(watchdog);
        loop {
            tokio::select! {
                heard = self.wire.socket.next() => {
                    heard_at = Instant::now();
                    self.take(heard).await?;
                }
                command = self.commands.recv() => self.write(command).await?,
                () = &mut watchdog, if !self.ping.is_zero() => {
                    if heard_at.elapsed() >= patience {
                        return Err(Closed::new(CODE_NO_PING, "no ping from the server"));
                    }
                    watchdog.as_mut().reset(heard_at + patience);
                }
            }
        }
    }

    async fn take(&mut self, heard: Option<Result<Message, tungstenite::Error>>) -> Result<(), Closed> {
        match heard {
            Some(Ok(Message::Close(frame))) => {
                // Lets our half of the closing handshake out; the server may be gone already.
                let _ = timeout(Duration::from_secs(1), self.wire.socket.flush()).await;
                Err(Closed::by_frame(frame))
            }
            Some(Ok(message)) => {
                let bad = |error| Closed::new(CODE_BAD_PROTOCOL, error);
                if let Some(frame) = payload(self.wire.form, &message).map_err(bad)? {
                    for reply in codec::replies(self.wire.form, frame).map_err(bad)? {
                        self.take_reply(reply).await?;
                    }
                }
                Ok(())
            }
            Some(Err(error)) => Err(Closed::broken(&error)),
            None => Err(Closed::transport()),
        }
    }

    async fn take_reply(&mut self, reply: Incoming) -> Result<(), Closed> {
        match reply {
            Incoming::Ping if self.pong => self.write(Some(Outgoing::Line(self.wire.form.ping()))).await,
            Incoming::Reply { id, outcome } => {
                self.pending.answer(id, outcome);
                Ok(())
            }
            Incoming::Publication { channel, publication } => {
                let (data, offset) = (publication.data, publication.offset);
                match self.pushes.try_send(Push::Publication { channel, data, offset }) {
                    Err(TrySendError::Full(_)) => {
                        Err(Closed::new(CODE_PUSHES_NOT_READ, format!("{PUSHES_MAX} pushes wait unread")))
                    }
                    // Cannot be closed: the reading end lives as long as this task.
                    Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
                }
            }
            Incoming::Disconnect { code, reason } => Err(Closed { code, reason }),
            Incoming::Ping | Incoming::Unused => Ok(()),
        }
    }

    /// Writes a command and whatever has queued up behind it, with one flush.
    async fn write(&mut self, command: Option<Outgoing>) -> Result<(), Closed> {
        let mut next = command;
        let mut count = 0;
        let burst = async {
            loop {
                match next {
                    Some(Outgoing::Line(line)) => self.wire.socket.feed(message(self.wire.form, line)).await?,
                    Some(Outgoing::Close) | None => {
                        self.wire.socket.close(None).await?;
                        return Ok(false);
                    }
                }
                count += 1;
                // Asked in this order: what is received here must be sent.
                next = if count < BURST_MAX { self.commands.try_recv().ok() } else { None };
                if next.is_none() {
                    break;
                }
            }
            self.wire.socket.flush().await.map(|()| true)
        };
        match timeout(WRITE_PATIENCE, burst).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Closed::new(CODE_OURS, "closed")),
            Ok(Err(error)) => Err(Closed::broken(&error)),
            Err(_) => Err(Closed::new(CODE_TRANSPORT, "the server does not read what we send")),
        }
    }
}
