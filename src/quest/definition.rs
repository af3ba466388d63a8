//! A published quest, checked and resolved: what the rules read.
//!
//! `content` makes it from a quest file; after that it never changes. Steps are a flat map with parents and children
//! by name, so a rule never walks a tree of boxes.
//! Promise (kept by `content::check`): every name used here exists here, groups form a forest, `need` is within its
//! list, and conditions have no cycle.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::{BadgeId, PlaceId, QuestId, StepId};
use crate::units::{Meters, MetersPerSecond};
use crate::window::Window;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A language tag such as `en` or `pt-BR`.
pub type Lang = String;

/// A text in one or more languages. Under the tag `""` stands a text that serves every language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub BTreeMap<Lang, String>);

impl Text {
    /// The text for `lang`, else its base language, else the one for all, else the first there is.
    pub fn in_lang(&self, lang: &str) -> &str {
        let base = lang.split('-').next().unwrap_or(lang);
        [lang, base, "", "en"]
            .iter()
            .find_map(|tag| self.0.get(*tag))
            .or_else(|| self.0.values().next())
            .map_or("", String::as_str)
    }
}

/// Which version of which quest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QuestRef {
    /// The quest.
    pub id: QuestId,
    /// Its published version, from 1.
    pub version: u32,
}

/// One immutable version of a quest.
#[derive(Debug, Clone, PartialEq)]
pub struct Quest {
    /// Name and version.
    pub quest: QuestRef,
    /// Title for people.
    pub title: Text,
    /// A sentence or two for people.
    pub summary: Text,
    /// Languages that every text promises to have; the first is the default.
    pub languages: Vec<Lang>,
    /// Who plays, and for how long.
    pub play: Play,
    /// When runs may start and steps count.
    pub available: Option<Window>,
    /// A quest that must have been finished before.
    pub requires: Option<QuestId>,
    /// Places by name; their shapes are `geo`'s.
    pub places: BTreeMap<PlaceId, Place>,
    /// Steps by name.
    pub steps: BTreeMap<StepId, Step>,
    /// Steps without a parent, in the order of the file.
    pub roots: Vec<StepId>,
    /// What is given when a run is finished, in the order of the file.
    pub rewards: Vec<Reward>,
    /// Limits under which a fix counts.
    pub safety: Safety,
}

/// Who plays and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// Team sizes allowed at the start; a solo quest is 1 to 1 and its player a team of one.
    pub team_size: (u16, u16),
    /// How long a run may last.
    pub time_limit: Option<Duration>,
    /// Whether a team may run it again after finishing.
    pub repeat: bool,
}

impl Play {
    /// A quest for one player, who needs no team.
    pub fn is_solo(&self) -> bool {
        self.team_size == (1, 1)
    }
}

/// What a place means to the rules and to the player's map.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Name for people.
    pub name: Text,
    /// Not sent to anyone until a step there is open.
    pub hidden: bool,
    /// GeoJSON geometry (circles: a Point with `radius`), passed through to the client.
    pub outline: serde_json::Value,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Title for people; the step's name when empty.
    pub title: Text,
    /// The group it belongs to.
    pub parent: Option<StepId>,
    /// What must be done.
    pub verb: Verb,
    /// What must hold first.
    pub after: Option<Condition>,
    /// When it can be done.
    pub available: Option<Window>,
    /// Points for the team, and for each player who did it.
    pub points: u32,
    /// Help that can be bought.
    pub hints: Vec<Hint>,
    /// Content shown on arrival, passed through (AR anchor, model, fallback).
    pub content: Option<serde_json::Value>,
}

/// What must be done in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Be at a place, perhaps for a while, perhaps together.
    Visit { at: PlaceId, stay: Duration, team: TeamRule },
    /// Answer a question, at a place if one is named.
    Answer { at: Option<PlaceId>, question: Text, accept: Vec<String>, tries: u16, wait: Duration },
    /// Scan the code that hangs at a place.
    Scan { at: PlaceId, code: String },
    /// Take a photo that an operator approves.
    Photo { at: PlaceId },
    /// Walk along a corridor, never farther from its line than `within`.
    Follow { along: PlaceId, within: Meters },
    /// Choose one option, at a place if one is named.
    Choose { at: Option<PlaceId>, question: Text, options: Vec<Choice> },
    /// Members of the team come together, anywhere: one of them, the centre, with the others within a distance of it.
    Meet { within: Meters, members: u16, stay: Duration },
    /// All of these, in this order.
    Sequence(Vec<StepId>),
    /// Any `need` of these.
    AnyOf { need: u16, steps: Vec<StepId> },
    /// All of these, in any order.
    AllOf(Vec<StepId>),
}

impl Verb {
    /// The place where it happens.
    pub fn place(&self) -> Option<&PlaceId> {
        match self {
            Self::Visit { at, .. } | Self::Scan { at, .. } | Self::Photo { at } => Some(at),
            Self::Follow { along, .. } => Some(along),
            Self::Answer { at, .. } | Self::Choose { at, .. } => at.as_ref(),
            Self::Meet { .. } | Self::Sequence(_) | Self::AnyOf { .. } | Self::AllOf(_) => None,
        }
    }

    /// The steps of a group; empty for a leaf.
    pub fn children(&self) -> &[StepId] {
        match self {
            Self::Sequence(steps) | Self::AllOf(steps) | Self::AnyOf { steps, .. } => steps,
            Self::Visit { .. }
            | Self::Answer { .. }
            | Self::Scan { .. }
            | Self::Photo { .. }
            | Self::Follow { .. }
            | Self::Choose { .. }
            | Self::Meet { .. } => &[],
        }
    }

    /// Its key in the quest file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Visit { .. } => "visit",
            Self::Answer { .. } => "answer",
            Self::Scan { .. } => "scan",
            Self::Photo { .. } => "photo",
            Self::Follow { .. } => "follow",
            Self::Choose { .. } => "choose",
            Self::Meet { .. } => "meet",
            Self::Sequence(_) => "sequence",
            Self::AnyOf { .. } => "any_of",
            Self::AllOf(_) => "all_of",
        }
    }
}

/// How many of a team must do a step, and how close in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TeamRule {
    /// Share of the members, 0 to 1; the count is rounded up.
    pub share: f64,
    /// Number of members at least.
    pub members: u16,
    /// How long one who has left again still counts as there. `None`: for ever.
    pub together: Option<Duration>,
}

impl TeamRule {
    /// One member suffices.
    pub const ANYONE: Self = Self { share: 0.0, members: 1, together: None };

    /// How many of `size` members it takes; never more than there are, never fewer than one.
    pub fn needed(&self, size: usize) -> usize {
        // share * size is exact enough: sizes are small and the epsilon undoes 0.1 * 30 = 3.0000000000000004.
        let by_share = (self.share * size as f64 - 1e-9).ceil().max(0.0) as usize;
        by_share.max(usize::from(self.members)).clamp(1, size.max(1))
    }
}

/// One option of a choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its name.
    pub id: String,
    /// Its label for people.
    pub label: Text,
    /// Points on top of the step's.
    pub points: u32,
}

/// Help that can be bought some time after a step has opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// What it says.
    pub text: Text,
    /// How long after the step opened it can be had.
    pub after: Duration,
    /// What it takes off the step's points.
    pub cost: u32,
}

/// A boolean tree over a run's progress.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The step is done.
    Done(StepId),
    /// The team has at least so many points in this run.
    Points(u32),
    /// The team's choice in a step.
    Chose { step: StepId, option: String },
    /// All hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// Does not hold.
    Not(Box<Condition>),
}

/// Who gets a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// Every member who took part.
    Player,
    /// The team, once.
    Team,
}

/// Given at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Reward {
    /// What.
    pub give: Give,
    /// To whom.
    pub each: Each,
    /// How many there are in all; `None`: no limit.
    pub stock: Option<u32>,
    /// What is given when the stock is gone.
    pub otherwise: Option<Give>,
    /// Only if this holds at the end.
    pub when: Option<Condition>,
}

/// Something given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Give {
    /// A badge.
    Badge(BadgeId),
    /// Points.
    Points(u32),
    /// One code from a pool of that name.
    CodePool(String),
}

/// Limits under which a fix counts for a quest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Safety {
    /// Faster fixes count for nothing.
    pub max_speed: Option<MetersPerSecond>,
    /// Less accurate fixes count for nothing.
    pub min_accuracy: Option<Meters>,
    /// Less plausible fixes bring nobody anywhere, 0 to 1.
    pub min_score: f64,
    /// Whether members see each other's position unless they say no.
    pub show_position_to_team: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_rounds_a_share_up_and_stays_within_the_team() {
        let all = TeamRule { share: 1.0, members: 1, together: None };
        let half = TeamRule { share: 0.5, members: 1, together: None };
        let tenth = TeamRule { share: 0.1, members: 1, together: None };
        assert_eq!((all.needed(3), half.needed(3), tenth.needed(30)), (3, 2, 3));
        assert_eq!(TeamRule { share: 0.0, members: 9, together: None }.needed(2), 2);
        assert_eq!(TeamRule::ANYONE.needed(0), 1);
    }

    #[test]
    fn text_falls_back_from_region_to_language_to_any() {
        let text = Text([("en".into(), "hi".into()), ("pt".into(), "oi".into())].into());
        assert_eq!(text.in_lang("pt-BR"), "oi");
        assert_eq!(text.in_lang("fi"), "hi");
    }
}
