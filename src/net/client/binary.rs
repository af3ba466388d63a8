//! The Protobuf form on the client's side, over the same messages as the server's.
//!
//! Promise: what it reads is what the JSON form would have read, [`Incoming`] for [`Incoming`].

use super::ClientError;
use super::codec::{Body, CONNECT_ID, Connected, Fault, Incoming, NAME, Publication, Resume, Subscribed};
use crate::net::protocol::messages::{self, Command, Connect, Data, Reply, Rpc, Subscribe};
use prost::Message;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn line(command: &Command) -> Vec<u8> {
    command.encode_length_delimited_to_vec()
}

pub(super) fn connect(token: &str, resume: Option<(&str, &Resume)>) -> Vec<u8> {
    let sub = |resume: &Resume| Subscribe {
        recover: true,
        epoch: resume.epoch.clone(),
        offset: resume.offset,
        ..Subscribe::default()
    };
    let subs = resume.map(|(channel, resume)| BTreeMap::from([(channel.to_owned(), sub(resume))]));
    let (token, name) = (token.to_owned(), NAME.to_owned());
    let connect = Connect { token, name, data: String::new(), subs: subs.unwrap_or_default() };
    line(&Command { id: CONNECT_ID, connect: Some(connect), ..Command::default() })
}

pub(super) fn rpc(id: u32, method: &str, data: &Value) -> Vec<u8> {
    let rpc = Rpc { method: method.to_owned(), data: data.to_string() };
    line(&Command { id, rpc: Some(rpc), ..Command::default() })
}

pub(super) fn subscribe(id: u32, channel: &str) -> Vec<u8> {
    let subscribe = Subscribe { channel: channel.to_owned(), ..Subscribe::default() };
    line(&Command { id, subscribe: Some(subscribe), ..Command::default() })
}

pub(super) fn send(data: &Value) -> Vec<u8> {
    line(&Command { send: Some(Data { data: data.to_string() }), ..Command::default() })
}

/// Reads a frame.
pub(super) fn replies(mut frame: &[u8]) -> Result<Vec<Incoming>, ClientError> {
    let mut all = Vec::new();
    while !frame.is_empty() {
        let reply = Reply::decode_length_delimited(&mut frame);
        all.push(incoming(reply.map_err(|error| ClientError::Protocol(error.to_string()))?)?);
    }
    Ok(all)
}

fn incoming(reply: Reply) -> Result<Incoming, ClientError> {
    if reply == Reply::default() {
        return Ok(Incoming::Ping);
    }
    if let Some(push) = reply.push {
        return Ok(match (push.publication, push.disconnect) {
            (Some(told), _) => Incoming::Publication { channel: push.channel, publication: publication(told)? },
            (None, Some(end)) => Incoming::Disconnect { code: end.code, reason: end.reason },
            (None, None) => Incoming::Unused,
        });
    }
    if reply.id == 0 {
        return Ok(Incoming::Unused);
    }
    let outcome = match (reply.error, reply.connect) {
        (Some(messages::Fault { code, message, temporary }), _) => Err(Fault { code, message, temporary }),
        (None, Some(connect)) => Ok(Body::Connect(connected(connect)?)),
        (None, None) => Ok(Body::Value(match (reply.rpc, reply.subscribe) {
            (Some(rpc), _) => value(&rpc.data)?,
            (None, Some(sub)) if sub.data.is_empty() => json!({}),
            (None, Some(sub)) => json!({ "data": value(&sub.data)? }),
            (None, None) => Value::Null,
        })),
    };
    Ok(Incoming::Reply { id: reply.id, outcome })
}

fn connected(connected: messages::Connected) -> Result<Connected, ClientError> {
    let sub = |sub: messages::Subscribed| {
        Ok::<_, ClientError>(Subscribed {
            recoverable: sub.recoverable,
            epoch: sub.epoch,
            offset: sub.offset,
            recovered: sub.recovered,
            publications: sub.publications.into_iter().map(publication).collect::<Result<_, _>>()?,
        })
    };
    let subs = connected.subs.into_iter().map(|(channel, known)| Ok((channel, sub(known)?)));
    Ok(Connected {
        client: connected.client,
        ping: Duration::from_secs(connected.ping.into()),
        pong: connected.pong,
        subs: subs.collect::<Result<_, ClientError>>()?,
    })
}

fn publication(told: messages::Publication) -> Result<Publication, ClientError> {
    Ok(Publication { data: value(&told.data)?, offset: (told.offset > 0).then_some(told.offset) })
}

/// Data is JSON in both forms; nothing is null.
fn value(data: &str) -> Result<Value, ClientError> {
    if data.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(data).map_err(|error| ClientError::Protocol(error.to_string()))
}
