//! The tracker: one player's fixes in, transitions out. All memory that a fence needs is here.
//!
//! A session holds one [`Tracker`] and calls [`Tracker::observe`] once for each fix, [`Tracker::tick`] now and then.
//! Order is by event time (the device's); server time only bounds it and measures silence.
//! Promises: a repeat or a late fix changes nothing; transitions of one call come in the order of their region's id,
//! within a region in the order they happened.
//!
//! Most fixes change nothing, and it shows at once: each look into the index also gives a box in which no edge lies.
//! While what is remembered agrees with the geometry, nothing can change inside that box ([`FenceRules::check`] says
//! why), so such a fix costs four comparisons after the gate and allocates nothing.
//!
//! [`FenceRules::check`]: super::rules::FenceRules::check

use super::decision::{Decision, Rule, Transition, TransitionKind};
use super::evidence::{Evidence, Sample};
use super::index::{RegionIndex, SafeBox};
use super::memory::{Follow, Memory, Told, Walk};
pub use super::observed::{Fate, Observed};
use super::pace::Pace;
use super::plausibility::{Gate, Reason, RuleSet, Shadow, Verdict, implied_speed};
use super::position::Fix;
use super::region::Region;
use super::standing::Standing;
use crate::ids::RegionId;
use crate::units::{Meters, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Longest gap between two fixes whose straight way is believed.
pub const WAY_GAP_MAX: Duration = Duration::from_secs(120);
/// Worst accuracy of two fixes whose straight way is believed, in metres.
pub const WAY_ACCURACY_MAX: Meters = Meters::lossy(50.0);
/// A dwell fires without a new fix for at least so long after the last one.
pub const DWELL_SILENCE: Duration = Duration::from_secs(120);
/// Regions remembered at once, 64 kB; nobody stands in so many places. Further ones wait until some are left.
const REMEMBERED_MAX: usize = 256;
/// An account of a fix covers regions so near, or three times its accuracy if that is more.
const ACCOUNT_HALO: Meters = Meters::lossy(50.0);
/// Silence after which nobody is inside anything.
pub const EXPIRY: Duration = Duration::from_secs(24 * 3600);

/// What fixes are judged against: all regions, and which of them matter to this player.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// All regions.
    pub index: &'a RegionIndex,
    /// Whether a region matters. One that no longer does is forgotten without a transition.
    pub wanted: &'a dyn Fn(&RegionId) -> bool,
    /// Differs whenever `wanted` may answer otherwise than before.
    pub version: u64,
}

impl<'a> Ground<'a> {
    /// Every region matters.
    pub fn all(index: &'a RegionIndex) -> Self {
        Self { index, wanted: &|_| true, version: 0 }
    }
}

/// The fence memory of one player session.
#[derive(Clone, Default)]
pub struct Tracker {
    gate: Gate,
    /// A rule set on trial; boxed, since hardly any server has one.
    shadow: Option<Box<Shadow>>,
    last: Option<Sample>,
    pace: Pace,
    /// Server time at which the last fix was accepted, or the first tick before any.
    heard: Option<Timestamp>,
    memory: BTreeMap<RegionId, Memory>,
    /// Of which index and of which wishes `memory` and `calm` are.
    sights: Option<(u64, u64)>,
    /// The box of the last look, while nothing can change in it: see the head of this file.
    calm: Option<SafeBox>,
    /// Accuracy and event time of the last fix that was not dim.
    clear: Option<(Meters, Timestamp)>,
    /// Event time until which a jump makes us wary.
    wary_until: Option<Timestamp>,
    /// Event time of the earliest dwell that is armed.
    next_dwell: Option<Timestamp>,
    /// Server time of the earliest opening or closing of what is remembered.
    next_hours: Option<Timestamp>,
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("remembered", &self.memory.len()).finish_non_exhaustive()
    }
}

impl Tracker {
    /// A tracker that knows nothing and judges by the current rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tracker that knows nothing and judges by these rules.
    pub fn by(rules: &'static RuleSet) -> Self {
        Self { gate: Gate::new(rules), ..Self::default() }
    }

    /// The same with a rule set on trial beside the one that decides, if any.
    pub fn with_trial(self, rules: Option<&'static RuleSet>) -> Self {
        Self { shadow: rules.map(|rules| Box::new(Shadow::new(rules))), ..self }
    }

    /// The player is known to be inside since an event time; no transition follows.
    pub fn seed(&mut self, region: RegionId, since: Timestamp) {
        self.remembered(region).inner = Standing::seeded(since);
    }

    /// Asks for a dwell once event time reaches `until` without an exit before. Does nothing when the player is not
    /// inside; an exit disarms.
    pub fn arm(&mut self, region: &RegionId, until: Timestamp) {
        if let Some(memory) = self.memory.get_mut(region)
            && memory.inner.inside.is_some()
        {
            memory.dwell_until = Some(until);
            self.next_dwell = self.next_dwell.map_or(Some(until), |next| Some(next.min(until)));
        }
    }

    /// Takes back what [`Self::arm`] asked for.
    pub fn disarm(&mut self, region: &RegionId) {
        if let Some(memory) = self.memory.get_mut(region) {
            memory.dwell_until = None;
        }
    }

    /// Watches a corridor being followed: each quarter whose checkpoints (one at least each 20 m) have all been
    /// passed within `within` metres is reported once, in any order and direction, while the player is inside of it;
    /// what was passed before the enter is reported with it. `done` are the quarters already known. Passed checkpoints of
    /// a quarter not yet whole are known to this tracker only.
    pub fn follow(&mut self, region: RegionId, within: Meters, done: u8) {
        self.remembered(region).follow = Some(Follow::new(within, done));
    }

    /// Stops watching a corridor.
    pub fn unfollow(&mut self, region: &RegionId) {
        if let Some(memory) = self.memory.get_mut(region) {
            memory.follow = None;
        }
    }

    /// The memory of a region that someone tells us of; what was calm is not any more.
    fn remembered(&mut self, region: RegionId) -> &mut Memory {
        self.calm = None;
        self.memory.entry(region).or_insert_with(|| Memory::new(None, Timestamp::from_millis(0)))
    }

    /// The regions the player is inside of, with the event time of the enter.
    pub fn inside(&self) -> impl Iterator<Item = (&RegionId, Timestamp)> {
        self.memory.iter().filter_map(|(id, memory)| memory.inner.inside.map(|since| (id, since)))
    }

    /// Server time at which [`Self::tick`] has something to tell even if no fix comes: a region opens or closes.
    pub fn tick_due(&self) -> Option<Timestamp> {
        self.next_hours
    }

    /// Takes one fix at server time `now`: through the gate, then against the regions that are wanted. A region that
    /// is no longer wanted or no longer in the index is forgotten without a transition.
    pub fn observe(&mut self, fix: &Fix, now: Timestamp, ground: Ground<'_>) -> Observed {
        self.take(fix, now, ground, None)
    }

    /// As [`Self::observe`], and tells every decision with all that it was made of, also for regions in the
    /// neighbourhood that nothing speaks for. The transitions are the same.
    pub fn observe_explained(
        &mut self,
        fix: &Fix,
        now: Timestamp,
        ground: Ground<'_>,
        account: &mut dyn FnMut(Decision),
    ) -> Observed {
        self.calm = None;
        self.take(fix, now, ground, Some(account))
    }

    fn take(
        &mut self,
        fix: &Fix,
        now: Timestamp,
        ground: Ground<'_>,
        account: Option<&mut dyn FnMut(Decision)>,
    ) -> Observed {
        let verdict = self.gate.judge(fix, now);
        let shadow = self.shadow.as_mut().and_then(|shadow| shadow.judge(fix, now, &verdict));
        let quiet = |fate| Observed { fate, transitions: Vec::new(), shadow };
        let (score, flags) = match verdict {
            Verdict::Accept { score, flags } => (score, flags),
            Verdict::Hold(reason) => return quiet(Fate::Held(reason)),
            Verdict::Refuse(Reason::Repeated) => return quiet(Fate::Repeated),
            Verdict::Refuse(Reason::Late) => return quiet(Fate::Late),
            Verdict::Refuse(reason) => return quiet(Fate::Refused(reason)),
        };
        let mut told = Told { transitions: Vec::new(), account };
        if self.last.is_some_and(|last| fix.time().since(last.fix.time()) >= EXPIRY) {
            self.expire(&mut told.transitions);
        }
        let jumped = flags.contains(&Reason::Jump);
        if jumped {
            self.wary_until = Some(fix.time() + self.gate.rules().wary_after_jump);
        }
        let walk = self.walk(fix, jumped, score);
        self.follow_hours(now, &mut told.transitions);
        if !self.calm_at(fix, ground) {
            self.judge(&walk, now, ground, &mut told);
        }
        let mut transitions = told.transitions;
        self.last = Some(walk.here);
        self.heard = Some(now);
        self.fire_dwells(fix.time(), Duration::ZERO, &mut transitions);
        transitions.sort_by(|a, b| a.region.cmp(&b.region));
        Observed { fate: Fate::Accepted { score, flags }, transitions, shadow }
    }

    fn calm_at(&self, fix: &Fix, ground: Ground<'_>) -> bool {
        self.calm.is_some_and(|safe| safe.holds(fix.position()))
            && self.sights == Some((ground.index.generation(), ground.version))
    }

    /// Judges a fix against what is remembered, what holds it, and what the way to it may have led through.
    fn judge(&mut self, walk: &Walk, now: Timestamp, ground: Ground<'_>, told: &mut Told<'_>) {
        let (place, time) = (walk.here.fix.position(), walk.here.fix.time());
        let sights = (ground.index.generation(), ground.version);
        let renew = self.sights != Some(sights);
        let mut settled = true;
        self.memory.retain(|id, memory| {
            if renew || memory.region.is_none() {
                memory.region = ground.index.get(id).filter(|_| (ground.wanted)(id)).map(Arc::clone);
                memory.follow_hours(now, walk.before.as_ref(), &mut told.transitions);
            }
            let Some(region) = memory.region.clone() else { return false };
            let distance = memory.judge(&region, walk, told);
            settled &= memory.settled(&region, distance);
            memory.matters(&region, time)
        });
        let mut met = Vec::new();
        let safe = ground.index.look(place, &mut met);
        // In the box no edge lies, so a way within it passes through nothing.
        if walk.before.as_ref().is_some_and(|before| !safe.holds(before.fix.position())) {
            passed_through(walk, ground.index, &mut met);
        }
        if told.account.is_some() {
            let halo = Meters::lossy(ACCOUNT_HALO.get().max(3.0 * walk.here.fix.believed_accuracy().get()));
            met.extend(ground.index.near(place, halo));
        }
        met.retain(|region| !self.memory.contains_key(&region.id) && (ground.wanted)(&region.id));
        met.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        met.dedup_by(|a, b| a.id == b.id);
        for region in met {
            if self.memory.len() >= REMEMBERED_MAX {
                settled = false;
                break;
            }
            let mut memory = Memory::new(Some(Arc::clone(region)), now);
            let distance = memory.judge(region, walk, told);
            settled &= memory.settled(region, distance);
            if memory.matters(region, time) {
                self.memory.insert(region.id.clone(), memory);
            }
        }
        self.sights = Some(sights);
        self.calm = settled.then_some(safe);
        self.next_hours = self.memory.values().filter_map(|memory| memory.hours_change).min();
        self.next_dwell = self.memory.values().filter_map(|memory| memory.dwell_until).min();
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
        }
        self.follow_hours(now, &mut transitions);
        if let Some(last) = self.last {
            self.fire_dwells(last.fix.time() + silence, silence, &mut transitions);
        }
        transitions
    }

    /// Whether a fix is dim; one that is not sets what is known.
    fn is_dim(&mut self, fix: &Fix) -> bool {
        let accuracy = fix.believed_accuracy().get();
        if let (Some(rule), Some((known, at))) = (self.gate.rules().dim, self.clear) {
            let grown = known.get() + rule.growth.get() * fix.time().since(at).as_secs_f64();
            if accuracy > rule.times * grown {
                return true;
            }
        }
        self.clear = Some((fix.believed_accuracy(), fix.time()));
        false
    }

    fn walk(&mut self, fix: &Fix, jumped: bool, score: f64) -> Walk {
        let dim = self.is_dim(fix);
        let said = fix.speed().map_or(0.0, |speed| speed.get());
        let Some(before) = self.last else {
            let speed = self.pace.see(fix, fix.time(), said, false, self.gate.rules().fast_for);
            return Walk { here: Sample { fix: *fix, speed, dim, score }, before: None, way: false, wary: false };
        };
        let implied = if jumped { implied_speed(&before.fix, fix) } else { self.gate.pace() };
        let (last, lately) = (before.fix.time(), self.gate.rules().fast_for);
        let speed = self.pace.see(fix, last, said.max(implied), jumped, lately);
        let way = !jumped
            && implied <= self.gate.rules().fast.get()
            && fix.time().since(before.fix.time()) <= WAY_GAP_MAX
            && fix.believed_accuracy() <= WAY_ACCURACY_MAX
            && before.fix.believed_accuracy() <= WAY_ACCURACY_MAX;
        let wary = self.wary_until.is_some_and(|until| fix.time() < until);
        Walk { here: Sample { fix: *fix, speed, dim, score }, before: Some(before), way, wary }
    }

    /// Tells which remembered regions opened or closed.
    fn follow_hours(&mut self, now: Timestamp, transitions: &mut Vec<Transition>) {
        if self.next_hours.is_none_or(|next| now < next) {
            return;
        }
        for memory in self.memory.values_mut() {
            memory.follow_hours(now, self.last.as_ref(), transitions);
        }
        self.next_hours = self.memory.values().filter_map(|memory| memory.hours_change).min();
    }

    fn fire_dwells(&mut self, event_time: Timestamp, silence: Duration, transitions: &mut Vec<Transition>) {
        if self.next_dwell.is_none_or(|next| event_time < next) {
            return;
        }
        for (id, memory) in &mut self.memory {
            let (Some(since), Some(until)) = (memory.inner.inside, memory.dwell_until) else { continue };
            if memory.inner.wavers() || event_time < until || silence > until.since(since).max(DWELL_SILENCE) {
                continue;
            }
            memory.dwell_until = None;
            let evidence = match (&memory.region, &self.last) {
                (Some(region), Some(last)) => Evidence::of(region, &last.fix),
                _ => Evidence::none(since),
            };
            let (kind, why) = (TransitionKind::Dwell { since }, evidence.why(Rule::Dwell));
            transitions.push(Transition { region: id.clone(), ring: None, kind, why });
        }
        self.next_dwell = self.memory.values().filter_map(|memory| memory.dwell_until).min();
    }

    /// Ends every stay; what comes next is a first sight again.
    fn expire(&mut self, transitions: &mut Vec<Transition>) {
        for memory in self.memory.values_mut() {
            memory.expire(self.last.as_ref(), transitions);
        }
        self.last = None;
        self.calm = None;
    }
}

/// Adds the regions that a believed way from the fix before may have led through.
fn passed_through<'a>(walk: &Walk, index: &'a RegionIndex, met: &mut Vec<&'a Arc<Region>>) {
    if let Some(before) = walk.before.as_ref().filter(|_| walk.way) {
        let (from, to) = (before.fix.position(), walk.here.fix.position());
        met.extend(index.between(from, to).filter(|region| region.shape.touched_by(from, to)));
    }
}

#[cfg(test)]
mod tests;
