//! From an accepted socket to a WebSocket, to HTTP, or to a polite refusal.
//!
//! The head is read into 1 KiB that grows to 8 at most, with one deadline for all of it, so a client that drips
//! bytes costs a timer and no processor. Never `peek`: with an incomplete head it is ready again and again.
//! Promise: bytes already read are never lost, whichever side gets the connection.

use super::frames::{Followed, PIECES_MAX};
use super::head::{self, HEAD_BYTES_MAX, HeadRules, Refused, Route};
use super::io::Io;
use super::protocol::Form;
use super::tls::Tls;
use bytes::{Bytes, BytesMut};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// First size of the head's buffer: most heads fit.
const HEAD_BYTES_FIRST: usize = 1024;
/// Largest message and frame that a client may send: a batch of 100 fixes with all their digits fits.
pub(super) const MESSAGE_BYTES_MAX: usize = 32 * 1024;
/// Most that may wait in a socket's own write buffer; frames are far smaller and written one by one.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// How long a refused peer may take to read why and to hang up.
const LINGER: Duration = Duration::from_secs(1);
/// The first byte of whatever begins a TLS handshake.
const TLS_HANDSHAKE: u8 = 22;

/// A client's WebSocket.
pub(super) type Socket = WebSocketStream<Followed>;

/// What became of a new connection.
pub(super) enum Arrival {
    /// A client's socket, upgraded.
    Socket(Box<Socket>, Form),
    /// A request for the HTTP side, with the bytes read so far.
    Http(Bytes, Io),
    /// Refused and closed.
    Refused(u16),
    /// There is no TLS with this peer.
    NoTls,
    /// The peer went away.
    Gone,
}

/// Speaks TLS with a peer, where this port does. Who speaks plain HTTP to it is told so.
pub(super) async fn greet(io: TcpStream, tls: Option<&Tls>, deadline: Duration) -> Result<Io, Arrival> {
    let Some(tls) = tls else { return Ok(Io::Plain(io)) };
    let mut first = [0];
    let met = async {
        // One byte is there or not: unlike a whole head, it is not asked for again and again.
        match io.peek(&mut first).await {
            Ok(1..) if first[0] != TLS_HANDSHAKE => Err(turn_away(Io::Plain(io), Refused::NO_TLS).await),
            Ok(1..) => {
                let met = tls.acceptor().accept(io).await;
                met.map(|io| Io::Tls(Box::new(io))).map_err(|_| Arrival::NoTls)
            }
            Ok(0) | Err(_) => Err(Arrival::Gone),
        }
    };
    timeout(deadline, met).await.unwrap_or(Err(Arrival::NoTls))
}

/// What a client may send in one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageBounds {
    /// Bytes, of a frame and of a message.
    pub(super) bytes: usize,
    /// Frames.
    pub(super) pieces: u32,
}

impl MessageBounds {
    /// What players' sockets have.
    pub(super) const OURS: Self = Self { bytes: MESSAGE_BYTES_MAX, pieces: PIECES_MAX };
}

/// Reads the head and acts on it. `gate` is asked when a socket would be opened: it may know why not.
pub(super) async fn receive(
    mut io: Io,
    rules: &HeadRules,
    deadline: Duration,
    gate: impl FnOnce() -> Result<MessageBounds, Refused>,
) -> Arrival {
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES_FIRST);
    let verdict = match timeout(deadline, read_head(&mut io, &mut bytes, rules)).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => return Arrival::Gone,
        Err(_) => Verdict::Refuse(Refused::LATE),
    };
    let (upgrade, length) = match verdict {
        Verdict::Http => return Arrival::Http(bytes.freeze(), io),
        Verdict::Refuse(refused) => return turn_away(io, refused).await,
        Verdict::Upgrade(upgrade, length) => (upgrade, length),
    };
    let bounds = match gate() {
        Ok(bounds) => bounds,
        Err(refused) => return turn_away(io, refused).await,
    };
    let response = upgrade.response();
    let answered = async {
        io.write_all(response.as_bytes()).await?;
        io.flush().await
    };
    if !matches!(timeout(deadline, answered).await, Ok(Ok(()))) {
        return Arrival::Gone;
    }
    let early = bytes.split_off(length).to_vec();
    let followed = Followed::new(io, &early, bounds.pieces);
    let config = websocket_config(bounds.bytes);
    let ws = WebSocketStream::from_partially_read(followed, early, Role::Server, Some(config)).await;
    Arrival::Socket(Box::new(ws), upgrade.form())
}

async fn turn_away(io: Io, refused: Refused) -> Arrival {
    refuse(io, &refused).await;
    Arrival::Refused(refused.status)
}

enum Verdict {
    Upgrade(head::Upgrade, usize),
    Refuse(Refused),
    Http,
}

/// A head for HTTP is read to its end too, so that its bounds are those of all heads; what is no head at all is left to
/// the HTTP side, which says so.
fn http_head(bytes: &[u8]) -> Option<Verdict> {
    let mut headers = [httparse::EMPTY_HEADER; head::HEADERS_MAX];
    match httparse::Request::new(&mut headers).parse(bytes) {
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => None,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => Some(Verdict::Refuse(Refused::LARGE)),
        Ok(httparse::Status::Complete(_)) | Err(_) => Some(Verdict::Http),
    }
}

async fn read_head(io: &mut Io, bytes: &mut BytesMut, rules: &HeadRules) -> io::Result<Verdict> {
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.len().min(HEAD_BYTES_MAX - bytes.len()).max(1));
        }
        if io.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match head::route(bytes) {
            Route::Undecided => {}
            Route::Http => {
                if let Some(verdict) = http_head(bytes) {
                    return Ok(verdict);
                }
            }
            Route::Socket => match head::upgrade(bytes, rules) {
                Ok(None) => {}
                Ok(Some((upgrade, length))) => return Ok(Verdict::Upgrade(upgrade, length)),
                Err(refused) => return Ok(Verdict::Refuse(refused)),
            },
        }
    }
}

/// Answers and hangs up. Unread bytes would turn our close into a reset that swallows the answer, so what the peer
/// still sends is read and dropped for a moment.
pub(super) async fn refuse(mut io: Io, refused: &Refused) {
    let said = async {
        io.write_all(refused.response().as_bytes()).await?;
        io.shutdown().await?;
        io.drain().await
    };
    let _ = timeout(LINGER, said).await;
}

/// The recipe of the measured prototype: tungstenite's default read buffer alone costs 128 KiB a socket.
fn websocket_config(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
        .accept_unmasked_frames(false)
}

#[cfg(test)]
mod tests;
