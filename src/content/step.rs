//! A step of a quest file as written, with its ten verbs; the part of [`super::file`] that says what players do.
//!
//! A verb is an optional field, not an enum: then a typo in its inside is reported at its own line and column.
//! Promise: `check` sees to it that a step has exactly one verb; nothing here assumes it.

use super::condition::Condition;
use super::file::{Extensions, Window};
use super::spot::{At, Spot};
use super::values::{Length, Span, Words};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One thing to do. It has exactly one of `visit`, `answer`, `scan`, `photo`, `follow`, `choose`, `meet`, `sequence`,
/// `any_of` and `all_of`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["visit"] }, { "required": ["answer"] }, { "required": ["scan"] }, { "required": ["photo"] },
    { "required": ["follow"] }, { "required": ["choose"] }, { "required": ["meet"] }, { "required": ["sequence"] },
    { "required": ["any_of"] }, { "required": ["all_of"] }
]))]
pub struct Step {
    /// The step's name for machines; no other step of the quest has it.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,47}$"))]
    pub id: At<String>,
    /// The title that players see. Without it they see the id.
    pub title: Option<At<Words>>,
    /// What must be done before this opens: a step's id, or a condition such as `{ all: [gather, { points: 100 }] }`.
    pub after: Option<At<Condition>>,
    /// When this can be done. Without it: whenever the quest can.
    pub available: Option<At<Window>>,
    /// Points for the team, and for each player who did it.
    #[serde(default)]
    pub points: u32,
    /// Help that opens after a while.
    #[serde(default)]
    pub hints: Vec<Hint>,
    /// Augmented reality shown on arrival.
    pub ar: Option<Ar>,
    /// Be at a place.
    pub visit: Option<At<Visit>>,
    /// Answer a question.
    pub answer: Option<At<Answer>>,
    /// Scan the code that hangs at a place.
    pub scan: Option<At<Scan>>,
    /// Take a photo.
    pub photo: Option<At<Photo>>,
    /// Walk along a way.
    pub follow: Option<At<Follow>>,
    /// Choose between options.
    pub choose: Option<At<Choose>>,
    /// Come together, wherever that is.
    pub meet: Option<At<Meet>>,
    /// All of these steps, in this order.
    pub sequence: Option<At<Vec<Step>>>,
    /// Some of these steps.
    pub any_of: Option<At<AnyOf>>,
    /// All of these steps, in any order.
    pub all_of: Option<At<Vec<Step>>>,
    /// Extra data for your own app, under keys that start with `x-`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>", extend("propertyNames" = { "pattern": "^x-" }))]
    pub extensions: Extensions,
}

/// Be at a place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// The place.
    pub at: At<String>,
    /// How long to stay, such as `60s`. Without it: arriving is enough.
    pub stay: Option<At<Span>>,
    /// How many of the team must be there. Without it: one is enough.
    pub team: Option<At<Team>>,
}

/// How many of a team it takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// A share of the members: `0.5` is half, `1.0` everyone; rounded up.
    pub share: Option<At<f64>>,
    /// A number of members.
    pub members: Option<At<u16>>,
    /// How long someone who has left still counts as there, such as `2m`. Without it: for the whole run.
    pub together: Option<At<Span>>,
}

/// Answer a question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The place where it must be answered. Without it: anywhere.
    pub at: Option<At<String>>,
    /// The question.
    pub question: At<Words>,
    /// Every answer that is right, in all languages; case does not matter.
    #[schemars(extend("items" = { "type": ["string", "number", "boolean"] }))]
    pub accept: At<Vec<At<String>>>,
    /// How many wrong answers before one must wait. Without it: as many as one likes.
    pub tries: Option<At<u16>>,
    /// How long to wait after so many wrong answers; `1m` if left out.
    pub wait: Option<At<Span>>,
}

/// Scan the code that hangs at a place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The place.
    pub at: At<String>,
    /// The text in the code, if a code hangs there already. Without it the server makes a secret one to print.
    pub code: Option<At<String>>,
}

/// Take a photo that somebody approves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Photo {
    /// The place.
    pub at: At<String>,
    /// Who looks at it: `operator`.
    #[serde(default)]
    pub review: Review,
}

/// Who approves a photo.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// Someone at the console.
    #[default]
    Operator,
}

/// Walk along a way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// A place with a `line`.
    pub along: At<String>,
    /// How far from the line one may stray, such as `15m`; half the way's `width` if left out.
    pub within: Option<At<Length>>,
}

/// Choose between options; later conditions can ask which one it was.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// The place where one must choose. Without it: anywhere.
    pub at: Option<At<String>>,
    /// The question.
    pub question: At<Words>,
    /// The options, at least two.
    pub options: At<Vec<Choice>>,
}

/// One option of a choice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its name for machines.
    pub id: At<String>,
    /// Its label for players.
    pub label: At<Words>,
    /// Points on top of the step's own.
    #[serde(default)]
    pub points: u32,
}

/// Members of the team come together, wherever that is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Meet {
    /// How near the others must be to one of them, such as `30m`; 10 m to 1 km.
    pub within: At<Length>,
    /// How many it takes, that one included; `2` if left out.
    pub members: Option<At<u16>>,
    /// How long they must stay together, such as `30s`. Without it: coming together is enough.
    pub stay: Option<At<Span>>,
}

/// Some of a list of steps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnyOf {
    /// How many of them it takes; `1` if left out.
    pub need: Option<At<u16>>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// Help that opens a while after the step has opened.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// What it says.
    pub text: At<Words>,
    /// How long after the step has opened, such as `5m`. Without it: at once.
    pub after: Option<At<Span>>,
    /// How many of the step's points it costs; nothing if left out.
    pub cost: Option<At<u32>>,
}

/// Augmented reality content; the server passes it to the app as it stands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ar {
    /// Where it stands.
    pub anchor: Anchor,
    /// The address of the model, such as a `.glb` file.
    pub model: String,
    /// Its size; `1` is as modelled.
    pub scale: Option<f64>,
    /// The address of a picture for phones that cannot show the model.
    pub fallback: Option<String>,
}

/// Where augmented reality content stands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// `[longitude, latitude]` or `[longitude, latitude, altitude]`.
    pub at: At<Vec<f64>>,
    /// The direction that it faces, in degrees clockwise from north.
    pub heading: Option<f64>,
}

/// The verb of a step, borrowed from the field that it stands in.
#[derive(Debug, Clone, Copy)]
pub enum Verb<'a> {
    /// Be at a place.
    Visit(&'a Visit),
    /// Answer a question.
    Answer(&'a Answer),
    /// Scan a code.
    Scan(&'a Scan),
    /// Take a photo.
    Photo(&'a Photo),
    /// Walk along a way.
    Follow(&'a Follow),
    /// Choose an option.
    Choose(&'a Choose),
    /// Come together.
    Meet(&'a Meet),
    /// All, in order.
    Sequence(&'a [Step]),
    /// Some.
    AnyOf(&'a AnyOf),
    /// All.
    AllOf(&'a [Step]),
}

impl Step {
    /// The verbs that the step has, with where they stand: exactly one if the step is sound.
    pub fn verbs(&self) -> Vec<(Spot, Verb<'_>)> {
        let found = [
            self.visit.as_ref().map(|at| (at.spot, Verb::Visit(at))),
            self.answer.as_ref().map(|at| (at.spot, Verb::Answer(at))),
            self.scan.as_ref().map(|at| (at.spot, Verb::Scan(at))),
            self.photo.as_ref().map(|at| (at.spot, Verb::Photo(at))),
            self.follow.as_ref().map(|at| (at.spot, Verb::Follow(at))),
            self.choose.as_ref().map(|at| (at.spot, Verb::Choose(at))),
            self.meet.as_ref().map(|at| (at.spot, Verb::Meet(at))),
            self.sequence.as_ref().map(|at| (at.spot, Verb::Sequence(at))),
            self.any_of.as_ref().map(|at| (at.spot, Verb::AnyOf(at))),
            self.all_of.as_ref().map(|at| (at.spot, Verb::AllOf(at))),
        ];
        let mut verbs: Vec<_> = found.into_iter().flatten().collect();
        verbs.sort_by_key(|(spot, _)| *spot);
        verbs
    }
}

impl<'a> Verb<'a> {
    /// The steps of a group; empty for what is no group.
    pub fn children(self) -> &'a [Step] {
        match self {
            Self::Sequence(steps) | Self::AllOf(steps) => steps,
            Self::AnyOf(group) => &group.steps,
            Self::Visit(_) | Self::Answer(_) | Self::Scan(_) | Self::Photo(_) => &[],
            Self::Follow(_) | Self::Choose(_) | Self::Meet(_) => &[],
        }
    }

    /// The place where it is done, if one is named.
    pub fn place(self) -> Option<&'a At<String>> {
        match self {
            Self::Visit(Visit { at, .. }) | Self::Scan(Scan { at, .. }) | Self::Photo(Photo { at, .. }) => Some(at),
            Self::Follow(follow) => Some(&follow.along),
            Self::Answer(Answer { at, .. }) | Self::Choose(Choose { at, .. }) => at.as_ref(),
            Self::Meet(_) | Self::Sequence(_) | Self::AnyOf(_) | Self::AllOf(_) => None,
        }
    }
}
