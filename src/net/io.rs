//! A peer's byte stream, in the clear or by TLS, and the same with bytes that were read ahead.
//!
//! One type for both, not a parameter: whatever is built on it is compiled once. Promise: bytes already read come first,
//! and none twice.

use bytes::{Buf as _, Bytes};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

/// A peer's stream.
pub(super) enum Io {
    /// As it is.
    Plain(TcpStream),
    /// Within TLS. Boxed: it has a kilobyte of its own.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    /// Reads and drops until the peer hangs up.
    pub(super) async fn drain(&mut self) -> io::Result<()> {
        let mut sink = [0; 512];
        while self.read(&mut sink).await? > 0 {}
        Ok(())
    }
}

impl From<TcpStream> for Io {
    fn from(io: TcpStream) -> Self {
        Self::Plain(io)
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(&mut **io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Tls(io) => Pin::new(&mut **io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(&mut **io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(&mut **io).poll_shutdown(cx),
        }
    }
}

/// A stream whose first bytes have been read already; `guard` lives as long as it does.
///
/// What it reads must be answered within `patience`, from the first byte since the last answer on: else it fails. So a
/// head that drips ends, which the HTTP library bounds for the first one of a connection only.
pub(super) struct Prefixed<G> {
    prefix: Bytes,
    io: Io,
    patience: Duration,
    /// Runs while something has been read and nothing been written since.
    unanswered: Option<Pin<Box<Sleep>>>,
    _guard: G,
}

impl<G> Prefixed<G> {
    pub(super) fn new(prefix: Bytes, io: Io, patience: Duration, guard: G) -> Self {
        Self { prefix, io, patience, unanswered: None, _guard: guard }
    }

    /// Something has been read, or nothing is there: whether that may go on.
    fn wait(&mut self, cx: &mut Context<'_>, read: bool) -> io::Result<()> {
        if read && self.unanswered.is_none() {
            self.unanswered = Some(Box::pin(sleep(self.patience)));
        }
        let late = self.unanswered.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if late { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl<G: Unpin> AsyncRead for Prefixed<G> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = if self.prefix.is_empty() {
            Pin::new(&mut self.io).poll_read(cx, buf)
        } else {
            let n = self.prefix.len().min(buf.remaining());
            buf.put_slice(&self.prefix[..n]);
            self.prefix.advance(n);
            Poll::Ready(Ok(()))
        };
        match self.wait(cx, buf.filled().len() > before) {
            Ok(()) => polled,
            Err(late) => Poll::Ready(Err(late)),
        }
    }
}

impl<G: Unpin> AsyncWrite for Prefixed<G> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.unanswered = None;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
