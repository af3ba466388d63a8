//! A node as its peers find it: says hello, and takes a stream or says why not.

use super::frames::Frames;
use super::hello::Refused;
use super::inbox::Inbox;
use super::node::Shared;
use super::replies::Replies;
use super::wire::Frame;
use crate::cluster::link::Handler;
use futures_util::Stream;
use std::sync::Arc;

/// Shared by all streams of peers.
#[derive(Debug, Clone)]
pub(super) struct Service {
    shared: Arc<Shared>,
    handler: Arc<dyn Handler>,
}

impl Service {
    pub(super) fn new(shared: Arc<Shared>, handler: Arc<dyn Handler>) -> Self {
        Self { shared, handler }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Takes a peer's stream that began with `first`; returns what to send on it.
    pub(super) fn take(
        &self,
        first: &Frame,
        rest: impl Stream<Item = Frame> + Send + Unpin + 'static,
    ) -> Result<Frames, Refused> {
        let shared = &self.shared;
        let (from, _version) = self.judge(first).inspect_err(|_| shared.counters.turned_away(1))?;
        let replies = Arc::new(Replies::new(Arc::clone(&shared.counters)));
        let mut inbox = Inbox::new(
            from,
            Arc::clone(&self.handler),
            Arc::clone(&replies),
            shared.serving.clone(),
            Arc::clone(&shared.counters),
        );
        inbox.greeted(first.sent_ms);
        shared.counters.streams_taken(1);
        let stop = shared.stop.clone();
        let reading = inbox.run(rest, shared.draining.clone());
        let ending = Ending(Arc::clone(&replies));
        shared.serving.spawn(async move {
            let _ending = ending;
            stop.run_until_cancelled(reading).await
        });
        Ok(Frames::replies(shared.me.hello(None), replies))
    }

    fn judge(&self, first: &Frame) -> Result<(crate::cluster::member::NodeId, u16), Refused> {
        if self.shared.draining.is_cancelled() {
            return Err(Refused::Draining);
        }
        let hello = first.hello.as_ref().ok_or(Refused::NoHello)?;
        self.shared.me.admit(hello)
    }
}

/// Ends a stream when it is not read any more, for whatever reason, be it a panic: the peer must hear of it.
struct Ending(Arc<Replies>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abandon();
        self.0.close();
    }
}
