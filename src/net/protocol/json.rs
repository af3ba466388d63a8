//! The JSON form: objects in a text frame with newlines between.
//!
//! Unknown fields are ignored, so newer SDKs may say more. Promise: a line of ours holds no newline, and data of a
//! command stays unparsed until its method is known.

use super::{
    Ask, COMMANDS_MAX, Command, ConnectData, ConnectRequest, Greeting, NotAProtocol, Recovery, UNSUBSCRIBED,
    UNSUBSCRIBED_WHY, VERSION,
};
use crate::actors::contract::StreamPosition;
use crate::quest::refusal::Refusal;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;

/// A ping, and the client's pong.
pub(super) const PING: &str = "{}";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    id: u32,
    connect: Option<Connect>,
    #[serde(borrow)]
    rpc: Option<Rpc<'a>>,
    #[serde(borrow)]
    send: Option<Send<'a>>,
    subscribe: Option<Channel>,
    unsubscribe: Option<Channel>,
    refresh: Option<Refresh>,
    ping: Option<IgnoredAny>,
    presence: Option<IgnoredAny>,
    presence_stats: Option<IgnoredAny>,
    history: Option<IgnoredAny>,
    publish: Option<IgnoredAny>,
    sub_refresh: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Connect {
    token: String,
    #[serde(deserialize_with = "as_far_as_known")]
    data: ConnectData,
    subs: HashMap<String, Recover>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Recover {
    recover: bool,
    offset: u64,
    epoch: String,
}

#[derive(Deserialize)]
struct Rpc<'a> {
    #[serde(default)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Send<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Channel {
    channel: String,
}

#[derive(Deserialize)]
struct Refresh {
    token: String,
}

/// Apps may send data of their own.
fn as_far_as_known<'de, D: Deserializer<'de>>(data: D) -> Result<ConnectData, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(data)?).unwrap_or_default())
}

/// The commands of a frame; `Err` for one that no SDK sends.
pub(in crate::net) fn commands(frame: &str) -> Result<Vec<Command<'_>>, NotAProtocol> {
    let lines = || frame.split('\n').filter(|line| !line.trim().is_empty());
    let count = lines().count();
    if count == 0 || count > COMMANDS_MAX {
        return Err(NotAProtocol);
    }
    // serde would take an array for a struct, field by field.
    let object = |line: &&str| line.trim_start().starts_with('{');
    let parse = |line| {
        serde_json::from_str::<Line<'_>>(Some(line).filter(object).ok_or(NotAProtocol)?).map_err(|_| NotAProtocol)
    };
    lines().map(|line| Ok(parse(line)?.into())).collect()
}

impl<'a> From<Line<'a>> for Command<'a> {
    fn from(line: Line<'a>) -> Self {
        let lacks = [&line.presence, &line.presence_stats, &line.history, &line.publish, &line.sub_refresh]
            .map(Option::is_some);
        let text = |data: Option<&'a RawValue>| Cow::Borrowed(data.map_or("", RawValue::get));
        let ask = if let Some(connect) = line.connect {
            Ask::Connect(connect.into())
        } else if let Some(send) = line.send {
            Ask::Send { data: text(send.data) }
        } else if let Some(rpc) = line.rpc {
            Ask::Rpc { method: rpc.method, data: text(rpc.data) }
        } else if let Some(Channel { channel }) = line.subscribe {
            Ask::Subscribe { channel }
        } else if let Some(Channel { channel }) = line.unsubscribe {
            Ask::Unsubscribe { channel }
        } else if let Some(Refresh { token }) = line.refresh {
            Ask::Refresh { token: token.into() }
        } else if line.ping.is_some() {
            Ask::Ping
        } else if lacks.contains(&true) {
            Ask::Unavailable
        } else {
            Ask::nothing(line.id)
        };
        Self { id: line.id, ask }
    }
}

impl From<Connect> for ConnectRequest {
    fn from(connect: Connect) -> Self {
        let subs = connect.subs.into_iter().filter(|(_, sub)| sub.recover);
        let position = |sub: Recover| StreamPosition { epoch: sub.epoch, offset: sub.offset };
        Self {
            token: connect.token.into(),
            data: connect.data,
            subs: subs.map(|(channel, sub)| (channel, position(sub))).collect(),
        }
    }
}

/// The answer to an rpc; `data` is JSON.
pub(super) fn rpc_reply(id: u32, data: &str) -> String {
    format!("{{\"id\":{id},\"rpc\":{{\"data\":{data}}}}}")
}

/// The answer to everything else that went well; `result` is an object.
pub(super) fn reply(id: u32, kind: &str, result: &Value) -> String {
    format!("{{\"id\":{id},\"{kind}\":{result}}}")
}

/// The answer to what was refused.
pub(super) fn error_reply(id: u32, refusal: &Refusal) -> String {
    json!({"id": id, "error": refusal}).to_string()
}

/// The connect reply.
pub(super) fn connected(id: u32, greeting: &Greeting<'_>, recovery: &Recovery) -> String {
    let sub = json!({
        "recoverable": true, "positioned": true, "epoch": recovery.epoch, "offset": recovery.offset,
        "was_recovering": recovery.was_recovering, "recovered": recovery.recovered,
    })
    .to_string();
    let publications: Vec<_> = recovery.first.iter().map(|(offset, data)| publication(*offset, data)).collect();
    let with_missed = match publications.is_empty() {
        true => sub,
        false => format!("{},\"publications\":[{}]}}", &sub[..sub.len() - 1], publications.join(",")),
    };
    format!(
        "{{\"id\":{id},\"connect\":{{\"client\":{},\"version\":{},\"ping\":{},\"pong\":true,\"expires\":true,\"ttl\":{},\"subs\":{{{}:{with_missed}}}}}}}",
        quoted(greeting.client),
        quoted(VERSION),
        greeting.ping,
        greeting.ttl,
        quoted(&recovery.channel),
    )
}

/// A publication with its place in a stream.
pub(super) fn notice(channel: &str, offset: u64, data: &str) -> String {
    push_line(channel, &publication(offset, data))
}

/// A publication of a live channel; `data` is JSON.
pub(super) fn live(channel: &str, data: &str) -> String {
    push_line(channel, &format!("{{\"data\":{data}}}"))
}

/// The server has ended a subscription.
pub(super) fn unsubscribed(channel: &str) -> String {
    json!({"push": {"channel": channel, "unsubscribe": {"code": UNSUBSCRIBED, "reason": UNSUBSCRIBED_WHY}}})
        .to_string()
}

fn publication(offset: u64, data: &str) -> String {
    format!("{{\"data\":{data},\"offset\":{offset}}}")
}

fn push_line(channel: &str, publication: &str) -> String {
    format!("{{\"push\":{{\"channel\":{},\"pub\":{publication}}}}}", quoted(channel))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
