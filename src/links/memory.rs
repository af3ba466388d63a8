//! The twin of the real links: several nodes in one process, joined by a network that a test commands.
//!
//! Only what carries messages is replaced: queues, bounds, deadlines, lateness, versions and JSON are those of the real
//! links, so that a simulation meets them too. Time is tokio's, and may be paused; all chance comes from one seed, so a
//! run on one thread is the same each time.
//! What is cut behaves as TCP does: what was sent meanwhile arrives late if the cut is healed within three seconds;
//! otherwise the link falls at both ends, as keep-alive would have it.

use super::dial::Peer;
use super::frames::Frames;
use super::hello::Me;
use super::limits::{CONNECT, HELLO, PING, PING_TIMEOUT};
use super::node::{Links, NoLink, Shared, Transport};
use super::service::Service;
use super::wire::Frame;
use crate::cluster::member::NodeId;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Messages under way on a stream: about what an HTTP/2 window holds.
const UNDER_WAY: usize = 16;
/// When a link that is cut is given up.
const GIVEN_UP: Duration = PING.saturating_add(PING_TIMEOUT);

/// A network in memory; cheap to clone.
#[derive(Debug, Clone)]
pub struct Net {
    state: Arc<Mutex<State>>,
    /// Changes with each cut and heal.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    places: BTreeMap<String, Place>,
    /// From whom to whom nothing comes through, and since when.
    cuts: BTreeMap<(NodeId, NodeId), Instant>,
    delay: (Duration, Duration),
    loss: f64,
}

/// A node at its address.
#[derive(Debug)]
struct Place {
    node: NodeId,
    service: Option<Service>,
    stop: CancellationToken,
}

impl Net {
    /// A network without delay or loss.
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            places: BTreeMap::new(),
            cuts: BTreeMap::new(),
            delay: (Duration::ZERO, Duration::ZERO),
            loss: 0.0,
        };
        Self { state: Arc::new(Mutex::new(state)), changes: watch::Sender::default() }
    }

    /// A node's links, at an address that is its own. Who was there before is gone.
    pub fn join(&self, me: Me, address: &str) -> Arc<Links> {
        let shared = Shared::new(me);
        let place = Place { node: shared.me.node.clone(), service: None, stop: shared.stop.clone() };
        if let Some(before) = self.lock().places.insert(address.to_owned(), place) {
            before.stop.cancel();
        }
        let transport = Memory { net: self.clone(), node: shared.me.node.clone(), address: address.to_owned() };
        Links::new(shared, Arc::new(transport), None, Handle::current())
    }

    /// Ends a node's process: its links fall at once, and its address refuses.
    pub fn kill(&self, node: &NodeId) {
        self.lock().places.retain(|_, place| {
            if place.node == *node {
                place.stop.cancel();
            }
            place.node != *node
        });
    }

    /// Lets nothing through from one node to another.
    pub fn cut(&self, from: &NodeId, to: &NodeId) {
        self.lock().cuts.entry((from.clone(), to.clone())).or_insert_with(Instant::now);
        self.changed();
    }

    /// Lets nothing through between two nodes.
    pub fn cut_both(&self, a: &NodeId, b: &NodeId) {
        self.cut(a, b);
        self.cut(b, a);
    }

    /// Heals what was cut between two nodes.
    pub fn heal(&self, a: &NodeId, b: &NodeId) {
        self.lock().cuts.retain(|(from, to), _| (from, to) != (a, b) && (from, to) != (b, a));
        self.changed();
    }

    /// Heals all that was cut.
    pub fn heal_all(&self) {
        self.lock().cuts.clear();
        self.changed();
    }

    /// How long messages are under way from now on: any time between two.
    pub fn delay(&self, least: Duration, most: Duration) {
        self.lock().delay = (least, most.max(least));
    }

    /// Which part of calls, replies and notes is lost from now on: 0 none, 1 all.
    pub fn lose(&self, part: f64) {
        self.lock().loss = part.clamp(0.0, 1.0);
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw_delay(&self) -> Duration {
        let mut state = self.lock();
        let (least, most) = state.delay;
        if most.is_zero() { Duration::ZERO } else { least + (most - least).mul_f64(state.rng.random()) }
    }

    fn lose_some(&self, frame: &mut Frame) {
        let mut state = self.lock();
        let State { rng, loss, .. } = &mut *state;
        if *loss > 0.0 {
            frame.envelopes.retain(|_| !rng.random_bool(*loss));
        }
    }

    fn is_cut(&self, from: &NodeId, to: &NodeId) -> bool {
        self.lock().cuts.contains_key(&(from.clone(), to.clone()))
    }

    /// Since when either way between two nodes is cut.
    fn cut_since(&self, a: &NodeId, b: &NodeId) -> Option<Instant> {
        let state = self.lock();
        let ways = [(a.clone(), b.clone()), (b.clone(), a.clone())];
        ways.iter().filter_map(|way| state.cuts.get(way)).min().copied()
    }

    /// Carries messages from one node to another until the connection ends: in order, each after its delay.
    fn carry(
        &self,
        from: &NodeId,
        to: &NodeId,
        mut frames: Frames,
        connection: &CancellationToken,
    ) -> (impl Future<Output = ()> + Send + use<>, impl Stream<Item = Frame> + Send + Unpin + use<>) {
        let (sender, receiver) = mpsc::channel::<(Instant, Frame)>(UNDER_WAY);
        let net = self.clone();
        let ends = connection.clone();
        let pump = async move {
            let pumping = async {
                let mut last = Instant::now();
                while let Some(mut frame) = frames.next().await {
                    net.lose_some(&mut frame);
                    last = last.max(Instant::now() + net.draw_delay());
                    if sender.send((last, frame)).await.is_err() {
                        break;
                    }
                }
            };
            let _ = ends.run_until_cancelled(pumping).await;
        };
        let way = (self.clone(), from.clone(), to.clone(), receiver, connection.clone());
        let stream = stream::unfold(way, |(net, from, to, mut receiver, connection)| async {
            let arriving = async {
                let (due, frame) = receiver.recv().await?;
                sleep_until(due).await;
                let mut changes = net.changes.subscribe();
                while net.is_cut(&from, &to) {
                    changes.changed().await.ok()?;
                }
                Some(frame)
            };
            let frame = connection.run_until_cancelled(arriving).await??;
            Some((frame, (net, from, to, receiver, connection)))
        });
        (pump, stream.boxed())
    }

    /// Ends a connection that has been cut for so long that pings would have found it dead.
    fn watch(
        &self,
        a: &NodeId,
        b: &NodeId,
        connection: &CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (net, a, b, connection) = (self.clone(), a.clone(), b.clone(), connection.clone());
        async move {
            let watching = async {
                let mut changes = net.changes.subscribe();
                loop {
                    match net.cut_since(&a, &b) {
                        Some(since) if since + GIVEN_UP <= Instant::now() => return,
                        Some(since) => {
                            let _ = tokio::time::timeout_at(since + GIVEN_UP, changes.changed()).await;
                        }
                        None => {
                            let _ = changes.changed().await;
                        }
                    }
                }
            };
            if connection.run_until_cancelled(watching).await.is_some() {
                connection.cancel();
            }
        }
    }
}

/// A node's way into the network.
#[derive(Debug)]
struct Memory {
    net: Net,
    node: NodeId,
    address: String,
}

impl Transport for Memory {
    fn dial<'a>(
        &'a self,
        to: &'a Peer,
        mut frames: Frames,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Frame>, NoLink>> {
        Box::pin(async move {
            sleep(self.net.draw_delay()).await;
            let (other, service, stop) = match self.net.lock().places.get(&to.address) {
                Some(place) => (place.node.clone(), place.service.clone(), place.stop.clone()),
                None => return Err(NoLink::NobodyThere),
            };
            if self.net.cut_since(&self.node, &other).is_some() {
                sleep(CONNECT).await;
                return Err(NoLink::Silent);
            }
            let Some(service) = service else {
                // It listens, and does not answer yet.
                sleep(HELLO).await;
                return Err(NoLink::Silent);
            };
            let first = frames.next().await.ok_or(NoLink::Silent)?;
            sleep(self.net.draw_delay()).await;
            let connection = stop.child_token();
            let (calls, asked) = self.net.carry(&self.node, &other, frames, &connection);
            let answers = service.take(&first, asked).map_err(NoLink::Refused)?;
            let (replies, answered) = self.net.carry(&other, &self.node, answers, &connection);
            let tasks = &service.shared().tasks;
            tasks.spawn(calls);
            tasks.spawn(replies);
            tasks.spawn(self.net.watch(&self.node, &other, &connection));
            // Whoever dialled and lets go of the stream ends the connection.
            let open = connection.drop_guard();
            Ok(answered.inspect(move |_| _ = &open).boxed())
        })
    }

    fn serve(&self, service: Service) {
        if let Some(place) = self.net.lock().places.get_mut(&self.address)
            && place.node == self.node
        {
            place.service = Some(service);
        }
    }

    fn chance(&self) -> f64 {
        self.net.lock().rng.random()
    }
}
