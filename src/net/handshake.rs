//! From an accepted socket to a WebSocket, to HTTP, or to a polite refusal.
//!
//! The head is read into 1 KiB that grows to 8 at most, with one deadline for all of it, so a client that drips
//! bytes costs a timer and no processor. Never `peek`: with an incomplete head it is ready again and again.
//! Promise: bytes already read are never lost, whichever side gets the connection.

use super::head::{self, HEAD_BYTES_MAX, HeadRules, Refused, Route};
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// First size of the head's buffer: most heads fit.
const HEAD_BYTES_FIRST: usize = 1024;
/// Largest message and frame that a client may send; a batch of 100 fixes is under 15 KiB.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Most that may wait in a socket's own write buffer; frames are far smaller and written one by one.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// How long a refused peer may take to read why and to hang up.
const LINGER: Duration = Duration::from_secs(1);

/// What became of a new connection.
pub(super) enum Arrival {
    /// A client's socket, upgraded.
    Socket(Box<WebSocketStream<TcpStream>>),
    /// A request for the HTTP side, with the bytes read so far.
    Http(Bytes, TcpStream),
    /// Refused and closed.
    Refused(u16),
    /// The peer went away.
    Gone,
}

/// Reads the head and acts on it.
pub(super) async fn receive(mut io: TcpStream, rules: &HeadRules, deadline: Duration) -> Arrival {
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES_FIRST);
    let verdict = match timeout(deadline, read_head(&mut io, &mut bytes, rules)).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => return Arrival::Gone,
        Err(_) => Verdict::Refuse(Refused::LATE),
    };
    match verdict {
        Verdict::Http => Arrival::Http(bytes.freeze(), io),
        Verdict::Refuse(refused) => {
            refuse(io, &refused).await;
            Arrival::Refused(refused.status)
        }
        Verdict::Upgrade(upgrade, length) => {
            if timeout(deadline, io.write_all(upgrade.response().as_bytes())).await.is_err() {
                return Arrival::Gone;
            }
            let rest = bytes.split_off(length).to_vec();
            let ws = WebSocketStream::from_partially_read(io, rest, Role::Server, Some(websocket_config())).await;
            Arrival::Socket(Box::new(ws))
        }
    }
}

enum Verdict {
    Upgrade(head::Upgrade, usize),
    Refuse(Refused),
    Http,
}

async fn read_head(io: &mut TcpStream, bytes: &mut BytesMut, rules: &HeadRules) -> io::Result<Verdict> {
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.len().min(HEAD_BYTES_MAX - bytes.len()).max(1));
        }
        if io.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match head::route(bytes) {
            Route::Undecided => {}
            Route::Http => return Ok(Verdict::Http),
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
pub(super) async fn refuse(mut io: TcpStream, refused: &Refused) {
    let said = async {
        io.write_all(refused.response().as_bytes()).await?;
        io.shutdown().await?;
        drain(&mut io).await
    };
    let _ = timeout(LINGER, said).await;
}

/// Reads and drops until the peer hangs up.
pub(super) async fn drain(io: &mut TcpStream) -> io::Result<()> {
    let mut sink = [0; 512];
    while io.read(&mut sink).await? > 0 {}
    Ok(())
}

/// The recipe of the measured prototype: tungstenite's default read buffer alone costs 128 KiB a socket.
fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .accept_unmasked_frames(false)
}

/// A stream whose first bytes have been read already; `guard` lives as long as it does.
pub(super) struct Prefixed<G> {
    prefix: Bytes,
    io: TcpStream,
    _guard: G,
}

impl<G> Prefixed<G> {
    pub(super) fn new(prefix: Bytes, io: TcpStream, guard: G) -> Self {
        Self { prefix, io, _guard: guard }
    }
}

impl<G: Unpin> AsyncRead for Prefixed<G> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let n = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..n]);
        self.prefix.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<G: Unpin> AsyncWrite for Prefixed<G> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
