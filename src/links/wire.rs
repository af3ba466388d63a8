//! The messages of a link. `proto/links.proto` says the same for readers and other languages; these structs are what
//! is compiled, so that no build needs protoc.
//!
//! What a link itself must understand (numbers, epoch, time, entity) are fields; what it only carries is the JSON of
//! our own enums. Promise: a kind or a field that this version does not know is passed over, and never ends a link.

use crate::cluster::link::{Call, Note, Reply};
use crate::ids::EntityId;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What goes over a stream, either way.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Frame {
    /// In the first message each way, and only there.
    #[prost(message, optional, tag = "1")]
    pub(super) hello: Option<Hello>,
    /// The sender's milliseconds since the stream began.
    #[prost(uint64, tag = "2")]
    pub(super) sent_ms: u64,
    #[prost(message, repeated, tag = "3")]
    pub(super) envelopes: Vec<Envelope>,
}

/// Who speaks.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Hello {
    /// The id of the journal that the cluster shares.
    #[prost(string, tag = "1")]
    pub(super) cluster: String,
    #[prost(string, tag = "2")]
    pub(super) node: String,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(uint32, tag = "4")]
    pub(super) protocol_min: u32,
    #[prost(uint32, tag = "5")]
    pub(super) protocol_max: u32,
    /// From the one who dials: whom it means to reach.
    #[prost(string, tag = "6")]
    pub(super) to: String,
}

/// One call, reply or note.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Envelope {
    /// Of the call that this is or answers; 0 for notes.
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(enumeration = "Kind", tag = "2")]
    pub(super) kind: i32,
    /// How long the call or note is worth something, from when the message was sent.
    #[prost(uint32, tag = "3")]
    pub(super) ttl_ms: u32,
    #[prost(uint64, tag = "4")]
    pub(super) epoch: u64,
    #[prost(uint32, tag = "5")]
    pub(super) entity_kind: u32,
    #[prost(string, tag = "6")]
    pub(super) entity_key: String,
    /// JSON.
    #[prost(bytes = "bytes", tag = "7")]
    pub(super) body: Bytes,
}

/// What an envelope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    /// From a version that this one does not know.
    Unknown = 0,
    /// A `Request` to an entity.
    EntityCall = 1,
    /// A `NodeQuestion`.
    NodeCall = 2,
    /// A `Note`.
    Note = 3,
    /// `Result<Response, Undelivered>`.
    EntityReply = 4,
    /// An `Ownership`.
    MovedReply = 5,
    /// Any JSON.
    NodeReply = 6,
    /// There is no answer: whether it was done is not known. No body.
    FailedReply = 7,
}

/// Why an envelope could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("an envelope of kind {0} has no business here")]
    Kind(i32),
    #[error("no entity has the kind and key of an envelope")]
    Entity,
    #[error("a body is not what its kind says: {0}")]
    Body(#[from] serde_json::Error),
}

impl Envelope {
    pub(super) fn call(call: &Call) -> Result<Self, WireError> {
        Ok(match call {
            Call::Entity { to, epoch, request } => Self {
                epoch: *epoch,
                entity_kind: u32::from(to.kind()),
                entity_key: to.key().to_owned(),
                ..Self::of(Kind::EntityCall, request)?
            },
            Call::Node(question) => Self::of(Kind::NodeCall, question)?,
        })
    }

    pub(super) fn note(note: &Note) -> Result<Self, WireError> {
        Self::of(Kind::Note, note)
    }

    pub(super) fn reply(number: u64, reply: &Reply) -> Result<Self, WireError> {
        let envelope = match reply {
            Reply::Entity(answer) => Self::of(Kind::EntityReply, answer)?,
            Reply::Moved(ownership) => Self::of(Kind::MovedReply, ownership)?,
            Reply::Node(value) => Self::of(Kind::NodeReply, value)?,
        };
        Ok(Self { number, ..envelope })
    }

    pub(super) fn failed(number: u64) -> Self {
        Self { number, kind: Kind::FailedReply.into(), ..Self::default() }
    }

    fn of(kind: Kind, body: &impl Serialize) -> Result<Self, WireError> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        Ok(Self { kind: kind.into(), body, ..Self::default() })
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind(), Kind::EntityCall | Kind::NodeCall)
    }

    pub(super) fn read_call(&self) -> Result<Call, WireError> {
        match self.kind() {
            Kind::EntityCall => {
                let kind = u8::try_from(self.entity_kind).map_err(|_| WireError::Entity)?;
                let to = EntityId::from_parts(kind, &self.entity_key).ok_or(WireError::Entity)?;
                Ok(Call::Entity { to, epoch: self.epoch, request: self.read()? })
            }
            Kind::NodeCall => Ok(Call::Node(self.read()?)),
            _ => Err(WireError::Kind(self.kind)),
        }
    }

    pub(super) fn read_note(&self) -> Result<Note, WireError> {
        match self.kind() {
            Kind::Note => self.read(),
            _ => Err(WireError::Kind(self.kind)),
        }
    }

    pub(super) fn read_reply(&self) -> Result<Reply, WireError> {
        match self.kind() {
            Kind::EntityReply => Ok(Reply::Entity(self.read()?)),
            Kind::MovedReply => Ok(Reply::Moved(self.read()?)),
            Kind::NodeReply => Ok(Reply::Node(self.read()?)),
            _ => Err(WireError::Kind(self.kind)),
        }
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}
