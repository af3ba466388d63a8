//! Frames, good and bad, with the exact answer to each.

use super::json::commands;
use super::*;
use crate::ids::TeamId;
use crate::quest::notice::{Notice, What};
use crate::units::Timestamp;
use std::sync::Arc;

fn player() -> PlayerId {
    PlayerId::new("ada").expect("valid")
}

fn notice(text: &str) -> Arc<Notice> {
    let team = TeamId::new("kettu").expect("valid");
    Arc::new(Notice {
        at: Timestamp::from_millis(5),
        what: What::TeamSaid { team, player: player(), text: text.into() },
    })
}

fn welcome(recovered: bool, missed: Vec<(u64, Arc<Notice>)>) -> Welcome {
    Welcome { position: StreamPosition { epoch: "e1".into(), offset: 9 }, recovered, missed }
}

fn greet(resume: Option<&StreamPosition>, welcome: &Welcome) -> (Value, Vec<Vec<u8>>) {
    let greeting = Greeting { client: "c-1", player: &player(), ping: 25, ttl: 60, resume };
    let (reply, pushes) = Form::Json.connected(1, &greeting, welcome);
    (value(&reply), pushes)
}

fn value(line: &[u8]) -> Value {
    serde_json::from_slice(line).expect("JSON")
}

#[test]
fn commands_are_read_as_the_sdk_writes_them() {
    let frame = concat!(
        r##"{"connect":{"token":"t","name":"js","version":"5","subs":{"#ada":{"recover":true,"offset":4,"epoch":"e1"}}},"id":1}"##,
        "\n",
        r#"{"rpc":{"method":"fix","data":{"lat":1,"lon":2}},"id":2}"#,
        "\n\n",
        r#"{"subscribe":{"channel":"team:kettu","flag":1},"id":3}"#,
        "\n{}\n",
        r#"{"send":{"data":{"fix":{"lat":1,"lon":2}}}}"#,
    );
    let mut all = commands(frame).expect("good").into_iter();
    assert!(!format!("{all:?}").contains("\"t\""), "tokens are not shown");
    let mut next = || all.next().expect("a command");
    let Command { id: 1, ask: Ask::Connect(connect) } = next() else { panic!("no connect") };
    assert_eq!(connect.resume(&player()), Some(StreamPosition { epoch: "e1".into(), offset: 4 }));
    assert_eq!(connect.resume(&PlayerId::new("eve").expect("valid")), None, "somebody else's position");
    let Command { id: 2, ask: Ask::Rpc { method, data } } = next() else { panic!("no rpc") };
    assert_eq!((&*method, &*data), ("fix", r#"{"lat":1,"lon":2}"#));
    assert!(matches!(next().ask, Ask::Subscribe { channel } if channel == "team:kettu"));
    assert!(matches!(next().ask, Ask::Pong));
    let Command { id: 0, ask: Ask::Send { data } } = next() else { panic!("no send") };
    let data: SendData<'_> = serde_json::from_str(&data).expect("a fix");
    assert_eq!(data.fix.get(), r#"{"lat":1,"lon":2}"#);
}

#[test]
fn app_may_say_itself_where_it_left_off() {
    for (data, resume) in [
        (r#""data":{"resume":{"epoch":"e1","offset":4}}"#, Some(("e1", 4))),
        (
            r##""data":{"resume":{"epoch":"e1","offset":4}},"subs":{"#ada":{"recover":true,"epoch":"e2","offset":7}}"##,
            Some(("e2", 7)),
        ),
        (
            r##""data":{"resume":{"epoch":"e1","offset":4}},"subs":{"#ada":{"epoch":"e2","offset":7}}"##,
            Some(("e1", 4)),
        ),
        (r#""data":{"resume":{"epoch":"e1"}}"#, None),
        (r#""data":{"resume":{"epoch":1,"offset":-4}}"#, None),
        (r#""data":"resume""#, None),
        (r#""data":null"#, None),
    ] {
        let frame = format!(r#"{{"id":1,"connect":{{"token":"t",{data}}}}}"#);
        let mut all = commands(&frame).expect("good");
        let Ask::Connect(connect) = all.remove(0).ask else { panic!("no connect") };
        let resume = resume.map(|(epoch, offset): (&str, u64)| StreamPosition { epoch: epoch.into(), offset });
        assert_eq!(connect.resume(&player()), resume, "{data}");
    }
}

#[test]
fn frames_that_no_sdk_sends_are_refused() {
    let many = "{}\n".repeat(65);
    let deep = format!(r#"{{"id":1,"connect":{{"data":{}1{}}}}}"#, "[".repeat(200), "]".repeat(200));
    for frame in [
        "",
        "\n\n",
        "hello",
        "[]",
        "1",
        "null",
        "{",
        "{}}",
        r#"{"id":-1}"#,
        r#"{"id":4294967296,"ping":{}}"#,
        r#"{"id":"1"}"#,
        r#"{"id":1,"id":2}"#,
        r#"{"id":1,"connect":5}"#,
        r#"{"id":1,"connect":{"token":5}}"#,
        r#"{"id":1,"connect":{"subs":[1]}}"#,
        r##"{"id":1,"connect":{"subs":{"#a":{"offset":-1}}}}"##,
        r##"{"id":1,"connect":{"subs":{"#a":{"offset":1e999}}}}"##,
        r#"{"id":1,"rpc":{"method":5}}"#,
        r#"{"id":1,"subscribe":{}}"#,
        r#"{"id":1,"refresh":{}}"#,
        "{}\n{",
        many.as_str(),
        deep.as_str(),
    ] {
        assert!(commands(frame).is_err(), "{frame} was taken");
    }
}

#[test]
fn what_we_lack_is_told_apart_from_a_pong() {
    for line in [
        r#"{"id":1,"presence":{"channel":"a"}}"#,
        r#"{"id":1,"presence_stats":{"channel":"a"}}"#,
        r#"{"id":1,"history":{"channel":"a"}}"#,
        r#"{"id":1,"publish":{"channel":"a","data":1}}"#,
        r#"{"id":1,"sub_refresh":{"channel":"a","token":"t"}}"#,
    ] {
        assert!(matches!(commands(line).expect("good")[0].ask, Ask::Unavailable), "{line}");
    }
    assert!(matches!(commands(r#"{"id":7}"#).expect("good")[0].ask, Ask::Unknown));
}

#[test]
fn connect_reply_has_the_fields_that_sdks_read() {
    let resume = StreamPosition { epoch: "e1".into(), offset: 7 };
    let (reply, pushes) = greet(Some(&resume), &welcome(true, vec![(8, notice("a")), (9, notice("b"))]));
    let sub = &reply["connect"]["subs"]["#ada"];
    assert_eq!(
        (&reply["id"], &reply["connect"]["ping"], &reply["connect"]["pong"]),
        (&json!(1), &json!(25), &json!(true))
    );
    assert_eq!((&reply["connect"]["expires"], &reply["connect"]["ttl"]), (&json!(true), &json!(60)));
    assert_eq!((&sub["epoch"], &sub["offset"], &sub["recoverable"]), (&json!("e1"), &json!(7), &json!(true)));
    assert_eq!((&sub["was_recovering"], &sub["recovered"]), (&json!(true), &json!(true)));
    assert_eq!(sub["publications"][1]["offset"], 9);
    assert_eq!(sub["publications"][0]["data"]["type"], "team.said");
    assert!(pushes.is_empty());
}

#[test]
fn connect_reply_without_recovery_starts_at_the_top() {
    let (fresh, _) = greet(None, &welcome(false, vec![]));
    let sub = &fresh["connect"]["subs"]["#ada"];
    assert_eq!(
        (&sub["offset"], &sub["was_recovering"], &sub["recovered"]),
        (&json!(9), &json!(false), &json!(false))
    );
    let gone = StreamPosition { epoch: "e0".into(), offset: 3 };
    let (lost, _) = greet(Some(&gone), &welcome(false, vec![]));
    let sub = &lost["connect"]["subs"]["#ada"];
    assert_eq!((&sub["offset"], &sub["was_recovering"], &sub["recovered"]), (&json!(9), &json!(true), &json!(false)));
    assert!(sub.get("publications").is_none());
}

#[test]
fn much_that_was_missed_is_spread_over_pushes_in_order() {
    let resume = StreamPosition { epoch: "e1".into(), offset: 0 };
    let missed: Vec<_> = (1..=300).map(|offset| (offset, notice(&"x".repeat(280)))).collect();
    let (reply, pushes) = greet(Some(&resume), &welcome(true, missed));
    let first = reply["connect"]["subs"]["#ada"]["publications"].as_array().expect("a list").clone();
    let pushed = pushes.iter().map(|line| value(line)["push"]["pub"].clone());
    let offsets: Vec<_> = first.into_iter().chain(pushed).map(|publication| publication["offset"].clone()).collect();
    assert_eq!(offsets, (1..=300).map(Value::from).collect::<Vec<_>>());
    assert!(reply.to_string().len() < 40_000 && !pushes.is_empty());
}

#[test]
fn pushes_and_errors_have_their_forms() {
    let json = Form::Json;
    let said = value(&json.push(&player(), &Push::Notice { offset: 5, notice: notice("hi \"you\"") }));
    assert_eq!((&said["push"]["channel"], &said["push"]["pub"]["offset"]), (&json!("#ada"), &json!(5)));
    let live = Push::Live { channel: "team:kettu".into(), data: Arc::new(json!({"a": 1})) };
    assert_eq!(json.push(&player(), &live), br#"{"push":{"channel":"team:kettu","pub":{"data":{"a":1}}}}"#);
    let over = value(&json.push(&player(), &Push::Unsubscribed { channel: "team:kettu".into() }));
    assert_eq!(over["push"]["unsubscribe"]["code"], 2000);
    let error = value(&json.error_reply(4, &Refusal::busy("wait")));
    assert_eq!(error, json!({"id": 4, "error": {"code": 1004, "message": "wait", "temporary": true}}));
    assert_eq!(json.rpc_reply(2, &json!({"seq": 1})), br#"{"id":2,"rpc":{"data":{"seq":1}}}"#);
}

#[test]
fn protobuf_is_what_the_protocols_own_definition_says() {
    // Written by hand from client.proto: field 1 is the id, 13 the rpc with data (1) and method (2).
    let rpc = [&[13, 8, 2, 106, 9, 10, 2][..], b"{}", &[18, 3], b"fix"].concat();
    let Ok(all) = protobuf::commands(&[&rpc[..], &[0]].concat()) else { panic!("not read") };
    let [Command { id: 2, ask: Ask::Rpc { method, data } }, Command { id: 0, ask: Ask::Pong }] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!((&**method, &**data), ("fix", "{}"));
    let reply = [&[13, 8, 2, 106, 9, 10, 7][..], b"{\"a\":1}"].concat();
    assert_eq!(Form::Protobuf.rpc_reply(2, &json!({"a": 1})), reply);
    assert_eq!(Form::Protobuf.ping(), [0]);
    // Reply 4 push: channel (2), pub (4): data (4), offset (6).
    let live = Push::Live { channel: "t:k".into(), data: Arc::new(json!(7)) };
    let push = [&[12, 34, 10, 18, 3][..], b"t:k", &[34, 3, 34, 1], b"7"].concat();
    assert_eq!(Form::Protobuf.push(&player(), &live), push);
}

#[test]
fn frames_that_are_not_protobuf_are_refused() {
    let many = [0; COMMANDS_MAX + 1];
    for frame in [
        &b""[..],
        b"{}",
        &[1],
        &[5, 8],
        &[2, 8, 0x80],
        &[0xff; 11],
        // Data that is not UTF-8, a length that nothing could hold, a group, an id that is no number.
        &[7, 8, 2, 106, 3, 10, 1, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x7f, 8, 1],
        &[2, 11, 12, 1],
        &[3, 10, 1, 0],
        &many,
    ] {
        assert!(protobuf::commands(frame).is_err(), "{frame:?} was taken");
    }
    assert_eq!(protobuf::commands(&many[1..]).expect("as many as may be").len(), COMMANDS_MAX);
    // Fields of newer SDKs are passed over, and what we lack is told.
    assert!(matches!(protobuf::commands(&[5, 8, 1, 162, 6, 0]).expect("read")[0].ask, Ask::Unknown));
    for field in [58, 66, 74, 82, 122] {
        assert!(matches!(protobuf::commands(&[4, 8, 1, field, 0]).expect("read")[0].ask, Ask::Unavailable));
    }
}

#[test]
fn unknown_methods_get_the_nearest_name() {
    for (method, hint) in [
        ("fiks", "\"fix\""),
        ("quest.strat", "\"quest.start\""),
        ("team.joim", "\"team.join\""),
        ("quest_answer", "\"quest.answer\""),
        ("state", "\"state.get\""),
        ("", "docs/protocol.md"),
        ("launch.the.rockets", "docs/protocol.md"),
    ] {
        let refusal = unknown_method(method);
        assert_eq!(refusal.code, 104);
        assert!(refusal.message.contains(hint), "{method}: {refusal}");
    }
    assert!(unknown_method(&"x".repeat(10_000)).message.contains("docs/protocol.md"));
}
