//! Who should own which shard, and what this node should do about it now: pure, by a logical clock.
//!
//! Every node runs this over what it last saw and comes to the same conclusion without asking anybody. Where two
//! still disagree, because one has seen more, both may claim: the database grants a shard to one, under an epoch that
//! only that one has. So a plan may be late or wrong, and costs a move, never an entry.
//!
//! Promises: a shard whose owner is gone has a new one after one look; shards move rarely (when members come, go, or
//! cannot reach one another for long) and few at once; a crash loop, a link that flaps and a node that cannot claim
//! move nothing to and fro.

mod contact;
mod fit;
#[cfg(test)]
mod tests;

use crate::cluster::link::LinkState;
use crate::cluster::member::{NodeId, Standing, View};
use crate::cluster::placement::Placement;
use crate::cluster::shard::Shard;
use contact::Contacts;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a shard stays where it is at least: moves cost every player in it some 100 ms.
pub const HOLD: Duration = Duration::from_secs(10);
/// Shards that one node hands over at once at most: each keeps its messages waiting at the new owner, and drains all
/// its actors together.
pub const CLOSING_MAX: usize = 8;
/// How long a member must have lived before it counts when shards are claimed: two looks.
const SETTLED: Duration = Duration::from_secs(1);
/// How long before shards are moved to it: by then all others, who look up to a second later, count it too, and none
/// claims what is let go for it. Whoever crashes in a loop faster than this never gets any.
const TRUSTED: Duration = Duration::from_secs(3);
/// How long a shard lies free before the next in order claims it in the stead of one that lives and does not: its
/// look is a second away at most, and a claim takes milliseconds.
const STEAD: Duration = Duration::from_secs(2);
/// How long no shard is moved to a member that did not claim: it would lie free again.
const GRUDGE: Duration = Duration::from_secs(60);

/// How this node holds a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// In which epoch.
    pub epoch: u64,
    /// Whether it is being handed over already.
    pub closing: bool,
}

/// What a node should do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Claim these, which nobody serves.
    Claim(Vec<Shard>),
    /// Let a shard go in order, so that this node can claim it.
    HandOver {
        /// Which.
        shard: Shard,
        /// For whom.
        to: NodeId,
    },
    /// Stop serving these: another has claimed them.
    Lost(Vec<Shard>),
    /// End the lease of a node whose process is gone for certain.
    Bury(NodeId),
}

/// Since when a shard is without a server, under the same target: another has its own time to claim it.
#[derive(Debug)]
struct Idle {
    since: Duration,
    target: Option<NodeId>,
}

/// What a node remembers from one plan to the next.
#[derive(Debug, Default)]
pub struct Planner {
    me: Option<NodeId>,
    /// Where tests have no time for [`HOLD`].
    hold: Option<Duration>,
    contacts: Contacts,
    placement: Placement,
    /// Shards that nobody serves, or this node by the view and not in fact.
    idle: BTreeMap<Shard, Idle>,
    /// In whose stead a shard is being claimed.
    passed: BTreeMap<Shard, NodeId>,
    /// In whose stead shards were claimed, and when last.
    grudges: BTreeMap<NodeId, Duration>,
    /// The shard that was let go last: the next is sought behind it, so that one that never ends closing keeps back none.
    handed: Option<Shard>,
    unfit: bool,
    /// Whether some fit member is too new to count: who has what may look otherwise in a moment.
    unsettled: bool,
}

impl Planner {
    /// One by which shards stay where they are for so long instead of [`HOLD`], and a link must be up again for so long.
    pub fn with_hold(hold: Duration) -> Self {
        Self { hold: Some(hold), ..Self::default() }
    }

    fn hold(&self) -> Duration {
        self.hold.unwrap_or(HOLD)
    }

    /// What to do, by a monotonic clock, after a look at the database or a change of a link; at least each second.
    ///
    /// `mine` is what this node holds in fact; a claim is planned again until it shows there, so the caller remembers
    /// which are under way. `links` is how the link to each other member stands. Whether this node drains is what the
    /// view says of it: so all others know before it lets go.
    pub fn plan(
        &mut self,
        now: Duration,
        view: &View,
        mine: &BTreeMap<Shard, Holding>,
        links: &BTreeMap<NodeId, LinkState>,
    ) -> Vec<Step> {
        self.me = Some(view.me.clone());
        self.contacts.look(now, view, links, self.hold());
        self.grudges.retain(|_, since| now.saturating_sub(*since) < GRUDGE);
        let mut steps = Vec::new();
        let lost = lost(view, mine);
        let Some(me) = view.members.get(&view.me) else {
            // The lease of this node has run out: all it may still do is stop.
            self.idle.clear();
            steps.extend(some(lost).map(Step::Lost));
            return steps;
        };
        let fit = fit::fit(view);
        self.unfit = !me.standing.draining && !fit.contains(&view.me);
        self.place(now, view, &fit);
        if !self.unfit {
            steps.extend(self.contacts.gone(now, &view.me).into_iter().map(Step::Bury));
        }
        let claims = self.claims(now, view, mine);
        let moves = self.moves(now, view, mine, links);
        steps.extend(some(lost).map(Step::Lost));
        steps.extend(some(claims).map(Step::Claim));
        steps.extend(moves);
        steps
    }

    /// What to say of oneself with the next beat.
    pub fn standing(&self, draining: bool) -> Standing {
        Standing { draining, unreachable: self.contacts.unreachable(self.me.as_ref()) }
    }

    /// Whether this node, as last seen, can reach all that own shards. If not it owns none, and phones are better off
    /// elsewhere. A node that drains is not called unfit.
    pub fn is_fit(&self) -> bool {
        !self.unfit
    }

    /// Who should own a shard, as last planned.
    pub fn target(&self, shard: Shard) -> Option<&NodeId> {
        self.placement.target(shard)
    }

    /// Places shards over the fit that have lived for a while; over all the fit, if the whole cluster is new.
    fn place(&mut self, now: Duration, view: &View, fit: &BTreeSet<&NodeId>) {
        let settled: Vec<&NodeId> =
            fit.iter().copied().filter(|node| self.contacts.is_known_for(node, now, SETTLED)).collect();
        self.unsettled = settled.len() < fit.len();
        let over = if settled.is_empty() { fit.iter().copied().collect() } else { settled };
        if !self.placement.is_over(over.iter().copied()) {
            let named = over.into_iter().map(|node| (node, view.members[node].identity.name.as_str()));
            self.placement = Placement::over(named);
        }
    }

    /// What to claim: what is free and this node's by right, or by default of those before it; and what is its own by
    /// the view but not in fact, for nobody else can free it.
    fn claims(&mut self, now: Duration, view: &View, mine: &BTreeMap<Shard, Holding>) -> Vec<Shard> {
        let draining = view.members[&view.me].standing.draining;
        let mut claims = Vec::new();
        for shard in Shard::all() {
            let (owner, target) = (view.owner(shard).node.as_ref(), self.placement.target(shard));
            // The first comparison is cheap and almost always enough.
            let free = (owner.is_none() || owner != target)
                && !view.is_served(shard)
                && !owner.is_some_and(|owner| self.contacts.may_return(owner));
            let strayed = owner == Some(&view.me) && !mine.contains_key(&shard);
            if !free && let Some(passed) = self.passed.remove(&shard).filter(|_| owner == Some(&view.me)) {
                self.grudges.insert(passed, now);
            }
            if !(free || strayed) {
                self.idle.remove(&shard);
                continue;
            }
            let idle = self.idle.entry(shard).or_insert_with(|| Idle { since: now, target: target.cloned() });
            if idle.target.as_ref() != target {
                *idle = Idle { since: now, target: target.cloned() };
            }
            let (span, rank) = (now.saturating_sub(idle.since), self.placement.rank(shard, &view.me));
            let claim = match rank {
                // The answer to a claim or a release may be under way; a while later it is not.
                _ if strayed => span >= STEAD && !draining,
                Some(rank) => span >= STEAD * rank && !mine.contains_key(&shard),
                None => false,
            };
            if claim {
                if let Some(target) = target.filter(|target| free && **target != view.me) {
                    self.passed.insert(shard, target.clone());
                }
                claims.push(shard);
            }
        }
        claims
    }

    /// What to hand over, and to whom.
    fn moves(
        &mut self,
        now: Duration,
        view: &View,
        mine: &BTreeMap<Shard, Holding>,
        links: &BTreeMap<NodeId, LinkState>,
    ) -> Vec<Step> {
        let leaving = self.unfit || view.members[&view.me].standing.draining;
        if self.unsettled && !leaving {
            return Vec::new();
        }
        let closing = mine.values().filter(|holding| holding.closing).count();
        let (first, rest): (Vec<_>, Vec<_>) = mine.iter().partition(|(shard, _)| Some(**shard) > self.handed);
        let mut steps = Vec::new();
        for (shard, holding) in first.into_iter().chain(rest) {
            if closing + steps.len() >= CLOSING_MAX {
                break;
            }
            let owner = view.owner(*shard);
            let served = owner.node.as_ref() == Some(&view.me) && owner.epoch == holding.epoch;
            if holding.closing || !served || !(leaving || owner.held >= self.hold()) {
                continue;
            }
            let Some(to) = self.placement.target(*shard).filter(|target| **target != view.me) else { continue };
            // Who leaves lets go even of what it cannot bring: the new owner finds it free at its next look.
            let linked = matches!(links.get(to), Some(LinkState::Up { .. }));
            let trusted = self.contacts.is_known_for(to, now, TRUSTED) && !self.grudges.contains_key(to);
            if leaving || (linked && trusted) {
                steps.push(Step::HandOver { shard: *shard, to: to.clone() });
                self.handed = Some(*shard);
            }
        }
        steps
    }
}

/// What this node holds and another has claimed since.
fn lost(view: &View, mine: &BTreeMap<Shard, Holding>) -> Vec<Shard> {
    let is_lost = |shard: Shard, holding: &Holding| {
        let owner = view.owner(shard);
        // In the same epoch, nobody's: this node has let it go itself.
        owner.epoch > holding.epoch
            || (owner.epoch == holding.epoch && owner.node.as_ref().is_some_and(|node| *node != view.me))
    };
    mine.iter().filter(|(shard, holding)| is_lost(**shard, holding)).map(|(shard, _)| *shard).collect()
}

fn some(shards: Vec<Shard>) -> Option<Vec<Shard>> {
    (!shards.is_empty()).then_some(shards)
}
