//! A peer's connection under guard: it must say hello in time, it ends when the node does, and it counts while it is
//! open. tonic owns its connections and knows none of this, so it is kept where bytes are read.

use super::limits::HELLO;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

/// Whether a connection has said hello.
#[derive(Debug, Clone, Default)]
pub(super) struct Greeted(Arc<AtomicBool>);

impl Greeted {
    /// It has.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection under guard.
#[derive(Debug)]
pub(super) struct Guard<Io> {
    io: Io,
    greeted: Greeted,
    /// Until then it must have said hello; `None` when it has.
    deadline: Option<Pin<Box<Sleep>>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: OwnedSemaphorePermit,
}

impl<Io> Guard<Io> {
    pub(super) fn new(io: Io, stop: CancellationToken, place: OwnedSemaphorePermit) -> Self {
        Self {
            io,
            greeted: Greeted::default(),
            deadline: Some(Box::pin(sleep(HELLO))),
            stop: Box::pin(stop.cancelled_owned()),
            _place: place,
        }
    }

    fn poll_guard(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.stop.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if let Some(deadline) = &mut self.deadline {
            if self.greeted.0.load(Ordering::Relaxed) {
                self.deadline = None;
            } else if deadline.as_mut().poll(cx).is_ready() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }
}

impl<Io> Connected for Guard<Io> {
    type ConnectInfo = Greeted;

    fn connect_info(&self) -> Greeted {
        self.greeted.clone()
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Guard<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_guard(cx)?;
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Guard<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
