//! What goes out on a stream: hello, then batches as they gather, and the time of day when there is nothing to say.

use super::limits::IDLE;
use super::outbox::Outbox;
use super::replies::Replies;
use super::wire::{Envelope, Frame, Hello};
use futures_util::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep};

/// Where the batches of a stream come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Calls and notes to a peer.
    Calls(Arc<Outbox>, u64),
    /// Replies to a peer. Their lateness does not matter: who asked knows its own deadline.
    Replies(Arc<Replies>),
}

/// The messages of one stream.
#[derive(Debug)]
pub(super) struct Frames {
    hello: Option<Hello>,
    source: Source,
    began: Instant,
    spoke: Instant,
    idle: Pin<Box<Sleep>>,
}

impl Frames {
    /// The calls of a new stream.
    pub(super) fn calls(hello: Hello, outbox: Arc<Outbox>) -> Self {
        let stream = outbox.open();
        Self::new(hello, Source::Calls(outbox, stream))
    }

    /// The replies on a peer's stream.
    pub(super) fn replies(hello: Hello, replies: Arc<Replies>) -> Self {
        Self::new(hello, Source::Replies(replies))
    }

    fn new(hello: Hello, source: Source) -> Self {
        let now = Instant::now();
        Self { hello: Some(hello), source, began: now, spoke: now, idle: Box::pin(sleep(IDLE)) }
    }

    fn frame(&mut self, hello: Option<Hello>, envelopes: Vec<Envelope>) -> Frame {
        self.spoke = Instant::now();
        let sent_ms = u64::try_from((self.spoke - self.began).as_millis()).unwrap_or(u64::MAX);
        Frame { hello, sent_ms, envelopes }
    }

    /// An empty message, if nothing was said for a while.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Frame> {
        while self.idle.as_mut().poll(cx).is_ready() {
            // The timer is only moved when it fires: moving it with each message would cost more than it is worth.
            let due = self.spoke + IDLE;
            if due <= Instant::now() {
                self.idle.as_mut().reset(Instant::now() + IDLE);
                return Poll::Ready(self.frame(None, Vec::new()));
            }
            self.idle.as_mut().reset(due);
        }
        Poll::Pending
    }
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        if let Some(hello) = self.hello.take() {
            return Poll::Ready(Some(self.frame(Some(hello), Vec::new())));
        }
        let taken = match &self.source {
            Source::Calls(outbox, stream) => outbox.poll_take(*stream, cx),
            Source::Replies(replies) => replies.poll_take(cx),
        };
        match taken {
            Poll::Ready(Some(envelopes)) => Poll::Ready(Some(self.frame(None, envelopes))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.poll_idle(cx).map(Some),
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // The transport has let go of the stream: nobody will ever read a reply.
        if let Source::Replies(replies) = &self.source {
            replies.abandon();
        }
    }
}
