//! Where a meeting is gathered: on the node where its team lives, since members' sessions may be on any.
//!
//! Promise: the sessions of a single server never leave it; between nodes only members of teams with an open meeting
//! are spoken of, on the links, and never stored. What is lost while a team moves is said again by the next fix.

use super::{Key, Meetings};
use crate::actors::node::Node;
use crate::actors::seen;
use crate::cluster::link::{Note, Seen};
use crate::cluster::member::NodeId;
use crate::cluster::shard::Shard;
use crate::geo::position::Fix;
use crate::ids::{EntityId, PlayerId, TeamId};
use crate::quest::command::TeamCommand;
use crate::quest::guidance::{Guidance, Meet};
use crate::units::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Meetings {
    /// A fix of a player whose session is here has counted, with this score: gives what is to be brought to which team,
    /// and tells the owners of teams that live elsewhere.
    pub fn seen_here(
        &self,
        node: &Node,
        player: &PlayerId,
        guidance: &Guidance,
        (fix, score): (&Fix, f64),
        now: Timestamp,
    ) -> Vec<(Key, TeamCommand)> {
        if guidance.meets.is_empty() {
            return Vec::new();
        }
        let mut here = Vec::new();
        let plausible = guidance.meets.iter().filter(|meet| score >= meet.min_score);
        for (owner, meets) in by_owner(node, plausible) {
            match owner {
                None => here = meets,
                Some(owner) => {
                    // A phone whose clock is ahead is not ahead of the others: by the clock of its own node, too.
                    let seen = Seen { time: fix.time().min(now), ..seen::of(fix) };
                    node.tell_peer(&owner, Note::Near { player: player.clone(), meets, seen });
                }
            }
        }
        self.seen(player, &here, fix, now)
    }

    /// The same, of a player whose session is on another node.
    pub fn seen_there(node: &Arc<Node>, player: &PlayerId, mut meets: Vec<Meet>, seen: Seen) {
        // Whoever tells may not have heard yet that a team has moved on; it hears of it within a second.
        meets.retain(|meet| node.router.table().row(shard(&meet.team)).node.as_ref() == Some(node.router.me()));
        let Some(fix) = seen::fix(&seen) else { return };
        let met = node.meetings.seen(player, &meets, &fix, node.clock.now());
        if !met.is_empty() {
            let (node, stop) = (Arc::clone(node), node.stop.clone());
            let tasks = node.tasks.clone();
            // A meeting is brought once in five seconds at most, so these are fewer than open meetings.
            let bring = async move { Self::bring(&node, met).await };
            tasks.spawn(async move { stop.run_until_cancelled(bring).await });
        }
    }

    /// What a player is watched for has changed: what no longer concerns them forgets them.
    pub fn guided(node: &Node, player: &PlayerId, before: &Guidance, now: &Guidance) {
        if before.meets.is_empty() {
            return;
        }
        let over = before.meets.iter().filter(|meet| !now.meets.contains(meet));
        for (owner, meets) in by_owner(node, over) {
            match owner {
                None => node.meetings.apart(player, &meets),
                Some(owner) => {
                    node.tell_peer(&owner, Note::Apart { player: player.clone(), meets });
                }
            }
        }
    }
}

/// Meetings by the node where their teams live; `None` is this one, and nobody for a moment.
fn by_owner<'m>(node: &Node, meets: impl Iterator<Item = &'m Meet>) -> BTreeMap<Option<NodeId>, Vec<Meet>> {
    let mut owners: BTreeMap<Option<NodeId>, Vec<Meet>> = BTreeMap::new();
    for meet in meets {
        let owner = node.router.table().row(shard(&meet.team)).node.filter(|owner| owner != node.router.me());
        owners.entry(owner).or_default().push(meet.clone());
    }
    owners
}

fn shard(team: &TeamId) -> Shard {
    Shard::of(&EntityId::Team(team.clone()))
}
