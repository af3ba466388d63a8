//! One line of an entity's journal: a decision, whole. Its facts, the messages that it sends, what its player is
//! told and what the asker was answered stand or fall together, since they are one append.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::{EntityId, PlayerId};
use crate::quest::act::CommandId;
use crate::quest::command::Command;
use crate::quest::event::Event;
use crate::quest::notice::Notice;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// Names a message between entities: the sender's entry and the message's place in it. A replay makes the same
/// name, so the receiver recognises it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId {
    /// Who sent it.
    pub sender: EntityId,
    /// By which of its entries.
    pub seq: u64,
    /// The how-manyeth message of that entry, from 0.
    pub n: u16,
}

/// What set a decision off, where that must be recognised when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A message of another entity.
    Message(MessageId),
    /// A client's command, with a fingerprint of its content.
    Client { player: PlayerId, cmd: CommandId, fingerprint: u64 },
}

impl Cause {
    /// Its unique text within one entity; the journal refuses a second entry with the same.
    pub fn key(&self) -> String {
        match self {
            Self::Message(id) => format!("m {} {} {}", id.sender, id.seq, id.n),
            Self::Client { player, cmd, .. } => format!("c {player} {}", cmd.as_str()),
        }
    }
}

/// A message that an entry sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// To whom.
    pub to: EntityId,
    /// What is asked.
    pub command: Command,
}

/// A decision of one entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the entity's stream: dense, from 1.
    pub seq: u64,
    /// Server time of the decision.
    pub at: Timestamp,
    /// What set it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Links of the chain before this one.
    #[serde(default)]
    pub hops: u8,
    /// The facts, in order.
    pub events: Vec<Event>,
    /// Messages to other entities, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out: Vec<Outgoing>,
    /// What the player of this entity is told; offsets go on from the entries before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// What a client was answered, for when it asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<serde_json::Value>,
    /// Natural keys of the awards among the events: each at most once in this entity's stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awards: Vec<String>,
    /// An operator has dropped the message, since nobody could decide it: nothing came of it, and nothing will.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
}
