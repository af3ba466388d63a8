//! What a session tells its phone about sleeping: which circles to watch, and how far the player may go until the
//! next fix matters.
//!
//! Each fix is answered with that distance, so it must cost next to nothing: a measured clearance holds, less the way
//! gone since, until half of it is used up or the player's state has changed. Only places that the player may know
//! count, so no number speaks of a hidden one.
//! Promise: positions stay in the session's memory; what goes out goes to the player's own phone.

use crate::actors::contract::{NextFix, Roam, Wake, WakeCircle};
use crate::actors::world::Content;
use crate::geo::position::{Fix, Position};
use crate::geo::wake::{self, Known};
use crate::ids::{PlaceId, QuestId};
use crate::quest::definition::QuestRef;
use crate::quest::guidance::Guidance;
use crate::quest::refusal::Refusal;
use crate::units::{Meters, Timestamp};

/// The least distance that is suggested: below it a phone's own filter only burns its battery.
const DISTANCE_MIN: f64 = 10.0;
/// A measured clearance is used until only this part of it is left.
const USED_UP: f64 = 0.5;
/// While a fix leaves it open on which side of an edge the player is, another is wanted after so long.
const UNDECIDED_S: u32 = 15;
/// A time to the end of a stay is not suggested below this.
const STAY_MIN_S: u32 = 5;

/// The last accepted fix of a session and what was measured there.
#[derive(Default)]
pub struct Waking {
    last: Option<Fix>,
    /// Whether a fix came since that waits for another one to agree.
    held: bool,
    measured: Option<Measured>,
}

/// A clearance, where it was measured, and for which state of the player.
struct Measured {
    at: Position,
    clear: f64,
    seq: u64,
}

impl std::fmt::Debug for Waking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waking(..)")
    }
}

impl Waking {
    /// A fix has counted.
    pub fn seen(&mut self, fix: &Fix) {
        self.last = Some(*fix);
        self.held = false;
    }

    /// A fix waits for a second one that agrees.
    pub fn held(&mut self) {
        self.held = true;
    }

    /// When the next fix matters; `None` before the first one.
    pub fn next(&mut self, guidance: &Guidance, content: &Content, now: Timestamp) -> Option<NextFix> {
        let fix = self.last?;
        let clear = self.clear(fix.position(), guidance, content);
        // A meeting needs both phones, and each knows only where it is itself.
        let left = if self.held || !guidance.meets.is_empty() {
            0.0
        } else {
            wake::less_doubt(Meters::lossy(clear), &fix).get()
        };
        let stay = guidance.stays.values().min().map(|until| {
            let left = until.since(now).as_secs().saturating_add(1);
            u32::try_from(left).unwrap_or(u32::MAX).max(STAY_MIN_S)
        });
        let undecided = (left <= 0.0).then_some(UNDECIDED_S);
        let after_s = stay.into_iter().chain(undecided).min();
        // Rounded down: a lower bound stays one. Between 10 and 5,000, so the cast loses nothing but the fraction.
        Some(NextFix { distance: left.max(DISTANCE_MIN) as u32, after_s })
    }

    /// The circles to watch, `max` at most.
    pub fn watch(
        &mut self,
        max: usize,
        guidance: &Guidance,
        content: &Content,
        now: Timestamp,
    ) -> Result<Wake, Refusal> {
        let none = || Refusal::no_fix("no fix of yours has counted on this connection: send one, then ask again");
        let fix = self.last.ok_or_else(none)?;
        let next = self.next(guidance, content, now).ok_or_else(none)?;
        let from = fix.position();
        let watch = wake::watch(&known(guidance, content), from, max);
        let named = |coarse: wake::Coarse| {
            let (quest, place) = named(guidance, &coarse)?;
            Some(WakeCircle {
                quest,
                place,
                lat: coarse.center.lat(),
                lon: coarse.center.lon(),
                radius: up(coarse.radius),
                // The cast rounds towards zero and saturates; no two places are 2^31 metres apart.
                distance: coarse.distance.get().floor() as i32,
                open: coarse.first,
            })
        };
        let roam = watch.roam.map(|radius| Roam {
            lat: from.lat(),
            lon: from.lon(),
            // Rounded down and never below what a phone can tell from standing still.
            radius: (radius.get() - fix.believed_accuracy().get()).max(DISTANCE_MIN) as u32,
        });
        Ok(Wake { circles: watch.circles.into_iter().filter_map(named).collect(), roam, next })
    }

    /// Metres to the nearest edge, from what is known if that is enough.
    fn clear(&mut self, here: &Position, guidance: &Guidance, content: &Content) -> f64 {
        if let Some(measured) = self.measured.as_ref().filter(|measured| measured.seq == guidance.seq) {
            let left = measured.clear - measured.at.distance(here).get();
            if left >= measured.clear * USED_UP {
                return left;
            }
        }
        let known = known(guidance, content);
        let mut clear = wake::clearance(&known, here, &content.index).get();
        // A corridor is followed by passing its checkpoints: being near it is where fixes matter.
        for (region, (within, _)) in &guidance.follows {
            let outside = known.iter().find_map(|known| known.index.outside(region, here, &content.index));
            clear = outside.map_or(clear, |outside| clear.min((outside.get() - within.get()).max(0.0)));
        }
        self.measured = Some(Measured { at: *here, clear, seq: guidance.seq });
        clear
    }
}

/// What the player may know of each quest under way.
fn known<'a>(guidance: &'a Guidance, content: &'a Content) -> Vec<Known<'a>> {
    let of = |(id, places): (&QuestId, &'a crate::quest::guidance::Places)| {
        let index = content.wake.get(&QuestRef { id: id.clone(), version: places.version })?;
        Some(Known { index, first: &places.open, shown: &places.shown })
    };
    guidance.places.iter().filter_map(of).collect()
}

fn named(guidance: &Guidance, coarse: &wake::Coarse) -> Option<(QuestId, PlaceId)> {
    let of = |(id, places): (&QuestId, &crate::quest::guidance::Places)| {
        Some((id.clone(), coarse.region.place_of(id, places.version)?))
    };
    guidance.places.iter().find_map(of)
}

/// Whole metres, rounded up.
fn up(radius: Meters) -> u32 {
    radius.get().ceil() as u32
}

#[cfg(test)]
mod tests;
