//! How a player stands with one edge of a region: inside or not, and how many fixes speak for a change.
//!
//! Enter and exit need one fix without doubt or several that agree, so that a person who stands at the edge is not
//! thrown in and out.

use super::decision::{EnterCause, ExitCause, Finding, Rule, State, TransitionKind};
use super::evidence::{Evidence, Lean};
use super::rules::{Confirm, FenceRules};
use crate::units::Timestamp;

/// The end of the last visit, for the guard against flapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) at: Timestamp,
    pub(super) at_edge: bool,
}

impl Left {
    /// Whether the guard still stands at that event time.
    pub(super) fn guards(&self, time: Timestamp, rules: &FenceRules) -> bool {
        time.since(self.at) < rules.flap_guard
    }
}

/// One edge and the player.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    /// Event time of the enter; `None`: outside.
    pub(super) inside: Option<Timestamp>,
    /// Which of the last fixes that decide spoke for a change; the newest is bit 0.
    votes: u16,
    /// Event time of the first vote for the change under way.
    voting_since: Option<Timestamp>,
    /// Whether there was nothing before the first vote that would have told.
    first_sight: bool,
    /// The end of the last visit.
    pub(super) left: Option<Left>,
}

/// What there is to know of a fix besides its evidence.
pub(super) struct Sight<F> {
    /// A jump was not long ago: fixes are counted, and decide nothing.
    pub(super) wary: bool,
    /// Whether the fix is plausible enough to speak for an enter.
    pub(super) trusted: bool,
    /// Whether nothing was known of this edge before; asked only when the first fix speaks for an enter.
    pub(super) first: F,
}

/// What one fix did.
pub(super) struct Step {
    pub(super) finding: Finding,
    pub(super) transition: Option<(TransitionKind, Rule)>,
    /// How many fixes agreed, this one included.
    pub(super) fixes: u8,
}

impl Step {
    fn quiet(finding: Finding, fixes: u8) -> Self {
        Self { finding, transition: None, fixes }
    }
}

impl Standing {
    /// Known to be inside since an event time.
    pub(super) fn seeded(since: Timestamp) -> Self {
        Self { inside: Some(since), ..Self::default() }
    }

    /// Whether a change is under way.
    pub(super) fn wavers(&self) -> bool {
        self.votes != 0
    }

    /// As one word.
    pub(super) fn state(&self) -> State {
        match self.inside {
            _ if self.wavers() => State::Maybe,
            Some(_) => State::Inside,
            None => State::Outside,
        }
    }

    /// Whether forgetting it would change a later decision.
    pub(super) fn matters(&self, time: Timestamp, rules: &FenceRules) -> bool {
        self.inside.is_some() || self.wavers() || self.left.is_some_and(|left| left.guards(time, rules))
    }

    /// Whether the geometry says the same, so that only a fix beyond an edge can change anything.
    pub(super) fn agrees_with(&self, distance: f64) -> bool {
        !self.wavers() && self.inside.is_some() == (distance >= 0.0)
    }

    /// Takes in one fix that decides.
    pub(super) fn step(
        &mut self,
        evidence: &Evidence,
        rules: &FenceRules,
        sight: Sight<impl FnOnce() -> bool>,
    ) -> Step {
        let lean = evidence.lean(rules);
        let untrusted = self.inside.is_none() && lean.is_inside() && !sight.trusted;
        let for_change = !untrusted && if self.inside.is_some() { lean.is_outside() } else { lean.is_inside() };
        let before = self.votes;
        let count = self.vote(for_change, evidence.time, rules.confirm);
        if !for_change {
            let finding = match lean {
                _ if untrusted => Finding::Untrusted,
                Lean::Unclear => Finding::Unclear,
                _ => Finding::Agrees,
            };
            return Step::quiet(finding, count);
        }
        if before == 0 && self.inside.is_none() {
            self.first_sight = (sight.first)();
        }
        if sight.wary {
            return Step::quiet(Finding::Wary, count);
        }
        let sure = matches!(lean, Lean::SurelyInside | Lean::SurelyOutside);
        let agreed = self.confirmed(count, evidence.time, rules.confirm);
        if self.inside.is_some() {
            let Some(rule) = decided(sure, agreed) else { return Step::quiet(Finding::Counted, count) };
            let left = Some(Left { at: evidence.time, at_edge: evidence.at_edge(rules) });
            *self = Self { left, ..Self::default() };
            let kind = TransitionKind::Exit { cause: ExitCause::Fixes };
            return Step { finding: Finding::Decided, transition: Some((kind, rule)), fixes: count };
        }
        // At first sight nothing tells a wild first fix from a true one, so being sure is not enough.
        let Some(rule) = decided(sure && !self.first_sight, agreed) else {
            return Step::quiet(Finding::Counted, count);
        };
        let guarded = |left: Left| left.at_edge && left.guards(evidence.time, rules) && evidence.at_edge(rules);
        if self.left.is_some_and(guarded) {
            return Step::quiet(Finding::Guarded, count);
        }
        let (cause, rule) = if self.first_sight {
            (EnterCause::AlreadyInside, Rule::AlreadyInside)
        } else {
            (EnterCause::Fixes, rule)
        };
        *self = Self { left: self.left, ..Self::seeded(evidence.time) };
        Step { finding: Finding::Decided, transition: Some((TransitionKind::Enter { cause }, rule)), fixes: count }
    }

    /// Takes in a vote; says how many of those that are looked at speak for the change.
    fn vote(&mut self, for_change: bool, time: Timestamp, confirm: Confirm) -> u8 {
        let of = match confirm {
            // All must agree: one against it begins anew.
            Confirm::Fixes { need, of } if need == of && !for_change => 0,
            Confirm::Time(_) if !for_change => 0,
            Confirm::Fixes { of, .. } => u32::from(of.clamp(1, 16)),
            Confirm::Time(_) => 16,
        };
        let mask = ((1_u32 << of) - 1) as u16;
        self.votes = ((self.votes << 1) | u16::from(for_change)) & mask;
        if self.votes == 0 {
            self.voting_since = None;
        } else {
            self.voting_since.get_or_insert(time);
        }
        self.votes.count_ones() as u8
    }

    fn confirmed(&self, count: u8, time: Timestamp, confirm: Confirm) -> Option<Rule> {
        match confirm {
            Confirm::Fixes { need, of } => {
                (count >= need).then_some(if need == of { Rule::Twice } else { Rule::Votes })
            }
            Confirm::Time(span) => {
                let lasted = self.voting_since.is_some_and(|since| time.since(since) >= span);
                (count >= 2 && lasted).then_some(Rule::Lasting)
            }
        }
    }
}

fn decided(sure: bool, agreed: Option<Rule>) -> Option<Rule> {
    if sure { Some(Rule::Sure) } else { agreed }
}
