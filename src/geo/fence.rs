//! The tracker: one player's fixes in, transitions out. All memory that a fence needs is here.
//!
//! A session holds one [`Tracker`] and calls [`Tracker::observe`] once for each fix, [`Tracker::tick`] now and then.
//! Order is by event time (the device's); server time only bounds it and measures silence.
//! Promises: a repeat or a late fix changes nothing; transitions of one call come in the order of their region's id,
//! within a region in the order they happened; a fix with nothing near costs one look-up and allocates nothing.

use super::corridor::Passed;
use super::decision::{Evidence, ExitCause, Left, Presence, Rule, Sample, Transition, TransitionKind, step};
use super::index::RegionIndex;
use super::plausibility::{FAST, Gate, Reason, Verdict, implied_speed};
use super::position::Fix;
use super::region::Region;
use super::shape::Shape;
use crate::ids::RegionId;
use crate::units::{Meters, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest gap between two fixes whose straight way is believed.
pub const WAY_GAP_MAX: Duration = Duration::from_secs(120);
/// Worst accuracy of two fixes whose straight way is believed, in metres.
pub const WAY_ACCURACY_MAX: Meters = Meters::lossy(50.0);
/// A dwell fires without a new fix for at least so long after the last one.
pub const DWELL_SILENCE: Duration = Duration::from_secs(120);
/// Silence after which nobody is inside anything.
pub const EXPIRY: Duration = Duration::from_secs(24 * 3600);

/// What became of a fix, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What became of it.
    pub fate: Fate,
    /// What it set off; nearly always nothing.
    pub transitions: Vec<Transition>,
}

/// What became of a fix.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It counted.
    Accepted {
        /// 0 to 1; 1 when nothing is to be said against it.
        score: f64,
        /// What lowered the score.
        flags: Vec<Reason>,
    },
    /// It was taken before; answer as then.
    Repeated,
    /// Older than one that was taken, or than 10 minutes: history.
    Late,
    /// It waits for a second one that agrees.
    Held(Reason),
    /// It decides nothing.
    Refused(Reason),
}

/// Corridor following: how near, what is done, what was passed.
#[derive(Debug, Clone)]
struct Follow {
    within: f64,
    done: u8,
    passed: Option<Passed>,
}

/// What is remembered of one region.
#[derive(Debug, Clone)]
struct Memory {
    presence: Presence,
    left: Option<Left>,
    dwell_until: Option<Timestamp>,
    follow: Option<Follow>,
    /// The last fix that was measured against it.
    evidence: Option<Evidence>,
}

impl Memory {
    const NEW: Self = Self {
        presence: Presence::Outside { streak: 0, first_sight: false },
        left: None,
        dwell_until: None,
        follow: None,
        evidence: None,
    };

    /// Whether forgetting it would change a later decision.
    fn matters(&self, time: Timestamp) -> bool {
        let present = match self.presence {
            Presence::Inside { .. } => true,
            Presence::Outside { streak, .. } => streak > 0,
        };
        present || self.follow.is_some() || self.left.is_some_and(|left| left.guards(time))
    }

    /// The evidence behind what time alone decides.
    fn known(&self, since: Timestamp) -> Evidence {
        self.evidence.unwrap_or_else(|| Evidence::none(since))
    }
}

/// One accepted fix, the one before, and whether the straight way between them is believed.
struct Walk {
    here: Sample,
    before: Option<Sample>,
    way: bool,
}

/// The fence memory of one player session.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    gate: Gate,
    last: Option<Sample>,
    /// Server time at which the last fix was accepted, or the first tick before any.
    heard: Option<Timestamp>,
    memory: BTreeMap<RegionId, Memory>,
}

impl Tracker {
    /// A tracker that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The player is known to be inside since an event time; no transition follows.
    pub fn seed(&mut self, region: RegionId, since: Timestamp) {
        self.memory.entry(region).or_insert(Memory::NEW).presence = Presence::Inside { since, streak: 0 };
    }

    /// Asks for a dwell once event time reaches `until` without an exit before. Does nothing when the player is not
    /// inside; an exit disarms.
    pub fn arm(&mut self, region: &RegionId, until: Timestamp) {
        if let Some(memory) = self.memory.get_mut(region)
            && let Presence::Inside { .. } = memory.presence
        {
            memory.dwell_until = Some(until);
        }
    }

    /// Takes back what [`Self::arm`] asked for.
    pub fn disarm(&mut self, region: &RegionId) {
        if let Some(memory) = self.memory.get_mut(region) {
            memory.dwell_until = None;
        }
    }

    /// Watches a corridor being followed: each quarter whose checkpoints (one at least each 20 m) have all been
    /// passed within `within` metres is reported once, in any order and direction. `done` are the quarters already
    /// known. Passed checkpoints of a quarter not yet whole are known to this tracker only.
    pub fn follow(&mut self, region: RegionId, within: Meters, done: u8) {
        let follow = Follow { within: within.get().max(0.0), done, passed: None };
        self.memory.entry(region).or_insert(Memory::NEW).follow = Some(follow);
    }

    /// Stops watching a corridor.
    pub fn unfollow(&mut self, region: &RegionId) {
        if let Some(memory) = self.memory.get_mut(region) {
            memory.follow = None;
        }
    }

    /// Forgets regions that are no longer wanted, silently; [`Self::observe`] does so by itself.
    pub fn forget_unwanted(&mut self, wanted: &dyn Fn(&RegionId) -> bool) {
        self.memory.retain(|id, _| wanted(id));
    }

    /// The regions the player is inside of, with the event time of the enter.
    pub fn inside(&self) -> impl Iterator<Item = (&RegionId, Timestamp)> {
        self.memory.iter().filter_map(|(id, memory)| match memory.presence {
            Presence::Inside { since, .. } => Some((id, since)),
            Presence::Outside { .. } => None,
        })
    }

    /// Takes one fix at server time `now`: through the gate, then against the regions that are wanted. A region that
    /// is no longer wanted or no longer in the index is forgotten without a transition.
    pub fn observe(
        &mut self,
        fix: &Fix,
        now: Timestamp,
        index: &RegionIndex,
        wanted: &dyn Fn(&RegionId) -> bool,
    ) -> Observed {
        let quiet = |fate| Observed { fate, transitions: Vec::new() };
        let (score, flags) = match self.gate.judge(fix, now) {
            Verdict::Accept { score, flags } => (score, flags),
            Verdict::Hold(reason) => return quiet(Fate::Held(reason)),
            Verdict::Refuse(Reason::Repeated) => return quiet(Fate::Repeated),
            Verdict::Refuse(Reason::Late) => return quiet(Fate::Late),
            Verdict::Refuse(reason) => return quiet(Fate::Refused(reason)),
        };
        let mut transitions = Vec::new();
        if self.last.is_some_and(|last| fix.time().since(last.fix.time()) >= EXPIRY) {
            self.expire(&mut transitions);
        }
        let walk = self.walk(fix, flags.contains(&Reason::Jump));
        self.memory.retain(|id, memory| {
            let Some(region) = index.get(id).filter(|_| wanted(id)) else { return false };
            judge(memory, region, &walk, &mut transitions);
            memory.matters(fix.time())
        });
        let mut meet = |region: &Region| {
            if self.memory.contains_key(&region.id) || !wanted(&region.id) {
                return;
            }
            let mut memory = Memory::NEW;
            judge(&mut memory, region, &walk, &mut transitions);
            if memory.matters(fix.time()) {
                self.memory.insert(region.id.clone(), memory);
            }
        };
        match walk.before.filter(|_| walk.way) {
            Some(before) => index.between(before.fix.position(), fix.position()).for_each(|region| meet(region)),
            None => index.near(fix.position(), Meters::ZERO).for_each(|region| meet(region)),
        }
        self.last = Some(walk.here);
        self.heard = Some(now);
        self.fire_dwells(fix.time(), Duration::ZERO, &mut transitions);
        transitions.sort_by(|a, b| a.region.cmp(&b.region));
        Observed { fate: Fate::Accepted { score, flags }, transitions }
    }

    /// What time alone decides, at server time `now`: dwells that are due, and the end of all after 24 h of silence.
    ///
    /// Event time goes on from the last fix as server time does. A dwell does not fire when the player has been
    /// silent for longer than it lasts (120 s at least), nor while a fix speaks for an exit: then the next
    /// fix decides.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Transition> {
        let mut transitions = Vec::new();
        if self.memory.is_empty() {
            return transitions;
        }
        let silence = now.since(*self.heard.get_or_insert(now));
        if silence >= EXPIRY {
            self.expire(&mut transitions);
        } else if let Some(last) = self.last {
            self.fire_dwells(last.fix.time() + silence, silence, &mut transitions);
        }
        transitions
    }

    fn walk(&self, fix: &Fix, jumped: bool) -> Walk {
        let said = fix.speed().map_or(0.0, |speed| speed.get());
        let Some(before) = self.last else {
            return Walk { here: Sample { fix: *fix, speed: said }, before: None, way: false };
        };
        let implied = implied_speed(&before.fix, fix);
        let way = !jumped
            && implied <= FAST
            && fix.time().since(before.fix.time()) <= WAY_GAP_MAX
            && fix.believed_accuracy() <= WAY_ACCURACY_MAX
            && before.fix.believed_accuracy() <= WAY_ACCURACY_MAX;
        Walk { here: Sample { fix: *fix, speed: said.max(implied) }, before: Some(before), way }
    }

    fn fire_dwells(&mut self, event_time: Timestamp, silence: Duration, transitions: &mut Vec<Transition>) {
        for (id, memory) in &mut self.memory {
            let (Presence::Inside { since, streak: 0 }, Some(until)) = (memory.presence, memory.dwell_until) else {
                continue;
            };
            if event_time < until || silence > until.since(since).max(DWELL_SILENCE) {
                continue;
            }
            memory.dwell_until = None;
            let why = memory.known(since).why(Rule::Dwell);
            transitions.push(Transition { region: id.clone(), kind: TransitionKind::Dwell { since }, why });
        }
    }

    /// Ends every stay; what comes next is a first sight again.
    fn expire(&mut self, transitions: &mut Vec<Transition>) {
        self.last = None;
        for (id, memory) in &mut self.memory {
            if let Presence::Inside { since, .. } = memory.presence {
                let why = memory.known(since).why(Rule::Expired);
                let kind = TransitionKind::Exit { cause: ExitCause::Expired };
                transitions.push(Transition { region: id.clone(), kind, why });
            }
            memory.presence = Presence::Outside { streak: 0, first_sight: false };
            memory.dwell_until = None;
        }
    }
}

/// Judges one accepted fix against one region; the same for regions remembered and met.
fn judge(memory: &mut Memory, region: &Region, walk: &Walk, transitions: &mut Vec<Transition>) {
    if !walk.here.decides(region) {
        return;
    }
    let evidence = Evidence::of(region, &walk.here.fix);
    memory.evidence = Some(evidence);
    let mut tell =
        |kind, rule| transitions.push(Transition { region: region.id.clone(), kind, why: evidence.why(rule) });
    let before = walk.before.filter(|before| before.decides(region));
    let first_sight = || match walk.before {
        Some(_) => before.is_some_and(|b| Evidence::of(region, &b.fix).lean(&region.rules).is_inside()),
        None => true,
    };
    let was_outside = matches!(memory.presence, Presence::Outside { .. });
    if let Some((kind, rule)) = step(&mut memory.presence, &mut memory.left, &evidence, &region.rules, first_sight) {
        if let TransitionKind::Exit { .. } = kind {
            memory.dwell_until = None;
        }
        tell(kind, rule);
    }
    let way_from = before.filter(|_| walk.way);
    let is_outside = matches!(memory.presence, Presence::Outside { .. });
    if let Some(before) = way_from
        && was_outside
        && is_outside
        && crosses(memory, region, &before, walk, &evidence)
    {
        memory.left = Some(Left { at: walk.here.fix.time(), at_edge: false });
        tell(TransitionKind::Cross, Rule::Cross);
    }
    if let (Some(follow), Shape::Corridor(corridor)) = (&mut memory.follow, &region.shape) {
        let to = walk.here.fix.position();
        let from = way_from.as_ref().map_or(to, |before| before.fix.position());
        let known = follow.passed.take().filter(|passed| corridor.fits(passed));
        let mut passed = known.unwrap_or_else(|| corridor.none_passed());
        corridor.pass(&mut passed, from, to, follow.within);
        let quarters = follow.done | corridor.quarters(&passed);
        follow.passed = Some(passed);
        if quarters != follow.done {
            follow.done = quarters;
            tell(TransitionKind::Along { quarters }, Rule::Along);
        }
    }
}

/// Whether a believed way between two fixes outside led through, and not just after an exit or another cross.
fn crosses(memory: &Memory, region: &Region, before: &Sample, walk: &Walk, evidence: &Evidence) -> bool {
    evidence.distance < 0.0
        && !memory.left.is_some_and(|left| left.guards(walk.here.fix.time()))
        && region.shape.touched_by(before.fix.position(), walk.here.fix.position())
        && region.shape.signed_distance(before.fix.position()) < Meters::ZERO
}

#[cfg(test)]
mod tests;
