//! What is remembered of one region, and how one fix is judged against it.
//!
//! A region's own edge and each of its rings are stood by separately, on one measurement. Presence is kept as it is
//! on the ground also while the region is closed; transitions are told only of an open one.

use super::corridor::Passed;
use super::decision::{Asked, Decision, EnterCause, ExitCause, Finding, Rule, State, Transition, TransitionKind};
use super::evidence::{Evidence, Sample};
use super::region::Region;
use super::rules::Confirm;
use super::shape::Shape;
use super::standing::{Left, Sight, Standing, Step};
use crate::units::{Meters, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A window that never changes is asked again after so long.
const ASK_HOURS_AGAIN: Duration = Duration::from_secs(86_400);

/// One accepted fix, the one before, and whether the straight way between them is believed.
pub(super) struct Walk {
    pub(super) here: Sample,
    pub(super) before: Option<Sample>,
    pub(super) way: bool,
    /// A jump was not long ago: nothing is decided yet.
    pub(super) wary: bool,
}

impl Walk {
    /// The fix before, if the way from it is believed and it may decide for the region.
    fn way_from(&self, region: &Region) -> Option<&Sample> {
        self.before.as_ref().filter(|before| self.way && before.decides(region) && before.is_trusted(region))
    }
}

/// Where what comes of a fix is put.
pub(super) struct Told<'a> {
    pub(super) transitions: Vec<Transition>,
    /// Every decision is told here, if anyone listens.
    pub(super) account: Option<&'a mut dyn FnMut(Decision)>,
}

/// Corridor following: how near, what is done, what was passed.
#[derive(Debug, Clone)]
pub(super) struct Follow {
    within: f64,
    done: u8,
    passed: Option<Passed>,
}

impl Follow {
    pub(super) fn new(within: Meters, done: u8) -> Self {
        Self { within: within.get().max(0.0), done, passed: None }
    }
}

/// What is remembered of one region.
#[derive(Clone)]
pub(super) struct Memory {
    /// The region as it was last seen in the index; `None`: asked to be remembered before any look.
    pub(super) region: Option<Arc<Region>>,
    pub(super) inner: Standing,
    /// One for each ring, in their order; empty until a fix was judged.
    rings: Vec<Standing>,
    open: bool,
    /// Server time from which `open` may be otherwise; `None`: never, or not asked yet.
    pub(super) hours_change: Option<Timestamp>,
    pub(super) dwell_until: Option<Timestamp>,
    pub(super) follow: Option<Follow>,
}

impl Memory {
    /// Nothing is known of the player. A window counts from now on: what it was before is no news.
    pub(super) fn new(region: Option<Arc<Region>>, now: Timestamp) -> Self {
        let mut memory = Self {
            region,
            inner: Standing::default(),
            rings: Vec::new(),
            open: true,
            hours_change: None,
            dwell_until: None,
            follow: None,
        };
        memory.check_hours(now);
        memory
    }

    /// Whether forgetting it would change a later decision.
    pub(super) fn matters(&self, region: &Region, time: Timestamp) -> bool {
        self.follow.is_some()
            || self.inner.matters(time, &region.rules)
            || self.rings.iter().any(|ring| ring.matters(time, &region.rules))
    }

    /// Asks the window again if it may have changed. Says whether it did.
    fn check_hours(&mut self, now: Timestamp) -> bool {
        let Some(hours) = self.region.as_ref().and_then(|region| region.hours.as_ref()) else { return false };
        if self.hours_change.is_some_and(|change| now < change) {
            return false;
        }
        self.hours_change = Some(hours.next_change(now).unwrap_or(now + ASK_HOURS_AGAIN));
        let was = std::mem::replace(&mut self.open, hours.is_open(now));
        was != self.open
    }

    /// Tells that the region opened or closed around a player who is inside. `last`: the fix that says where.
    pub(super) fn follow_hours(&mut self, now: Timestamp, last: Option<&Sample>, transitions: &mut Vec<Transition>) {
        if !self.check_hours(now) {
            return;
        }
        let kind = if self.open {
            TransitionKind::Enter { cause: EnterCause::Opened }
        } else {
            TransitionKind::Exit { cause: ExitCause::Closed }
        };
        self.tell_all(kind, Rule::Hours, last, transitions);
        self.dwell_until = None;
    }

    /// Ends every stay; what comes next is a first sight again.
    pub(super) fn expire(&mut self, last: Option<&Sample>, transitions: &mut Vec<Transition>) {
        if self.open {
            let kind = TransitionKind::Exit { cause: ExitCause::Expired };
            self.tell_all(kind, Rule::Expired, last, transitions);
        }
        self.inner = Standing::default();
        self.rings.clear();
        self.dwell_until = None;
    }

    /// Tells the same of each edge that the player is inside of. `last`: the fix that says where.
    fn tell_all(&self, kind: TransitionKind, rule: Rule, last: Option<&Sample>, transitions: &mut Vec<Transition>) {
        let Some(region) = &self.region else { return };
        let rings = self.rings.iter().zip(&region.rings).map(|(at, ring)| (at, Some(ring.name.clone()), ring.reach));
        for (standing, ring, reach) in rings.chain([(&self.inner, None, Meters::ZERO)]) {
            let Some(since) = standing.inside else { continue };
            let evidence = last.map_or(Evidence::none(since), |last| Evidence::of(region, &last.fix).grown(reach));
            transitions.push(Transition { region: region.id.clone(), ring, kind, why: evidence.why(rule) });
        }
    }

    /// Whether nothing can change before the player crosses an edge, given what was just judged.
    pub(super) fn settled(&self, region: &Region, distance: f64) -> bool {
        self.follow.is_none()
            && self.inner.agrees_with(distance)
            && region.rings.iter().zip(&self.rings).all(|(ring, at)| at.agrees_with(distance + ring.reach.get()))
    }

    /// Judges one accepted fix; gives the measured distance to the edge.
    pub(super) fn judge(&mut self, region: &Arc<Region>, walk: &Walk, told: &mut Told<'_>) -> f64 {
        self.rings.resize(region.rings.len(), Standing::default());
        let own = Evidence::of(region, &walk.here.fix);
        let distance = own.distance;
        let undecided = if walk.here.dim {
            Some(Finding::Dim)
        } else if !walk.here.slow_enough(region) {
            Some(Finding::TooFast)
        } else if walk.here.decides(region) {
            None
        } else {
            Some(Finding::Inaccurate)
        };
        let was_outside = self.inner.inside.is_none();
        let edges = region.rings.iter().map(|ring| (Some(&ring.name), ring.reach)).chain([(None, Meters::ZERO)]);
        let standings = self.rings.iter_mut().chain([&mut self.inner]);
        for ((ring, reach), standing) in edges.zip(standings) {
            let edge = Edge { region, ring, reach, open: self.open };
            edge.judge(standing, &own.grown(reach), walk, undecided, told);
        }
        if undecided.is_some() {
            return distance;
        }
        match (was_outside, self.inner.inside) {
            (false, None) => self.dwell_until = None,
            (true, Some(since)) if self.open => {
                self.dwell_until = region.rules.dwell.map(|span| since + span).or(self.dwell_until);
            }
            _ => {}
        }
        if !walk.here.is_trusted(region) {
            return distance;
        }
        if was_outside && self.inner.inside.is_none() {
            self.cross(region, walk, &own, told);
        }
        self.follow_along(region, walk, &own, told);
        distance
    }

    /// Tells of a believed way between two fixes outside that led through, and not just after an exit or a cross.
    fn cross(&mut self, region: &Region, walk: &Walk, here: &Evidence, told: &mut Told<'_>) {
        let Some(before) = walk.way_from(region) else { return };
        let (from, to) = (before.fix.position(), walk.here.fix.position());
        let guarded = self.inner.left.is_some_and(|left| left.guards(here.time, &region.rules));
        if here.distance >= 0.0 || guarded || !self.open || !region.shape.touched_by(from, to) {
            return;
        }
        if region.shape.signed_distance(from) < Meters::ZERO {
            self.inner.left = Some(Left { at: here.time, at_edge: false });
            let kind = TransitionKind::Cross { counts: region.rules.cross_counts };
            let why = here.why(Rule::Cross);
            told.transitions.push(Transition { region: region.id.clone(), ring: None, kind, why });
        }
    }

    fn follow_along(&mut self, region: &Region, walk: &Walk, here: &Evidence, told: &mut Told<'_>) {
        let (Some(follow), Shape::Corridor(corridor)) = (&mut self.follow, &region.shape) else { return };
        let to = walk.here.fix.position();
        let from = walk.way_from(region).map_or(to, |before| before.fix.position());
        let known = follow.passed.take().filter(|passed| corridor.fits(passed));
        let mut passed = known.unwrap_or_else(|| corridor.none_passed());
        corridor.pass(&mut passed, from, to, follow.within);
        let quarters = follow.done | corridor.quarters(&passed);
        follow.passed = Some(passed);
        // Walked before the enter was sure, or with the exit: that is told once the player counts as inside, since whoever
        // hears of it takes it from nobody else.
        let counts_as_inside = self.open && self.inner.inside.is_some();
        if quarters != follow.done && counts_as_inside {
            follow.done = quarters;
            let (kind, why) = (TransitionKind::Along { quarters }, here.why(Rule::Along));
            told.transitions.push(Transition { region: region.id.clone(), ring: None, kind, why });
        }
    }
}

/// One edge of a region: its own, or that of a ring.
struct Edge<'a> {
    region: &'a Region,
    ring: Option<&'a String>,
    reach: Meters,
    open: bool,
}

impl Edge<'_> {
    fn judge(
        &self,
        standing: &mut Standing,
        evidence: &Evidence,
        walk: &Walk,
        undecided: Option<Finding>,
        told: &mut Told<'_>,
    ) {
        let before = standing.state();
        let step = match undecided {
            Some(finding) => Step { finding, transition: None, fixes: 0 },
            None => {
                let trusted = walk.here.is_trusted(self.region);
                let sight = Sight { wary: walk.wary, trusted, first: || self.is_first_sight(walk) };
                standing.step(evidence, &self.region.rules, sight)
            }
        };
        if let Some(account) = &mut told.account {
            account(self.decision(standing, evidence, before, &step));
        }
        let Some((kind, rule)) = step.transition.filter(|_| self.open) else { return };
        let mut why = evidence.why(rule);
        why.fixes = step.fixes;
        let rules = &self.region.rules;
        (why.threshold, why.margin) = match kind {
            TransitionKind::Enter { .. } => {
                (if rule == Rule::Sure { rules.enter_sure } else { Some(rules.enter_at) }, None)
            }
            _ => {
                let threshold = if rule == Rule::Sure { rules.exit_sure } else { Some(rules.exit_at) };
                (threshold, Some(Meters::lossy(evidence.margin(rules))))
            }
        };
        let (region, ring) = (self.region.id.clone(), self.ring.cloned());
        told.transitions.push(Transition { region, ring, kind, why });
    }

    /// Whether the fix before, if any, would have told the same.
    fn is_first_sight(&self, walk: &Walk) -> bool {
        let Some(before) = &walk.before else { return true };
        let evidence = || Evidence::of(self.region, &before.fix).grown(self.reach);
        before.decides(self.region) && evidence().lean(&self.region.rules).is_inside()
    }

    fn decision(&self, standing: &Standing, evidence: &Evidence, before: State, step: &Step) -> Decision {
        let rules = &self.region.rules;
        let untold = step.transition.is_some() && !self.open;
        let (need, of, for_ms) = match rules.confirm {
            Confirm::Fixes { need, of } => (need, of, 0),
            Confirm::Time(span) => (2, 0, u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        };
        let unclear = step.finding == Finding::Unclear && evidence.probability > rules.exit_at;
        let after = match standing.state() {
            State::Outside if unclear => State::Maybe,
            state => state,
        };
        Decision {
            region: self.region.id.clone(),
            ring: self.ring.cloned(),
            fix_time: evidence.time,
            distance: Meters::lossy(evidence.distance),
            accuracy: Meters::lossy(evidence.accuracy),
            probability: evidence.probability,
            before,
            after,
            finding: if untold { Finding::Closed } else { step.finding },
            fixes: step.fixes,
            asked: Asked {
                enter_at: rules.enter_at,
                enter_sure: rules.enter_sure,
                exit_at: rules.exit_at,
                exit_sure: rules.exit_sure,
                margin: Meters::lossy(evidence.margin(rules)),
                max_accuracy: self.region.accuracy_limit(),
                need,
                of,
                for_ms,
            },
        }
    }
}
