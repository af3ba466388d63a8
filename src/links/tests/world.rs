//! Nodes to test with: over loopback sockets with real certificates, or in memory.

use super::super::memory::Net;
use super::super::{Links, Me, Tls, certificates};
use crate::cluster::link::{Call, Handler, LinkState, NodeQuestion, Note, Peers as _, Reply};
use crate::cluster::member::{NodeId, Protocols};
use crate::cluster::router::{Request, Response, Undelivered};
use crate::ids::{EntityId, PlayerId};
use crate::units::Timestamp;
use futures_util::future::BoxFuture;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A folder for one test, gone afterwards.
pub(in super::super) struct Folder(PathBuf);

impl Folder {
    pub(in super::super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("waystone-links-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind in the temporary folder is no reason to fail.
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// Certificates that are good now and for long, by whatever clock this machine has.
pub(super) fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("before the year 292 million"))
}

/// The files of a certificate: authority, certificate, key.
pub(super) fn tls(dir: &Path, name: &str) -> Tls {
    let file = |name: &str| dir.join(name);
    Tls::load(&file("ca.pem"), &file(&format!("{name}.pem")), &file(&format!("{name}.key"))).expect("certificates")
}

/// One authority for all tests of a process.
pub(super) fn certs() -> &'static Path {
    static CERTS: OnceLock<Folder> = OnceLock::new();
    CERTS
        .get_or_init(|| {
            let folder = Folder::new();
            certificates::make(folder.path(), &["a", "b", "c"], false, now()).expect("made");
            folder
        })
        .path()
}

/// What a network is made of.
#[derive(Clone)]
pub(super) enum World {
    Memory(Net),
    Real,
}

pub(super) const BOTH: Protocols = Protocols { min: 1, max: 2 };
pub(super) const OLD: Protocols = Protocols { min: 1, max: 1 };

/// A node under test.
pub(super) struct Node {
    pub(super) links: Arc<Links>,
    pub(super) taken: Arc<Taken>,
    pub(super) address: String,
}

pub(super) fn me(node: &str, protocols: Protocols) -> Me {
    Me { cluster: "journal".to_owned(), node: NodeId::new(node), name: format!("name-{node}"), protocols }
}

impl World {
    pub(super) fn node(&self, node: &str) -> Node {
        self.start(me(node, BOTH), None)
    }

    pub(super) fn start(&self, me: Me, at: Option<&str>) -> Node {
        let links = match self {
            Self::Memory(net) => net.join(me.clone(), at.unwrap_or(me.node.as_str())),
            Self::Real => {
                let listen: SocketAddr = at.unwrap_or("127.0.0.1:0").parse().expect("an address");
                Links::bind(listen, me.clone(), tls(certs(), "a")).expect("a port")
            }
        };
        let address = links.addr().map_or_else(|| at.unwrap_or(me.node.as_str()).to_owned(), |addr| addr.to_string());
        let taken = Arc::new(Taken::default());
        links.serve(Arc::clone(&taken) as Arc<dyn Handler>);
        Node { links, taken, address }
    }

    /// Ends a node as `kill -9` would.
    pub(super) async fn kill(&self, node: Node) {
        if let Self::Memory(net) = self {
            net.kill(&node.id());
        }
        drop(node);
        // Its tasks see it when they next run; the port must be free after that.
        sleep(Duration::from_millis(20)).await;
    }
}

impl Node {
    pub(super) fn id(&self) -> NodeId {
        self.links.me().node.clone()
    }

    /// What a row says of it.
    pub(super) fn row(&self) -> (NodeId, (String, String)) {
        (self.id(), (self.links.me().name.clone(), self.address.clone()))
    }

    pub(super) fn aim(&self, at: &[&Node]) {
        self.links.aim(at.iter().map(|node| node.row()).collect());
    }

    /// Waits for a state of the link to a peer.
    pub(super) async fn until(&self, to: &NodeId, wanted: impl Fn(LinkState) -> bool) -> LinkState {
        let mut states = self.links.states();
        let found = timeout(Duration::from_secs(10), async {
            states.wait_for(|states| states.get(to).is_some_and(|state| wanted(*state))).await.expect("lives")[to]
        });
        found.await.unwrap_or_else(|_| panic!("{:?}", self.links.states().borrow()))
    }

    pub(super) async fn up(&self, to: &Node) -> u16 {
        match self.until(&to.id(), |state| matches!(state, LinkState::Up { .. })).await {
            LinkState::Up { protocol, .. } => protocol,
            LinkState::Down { .. } => unreachable!("waited for"),
        }
    }

    pub(super) async fn ask(
        &self,
        to: &Node,
        what: &str,
        deadline: Duration,
    ) -> Result<Reply, crate::cluster::link::Broken> {
        self.links.call(&to.id(), view(what, 7), deadline).await
    }
}

/// A pair with a link from the first to the second.
pub(super) async fn pair(world: &World) -> (Node, Node) {
    let (a, b) = (world.node("a"), world.node("b"));
    a.aim(&[&b]);
    b.aim(&[&a]);
    a.up(&b).await;
    b.up(&a).await;
    (a, b)
}

pub(super) fn view(key: &str, epoch: u64) -> Call {
    let to = EntityId::Player(PlayerId::new(key).expect("an id"));
    Call::Entity { to, epoch, request: Request::View }
}

pub(super) fn members(team: &str) -> Note {
    Note::Members { team: crate::ids::TeamId::new(team).expect("an id"), members: Vec::new() }
}

/// What a node was asked and told. How it answers is in the entity's key.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) calls: Mutex<Vec<(NodeId, String)>>,
    pub(super) notes: Mutex<Vec<(NodeId, Note)>>,
}

impl Taken {
    pub(super) fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("whole").iter().map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn notes(&self) -> Vec<Note> {
        self.notes.lock().expect("whole").iter().map(|(_, note)| note.clone()).collect()
    }

    pub(super) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let met = timeout(Duration::from_secs(10), async {
            while !wanted(self) {
                sleep(Duration::from_millis(5)).await;
            }
        });
        met.await.expect("in time");
    }
}

impl Handler for Taken {
    fn call(&self, from: NodeId, call: Call, _: Duration) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let (to, epoch) = match call {
                Call::Entity { to, epoch, request: Request::View } => (to, epoch),
                Call::Entity { .. } => return Reply::Entity(Err(Undelivered::Busy)),
                Call::Node(NodeQuestion::Overview { .. }) => return Reply::Node(json!({ "asked_by": from })),
                Call::Node(_) => return Reply::Node(json!(null)),
            };
            self.calls.lock().expect("whole").push((from, to.key().to_owned()));
            match to.key() {
                "slow" => sleep(Duration::from_millis(500)).await,
                "never" => std::future::pending().await,
                "panic" => panic!("as asked"),
                "panic-later" => {
                    tokio::task::yield_now().await;
                    panic!("as asked");
                }
                "huge" => return Reply::Node(json!("x".repeat(2 * 1024 * 1024))),
                "moved" => {
                    let shard = crate::cluster::shard::Shard::of(&to);
                    let node = Some(NodeId::new("elsewhere"));
                    return Reply::Moved(crate::cluster::link::Ownership { shard, node, epoch: epoch + 1 });
                }
                _ => {}
            }
            Reply::Entity(Ok(Response::Viewed(json!({ "key": to.key(), "epoch": epoch }))))
        })
    }

    fn note(&self, from: NodeId, note: Note) {
        if note == members("panic") {
            panic!("as asked");
        }
        self.notes.lock().expect("whole").push((from, note));
    }
}

/// Rows without names, for tests that lie about them.
pub(super) fn rows(rows: &[(&str, &str, &str)]) -> BTreeMap<NodeId, (String, String)> {
    rows.iter()
        .map(|(node, name, address)| (NodeId::new(node), ((*name).to_owned(), (*address).to_owned())))
        .collect()
}
