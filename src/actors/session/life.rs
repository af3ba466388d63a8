//! How a session begins, when it may sleep, and what its end means to others.

use super::{SessionArguments, SessionState};
use crate::actors::meetings::Meetings;
use crate::actors::session_ref::Berth;
use crate::actors::tracking::Tracking;
use crate::actors::wake::Waking;
use crate::geo::fence::Tracker;
use crate::quest::guidance::Guidance;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Weak;

impl SessionState {
    /// Of a session that has not been welcomed yet.
    pub fn new(arguments: SessionArguments, berth: Weak<Berth>) -> Self {
        let SessionArguments { player, key, node, sink, guidance } = arguments;
        Self {
            player,
            key,
            berth,
            since: None,
            attaching: false,
            tracker: Tracker::new().with_trial(node.world.trial()),
            tracking: Tracking::new(node.clock.now()),
            node,
            sink,
            guidance,
            waking: Waking::default(),
            told: None,
            early: Vec::new(),
            pending: VecDeque::new(),
            trying: false,
            hours_due: None,
            skew_ms: 0,
            armed: BTreeMap::new(),
            measured: None,
        }
    }

    /// Whether nothing is awaited that would not wake it: what a timer or a question of its own brings is told to its
    /// actor only.
    pub(super) fn may_sleep(&self) -> bool {
        let waits = self.trying || self.attaching || self.hours_due.is_some() || !self.armed.is_empty();
        self.told.is_some() && self.early.is_empty() && self.pending.is_empty() && !waits
    }

    /// It has ended: nobody finds it any more.
    pub fn end(&self) {
        self.node.sessions.leave(&self.player, self.key.number);
        self.say_ended();
        if self.node.sessions.get(&self.player).is_none() {
            self.node.positions.forget(&self.player);
            Meetings::guided(&self.node, &self.player, &self.guidance.load(), &Guidance::default());
        }
    }
}
