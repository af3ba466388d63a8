//! From the fence's transitions to what regions hear and what the phone hears.

use super::SessionState;
use crate::actors::contract::{RingCrossed, RingMove};
use crate::cluster::link::Device;
use crate::geo::decision::{Transition, TransitionKind, Why};
use crate::geo::plausibility::{Reason, RuleSet};
use crate::ids::QuestId;
use crate::quest::catalog::Catalog;
use crate::quest::command::Sighting;
use crate::quest::definition::QuestRef;
use crate::quest::evidence::Evidence;
use crate::quest::guidance::{Guidance, Places};
use crate::quest::notice::{Notice, What};
use crate::quest::refusal::Refusal;

impl SessionState {
    /// Whether fixes of a device, or of this session's own connection, count now.
    pub(super) fn follow(&mut self, device: Option<&Device>) -> Result<(), Refusal> {
        match self.tracking.follows(device, self.node.clock.now()) {
            true => Ok(()),
            false => Err(Refusal::other_device(
                "a newer device of yours tracks now, so this one's fixes do not count; connect again to track with it",
            )),
        }
    }

    /// From the fix that crossed an edge to the notice that tells of it.
    pub(super) fn measure(&mut self, notice: &Notice) {
        if let What::RegionEntered { region, .. } | What::RegionLeft { region, .. } = &notice.what
            && let Some((_, since)) = self.measured.take_if(|(crossed, _)| crossed == region)
        {
            self.node.counters.fix_to_notice(since.elapsed());
        }
    }
}

/// What a region's own edge means to the rules, in order; nothing for a crossing that does not count.
pub(super) fn sightings(kind: TransitionKind) -> impl Iterator<Item = Sighting> {
    let (first, second) = match kind {
        TransitionKind::Enter { .. } => (Some(Sighting::Entered), None),
        TransitionKind::Exit { .. } => (Some(Sighting::Left), None),
        TransitionKind::Dwell { .. } => (Some(Sighting::Stayed), None),
        TransitionKind::Along { quarters } => (Some(Sighting::Walked { quarters }), None),
        TransitionKind::Cross { counts: true } => (Some(Sighting::Entered), Some(Sighting::Left)),
        TransitionKind::Cross { counts: false } => (None, None),
    };
    first.into_iter().chain(second)
}

/// The fence's reason as the journal keeps it: how it was judged, and no coordinates.
pub(super) fn evidence(why: &Why, score: f64, flags: &[Reason]) -> Evidence {
    Evidence {
        distance: why.distance,
        accuracy: why.accuracy,
        probability: why.probability,
        rule: why.rule.name().to_owned(),
        fix_time: why.fix_time,
        score,
        flags: flags.iter().map(|flag| flag.code().to_owned()).collect(),
        rules: RuleSet::CURRENT.version,
        fixes: why.fixes,
        threshold: why.threshold,
        margin: why.margin,
    }
}

/// A crossed ring as the phone hears of it, if the player may know the place.
pub(super) fn ring(transition: &Transition, guidance: &Guidance, catalog: &Catalog) -> Option<RingCrossed> {
    let Transition { region, ring, kind, .. } = transition;
    let moved = match kind {
        TransitionKind::Enter { .. } => RingMove::Enter,
        TransitionKind::Exit { .. } => RingMove::Exit,
        TransitionKind::Dwell { .. } | TransitionKind::Cross { .. } | TransitionKind::Along { .. } => return None,
    };
    let of = |(id, places): (&QuestId, &Places)| {
        let place = region.place_of(id, places.version)?;
        let quest = catalog.get(&QuestRef { id: id.clone(), version: places.version })?;
        let known = !quest.places.get(&place)?.hidden || places.shown.contains(region);
        known.then(|| (id.clone(), place))
    };
    let (quest, place) = guidance.places.iter().find_map(of)?;
    Some(RingCrossed { quest, place, ring: ring.clone()?, moved })
}
