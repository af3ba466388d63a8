//! The messages of the Protobuf form, by the numbers of the protocol's own `client.proto`, as far as we use them.
//!
//! Written by hand, so that no build needs protoc. `bytes data` is JSON here, and declared as a text: on the wire that
//! is the same, and text that is not UTF-8 is refused with its frame. Both ends of this crate use them: the server and
//! the reference client. Promise: a field that stands here has its number for ever.

use prost::Message;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Command {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(message, optional, tag = "4")]
    pub connect: Option<Connect>,
    #[prost(message, optional, tag = "5")]
    pub subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "6")]
    pub unsubscribe: Option<Unsubscribe>,
    #[prost(message, optional, tag = "7")]
    pub publish: Option<Empty>,
    #[prost(message, optional, tag = "8")]
    pub presence: Option<Empty>,
    #[prost(message, optional, tag = "9")]
    pub presence_stats: Option<Empty>,
    #[prost(message, optional, tag = "10")]
    pub history: Option<Empty>,
    #[prost(message, optional, tag = "11")]
    pub ping: Option<Empty>,
    #[prost(message, optional, tag = "12")]
    pub send: Option<Data>,
    #[prost(message, optional, tag = "13")]
    pub rpc: Option<Rpc>,
    #[prost(message, optional, tag = "14")]
    pub refresh: Option<Refresh>,
    #[prost(message, optional, tag = "15")]
    pub sub_refresh: Option<Empty>,
}

/// Nothing, or nothing that matters here.
#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::net) struct Empty {}

/// Its token is not shown.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(in crate::net) struct Connect {
    #[prost(string, tag = "1")]
    pub token: String,
    #[prost(string, tag = "2")]
    pub data: String,
    #[prost(btree_map = "string, message", tag = "3")]
    pub subs: BTreeMap<String, Subscribe>,
    #[prost(string, tag = "4")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Subscribe {
    #[prost(string, tag = "1")]
    pub channel: String,
    #[prost(bool, tag = "3")]
    pub recover: bool,
    #[prost(string, tag = "6")]
    pub epoch: String,
    #[prost(uint64, tag = "7")]
    pub offset: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Unsubscribe {
    #[prost(string, tag = "1")]
    pub channel: String,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Rpc {
    #[prost(string, tag = "1")]
    pub data: String,
    #[prost(string, tag = "2")]
    pub method: String,
}

/// `send`, and the result of an rpc.
#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Data {
    #[prost(string, tag = "1")]
    pub data: String,
}

/// Its token is not shown.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(in crate::net) struct Refresh {
    #[prost(string, tag = "1")]
    pub token: String,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Reply {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(message, optional, tag = "2")]
    pub error: Option<Fault>,
    #[prost(message, optional, tag = "4")]
    pub push: Option<Push>,
    #[prost(message, optional, tag = "5")]
    pub connect: Option<Connected>,
    #[prost(message, optional, tag = "6")]
    pub subscribe: Option<Subscribed>,
    #[prost(message, optional, tag = "7")]
    pub unsubscribe: Option<Empty>,
    #[prost(message, optional, tag = "12")]
    pub ping: Option<Empty>,
    #[prost(message, optional, tag = "13")]
    pub rpc: Option<Data>,
    #[prost(message, optional, tag = "14")]
    pub refresh: Option<Refreshed>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Fault {
    #[prost(uint32, tag = "1")]
    pub code: u32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(bool, tag = "3")]
    pub temporary: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Push {
    #[prost(string, tag = "2")]
    pub channel: String,
    #[prost(message, optional, tag = "4")]
    pub publication: Option<Publication>,
    #[prost(message, optional, tag = "7")]
    pub unsubscribe: Option<Ended>,
    #[prost(message, optional, tag = "11")]
    pub disconnect: Option<Hangup>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Publication {
    #[prost(string, tag = "4")]
    pub data: String,
    /// 0: it has no place in a stream.
    #[prost(uint64, tag = "6")]
    pub offset: u64,
}

/// A subscription's end.
#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Ended {
    #[prost(uint32, tag = "2")]
    pub code: u32,
    #[prost(string, tag = "3")]
    pub reason: String,
}

/// A connection's end, which other servers tell in a push.
#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Hangup {
    #[prost(uint32, tag = "1")]
    pub code: u32,
    #[prost(string, tag = "2")]
    pub reason: String,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Connected {
    #[prost(string, tag = "1")]
    pub client: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(bool, tag = "3")]
    pub expires: bool,
    #[prost(uint32, tag = "4")]
    pub ttl: u32,
    #[prost(btree_map = "string, message", tag = "6")]
    pub subs: BTreeMap<String, Subscribed>,
    #[prost(uint32, tag = "7")]
    pub ping: u32,
    #[prost(bool, tag = "8")]
    pub pong: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Subscribed {
    #[prost(bool, tag = "3")]
    pub recoverable: bool,
    #[prost(string, tag = "6")]
    pub epoch: String,
    #[prost(message, repeated, tag = "7")]
    pub publications: Vec<Publication>,
    #[prost(bool, tag = "8")]
    pub recovered: bool,
    #[prost(uint64, tag = "9")]
    pub offset: u64,
    #[prost(bool, tag = "10")]
    pub positioned: bool,
    #[prost(string, tag = "11")]
    pub data: String,
    #[prost(bool, tag = "12")]
    pub was_recovering: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::net) struct Refreshed {
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(bool, tag = "3")]
    pub expires: bool,
    #[prost(uint32, tag = "4")]
    pub ttl: u32,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connect(..)")
    }
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refresh(..)")
    }
}
