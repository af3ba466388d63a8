//! The two forms of the protocol say the same: what a client writes in one is read as what it writes in the other, and
//! so is what a server says. Both ends are here, so each is the other's oracle.

use super::codec::{self, Incoming, Resume};
use crate::actors::contract::{Push, StreamPosition, Welcome};
use crate::ids::{PlayerId, TeamId};
use crate::net::protocol::{Ask, Command, Form, Greeting, json, protobuf};
use crate::quest::notice::{Notice, What};
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// What a server has read, with data as what it means.
fn told(command: &Command<'_>) -> (u32, String, Value) {
    let data = |data: &str| serde_json::from_str(data).unwrap_or(Value::Null);
    let (kind, data) = match &command.ask {
        Ask::Connect(connect) => {
            let resume = connect.resume(&ada()).map(|seen| (seen.epoch, seen.offset));
            (format!("connect {} {resume:?}", connect.token.0), Value::Null)
        }
        Ask::Rpc { method, data: raw } => (format!("rpc {method}"), data(raw)),
        Ask::Send { data: raw } => ("send".to_owned(), data(raw)),
        other => (format!("{other:?}"), Value::Null),
    };
    (command.id, kind, data)
}

fn read(form: Form, frame: &[u8]) -> Vec<(u32, String, Value)> {
    let commands = match form {
        Form::Json => json::commands(std::str::from_utf8(frame).expect("text")),
        Form::Protobuf => protobuf::commands(frame),
    };
    commands.expect("a good frame").iter().map(told).collect()
}

fn ada() -> PlayerId {
    PlayerId::new("ada").expect("valid")
}

fn said(text: &str) -> Arc<Notice> {
    let what = What::TeamSaid { team: TeamId::new("kettu").expect("valid"), player: ada(), text: text.to_owned() };
    Arc::new(Notice { at: Timestamp::from_millis(5), what })
}

/// Lines as one frame of a form.
fn framed(form: Form, lines: &[Vec<u8>]) -> Vec<u8> {
    lines.join(form.separator())
}

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,5}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn commands_are_the_same_in_both_forms(
        id in 1..u32::MAX,
        method in "[a-z.\"\\\\]{1,20}",
        data in data(),
        channel in ".{1,20}",
        token in ".{1,40}",
        seen in prop::option::of((".{1,8}", any::<u64>())),
    ) {
        let resume = seen.map(|(epoch, offset)| Resume { epoch, offset });
        let write = |form| framed(form, &[
            codec::connect(form, &token, resume.as_ref().map(|resume| ("#ada", resume))),
            codec::rpc(form, id, &method, &data),
            codec::subscribe(form, id, &channel),
            codec::send(form, &data),
            form.ping(),
        ]);
        let both = [Form::Json, Form::Protobuf].map(|form| read(form, &write(form)));
        prop_assert_eq!(&both[0], &both[1]);
        prop_assert_eq!(both[0].len(), 5);
        prop_assert_eq!(&both[1][1], &(id, format!("rpc {method}"), data));
    }

    #[test]
    fn what_a_server_says_is_the_same_in_both_forms(
        id in 1..u32::MAX,
        data in data(),
        channel in ".{1,20}",
        texts in prop::collection::vec(".{0,30}", 0..8),
        offset in 1..u64::MAX - 10,
        recovered: bool,
        code in 1..5_000_u32,
        temporary: bool,
    ) {
        let missed = (offset..).zip(&texts).map(|(offset, text)| (offset, said(text))).collect();
        let position = StreamPosition { epoch: "e1".to_owned(), offset: offset + 9 };
        let welcome = Welcome { position, recovered, missed };
        let resume = StreamPosition { epoch: "e1".to_owned(), offset: offset - 1 };
        let player = ada();
        let greeting = Greeting { client: "c-1", player: &player, ping: 25, ttl: 60, resume: Some(&resume) };
        let refusal = Refusal { code, message: channel.clone(), temporary };
        let notice = Push::Notice { offset, notice: said(&channel) };
        let live = Push::Live { channel: channel.clone(), data: Arc::new(data.clone()) };
        let over = Push::Unsubscribed { channel: channel.clone() };
        let write = |form: Form| {
            let (reply, mut lines) = form.connected(1, &greeting, &welcome);
            lines.insert(0, reply);
            lines.extend([
                form.rpc_reply(id, &data),
                form.error_reply(id, &refusal),
                form.subscribed(id, &data),
                form.unsubscribed(id),
                form.pinged(id),
                form.refreshed(id, 60),
                form.push(&player, &notice),
                form.push(&player, &live),
                form.push(&player, &over),
                form.ping(),
            ]);
            framed(form, &lines)
        };
        let hear = |form| codec::replies(form, &write(form)).expect("a good frame");
        let both = [Form::Json, Form::Protobuf].map(hear);
        prop_assert_eq!(&both[0], &both[1]);
        prop_assert_eq!(both[1].last(), Some(&Incoming::Ping));
    }

    #[test]
    fn no_frame_makes_either_end_panic(frame in prop::collection::vec(any::<u8>(), 0..200)) {
        // Whatever it is, it is read or refused; in both forms, at both ends.
        let text = String::from_utf8_lossy(&frame);
        let server = [json::commands(&text).map(|all| all.len()), protobuf::commands(&frame).map(|all| all.len())];
        let client = [Form::Json, Form::Protobuf].map(|form| codec::replies(form, &frame).map(|all| all.len()));
        prop_assert!(server.iter().flatten().all(|count| (1..=64).contains(count)));
        prop_assert!(client.iter().flatten().all(|count| *count <= frame.len()));
    }
}
