//! A peer's byte stream, in the clear or by TLS, and the same with bytes that were read ahead.
//!
//! One type for both, not a parameter: whatever is built on it is compiled once. Promise: bytes already read come first,
//! and none twice.

use bytes::{Buf as _, Bytes};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
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
pub(super) struct Prefixed<G> {
    prefix: Bytes,
    io: Io,
    _guard: G,
}

impl<G> Prefixed<G> {
    pub(super) fn new(prefix: Bytes, io: Io, guard: G) -> Self {
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
