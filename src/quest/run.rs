//! A team's run of a quest: which steps are open and done, and what the conditions of the quest file say to that.
//! The team is the one authority on progress; a solo player is a team of one.

use crate::ids::{PlayerId, StepId};
use crate::quest::definition::{Condition, Quest, Verb};
use crate::quest::event::RunRef;
use crate::quest::notice::EndReason;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which.
    pub run: RunRef,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// Steps that can be done now, and since when.
    pub open: BTreeMap<StepId, Timestamp>,
    /// Steps that are done.
    pub done: BTreeMap<StepId, Done>,
    /// Members who have done their part of an open step.
    pub reached: BTreeMap<StepId, BTreeMap<PlayerId, Part>>,
    /// Hints bought: number and cost.
    pub hints: BTreeMap<StepId, BTreeMap<u16, u32>>,
    /// Rewards: asked of the stock, or settled.
    pub rewards: BTreeMap<u16, RewardState>,
    /// Points of steps and rewards together.
    pub points: i64,
    /// Whether it is over, and how.
    pub over: Option<Over>,
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// When.
    pub at: Timestamp,
    /// By whom; empty for a group.
    pub by: BTreeSet<PlayerId>,
    /// The option, if it was a choice.
    pub choice: Option<String>,
}

/// A member's part of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// When it was done.
    pub at: Timestamp,
    /// When the member left the place again, if so.
    pub left: Option<Timestamp>,
}

impl Part {
    /// Whether it counts at `now`, when those who left count for `together` more.
    pub fn counts(&self, now: Timestamp, together: Option<Duration>) -> bool {
        match (self.left, together) {
            (Some(left), Some(together)) => now <= left + together,
            (None, _) | (_, None) => true,
        }
    }
}

/// A reward of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardState {
    /// The quest's area has been asked.
    Asked,
    /// Given, or gone and replaced.
    Settled,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// All steps done.
    Finished,
    /// Unfinished.
    Ended(EndReason),
}

impl Run {
    /// A run at its start.
    pub fn new(run: RunRef, ends_at: Option<Timestamp>) -> Self {
        Self {
            run,
            ends_at,
            open: BTreeMap::new(),
            done: BTreeMap::new(),
            reached: BTreeMap::new(),
            hints: BTreeMap::new(),
            rewards: BTreeMap::new(),
            points: 0,
            over: None,
        }
    }

    /// Whether a condition holds.
    pub fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Done(step) => self.done.contains_key(step),
            Condition::Points(points) => self.points >= i64::from(*points),
            Condition::Chose { step, option } => {
                self.done.get(step).is_some_and(|done| done.choice.as_ref() == Some(option))
            }
            Condition::All(all) => all.iter().all(|condition| self.holds(condition)),
            Condition::Any(any) => any.iter().any(|condition| self.holds(condition)),
            Condition::Not(condition) => !self.holds(condition),
        }
    }

    /// Whether an undone step can be done at `now`: its group is open, those before it in a sequence are done, its
    /// condition holds and its hours run.
    pub fn is_available(&self, quest: &Quest, id: &StepId, now: Timestamp) -> bool {
        let Some(step) = quest.steps.get(id) else { return false };
        let group_open = step.parent.as_ref().is_none_or(|parent| {
            let before_done = match quest.steps.get(parent).map(|parent| &parent.verb) {
                Some(Verb::Sequence(steps)) => {
                    steps.iter().take_while(|step| *step != id).all(|step| self.done.contains_key(step))
                }
                _ => true,
            };
            before_done && self.open.contains_key(parent) && !self.done.contains_key(parent)
        });
        let in_hours =
            |window: &Option<crate::window::Window>| window.as_ref().is_none_or(|window| window.is_open(now));
        group_open
            && step.after.as_ref().is_none_or(|condition| self.holds(condition))
            && in_hours(&step.available)
            && in_hours(&quest.available)
    }

    /// Whether a group has enough of its steps done; never for a leaf.
    pub fn is_group_done(&self, verb: &Verb) -> bool {
        let children = verb.children();
        let done = children.iter().filter(|step| self.done.contains_key(*step)).count();
        match verb {
            Verb::AnyOf { need, .. } => done >= usize::from(*need),
            Verb::Sequence(_) | Verb::AllOf(_) => done == children.len(),
            Verb::Visit { .. }
            | Verb::Answer { .. }
            | Verb::Scan { .. }
            | Verb::Photo { .. }
            | Verb::Follow { .. }
            | Verb::Choose { .. }
            | Verb::Meet { .. } => false,
        }
    }

    /// The members whose part of a step counts at `now`.
    pub fn counted(&self, step: &StepId, now: Timestamp, together: Option<Duration>) -> Vec<PlayerId> {
        self.reached.get(step).map_or_else(Vec::new, |parts| {
            parts.iter().filter(|(_, part)| part.counts(now, together)).map(|(player, _)| player.clone()).collect()
        })
    }

    /// What hints have taken off a step's points.
    pub fn hint_cost(&self, step: &StepId) -> u32 {
        self.hints.get(step).map_or(0, |hints| hints.values().sum())
    }

    /// The next time at which something changes by itself: the end, or the hours of a step not yet done.
    pub fn due(&self, quest: &Quest, now: Timestamp) -> Option<Timestamp> {
        if self.over.is_some() {
            return None;
        }
        let windows = quest
            .steps
            .iter()
            .filter(|(id, _)| !self.done.contains_key(*id))
            .filter_map(|(_, step)| step.available.as_ref())
            .chain(quest.available.as_ref());
        windows.filter_map(|window| window.next_change(now)).chain(self.ends_at).min()
    }
}
