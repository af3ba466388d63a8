//! The Centrifuge client protocol, version 2, in its JSON form: bytes to commands, answers to bytes.
//!
//! Pure. Commands and replies are JSON objects, several to a text frame with newlines between; see
//! `docs/protocol.md`. Unknown fields are ignored, so newer SDKs may say more. Promise: no token in `Debug`, and
//! data of a command stays unparsed until its method is known.

use super::auth::language;
use crate::actors::contract::{Push, StreamPosition, Welcome};
use crate::ids::PlayerId;
use crate::quest::act::METHODS;
use crate::quest::notice::Notice;
use crate::quest::refusal::Refusal;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// What we are, for the connect reply.
pub(super) const VERSION: &str = concat!("waystone ", env!("CARGO_PKG_VERSION"));
/// A ping, and the client's pong.
pub(super) const PING: &str = "{}";
/// Most commands in one frame: more than an SDK batches, less than what could starve other sockets.
pub(super) const COMMANDS_MAX: usize = 64;
/// Methods beside those of [`METHODS`].
pub(super) const OWN_METHODS: [&str; 4] = ["fix", "fixes", "state.get", "wake"];
/// The protocol's code for what a server does not offer; ours never start below 1000.
const NOT_AVAILABLE: u32 = 108;
/// The protocol's code for "the server ended this subscription; do not subscribe again by yourself".
const UNSUBSCRIBED: u32 = 2000;

/// One command.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Command<'a> {
    pub(super) id: u32,
    pub(super) connect: Option<ConnectRequest>,
    #[serde(borrow)]
    pub(super) rpc: Option<RpcRequest<'a>>,
    #[serde(borrow)]
    pub(super) send: Option<SendRequest<'a>>,
    pub(super) subscribe: Option<ChannelRequest>,
    pub(super) unsubscribe: Option<ChannelRequest>,
    pub(super) refresh: Option<RefreshRequest>,
    pub(super) ping: Option<IgnoredAny>,
    presence: Option<IgnoredAny>,
    presence_stats: Option<IgnoredAny>,
    history: Option<IgnoredAny>,
    publish: Option<IgnoredAny>,
    sub_refresh: Option<IgnoredAny>,
}

/// `connect`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ConnectRequest {
    pub(super) token: String,
    #[serde(deserialize_with = "as_far_as_known")]
    data: ConnectData,
    subs: HashMap<String, RecoverRequest>,
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
}

/// Apps may send data of their own.
fn as_far_as_known<'de, D: Deserializer<'de>>(data: D) -> Result<ConnectData, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(data)?).unwrap_or_default())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RecoverRequest {
    recover: bool,
    offset: u64,
    epoch: String,
}

/// `rpc`.
#[derive(Debug, Deserialize)]
pub(super) struct RpcRequest<'a> {
    #[serde(default)]
    pub(super) method: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
}

/// `send`.
#[derive(Debug, Deserialize)]
pub(super) struct SendRequest<'a> {
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// `data` of `send`: a fix without a reply.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendData<'a> {
    #[serde(borrow)]
    pub(super) fix: &'a RawValue,
}

/// `subscribe` and `unsubscribe`.
#[derive(Debug, Deserialize)]
pub(super) struct ChannelRequest {
    pub(super) channel: String,
}

/// `refresh`.
#[derive(Deserialize)]
pub(super) struct RefreshRequest {
    pub(super) token: String,
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectRequest(..)")
    }
}

impl fmt::Debug for RefreshRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshRequest(..)")
    }
}

impl ConnectRequest {
    /// Where the client left off in its own channel.
    pub(super) fn resume(&self, player: &PlayerId) -> Option<StreamPosition> {
        let sub = self.subs.get(&channel_of(player)).filter(|sub| sub.recover)?;
        Some(StreamPosition { epoch: sub.epoch.clone(), offset: sub.offset })
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

impl Command<'_> {
    /// Whether it is the client's answer to a ping.
    pub(super) fn is_pong(&self) -> bool {
        self.id == 0 && !self.is_request() && self.send.is_none()
    }

    /// Whether it asks for what the protocol has and this server has not.
    pub(super) fn is_unavailable(&self) -> bool {
        let all = [&self.presence, &self.presence_stats, &self.history, &self.publish, &self.sub_refresh];
        all.iter().any(|field| field.is_some())
    }

    fn is_request(&self) -> bool {
        self.connect.is_some()
            || self.rpc.is_some()
            || self.subscribe.is_some()
            || self.unsubscribe.is_some()
            || self.refresh.is_some()
            || self.ping.is_some()
            || self.is_unavailable()
    }
}

/// The commands of a frame; `Err` for one that no SDK sends.
pub(super) fn commands(frame: &str) -> Result<Vec<Command<'_>>, NotAProtocol> {
    let lines = || frame.split('\n').filter(|line| !line.trim().is_empty());
    let count = lines().count();
    if count == 0 || count > COMMANDS_MAX {
        return Err(NotAProtocol);
    }
    // serde would take an array for a struct, field by field.
    let object = |line: &&str| line.trim_start().starts_with('{');
    let parse = |line| serde_json::from_str(Some(line).filter(object).ok_or(NotAProtocol)?).map_err(|_| NotAProtocol);
    lines().map(parse).collect()
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
    pub(super) ping: u64,
    /// Seconds until the token ends.
    pub(super) ttl: u64,
    /// What the client asked to resume from.
    pub(super) resume: Option<&'a StreamPosition>,
}

/// Largest part of what was missed that rides in the connect reply; the rest follows as pushes.
const MISSED_BYTES_FIRST: usize = 32 * 1024;

/// The connect reply, and the pushes that must follow it at once.
///
/// After a recovery `offset` is where the client resumed from and each publication moves it, so that a connection
/// which breaks half-way resumes at the right place.
pub(super) fn connected(id: u32, greeting: &Greeting<'_>, welcome: &Welcome) -> (String, Vec<String>) {
    let channel = channel_of(greeting.player);
    let recovered = welcome.recovered && greeting.resume.is_some();
    let missed = if recovered { &welcome.missed[..] } else { &[] };
    let mut publications = Vec::new();
    let mut bytes = 0;
    let mut rest = missed.iter();
    for (offset, notice) in rest.by_ref() {
        let publication = publication(*offset, notice);
        bytes += publication.len();
        publications.push(publication);
        if bytes >= MISSED_BYTES_FIRST {
            break;
        }
    }
    let pushes = rest.map(|(offset, notice)| push_line(&channel, &publication(*offset, notice))).collect();
    let offset = greeting.resume.filter(|_| recovered).map_or(welcome.position.offset, |resume| resume.offset);
    let sub = json!({
        "recoverable": true, "positioned": true, "epoch": welcome.position.epoch, "offset": offset,
        "was_recovering": greeting.resume.is_some(), "recovered": recovered,
    });
    let with_missed = match publications.is_empty() {
        true => sub.to_string(),
        false => {
            let open = sub.to_string();
            format!("{},\"publications\":[{}]}}", &open[..open.len() - 1], publications.join(","))
        }
    };
    let client = quoted(greeting.client);
    let reply = format!(
        "{{\"id\":{id},\"connect\":{{\"client\":{client},\"version\":{},\"ping\":{},\"pong\":true,\"expires\":true,\"ttl\":{},\"subs\":{{{}:{with_missed}}}}}}}",
        quoted(VERSION),
        greeting.ping,
        greeting.ttl.max(1),
        quoted(&channel),
    );
    (reply, pushes)
}

/// A push as one line; `player` owns the channel of notices.
pub(super) fn push(player: &PlayerId, push: &Push) -> String {
    match push {
        Push::Notice { offset, notice } => push_line(&channel_of(player), &publication(*offset, notice)),
        Push::Live { channel, data } => push_line(channel, &format!("{{\"data\":{data}}}")),
        Push::Unsubscribed { channel } => json!({"push": {"channel": channel, "unsubscribe": {
            "code": UNSUBSCRIBED, "reason": "server unsubscribe"}}})
        .to_string(),
    }
}

fn publication(offset: u64, notice: &Notice) -> String {
    // A notice is plain data with text keys, which JSON can always bear.
    let data = serde_json::to_string(notice).unwrap_or_else(|_| "{}".into());
    format!("{{\"data\":{data},\"offset\":{offset}}}")
}

fn push_line(channel: &str, publication: &str) -> String {
    format!("{{\"push\":{{\"channel\":{},\"pub\":{publication}}}}}", quoted(channel))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The answer to an rpc.
pub(super) fn rpc_reply(id: u32, data: &impl serde::Serialize) -> String {
    match serde_json::to_string(data) {
        Ok(data) => format!("{{\"id\":{id},\"rpc\":{{\"data\":{data}}}}}"),
        Err(_) => error_reply(id, &Refusal::internal("the reply could not be written; this is a fault of ours")),
    }
}

/// The answer to everything else that went well; `result` is an object.
pub(super) fn reply(id: u32, kind: &str, result: &Value) -> String {
    format!("{{\"id\":{id},\"{kind}\":{result}}}")
}

/// The answer to what was refused.
pub(super) fn error_reply(id: u32, refusal: &Refusal) -> String {
    json!({"id": id, "error": refusal}).to_string()
}

/// For commands of the protocol that this server has no use for.
pub(super) fn not_available() -> Refusal {
    let message = "not available: Waystone has no presence, history or publishing; subscribe, or call state.get";
    Refusal { code: NOT_AVAILABLE, message: message.into(), temporary: false }
}

/// For an unknown method, with the nearest known one.
pub(super) fn unknown_method(method: &str) -> Refusal {
    let known = OWN_METHODS.iter().chain(&METHODS);
    // As much as half of a name may be wrong, so a short name is not the nearest to everything that is short.
    let meant =
        known.map(|name| (distance(method, name), *name)).filter(|(far, name)| *far <= (name.len() / 2).max(2));
    match meant.min() {
        Some((_, name)) => Refusal::method_not_found(&format!("no such method; did you mean \"{name}\"?")),
        None => Refusal::method_not_found("no such method; the methods are listed in docs/protocol.md"),
    }
}

/// Edits between two short texts (Levenshtein); long ones are as far as they are long.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 40 {
        return a.len();
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
