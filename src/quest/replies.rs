//! What a command is answered, by method: as types, so that the schema of the wire is the code's own.
//!
//! A reply is kept in the journal as JSON, for when the command comes again. Promise: add fields, never rename one.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::{QuestId, TeamId};
use crate::units::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// It is done; there is nothing more to say.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Empty {}

/// `quest.start`: the run has begun.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Started<'a> {
    /// Which quest.
    pub quest: &'a QuestId,
    /// The version that is played.
    pub version: u32,
    /// When its time is over, if that is limited.
    pub ends_at: Option<Timestamp>,
}

/// `quest.answer`: whether it was right.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Answered {
    /// It was.
    Right {
        #[schemars(extend("const" = true))]
        correct: bool,
    },
    /// It was not: how many tries are left, and from when another is taken if none is.
    Wrong {
        #[schemars(extend("const" = false))]
        correct: bool,
        tries_left: u16,
        wait_until: Option<Timestamp>,
    },
}

/// `quest.photo`: what becomes of it.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct PhotoTaken {
    /// An operator will look at it.
    pub review: Review,
}

/// How a photo stands.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// Nobody has looked yet.
    Pending,
}

/// `quest.hint`: it comes as a notice.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct HintBought {
    /// Points that it took off the step's; 0 if the team had it already.
    pub cost: u32,
}

/// `team.create` and `team.join`: the team that you are in now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Joined<'a> {
    /// Its id.
    pub team: &'a TeamId,
    /// Its name.
    pub name: &'a str,
    /// What a friend must say to join.
    pub invite: String,
}
