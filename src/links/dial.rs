//! One link out: dialled, used, and dialled again, for as long as it is wanted.

use super::frames::Frames;
use super::hello::Refused;
use super::limits::{REDIAL_MAX, REDIAL_MIN};
use super::node::{NoLink, Shared, Transport};
use super::outbox::Outbox;
use super::wire::Frame;
use crate::cluster::link::LinkState;
use crate::cluster::member::NodeId;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// A peer that there should be a link to.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) node: NodeId,
    pub(super) name: String,
    /// `host:port`.
    pub(super) address: String,
    pub(super) outbox: Arc<Outbox>,
    /// It is not wanted any more.
    pub(super) end: CancellationToken,
}

/// Keeps the link to a peer, until it is not wanted any more.
pub(super) async fn keep(shared: Arc<Shared>, transport: Arc<dyn Transport>, peer: Peer) {
    let keeping = async {
        let mut connection = 0;
        let mut pause = REDIAL_MIN;
        let mut known = None;
        loop {
            match open(&shared, &*transport, &peer).await {
                Ok((version, replies)) => {
                    connection += 1;
                    pause = REDIAL_MIN;
                    known = None;
                    tracing::info!(peer = %peer.name, node = %peer.node, version, connection, "a link is up");
                    shared.counters.connections(1);
                    peer.outbox.rise(version);
                    say(&shared, &peer, LinkState::Up { protocol: version, connection });
                    listen(&peer, replies).await;
                    // The calls end before anyone hears of it, so that who hears of it finds no call under way.
                    peer.outbox.fall();
                    say(&shared, &peer, LinkState::Down { refused: false });
                    tracing::info!(peer = %peer.name, node = %peer.node, "a link has fallen");
                }
                Err(reason) => {
                    say(&shared, &peer, LinkState::Down { refused: reason == NoLink::NobodyThere });
                    if known.as_ref() != Some(&reason) {
                        tracing::warn!(peer = %peer.name, node = %peer.node, %reason, "there is no link to a node");
                        known = Some(reason);
                    }
                }
            }
            // From half the pause to the whole of it: nodes that lost the same peer shall not come back in step.
            sleep(pause.mul_f64(0.5 + transport.chance() / 2.0)).await;
            pause = (pause * 2).min(REDIAL_MAX);
        }
    };
    // Dropping it closes the connection.
    let _ = peer.end.run_until_cancelled(keeping).await;
    peer.outbox.fall();
}

async fn open(
    shared: &Shared,
    transport: &dyn Transport,
    peer: &Peer,
) -> Result<(u16, BoxStream<'static, Frame>), NoLink> {
    let hello = shared.me.hello(Some(&peer.node));
    let frames = Frames::calls(hello, Arc::clone(&peer.outbox));
    let mut replies = transport.dial(peer, frames).await?;
    let first = tokio::time::timeout(super::limits::HELLO, replies.next()).await.map_err(|_| NoLink::Silent)?;
    let hello = first.and_then(|frame| frame.hello).ok_or(NoLink::Refused(Refused::NoHello))?;
    let version = shared.me.accept(&hello, &peer.node, &peer.name).map_err(NoLink::Refused)?;
    Ok((version, replies))
}

async fn listen(peer: &Peer, mut replies: BoxStream<'static, Frame>) {
    while let Some(frame) = replies.next().await {
        peer.outbox.answer(frame);
    }
}

fn say(shared: &Shared, peer: &Peer, state: LinkState) {
    shared.states.send_if_modified(|states| {
        // Looked at under the lock of the states: see `Links::aim`.
        !peer.end.is_cancelled() && states.insert(peer.node.clone(), state) != Some(state)
    });
}
