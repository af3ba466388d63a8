//! The links of one node: which there should be, what becomes of them, and how they end.
//!
//! Promises: a peer that should have a link is dialled for as long as that is so; how its link stands is told at once;
//! why it has none is logged when that changes, not with each attempt.

use super::counters::{Counters, Counts};
use super::dial::{Peer, keep};
use super::frames::Frames;
use super::hello::{Me, Refused};
use super::outbox::Outbox;
use super::service::Service;
use super::wire::Frame;
use crate::cluster::link::{Broken, Call, Handler, LinkState, Note, Peers, Reply};
use crate::cluster::member::NodeId;
use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a drain looks whether calls still wait.
const LOOK: Duration = Duration::from_millis(10);
/// What tasks that were told to stop may take: they wait for nothing any more.
const STOP: Duration = Duration::from_secs(1);

/// Carries messages between nodes.
pub(super) trait Transport: Send + Sync + Debug + 'static {
    /// Opens a stream to a peer, to send `frames`; what comes back begins with the peer's hello.
    fn dial<'a>(&'a self, to: &'a Peer, frames: Frames) -> BoxFuture<'a, Result<BoxStream<'static, Frame>, NoLink>>;

    /// Takes the streams of peers from now on.
    fn serve(&self, service: Service);

    /// Any number from 0 to 1.
    fn chance(&self) -> f64;
}

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoLink {
    /// Nobody listens there.
    NobodyThere,
    /// No answer in time.
    Silent,
    /// One of the two does not want it.
    Refused(Refused),
    /// Something else, in words.
    Failed(String),
}

impl fmt::Display for NoLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyThere => f.write_str("nobody listens there"),
            Self::Silent => f.write_str("no answer in time"),
            Self::Refused(reason) => write!(f, "{reason}"),
            Self::Failed(words) => f.write_str(words),
        }
    }
}

/// What all links of a node share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) me: Me,
    pub(super) counters: Arc<Counters>,
    pub(super) states: watch::Sender<BTreeMap<NodeId, LinkState>>,
    /// No new streams, and no new calls of peers.
    pub(super) draining: CancellationToken,
    /// The end.
    pub(super) stop: CancellationToken,
    /// Streams of peers and their calls.
    pub(super) serving: TaskTracker,
    /// Everything else.
    pub(super) tasks: TaskTracker,
}

impl Shared {
    pub(super) fn new(me: Me) -> Arc<Self> {
        Arc::new(Self {
            me,
            counters: Arc::default(),
            states: watch::Sender::default(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
            serving: TaskTracker::new(),
            tasks: TaskTracker::new(),
        })
    }
}

/// The links of a node. Dropping them ends them at once; prefer [`Links::drain`].
#[derive(Debug)]
pub struct Links {
    shared: Arc<Shared>,
    transport: Arc<dyn Transport>,
    addr: Option<SocketAddr>,
    runtime: Handle,
    /// Read by each call, changed only when members come and go.
    peers: ArcSwap<BTreeMap<NodeId, Peer>>,
    /// Held while they change.
    aiming: Mutex<()>,
}

impl Links {
    pub(super) fn new(
        shared: Arc<Shared>,
        transport: Arc<dyn Transport>,
        addr: Option<SocketAddr>,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self { shared, transport, addr, runtime, peers: ArcSwap::default(), aiming: Mutex::new(()) })
    }

    /// Where peers reach it: with port 0 asked for, the port that was given. In memory there is no such place.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// Who it is to its peers.
    pub fn me(&self) -> &Me {
        &self.shared.me
    }

    /// Takes what peers ask and tell, from now on; once.
    pub fn serve(&self, handler: Arc<dyn Handler>) {
        self.transport.serve(Service::new(Arc::clone(&self.shared), handler));
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    /// Ends in good order: takes no new streams and no new calls of peers, lets those under way be answered, then those
    /// of our own, then closes everything; after `bound` at the latest, whoever still waits.
    pub async fn drain(&self, bound: Duration) {
        let peers: Vec<Arc<Outbox>> = self.peers.load().values().map(|peer| Arc::clone(&peer.outbox)).collect();
        self.shared.draining.cancel();
        self.shared.serving.close();
        let in_order = async {
            // What we still do for others may need calls of our own.
            self.shared.serving.wait().await;
            peers.iter().for_each(|outbox| outbox.close());
            while peers.iter().any(|outbox| outbox.is_waited_for()) {
                sleep(LOOK).await;
            }
        };
        if timeout(bound, in_order).await.is_err() {
            tracing::warn!("calls between nodes were cut off at the end of the drain");
        }
        self.shared.stop.cancel();
        self.shared.tasks.close();
        let ended = async {
            self.shared.serving.wait().await;
            self.shared.tasks.wait().await;
        };
        if timeout(STOP, ended).await.is_err() {
            tracing::error!("some links do not end");
        }
    }

    fn outbox(&self, to: &NodeId) -> Option<Arc<Outbox>> {
        self.peers.load().get(to).map(|peer| Arc::clone(&peer.outbox))
    }
}

impl Peers for Links {
    fn call(&self, to: &NodeId, call: Call, deadline: Duration) -> BoxFuture<'_, Result<Reply, Broken>> {
        let outbox = self.outbox(to);
        Box::pin(async move {
            match outbox {
                Some(outbox) => outbox.call(call, deadline).await,
                None => {
                    self.shared.counters.calls_not_sent(1);
                    Err(Broken::NotSent)
                }
            }
        })
    }

    fn tell(&self, to: &NodeId, note: Note) -> bool {
        match self.peers.load().get(to) {
            Some(peer) => peer.outbox.tell(&note),
            None => {
                self.shared.counters.notes_dropped(1);
                false
            }
        }
    }

    fn aim(&self, wanted: BTreeMap<NodeId, (String, String)>) {
        let _aiming = self.aiming.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.peers.load_full();
        let mut next = BTreeMap::new();
        for (node, (name, address)) in wanted.into_iter().filter(|(node, _)| *node != self.shared.me.node) {
            let peer = match now.get(&node) {
                Some(peer) if peer.name == name && peer.address == address => peer.clone(),
                Some(_) | None => {
                    let outbox = Arc::new(Outbox::new(Arc::clone(&self.shared.counters)));
                    Peer { node: node.clone(), name, address, outbox, end: self.shared.stop.child_token() }
                }
            };
            next.insert(node, peer);
        }
        let same = |peer: &Peer, other: &BTreeMap<NodeId, Peer>| {
            other.get(&peer.node).is_some_and(|other| Arc::ptr_eq(&other.outbox, &peer.outbox))
        };
        let gone: Vec<Peer> = now.values().filter(|peer| !same(peer, &next)).cloned().collect();
        let new: Vec<Peer> = next.values().filter(|peer| !same(peer, &now)).cloned().collect();
        if gone.is_empty() && new.is_empty() {
            return;
        }
        // Cancelled first: a link that has ended may not say how it stands any more.
        gone.iter().for_each(|peer| peer.end.cancel());
        self.peers.store(Arc::new(next));
        self.shared.states.send_modify(|states| {
            for peer in &gone {
                states.remove(&peer.node);
            }
            for peer in &new {
                states.insert(peer.node.clone(), LinkState::Down { refused: false });
            }
        });
        for peer in new {
            self.shared
                .tasks
                .spawn_on(keep(Arc::clone(&self.shared), Arc::clone(&self.transport), peer), &self.runtime);
        }
    }

    fn states(&self) -> watch::Receiver<BTreeMap<NodeId, LinkState>> {
        self.shared.states.subscribe()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.shared.draining.cancel();
        self.shared.stop.cancel();
    }
}
