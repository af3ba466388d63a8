//! What all actors of a node share: one value, made at the start, never replaced; and how a player's news find the
//! player's session, on whichever node its socket is.

use crate::actors::access::Access;
use crate::actors::audience::Audience;
use crate::actors::awake::Awake;
use crate::actors::channels::Channels;
use crate::actors::contract::CloseReason;
use crate::actors::counters::Counters;
use crate::actors::courier::Courier;
use crate::actors::mailbox::SessionMessage;
use crate::actors::meetings::Meetings;
use crate::actors::overview::OverviewBoard;
use crate::actors::ownership::Ownership;
use crate::actors::parked::Parked;
use crate::actors::positions::Positions;
use crate::actors::sessions::Sessions;
use crate::actors::survey::Survey;
use crate::actors::world::World;
use crate::clock::Clock;
use crate::cluster::link::{Note, SessionKey};
use crate::cluster::member::NodeId;
use crate::cluster::router::Router;
use crate::cluster::shard::Shard;
use crate::ids::PlayerId;
use crate::persist::Journal;
use crate::quest::guidance::Guidance;
use crate::quest::notice::Notice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sessions that attach anew at the same time: after a node's death thousands want to, and each may read the journal.
const ATTACHING_MAX: usize = 256;
/// Posts of fixes under way: at a few milliseconds each, as many phones a second as the node takes in any other way.
const POSTING_MAX: usize = 256;

/// What all actors of a node share.
#[derive(Debug)]
pub struct Node {
    /// The only reader of time.
    pub clock: Clock,
    /// The only truth.
    pub journal: Arc<dyn Journal>,
    /// The way to any entity.
    pub router: Router,
    /// Revoked tokens, and the audit log.
    pub access: Access,
    /// Carries messages between entities.
    pub courier: Courier,
    /// Which shards are served here.
    pub ownership: Arc<Ownership>,
    /// Live sessions, of players who live anywhere.
    pub sessions: Sessions,
    /// Who hears the players who live here.
    pub audience: Audience,
    /// Places for sessions that attach anew.
    pub attaching: Arc<Semaphore>,
    /// Places for posts of fixes.
    pub posting: Arc<Semaphore>,
    /// Held while a shard that has come is read for the projection.
    pub showing: tokio::sync::Mutex<()>,
    /// What goes on beside the actors, until [`Self::stop`].
    pub tasks: TaskTracker,
    /// The end of those tasks.
    pub stop: CancellationToken,
    /// Quests and regions.
    pub world: World,
    /// The projection for people.
    pub overview: Arc<OverviewBoard>,
    /// What other nodes say of their parts.
    pub survey: Survey,
    /// Where live players are.
    pub positions: Arc<Positions>,
    /// Which members of a team are together.
    pub meetings: Meetings,
    /// Live channels.
    pub channels: Arc<Channels>,
    /// Entities that panic.
    pub parked: Parked,
    /// How many entities may be awake.
    pub awake: Awake,
    /// Counters.
    pub counters: Counters,
    draining: AtomicBool,
    isolated: AtomicBool,
}

impl Node {
    /// The parts of a node that has not started yet.
    pub fn new(clock: Clock, journal: Arc<dyn Journal>, world: World, me: NodeId) -> Self {
        let access = Access::new(journal.control(), clock.clone());
        let router = Router::new(me);
        let overview = Arc::new(OverviewBoard::new(world.clone()));
        let positions = Arc::new(Positions::default());
        Self {
            clock,
            access,
            courier: Courier::new(router.clone(), Arc::clone(&journal)),
            journal,
            router,
            ownership: Arc::default(),
            sessions: Sessions::default(),
            audience: Audience::default(),
            attaching: Arc::new(Semaphore::new(ATTACHING_MAX)),
            posting: Arc::new(Semaphore::new(POSTING_MAX)),
            showing: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            world,
            channels: Arc::new(Channels::new(Arc::clone(&overview), Arc::clone(&positions))),
            overview,
            survey: Survey::default(),
            positions,
            meetings: Meetings::default(),
            parked: Parked::default(),
            awake: Awake::default(),
            counters: Counters::default(),
            draining: AtomicBool::new(false),
            isolated: AtomicBool::new(false),
        }
    }

    /// The node is ending from now on.
    pub fn begin_to_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the node is ending.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether it takes new sessions; `Err` says why not.
    pub fn is_open(&self) -> Result<(), &'static str> {
        if self.is_draining() {
            Err("the node is draining")
        } else if self.isolated.load(Ordering::Relaxed) {
            Err("the node cannot reach the others")
        } else {
            Ok(())
        }
    }

    /// Notes whether the node can reach the others; true when that is new.
    pub fn set_isolated(&self, isolated: bool) -> bool {
        self.isolated.swap(isolated, Ordering::Relaxed) != isolated
    }

    /// Sends all sessions elsewhere, spread over a time.
    pub async fn send_sessions_away(&self, over: Duration) {
        let sessions = self.sessions.all();
        let pause = over / u32::try_from(sessions.len().max(1)).unwrap_or(u32::MAX);
        let mut due = Instant::now();
        for session in sessions {
            // One that has ended by itself needs no telling.
            session.cast(SessionMessage::Close(CloseReason::Draining)).unwrap_or_default();
            due += pause;
            tokio::time::sleep_until(due).await;
        }
    }

    /// A player who lives here has news: their session hears it, wherever it is. `guidance` is derived only for one.
    pub fn tell_player(
        &self,
        player: &PlayerId,
        notices: Vec<(u64, Arc<Notice>)>,
        guidance: impl FnOnce() -> Guidance,
    ) {
        let Some(session) = self.audience.of(player) else { return };
        let guidance = Box::new(guidance());
        let told = if session.node == *self.router.me() {
            self.sessions.tell(player, session.number, notices, guidance)
        } else {
            let (session, player) = (session.clone(), player.clone());
            self.tell_peer(&session.node.clone(), Note::News { session, player, notices, guidance })
        };
        // It attaches anew by itself, if it is still there.
        if !told {
            self.audience.leave(player, &session);
        }
    }

    /// A session's time is over: its player has another.
    pub fn tell_replaced(&self, player: &PlayerId, session: SessionKey) {
        if session.node == *self.router.me() {
            self.close_session(player, session.number);
        } else {
            self.tell_peer(&session.node.clone(), Note::Replaced { session, player: player.clone() });
        }
    }

    /// Closes a session of this node that has been replaced.
    pub fn close_session(&self, player: &PlayerId, number: u64) {
        if let Some(session) = self.sessions.get_numbered(player, number) {
            // One that has just ended needs no telling.
            session.cast(SessionMessage::Close(CloseReason::Replaced)).unwrap_or_default();
        }
    }

    /// Tells another node, if there is a link to it and room.
    pub fn tell_peer(&self, node: &NodeId, note: Note) -> bool {
        self.router.peers().is_some_and(|peers| peers.tell(node, note))
    }

    /// Tells all other nodes.
    pub fn tell_peers(&self, note: &Note) {
        if let Some(peers) = self.router.peers() {
            for node in peers.states().borrow().keys() {
                // Whoever misses it hears it otherwise: from the database, or not at all where that does no harm.
                peers.tell(node, note.clone());
            }
        }
    }

    /// Has the sessions attach anew whose players' shards have another owner than when they attached, or are owned by
    /// a node to which the way was broken.
    pub fn catch_up(&self, broken: Option<&NodeId>) {
        let rows = self.router.table().rows();
        let row = |shard: Shard| &rows[usize::from(shard.number())];
        // One that is nobody's has an owner soon, and then another epoch.
        self.sessions
            .catch_up(|shard| row(shard).epoch, |shard| broken.is_some() && row(shard).node.as_ref() == broken);
    }
}
