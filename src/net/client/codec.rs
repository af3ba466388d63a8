//! Commands to bytes and bytes to replies and pushes, as the Centrifuge client protocol (version 2) has them, in both
//! of its forms.
//!
//! Pure. Promise: a line of ours holds no newline, and whatever a server sends is either understood, passed over
//! as a kind of message that we do not use, or an error; never a panic. The protocol leaves out zero values, so each
//! field has a default.

use super::{ClientError, Form, binary};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The id of the first command on a connection.
pub(super) const CONNECT_ID: u32 = 1;

/// What a client has seen of its own stream; sent at the next connect so that nothing comes twice or is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The stream's own mark; another one means that offsets start anew.
    pub epoch: String,
    /// The last offset seen.
    pub offset: u64,
}

/// The server's answer to a connect.
#[derive(Debug, Clone, PartialEq)]
pub struct Connected {
    /// The server's name for this connection.
    pub client: String,
    /// How often the server pings; zero when it does not.
    pub ping: Duration,
    /// Whether it wants an answer to a ping.
    pub pong: bool,
    /// The channels that the server subscribed us to.
    pub subs: BTreeMap<String, Subscribed>,
}

impl Connected {
    /// The player's own channel and what is known of it.
    pub fn own(&self) -> Option<(&str, &Subscribed)> {
        self.subs.iter().find(|(channel, _)| channel.starts_with('#')).map(|(channel, sub)| (channel.as_str(), sub))
    }
}

/// A subscription made by the server.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Subscribed {
    /// Whether one can resume it.
    pub recoverable: bool,
    /// The stream's own mark.
    pub epoch: String,
    /// The offset at the top of the stream.
    pub offset: u64,
    /// Whether `publications` holds all that was missed.
    pub recovered: bool,
    /// What was missed, oldest first.
    pub publications: Vec<Publication>,
}

/// Something published to a channel.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Publication {
    /// What.
    pub data: Value,
    /// Its place in the stream, if the stream has places.
    pub offset: Option<u64>,
}

/// The error in a reply.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    pub code: u32,
    pub message: String,
    pub temporary: bool,
}

/// What a reply holds besides its id.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Connect(Connected),
    Value(Value),
}

/// One line from the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    Ping,
    Reply {
        id: u32,
        outcome: Result<Body, Fault>,
    },
    Publication {
        channel: String,
        publication: Publication,
    },
    Disconnect {
        code: u32,
        reason: String,
    },
    /// A join, a leave, a message: known to the protocol, not used by us.
    Unused,
}

pub(super) fn connect(form: Form, token: &str, resume: Option<(&str, &Resume)>) -> Vec<u8> {
    if form == Form::Protobuf {
        return binary::connect(token, resume);
    }
    let subs = resume.map(|(channel, resume)| BTreeMap::from([(channel, Recover { recover: true, resume })]));
    text_of(&Command { id: CONNECT_ID, body: CommandBody::Connect(Connect { token, name: NAME, subs }) })
}

pub(super) fn rpc(form: Form, id: u32, method: &str, data: &Value) -> Vec<u8> {
    match form {
        Form::Json => text_of(&Command { id, body: CommandBody::Rpc { method, data } }),
        Form::Protobuf => binary::rpc(id, method, data),
    }
}

pub(super) fn subscribe(form: Form, id: u32, channel: &str) -> Vec<u8> {
    match form {
        Form::Json => text_of(&Command { id, body: CommandBody::Subscribe { channel } }),
        Form::Protobuf => binary::subscribe(id, channel),
    }
}

pub(super) fn send(form: Form, data: &Value) -> Vec<u8> {
    match form {
        Form::Json => text_of(&Command { id: 0, body: CommandBody::Send { data } }),
        Form::Protobuf => binary::send(data),
    }
}

/// What we are, for the server's log.
pub(super) const NAME: &str = "waystone-rs";
/// The answer to a ping, and the ping itself, in JSON.
const PONG: &str = "{}";

/// Reads a frame.
pub(super) fn replies(form: Form, frame: &[u8]) -> Result<Vec<Incoming>, ClientError> {
    match form {
        Form::Json => {
            let text = std::str::from_utf8(frame).map_err(|error| ClientError::Protocol(error.to_string()))?;
            text.lines().filter(|line| !line.trim().is_empty()).map(decode).collect()
        }
        Form::Protobuf => binary::replies(frame),
    }
}

/// Reads one line.
fn decode(line: &str) -> Result<Incoming, ClientError> {
    if line.trim() == PONG {
        return Ok(Incoming::Ping);
    }
    let wire: WireReply = serde_json::from_str(line).map_err(|error| ClientError::Protocol(error.to_string()))?;
    if let Some(push) = wire.push {
        return Ok(push.into());
    }
    if wire.id == 0 {
        return Ok(Incoming::Unused);
    }
    let outcome = match (wire.error, wire.connect) {
        (Some(fault), _) => Err(fault),
        (None, Some(connect)) => Ok(Body::Connect(connect.into())),
        (None, None) => Ok(Body::Value(wire.rpc.map(|rpc| rpc.data).or(wire.subscribe).unwrap_or_default())),
    };
    Ok(Incoming::Reply { id: wire.id, outcome })
}

/// The channel of the player that a token names; the token is not verified, that is the server's part.
pub(super) fn own_channel(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    Some(format!("#{}", claims.sub))
}

fn text_of(command: &Command<'_>) -> Vec<u8> {
    // Cannot fail: the keys are texts and nothing here refuses to be written.
    serde_json::to_vec(command).unwrap_or_default()
}

#[derive(Serialize)]
struct Command<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    id: u32,
    #[serde(flatten)]
    body: CommandBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum CommandBody<'a> {
    Connect(Connect<'a>),
    Rpc { method: &'a str, data: &'a Value },
    Subscribe { channel: &'a str },
    Send { data: &'a Value },
}

#[derive(Serialize)]
struct Connect<'a> {
    token: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subs: Option<BTreeMap<&'a str, Recover<'a>>>,
}

#[derive(Serialize)]
struct Recover<'a> {
    recover: bool,
    #[serde(flatten)]
    resume: &'a Resume,
}

fn is_zero(id: &u32) -> bool {
    *id == 0
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireReply {
    id: u32,
    error: Option<Fault>,
    connect: Option<WireConnect>,
    rpc: Option<WireData>,
    subscribe: Option<Value>,
    push: Option<WirePush>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireData {
    data: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireConnect {
    client: String,
    ping: u32,
    pong: bool,
    subs: BTreeMap<String, Subscribed>,
}

impl From<WireConnect> for Connected {
    fn from(wire: WireConnect) -> Self {
        let ping = Duration::from_secs(u64::from(wire.ping));
        Self { client: wire.client, ping, pong: wire.pong, subs: wire.subs }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WirePush {
    channel: String,
    #[serde(rename = "pub")]
    publication: Option<Publication>,
    disconnect: Option<WireDisconnect>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireDisconnect {
    code: u32,
    reason: String,
}

impl From<WirePush> for Incoming {
    fn from(push: WirePush) -> Self {
        match (push.publication, push.disconnect) {
            (Some(publication), _) => Self::Publication { channel: push.channel, publication },
            (None, Some(WireDisconnect { code, reason })) => Self::Disconnect { code, reason },
            (None, None) => Self::Unused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_are_the_protocols_own() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("JSON");
        let json = Form::Json;
        assert_eq!(text(connect(json, "t", None)), r#"{"id":1,"connect":{"token":"t","name":"waystone-rs"}}"#);
        let resume = Resume { epoch: "e1".to_owned(), offset: 5 };
        assert_eq!(
            text(connect(json, "t", Some(("#ada", &resume)))),
            r##"{"id":1,"connect":{"token":"t","name":"waystone-rs","subs":{"#ada":{"recover":true,"epoch":"e1","offset":5}}}}"##
        );
        assert_eq!(text(rpc(json, 2, "fix", &json!({"t": 1}))), r#"{"id":2,"rpc":{"method":"fix","data":{"t":1}}}"#);
        assert_eq!(text(subscribe(json, 3, "board:x")), r#"{"id":3,"subscribe":{"channel":"board:x"}}"#);
        assert_eq!(text(send(json, &json!("a\nb"))), r#"{"send":{"data":"a\nb"}}"#);
    }

    #[test]
    fn connect_reply_is_read_with_what_was_missed() {
        let line = r##"{"id":1,"connect":{"client":"c","version":"x","ping":25,"pong":true,"subs":{"#p":{"recoverable":true,
            "epoch":"e","offset":5,"recovered":true,"publications":[{"data":{"a":1},"offset":4},{"data":2,"offset":5}]}}}}"##;
        let Ok(Incoming::Reply { id: 1, outcome: Ok(Body::Connect(connected)) }) = decode(line) else {
            panic!("not a connect reply")
        };
        assert_eq!((connected.ping, connected.pong), (Duration::from_secs(25), true));
        let (channel, sub) = connected.own().expect("the own channel");
        assert_eq!((channel, sub.offset, sub.epoch.as_str(), sub.recovered), ("#p", 5, "e", true));
        assert_eq!(sub.publications[0], Publication { data: json!({"a": 1}), offset: Some(4) });
    }

    #[test]
    fn replies_and_pushes_are_told_apart() {
        let reply = |value| Incoming::Reply { id: 2, outcome: Ok(Body::Value(value)) };
        let publication = Publication { data: json!(1), offset: Some(9) };
        let fault = Fault { code: 104, message: "no such method".to_owned(), temporary: false };
        let cases = [
            ("{}", Incoming::Ping),
            (r#"{"id":2,"rpc":{"data":7}}"#, reply(json!(7))),
            (r#"{"id":2,"rpc":{}}"#, reply(Value::Null)),
            (r#"{"id":2,"subscribe":{"epoch":"e"}}"#, reply(json!({"epoch": "e"}))),
            (
                r#"{"id":2,"error":{"code":104,"message":"no such method"}}"#,
                Incoming::Reply { id: 2, outcome: Err(fault) },
            ),
            (
                r##"{"push":{"channel":"#p","pub":{"data":1,"offset":9}}}"##,
                Incoming::Publication { channel: "#p".to_owned(), publication },
            ),
            (
                r#"{"push":{"disconnect":{"code":3000,"reason":"drain"}}}"#,
                Incoming::Disconnect { code: 3_000, reason: "drain".to_owned() },
            ),
            (r#"{"push":{"channel":"a","join":{"info":{}}}}"#, Incoming::Unused),
        ];
        for (line, expected) in cases {
            assert_eq!(decode(line).expect(line), expected, "{line}");
        }
        assert!(matches!(decode("7"), Err(ClientError::Protocol(_))));
        assert!(matches!(decode("<html>"), Err(ClientError::Protocol(_))));
    }

    #[test]
    fn own_channel_is_the_tokens_subject() {
        // {"alg":"HS256"}.{"sub":"ada"} and a signature that no one checks here.
        assert_eq!(own_channel("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln").as_deref(), Some("#ada"));
        assert_eq!(own_channel("no.token"), None);
        assert_eq!(own_channel(""), None);
    }
}
