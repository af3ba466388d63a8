//! How this node gets on with each other member over time: since when it is known, whether its link has been down for
//! so long, or gone so surely, that the cluster should hear of it, and whether it may be back in a moment. Pure.

use crate::cluster::link::LinkState;
use crate::cluster::member::{NodeId, View};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a link is down before its peer is called unreachable: as long as a lease runs, so that a node that died is
/// out of the view by then and never called so.
pub(super) const UNREACHABLE_AFTER: Duration = Duration::from_secs(3);
/// How long a peer's machine must refuse before the peer is taken for dead: several dials, in which a process that
/// starts anew would be up or an address that changed would be told.
pub(super) const GONE_AFTER: Duration = Duration::from_millis(200);
/// Longest time between two looks that is no interruption: a beat and a half.
const REGULAR: Duration = Duration::from_millis(1_500);
/// After an interruption, how long a member may be missing that this node can reach: a beat that fails is tried again
/// within a second, and the connection to the database takes its time.
const AWAY: Duration = Duration::from_secs(2);

/// One other member.
#[derive(Debug, Clone)]
struct Contact {
    /// Since when it has been in the views without a gap; `None`: it was there before this node looked.
    known_since: Option<Duration>,
    /// How its link stands, and since when.
    link: LinkState,
    since: Duration,
    /// Whether this node tells the others that it cannot reach it.
    reported: bool,
    /// Since when its machine refuses, and whether that was seen before.
    refused_since: Option<Duration>,
    buried: bool,
}

/// All members, this one included.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    by_node: BTreeMap<NodeId, Contact>,
    looks: Option<Look>,
    /// Who is missing since when, and may only have found the database away, as this node has.
    away: BTreeMap<NodeId, Duration>,
}

/// The last look at the database.
#[derive(Debug)]
struct Look {
    at: Duration,
    /// For how long a certain shard was held: it tells a look from the one before.
    held: Option<Duration>,
    /// When looks last came again after an interruption.
    resumed: Option<Duration>,
}

impl Contacts {
    /// Takes a look in, or the last one again. Who has left is forgotten: if it comes back it is new. A link counts as well
    /// again when it has been up, in one piece, for as long as shards are held: ten times a flap of a second, and one that
    /// fails now and then costs a move each time of holding at worst.
    pub(super) fn look(&mut self, now: Duration, view: &View, links: &BTreeMap<NodeId, LinkState>, hold: Duration) {
        let first = self.looks.is_none();
        let resumed = self.resumed(now, view).is_some_and(|at| now.saturating_sub(at) < AWAY);
        for (node, contact) in self.by_node.iter().filter(|(node, _)| !view.members.contains_key(*node)) {
            let link = links.get(node).unwrap_or(&contact.link);
            if resumed && matches!(link, LinkState::Up { .. }) {
                self.away.insert(node.clone(), now);
            }
        }
        self.away.retain(|node, since| !view.members.contains_key(node) && now.saturating_sub(*since) < AWAY);
        self.by_node.retain(|node, _| view.members.contains_key(node));
        for node in view.members.keys() {
            // No link yet is as good as one that is down: who can never be linked must not pass for reachable.
            let link = links.get(node).copied().unwrap_or(LinkState::Down { refused: false });
            if let Some(contact) = self.by_node.get_mut(node) {
                contact.note(now, link, hold);
            } else {
                let known_since = (!first || *node == view.me).then_some(now);
                self.by_node.insert(node.clone(), Contact::new(now, known_since, link));
            }
        }
    }

    /// When looks came again after an interruption, if they ever did.
    fn resumed(&mut self, now: Duration, view: &View) -> Option<Duration> {
        let held = view.owners.first().map(|owner| owner.held);
        let Some(last) = &mut self.looks else {
            self.looks = Some(Look { at: now, held, resumed: None });
            return None;
        };
        if last.held != held {
            if now.saturating_sub(last.at) > REGULAR {
                last.resumed = Some(now);
            }
            (last.at, last.held) = (now, held);
        }
        last.resumed
    }

    /// Whether a node that is missing may be back in a moment: the database was away, and its link was up.
    ///
    /// Without this, whoever first reaches a database that was away for longer than a lease would find all others dead
    /// and claim everything.
    pub(super) fn may_return(&self, node: &NodeId) -> bool {
        self.away.contains_key(node)
    }

    /// Whether a member has been living for so long.
    pub(super) fn is_known_for(&self, node: &NodeId, now: Duration, span: Duration) -> bool {
        let contact = self.by_node.get(node);
        contact.is_some_and(|contact| contact.known_since.is_none_or(|since| now.saturating_sub(since) >= span))
    }

    /// Members that this node has not reached for long.
    pub(super) fn unreachable(&self, me: Option<&NodeId>) -> BTreeSet<NodeId> {
        let reported = self.by_node.iter().filter(|(node, contact)| contact.reported && Some(*node) != me);
        reported.map(|(node, _)| node.clone()).collect()
    }

    /// Members whose process is gone for certain, each told once.
    pub(super) fn gone(&mut self, now: Duration, me: &NodeId) -> Vec<NodeId> {
        let mut gone = Vec::new();
        for (node, contact) in self.by_node.iter_mut().filter(|(node, _)| *node != me) {
            let refuses = contact.refused_since.is_some_and(|since| now.saturating_sub(since) >= GONE_AFTER);
            if refuses && !contact.buried {
                contact.buried = true;
                gone.push(node.clone());
            }
        }
        gone
    }
}

impl Contact {
    fn new(now: Duration, known_since: Option<Duration>, link: LinkState) -> Self {
        let refused_since = matches!(link, LinkState::Down { refused: true }).then_some(now);
        Self { known_since, link, since: now, reported: false, refused_since, buried: false }
    }

    fn note(&mut self, now: Duration, link: LinkState, hold: Duration) {
        // A new connection means that the link was down in between, unseen.
        let same = match (self.link, link) {
            (LinkState::Up { connection: one, .. }, LinkState::Up { connection: other, .. }) => one == other,
            (LinkState::Down { .. }, LinkState::Down { .. }) => true,
            _ => false,
        };
        if !same {
            self.since = now;
        }
        self.link = link;
        let lasted = now.saturating_sub(self.since);
        match link {
            LinkState::Down { .. } => self.reported |= lasted >= UNREACHABLE_AFTER,
            LinkState::Up { .. } => self.reported &= lasted < hold,
        }
        match (link, self.refused_since) {
            (LinkState::Down { refused: true }, None) => self.refused_since = Some(now),
            (LinkState::Down { refused: true }, Some(_)) => {}
            _ => self.refused_since = None,
        }
    }
}
