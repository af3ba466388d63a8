//! The Centrifuge client protocol, version 2: bytes to commands, answers to bytes, in either of its forms.
//!
//! Pure. [`json`] and [`protobuf`] know how a form writes; everyone else speaks of [`Command`] and asks a [`Form`] for
//! lines. What methods and notices bear is JSON in both: the Protobuf form saves the envelope, not a second schema
//! (docs/adr/0015). Promise: no token in `Debug`, and data of a command stays unparsed until its method is known.

use super::auth::language;
use crate::actors::contract::{Push, StreamPosition, Welcome};
use crate::ids::PlayerId;
use crate::quest::refusal::Refusal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

pub(super) mod json;
mod meant;
pub(super) mod messages;
pub(super) mod protobuf;

pub(super) use meant::unknown_method;

/// What we are, for the connect reply.
pub(super) const VERSION: &str = concat!("waystone ", env!("CARGO_PKG_VERSION"));
/// Most commands in one frame: more than an SDK batches, less than what could starve other sockets.
pub(super) const COMMANDS_MAX: usize = 64;
/// Methods beside those of the quest's acts.
pub(super) const OWN_METHODS: [&str; 4] = ["fix", "fixes", "state.get", "wake"];
/// The protocol's code for what a server does not offer; ours never start below 1000.
const NOT_AVAILABLE: u32 = 108;
/// The protocol's code for "the server ended this subscription; do not subscribe again by yourself".
const UNSUBSCRIBED: u32 = 2000;
const UNSUBSCRIBED_WHY: &str = "server unsubscribe";

/// How the protocol is written on one connection; its sub-protocol decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// `centrifuge-json`, or none: JSON objects in text frames.
    #[default]
    Json,
    /// `centrifuge-protobuf`: messages, each after its length, in binary frames.
    Protobuf,
}

/// One command.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) id: u32,
    pub(super) ask: Ask<'a>,
}

/// What a command asks for. Data is JSON, or nothing.
#[derive(Debug)]
pub(super) enum Ask<'a> {
    /// Nothing: the client's answer to a ping.
    Pong,
    Connect(ConnectRequest),
    Rpc {
        method: Cow<'a, str>,
        data: Cow<'a, str>,
    },
    /// Without a reply, and so without an id.
    Send {
        data: Cow<'a, str>,
    },
    Subscribe {
        channel: String,
    },
    Unsubscribe {
        channel: String,
    },
    Refresh {
        token: Bearer,
    },
    Ping,
    /// What the protocol has and this server has not.
    Unavailable,
    /// What the protocol has not.
    Unknown,
}

impl Ask<'_> {
    /// A command that names none of the requests that we know.
    fn nothing(id: u32) -> Self {
        if id == 0 { Self::Pong } else { Self::Unknown }
    }
}

/// A token as it came; not shown.
#[derive(Default)]
pub(super) struct Bearer(pub(super) String);

impl From<String> for Bearer {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

/// `connect`.
#[derive(Debug, Default)]
pub(super) struct ConnectRequest {
    pub(super) token: Bearer,
    data: ConnectData,
    /// Where the client left off, by channel.
    subs: HashMap<String, StreamPosition>,
}

/// `data` of connect, where the token has no such claim; what is of another type is passed over.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct ConnectData {
    /// The player's name for people: its first 60 characters count.
    #[schemars(with = "Option<String>")]
    name: Value,
    /// A language tag, such as `fi`.
    #[schemars(with = "Option<String>")]
    lang: Value,
    /// Where the app left off, for SDKs that forget it when a page is loaded anew; what the SDK says itself counts more.
    #[schemars(with = "Option<ResumeData>")]
    resume: Value,
}

/// A place in the player's own channel, as the app remembers it.
#[derive(Deserialize, JsonSchema)]
struct ResumeData {
    /// `epoch` of the own channel.
    epoch: String,
    /// The last offset seen.
    offset: u64,
}

impl fmt::Debug for ConnectData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectData(..)")
    }
}

/// `data` of `send`: a fix without a reply.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendData<'a> {
    #[serde(borrow)]
    pub(super) fix: &'a serde_json::value::RawValue,
}

impl ConnectRequest {
    /// Where the client left off in its own channel.
    pub(super) fn resume(&self, player: &PlayerId) -> Option<StreamPosition> {
        let remembered = || ResumeData::deserialize(&self.data.resume).ok();
        let told = |ResumeData { epoch, offset }| StreamPosition { epoch, offset };
        self.subs.get(&channel_of(player)).cloned().or_else(|| remembered().map(told))
    }

    /// A text of `data` that stands in for a claim which the token does not make.
    pub(super) fn lang(&self) -> Option<String> {
        self.data.lang.as_str().and_then(language)
    }

    /// The same for the name, with the bound that the token's has.
    pub(super) fn name(&self) -> Option<String> {
        let name = self.data.name.as_str()?.trim();
        let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        (!name.is_empty()).then_some(name)
    }
}

/// The peer does not speak the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAProtocol;

/// The player's own channel, which the server subscribes it to.
pub(super) fn channel_of(player: &PlayerId) -> String {
    format!("#{player}")
}

/// What a connect reply says beside the welcome.
#[derive(Debug, Clone)]
pub(super) struct Greeting<'a> {
    /// Of this connection, made up.
    pub(super) client: &'a str,
    pub(super) player: &'a PlayerId,
    /// Seconds between pings.
    pub(super) ping: u32,
    /// Seconds until the token ends, 1 or more.
    pub(super) ttl: u32,
    /// What the client asked to resume from.
    pub(super) resume: Option<&'a StreamPosition>,
}

/// Largest part of what was missed that rides in the connect reply; the rest follows as pushes.
const MISSED_BYTES_FIRST: usize = 32 * 1024;

/// The own channel's part of a connect reply.
struct Recovery {
    channel: String,
    epoch: String,
    offset: u64,
    was_recovering: bool,
    recovered: bool,
    /// What was missed and rides in the reply: offsets and JSON.
    first: Vec<(u64, String)>,
}

impl Recovery {
    /// And what was missed besides, in order.
    ///
    /// After a recovery `offset` is where the client resumed from and each publication moves it, so that a connection
    /// which breaks half-way resumes at the right place.
    fn of(greeting: &Greeting<'_>, welcome: &Welcome) -> (Self, Vec<(u64, String)>) {
        let recovered = welcome.recovered && greeting.resume.is_some();
        let missed = if recovered { &welcome.missed[..] } else { &[] };
        let mut rest: Vec<_> = missed.iter().map(|(offset, notice)| (*offset, text_of(&**notice))).collect();
        let mut bytes = 0;
        let full = rest.iter().position(|(_, data)| {
            bytes += data.len();
            bytes >= MISSED_BYTES_FIRST
        });
        let first = rest.drain(..full.map_or(rest.len(), |last| last + 1)).collect();
        let sub = Self {
            channel: channel_of(greeting.player),
            epoch: welcome.position.epoch.clone(),
            offset: greeting.resume.filter(|_| recovered).map_or(welcome.position.offset, |resume| resume.offset),
            was_recovering: greeting.resume.is_some(),
            recovered,
            first,
        };
        (sub, rest)
    }
}

/// Whole seconds, 1 at least: SDKs take 0 for "never".
pub(super) fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs().max(1)).unwrap_or(u32::MAX)
}

/// Plain data with text keys, which JSON can always bear.
fn text_of(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_else(|_| "{}".into())
}

impl Form {
    /// Its name among sub-protocols.
    pub(super) const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "centrifuge-json",
            Self::Protobuf => "centrifuge-protobuf",
        }
    }

    /// What stands between two lines of one frame.
    pub(super) const fn separator(self) -> &'static [u8] {
        match self {
            Self::Json => b"\n",
            // Each says how long it is.
            Self::Protobuf => b"",
        }
    }

    /// A ping, and the client's pong.
    pub(super) fn ping(self) -> Vec<u8> {
        match self {
            Self::Json => json::PING.into(),
            Self::Protobuf => protobuf::PING.into(),
        }
    }

    /// The connect reply, and the pushes that must follow it at once.
    pub(super) fn connected(self, id: u32, greeting: &Greeting<'_>, welcome: &Welcome) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (recovery, rest) = Recovery::of(greeting, welcome);
        let pushes = rest.into_iter().map(|(offset, data)| self.notice(&recovery.channel, offset, data)).collect();
        let reply = match self {
            Self::Json => json::connected(id, greeting, &recovery).into(),
            Self::Protobuf => protobuf::connected(id, greeting, recovery),
        };
        (reply, pushes)
    }

    /// A push; `player` owns the channel of notices.
    pub(super) fn push(self, player: &PlayerId, push: &Push) -> Vec<u8> {
        match (push, self) {
            (Push::Notice { offset, notice }, _) => self.notice(&channel_of(player), *offset, text_of(&**notice)),
            (Push::Live { channel, data }, Self::Json) => json::live(channel, &data.to_string()).into(),
            (Push::Live { channel, data }, Self::Protobuf) => protobuf::live(channel, data.to_string()),
            (Push::Unsubscribed { channel }, Self::Json) => json::unsubscribed(channel).into(),
            (Push::Unsubscribed { channel }, Self::Protobuf) => protobuf::unsubscribed(channel),
        }
    }

    fn notice(self, channel: &str, offset: u64, data: String) -> Vec<u8> {
        match self {
            Self::Json => json::notice(channel, offset, &data).into(),
            Self::Protobuf => protobuf::notice(channel, offset, data),
        }
    }

    /// The answer to an rpc, whatever came of it.
    pub(super) fn answer(self, id: u32, answer: Result<impl Serialize, Refusal>) -> Vec<u8> {
        match answer {
            Ok(value) => self.rpc_reply(id, &value),
            Err(refusal) => self.error_reply(id, &refusal),
        }
    }

    /// The answer to an rpc that went well.
    pub(super) fn rpc_reply(self, id: u32, data: &impl Serialize) -> Vec<u8> {
        match (serde_json::to_string(data), self) {
            (Ok(data), Self::Json) => json::rpc_reply(id, &data).into(),
            (Ok(data), Self::Protobuf) => protobuf::rpc_reply(id, data),
            (Err(_), _) => {
                self.error_reply(id, &Refusal::internal("the reply could not be written; this is a fault of ours"))
            }
        }
    }

    /// The answer to what was refused.
    pub(super) fn error_reply(self, id: u32, refusal: &Refusal) -> Vec<u8> {
        match self {
            Self::Json => json::error_reply(id, refusal).into(),
            Self::Protobuf => protobuf::error_reply(id, refusal),
        }
    }

    /// The answer to `subscribe`, with what the channel bears now.
    pub(super) fn subscribed(self, id: u32, data: &Value) -> Vec<u8> {
        match self {
            Self::Json => json::reply(id, "subscribe", &json!({"data": data})).into(),
            Self::Protobuf => protobuf::subscribed(id, data.to_string()),
        }
    }

    /// The answer to `unsubscribe`.
    pub(super) fn unsubscribed(self, id: u32) -> Vec<u8> {
        match self {
            Self::Json => json::reply(id, "unsubscribe", &json!({})).into(),
            Self::Protobuf => protobuf::unsubscribe_reply(id),
        }
    }

    /// The answer to the client's own ping.
    pub(super) fn pinged(self, id: u32) -> Vec<u8> {
        match self {
            Self::Json => json::reply(id, "ping", &json!({})).into(),
            Self::Protobuf => protobuf::ping_reply(id),
        }
    }

    /// The answer to `refresh`: the new token lasts for `ttl` seconds.
    pub(super) fn refreshed(self, id: u32, ttl: u32) -> Vec<u8> {
        match self {
            Self::Json => {
                json::reply(id, "refresh", &json!({"version": VERSION, "expires": true, "ttl": ttl})).into()
            }
            Self::Protobuf => protobuf::refresh_reply(id, ttl),
        }
    }
}

/// For commands of the protocol that this server has no use for.
pub(super) fn not_available() -> Refusal {
    let message = "not available: Waystone has no presence, history or publishing; subscribe, or call state.get";
    Refusal { code: NOT_AVAILABLE, message: message.into(), temporary: false }
}

#[cfg(test)]
mod tests;
