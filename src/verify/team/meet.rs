//! A meeting as the journal has it: who came together, whether they could, and whether the step was theirs to do.

use super::RunFold;
use crate::ids::{PlayerId, StepId};
use crate::quest::definition::{Quest, Verb};
use crate::quest::evidence::Nearness;
use crate::verify::news::Place;
use std::collections::BTreeSet;

impl RunFold {
    /// Takes a meeting in: those who met have done their part, and the step must be done in the same entry.
    pub(super) fn meet(
        &mut self,
        quest: &Quest,
        step: &StepId,
        (center, near): (&PlayerId, &[Nearness]),
        members: &BTreeSet<PlayerId>,
        place: &mut Place<'_>,
    ) {
        let Some(Verb::Meet { within, stay, .. }) = quest.steps.get(step).map(|step| &step.verb) else {
            return place.differ("met", format!("members meet for {step}, which is no meeting"));
        };
        if self.over.is_some() || !self.open.contains(step) {
            place.differ("met", format!("members meet for {step}, which is not open"));
        }
        let mut met = BTreeSet::from([center.clone()]);
        for near in near {
            if !met.insert(near.player.clone()) {
                place.differ("met", format!("{} meets twice for {step}", near.player));
            }
            let last = near.fix_times.0.max(near.fix_times.1);
            // Whoever is near stays so until some way beyond: 10 m or both accuracies.
            let margin = (near.accuracy.0.get() + near.accuracy.1.get()).max(10.0);
            if near.distance.get() > within.get().max(10.0) + margin {
                place.differ("met", format!("{} was too far from {center} for {step}", near.player));
            }
            if last.since(near.since) < *stay {
                place.differ("met", format!("{} was near {center} too short for {step}", near.player));
            }
        }
        if let Some(stranger) = met.iter().find(|player| !members.contains(*player)) {
            place.differ("met", format!("{stranger} meets for {step}, being no member"));
        }
        self.reached.entry(step.clone()).or_default().extend(met);
    }
}
