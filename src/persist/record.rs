//! How an entry is stored: JSON that describes itself, beside the number of its form.
//!
//! Promise: what cannot be read whole is a fault that names the entity and the entry; nothing is ever skipped or
//! guessed. A store keeps `ver` beside the bytes, so that an old entry stays readable when the form changes.
//! The words of a fault and of a conflict are here too, so that they are the same on every store.

use super::{AppendError, ReadError};
use crate::ids::EntityId;
use crate::quest::entry::Entry;
use serde_json::error::Category;
use std::fmt::Display;

/// The form that this version writes: [`Entry`] as JSON.
pub(super) const VERSION: u32 = 1;

/// The form of snapshots that this version writes: an aggregate as JSON. One of another form is passed over, and the
/// entity is made of its entries: raise it when the aggregate's fields change their meaning.
pub(super) const SNAPSHOT_FORM: i32 = 3;

/// An entry in the form [`VERSION`].
pub(super) fn encode(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(entry).expect("an entry has only string keys and no serializer of it fails")
}

/// The entry that a store has under `seq`. `entity` and `offset` say in a fault what was read.
pub(super) fn decode(
    entity: &impl Display,
    offset: u64,
    seq: u64,
    ver: u32,
    payload: &[u8],
) -> Result<Entry, ReadError> {
    if ver != VERSION {
        return Err(corrupt(entity, offset, seq, format!("its form is {ver}, this version reads {VERSION}")));
    }
    let entry: Entry =
        serde_json::from_slice(payload).map_err(|fault| corrupt(entity, offset, seq, reason(&fault)))?;
    if entry.seq == seq {
        Ok(entry)
    } else {
        Err(corrupt(entity, offset, seq, format!("it says that it is entry {}", entry.seq)))
    }
}

/// The entity that a store names by kind and key, at an offset.
pub(super) fn entity(kind: i64, key: &str, offset: u64) -> Result<EntityId, ReadError> {
    let known = u8::try_from(kind).ok().and_then(|kind| EntityId::from_parts(kind, key));
    known.ok_or_else(|| {
        let name = format!("kind {kind} {key:?}");
        corrupt(&name, offset, 0, "no version has written such an entity".to_owned())
    })
}

/// An entry of an entity is not there, though a later one is: which.
pub(super) fn missing(entity: &EntityId, seq: u64, next: u64) -> ReadError {
    corrupt(entity, 0, seq, format!("it is missing; the next is {next}"))
}

/// A fault of what is stored.
pub(super) fn corrupt(entity: &impl Display, offset: u64, seq: u64, reason: String) -> ReadError {
    ReadError::Corrupt { entity: entity.to_string(), seq, offset, reason }
}

/// Says what is wrong without repeating what players said or where they were: only names of variants are told.
fn reason(fault: &serde_json::Error) -> String {
    let text = fault.to_string();
    if text.starts_with("unknown variant") {
        return text;
    }
    let what = match fault.classify() {
        Category::Data => "not what form 1 holds",
        Category::Syntax => "not JSON",
        Category::Eof => "cut short",
        Category::Io => "unreadable",
    };
    format!("{what}, line {} column {}", fault.line(), fault.column())
}

/// The entry is not the next one of its stream.
pub(super) fn not_next(seq: u64, ends: u64) -> AppendError {
    AppendError::Conflict(format!("seq: entry {seq} was to come, but the stream ends at {ends}"))
}

/// The cause has been borne before.
pub(super) fn cause_stands(cause: &str) -> AppendError {
    AppendError::Repeated(format!("cause: {cause:?} has an entry already"))
}

/// One of the awards has been given before.
pub(super) fn award_stands(awards: &[String]) -> AppendError {
    AppendError::Conflict(format!("award: one of {awards:?} has been given already"))
}

/// A version of a quest has been published with another text.
pub(super) fn quest_differs(quest: &impl Display, version: u32) -> AppendError {
    AppendError::Conflict(format!("version {version} of {quest} is published with another text"))
}

#[cfg(test)]
mod tests;
