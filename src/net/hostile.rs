//! What fuzzing calls at the edge: each takes any bytes and panics when a promise is broken. Not in releases.
//!
//! `fuzz/` runs them by the million; `tests/hostile` replays what was kept and some seconds of chance on every test run.

use super::auth::jwks::{self, KEYS_MAX};
use super::auth::{Auth, AuthConfig, Key, Keys, Secret, verify};
use super::close::CLOSES;
use super::connection::{End, end_of};
use super::frames::{Frames, PIECES_MAX};
use super::handshake::MESSAGE_BYTES_MAX;
use super::head::{self, HEAD_BYTES_MAX, HeadRules, Refused};
use super::problem::MEANINGS;
use super::protocol::{Ask, Command, Form, json, protobuf};
use super::{fix, phones, protocol, wake};
use crate::clock::Clock;
use crate::geo::position::Fix;
use crate::quest::act::Act;
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::io::{self, Cursor, Read, Write};
use std::sync::LazyLock;
use std::time::Duration;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, WebSocket};

/// A summer day in 2026.
const NOW: Timestamp = Timestamp::from_millis(1_781_000_000_000);

/// A head is judged the same however it comes in pieces, and each answer is one whole HTTP answer.
pub fn head(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let rules = HeadRules { loopback: true, hosts: vec!["play.example.org".to_owned()], origins: Vec::new() };
    // Only for heads that are ours to judge, as the edge does.
    let judged = |bytes: &[u8]| match head::route(bytes) {
        head::Route::Socket => head::upgrade(bytes, &rules),
        head::Route::Undecided | head::Route::Http => Ok(None),
    };
    let whole = judged(bytes);
    match &whole {
        Ok(Some((upgrade, length))) => {
            assert!((16..=bytes.len()).contains(length));
            assert!(bytes[..*length].ends_with(b"\n"));
            let response = upgrade.response();
            assert!(response.starts_with("HTTP/1.1 101 ") && response.ends_with("\r\n\r\n"));
            assert_eq!(response.matches("\r\n\r\n").count(), 1, "an answer within the answer");
        }
        Ok(None) => {}
        Err(refused) => refusal_is_whole(refused),
    }
    for cut in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let (early, part) = (judged(&bytes[..cut]), head::route(&bytes[..cut]));
        if part != head::Route::Undecided {
            assert_eq!(part, head::route(bytes), "more bytes change where it goes");
        }
        if !matches!(early, Ok(None)) {
            assert_eq!(early, whole, "more bytes change what it is");
        }
    }
}

fn refusal_is_whole(refused: &Refused) {
    assert!(MEANINGS.iter().any(|(status, title, _)| (*status, *title) == (refused.status, refused.title)));
    let response = refused.response();
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
    serde_json::from_str::<Value>(body).expect("a problem is JSON");
}

/// A peer that has said these bytes and hung up.
struct Peer<'b>(Cursor<&'b [u8]>);

impl Read for Peer<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Peer<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Frames never make a message over the bound, end with a code that is documented or with silence, and are counted the
/// same however their bytes come in pieces.
pub fn frames(bytes: &[u8]) {
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let mut ws = WebSocket::from_raw_socket(Peer(Cursor::new(bytes)), Role::Server, Some(config));
    let mut messages = 0_usize;
    let end = loop {
        match ws.read() {
            Ok(Message::Text(text)) => assert!(text.len() <= MESSAGE_BYTES_MAX),
            Ok(Message::Binary(data)) => assert!(data.len() <= MESSAGE_BYTES_MAX),
            Ok(Message::Ping(data) | Message::Pong(data)) => assert!(data.len() <= 125),
            Ok(Message::Close(_)) => {}
            Ok(Message::Frame(_)) => panic!("a bare frame is never read"),
            Err(err) => break end_of(&err),
        }
        messages += 1;
        assert!(messages <= bytes.len(), "more messages than bytes");
    };
    if let End::Close(close) = end {
        assert!(CLOSES.contains(&close));
    }
    let fate = |cut: usize| {
        let mut frames = Frames::new(PIECES_MAX);
        bytes.chunks(cut).try_for_each(|part| frames.see(part)).is_ok()
    };
    let whole = fate(bytes.len().max(1));
    assert_eq!([1, 2, 7, 1_000].map(fate), [whole; 4]);
}

/// Commands are taken or refused, in either form; what is answered is one line of JSON and repeats no position.
pub fn commands(bytes: &[u8]) {
    if let Ok(commands) = protobuf::commands(bytes) {
        judge(commands, false);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(commands) = json::commands(text) {
        judge(commands, text.contains("\"token\""));
    }
}

fn judge(commands: Vec<Command<'_>>, bears_token: bool) {
    assert!((1..=protocol::COMMANDS_MAX).contains(&commands.len()));
    for command in commands {
        assert!(!format!("{command:?}").contains("eyJ") || !bears_token, "a token is shown");
        let Ask::Rpc { method, data } = &command.ask else { continue };
        let data = &**data;
        let refused = match &**method {
            "fix" => fix::one(data, NOW).map(|batch| batch.good.iter().for_each(fix_is_on_earth)).err(),
            "fixes" => fix::many(data, NOW).map(|batch| assert!((1..=100).contains(&batch.sent()))).err(),
            "wake" => wake::max(data).map(|max| assert!((1..=100).contains(&max))).err(),
            method => match Act::parse(method, data) {
                Ok(Some(_)) => None,
                Ok(None) => Some(protocol::unknown_method(method)),
                Err(refusal) => Some(refusal),
            },
        };
        refused.iter().for_each(|refusal| refusal_is_a_line(command.id, refusal));
    }
}

fn refusal_is_a_line(id: u32, refusal: &Refusal) {
    assert!(!refusal.message.is_empty());
    let line = Form::Json.error_reply(id, refusal);
    assert!(!line.contains(&b'\n'), "a line is a reply, and this is two");
    let reply: Value = serde_json::from_slice(&line).expect("a reply is JSON");
    assert_eq!((&reply["id"], &reply["error"]["code"]), (&id.into(), &refusal.code.into()));
}

fn fix_is_on_earth(fix: &Fix) {
    let (lat, lon) = (fix.position().lat(), fix.position().lon());
    assert!((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon));
    assert!(fix.accuracy().get().is_finite() && fix.accuracy().get() >= 0.0);
}

/// Nobody knows it, so whatever is accepted was signed here.
static SECRET: LazyLock<[u8; 32]> = LazyLock::new(rand::random);
static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let key = Key::hs256(Secret::new(*SECRET)).expect("32 bytes");
    Auth::new(vec![key], AuthConfig::default(), Clock::manual(NOW))
});

fn sign(claims: &Value) -> Option<String> {
    hs256(&*SECRET, claims)
}

fn hs256(secret: &[u8], claims: &Value) -> Option<String> {
    let parts = [r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = parts.join(".");
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(signed.as_bytes());
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

/// No text is a token that we have not signed; and what we sign ourselves, with any claims, is refused or names a player
/// who may come in now.
pub fn tokens(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let refused = AUTH.verify(text).expect_err("a token out of nothing");
    assert!(!refused.to_string().is_empty());
    assert!(text.len() < 8 || !refused.to_string().contains(text), "an error repeats a token");
    let Ok(claims) = serde_json::from_str::<Value>(text) else { return };
    let Some(signed) = sign(&claims) else { return };
    if let Ok(identity) = AUTH.verify(&signed) {
        assert_eq!(claims["sub"].as_str(), Some(identity.player.as_str()));
        assert!(identity.expires + Duration::from_secs(5) >= NOW, "it is over");
        assert!(identity.name.is_none_or(|name| name.chars().count() <= 60));
    }
    let changed = format!("{}x", &signed[..signed.len() - 1]);
    assert!(changed == signed || AUTH.verify(&changed).is_err(), "another signature is as good");
}

/// A token in the first line, a key set in the rest. A set gives public keys or is refused; a token is taken by the same
/// keys in any order, never with other claims, and never for being signed with what the set says openly.
pub fn jwks(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (token, set) = text.split_once('\n').unwrap_or(("", text));
    let Ok(found) = jwks::parse(set.as_bytes()) else {
        assert!(
            Key::all_from_text(set).is_err() || !set.trim_start().starts_with('{'),
            "a file takes what is no set"
        );
        return;
    };
    assert!((1..=KEYS_MAX).contains(&found.keys.len()));
    assert!(found.keys.iter().all(|key| ["EdDSA", "ES256"].contains(&key.algorithm())), "a shared secret in a set");
    let by = |keys: Vec<Key>, growing: bool, token: &str| {
        verify(token, &Keys { keys, growing }, &AuthConfig::default(), NOW)
    };
    let identity = by(found.keys.clone(), false, token);
    let turned: Vec<Key> = found.keys.iter().rev().cloned().collect();
    assert_eq!(by(turned, false, token), identity, "the order of keys matters");
    assert_eq!(by(found.keys.clone(), true, token).ok(), identity.clone().ok(), "waiting for keys changes who it is");
    let claims = serde_json::json!({"sub": "eve", "exp": NOW.as_millis() / 1000 + 60});
    let confused = hs256(set.as_bytes(), &claims).unwrap_or_default();
    assert!(by(found.keys.clone(), false, &confused).is_err(), "signed with what everybody may read");
    let Ok(identity) = identity else { return };
    assert!(identity.expires + Duration::from_secs(5) >= NOW, "it is over");
    let Some((head, signature)) = token.rsplit_once('.') else { panic!("a token without a signature") };
    let header = head.split('.').next().unwrap_or_default();
    let other = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert!(by(found.keys, false, &other).is_err(), "any claims under one signature");
}

/// Whatever a phone app posts is read as far as it can be: fewer fixes than bytes, each of them on earth.
pub fn posts(bytes: &[u8]) {
    for fixes in phones::decode(bytes, NOW) {
        assert!(fixes.len() <= bytes.len());
        fixes.iter().for_each(fix_is_on_earth);
    }
}
