//! What all actors of a node share: one value, made at the start, never replaced.

use crate::actors::channels::Channels;
use crate::actors::counters::Counters;
use crate::actors::courier::Courier;
use crate::actors::meetings::Meetings;
use crate::actors::overview::OverviewBoard;
use crate::actors::positions::Positions;
use crate::actors::sessions::Sessions;
use crate::actors::world::World;
use crate::clock::Clock;
use crate::cluster::router::Router;
use crate::persist::Journal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What all actors of a node share.
#[derive(Debug)]
pub struct Node {
    /// The only reader of time.
    pub clock: Clock,
    /// The only truth.
    pub journal: Arc<dyn Journal>,
    /// The way to any entity.
    pub router: Router,
    /// Carries messages between entities.
    pub courier: Courier,
    /// Live sessions.
    pub sessions: Sessions,
    /// Quests and regions.
    pub world: World,
    /// The projection for people.
    pub overview: Arc<OverviewBoard>,
    /// Where live players are.
    pub positions: Arc<Positions>,
    /// Which members of a team are together.
    pub meetings: Meetings,
    /// Live channels.
    pub channels: Arc<Channels>,
    /// Counters.
    pub counters: Counters,
    draining: AtomicBool,
}

impl Node {
    /// The parts of a node that has not started yet.
    pub fn new(clock: Clock, journal: Arc<dyn Journal>, world: World) -> Self {
        let router = Router::default();
        let overview = Arc::new(OverviewBoard::new(world.clone()));
        let positions = Arc::new(Positions::default());
        Self {
            clock,
            courier: Courier::new(router.clone(), Arc::clone(&journal)),
            journal,
            router,
            sessions: Sessions::default(),
            world,
            channels: Arc::new(Channels::new(Arc::clone(&overview), Arc::clone(&positions))),
            overview,
            positions,
            meetings: Meetings::default(),
            counters: Counters::default(),
            draining: AtomicBool::new(false),
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
}
