//! The Protobuf form: messages, each after its length as a varint, in a binary frame.
//!
//! Promise: a field or a request that we do not know is passed over, as in JSON; what is refused in one form is refused
//! in the other.

use super::messages::{
    Command as Sent, Connected, Data, Empty, Ended, Fault, Publication, Push, Refreshed, Reply, Subscribed,
};
use super::{
    Ask, COMMANDS_MAX, Command, ConnectRequest, Greeting, NotAProtocol, Recovery, UNSUBSCRIBED, UNSUBSCRIBED_WHY,
    VERSION,
};
use crate::actors::contract::StreamPosition;
use crate::quest::refusal::Refusal;
use prost::Message;
use std::collections::BTreeMap;

/// A ping, and the client's pong: a message of no bytes.
pub(super) const PING: [u8; 1] = [0];

/// The commands of a frame; `Err` for one that no SDK sends.
pub(in crate::net) fn commands(mut frame: &[u8]) -> Result<Vec<Command<'static>>, NotAProtocol> {
    let mut commands = Vec::new();
    while !frame.is_empty() {
        if commands.len() == COMMANDS_MAX {
            return Err(NotAProtocol);
        }
        commands.push(Sent::decode_length_delimited(&mut frame).map_err(|_| NotAProtocol)?.into());
    }
    if commands.is_empty() { Err(NotAProtocol) } else { Ok(commands) }
}

impl From<Sent> for Command<'static> {
    fn from(sent: Sent) -> Self {
        let lacks = [&sent.publish, &sent.presence, &sent.presence_stats, &sent.history, &sent.sub_refresh];
        let lacks = lacks.iter().any(|field| field.is_some());
        let ask = if let Some(connect) = sent.connect {
            let subs = connect.subs.into_iter().filter(|(_, sub)| sub.recover);
            Ask::Connect(ConnectRequest {
                token: connect.token.into(),
                // Apps may send data of their own.
                data: serde_json::from_str(&connect.data).unwrap_or_default(),
                subs: subs
                    .map(|(name, sub)| (name, StreamPosition { epoch: sub.epoch, offset: sub.offset }))
                    .collect(),
            })
        } else if let Some(Data { data }) = sent.send {
            Ask::Send { data: data.into() }
        } else if let Some(rpc) = sent.rpc {
            Ask::Rpc { method: rpc.method.into(), data: rpc.data.into() }
        } else if let Some(subscribe) = sent.subscribe {
            Ask::Subscribe { channel: subscribe.channel }
        } else if let Some(unsubscribe) = sent.unsubscribe {
            Ask::Unsubscribe { channel: unsubscribe.channel }
        } else if let Some(refresh) = sent.refresh {
            Ask::Refresh { token: refresh.token.into() }
        } else if sent.ping.is_some() {
            Ask::Ping
        } else if lacks {
            Ask::Unavailable
        } else {
            Ask::nothing(sent.id)
        };
        Self { id: sent.id, ask }
    }
}

fn line(reply: &Reply) -> Vec<u8> {
    reply.encode_length_delimited_to_vec()
}

fn pushed(channel: &str, push: Push) -> Vec<u8> {
    line(&Reply { push: Some(Push { channel: channel.to_owned(), ..push }), ..Reply::default() })
}

/// The connect reply.
pub(super) fn connected(id: u32, greeting: &Greeting<'_>, recovery: Recovery) -> Vec<u8> {
    let Recovery { channel, epoch, offset, was_recovering, recovered, first } = recovery;
    let publications = first.into_iter().map(|(offset, data)| Publication { data, offset }).collect();
    let sub = Subscribed {
        recoverable: true,
        positioned: true,
        epoch,
        offset,
        was_recovering,
        recovered,
        publications,
        data: String::new(),
    };
    let connected = Connected {
        client: greeting.client.to_owned(),
        version: VERSION.to_owned(),
        expires: true,
        ttl: greeting.ttl,
        ping: greeting.ping,
        pong: true,
        subs: BTreeMap::from([(channel, sub)]),
    };
    line(&Reply { id, connect: Some(connected), ..Reply::default() })
}

/// A publication with its place in a stream; `data` is JSON.
pub(super) fn notice(channel: &str, offset: u64, data: String) -> Vec<u8> {
    pushed(channel, Push { publication: Some(Publication { data, offset }), ..Push::default() })
}

/// A publication of a live channel.
pub(super) fn live(channel: &str, data: String) -> Vec<u8> {
    notice(channel, 0, data)
}

/// The server has ended a subscription.
pub(super) fn unsubscribed(channel: &str) -> Vec<u8> {
    let end = Ended { code: UNSUBSCRIBED, reason: UNSUBSCRIBED_WHY.to_owned() };
    pushed(channel, Push { unsubscribe: Some(end), ..Push::default() })
}

/// The answer to an rpc.
pub(super) fn rpc_reply(id: u32, data: String) -> Vec<u8> {
    line(&Reply { id, rpc: Some(Data { data }), ..Reply::default() })
}

/// The answer to what was refused.
pub(super) fn error_reply(id: u32, refusal: &Refusal) -> Vec<u8> {
    let Refusal { code, message, temporary } = refusal.clone();
    line(&Reply { id, error: Some(Fault { code, message, temporary }), ..Reply::default() })
}

/// The answer to `subscribe`.
pub(super) fn subscribed(id: u32, data: String) -> Vec<u8> {
    line(&Reply { id, subscribe: Some(Subscribed { data, ..Subscribed::default() }), ..Reply::default() })
}

/// The answer to `unsubscribe`.
pub(super) fn unsubscribe_reply(id: u32) -> Vec<u8> {
    line(&Reply { id, unsubscribe: Some(Empty {}), ..Reply::default() })
}

/// The answer to the client's own ping.
pub(super) fn ping_reply(id: u32) -> Vec<u8> {
    line(&Reply { id, ping: Some(Empty {}), ..Reply::default() })
}

/// The answer to `refresh`.
pub(super) fn refresh_reply(id: u32, ttl: u32) -> Vec<u8> {
    let refreshed = Refreshed { version: VERSION.to_owned(), expires: true, ttl };
    line(&Reply { id, refresh: Some(refreshed), ..Reply::default() })
}
