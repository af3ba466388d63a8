//! Frames, good and bad, with the exact answer to each.

use super::*;
use crate::ids::TeamId;
use crate::quest::notice::What;
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

fn greet(resume: Option<&StreamPosition>, welcome: &Welcome) -> (Value, Vec<String>) {
    let greeting = Greeting { client: "c-1", player: &player(), ping: 25, ttl: 60, resume };
    let (reply, pushes) = connected(1, &greeting, welcome);
    (serde_json::from_str(&reply).expect("JSON"), pushes)
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
    let all = commands(frame).expect("good");
    let connect = all[0].connect.as_ref().expect("connect");
    assert_eq!(connect.resume(&player()), Some(StreamPosition { epoch: "e1".into(), offset: 4 }));
    assert_eq!(connect.resume(&PlayerId::new("eve").expect("valid")), None, "somebody else's position");
    let rpc = all[1].rpc.as_ref().expect("rpc");
    assert_eq!((all[1].id, &*rpc.method, rpc.data.map(RawValue::get)), (2, "fix", Some(r#"{"lat":1,"lon":2}"#)));
    assert_eq!(all[2].subscribe.as_ref().expect("subscribe").channel, "team:kettu");
    assert!(all[3].is_pong());
    let send = all[4].send.as_ref().expect("send");
    let data: SendData<'_> = serde_json::from_str(send.data.expect("data").get()).expect("a fix");
    assert_eq!(data.fix.get(), r#"{"lat":1,"lon":2}"#);
    assert!(!format!("{all:?}").contains("\"t\""), "tokens are not shown");
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
        let command = commands(line).expect("good").remove(0);
        assert!(command.is_unavailable() && !command.is_pong(), "{line}");
    }
    assert!(!commands(r#"{"id":7}"#).expect("good")[0].is_pong());
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
    let pushed = pushes.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["push"]["pub"].clone());
    let offsets: Vec<_> = first.into_iter().chain(pushed).map(|publication| publication["offset"].clone()).collect();
    assert_eq!(offsets, (1..=300).map(Value::from).collect::<Vec<_>>());
    assert!(reply.to_string().len() < 40_000 && !pushes.is_empty());
}

#[test]
fn pushes_and_errors_have_their_forms() {
    let said = push(&player(), &Push::Notice { offset: 5, notice: notice("hi \"you\"") });
    let value: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&value["push"]["channel"], &value["push"]["pub"]["offset"]), (&json!("#ada"), &json!(5)));
    let live = Push::Live { channel: "team:kettu".into(), data: Arc::new(json!({"a": 1})) };
    assert_eq!(push(&player(), &live), r#"{"push":{"channel":"team:kettu","pub":{"data":{"a":1}}}}"#);
    let over = push(&player(), &Push::Unsubscribed { channel: "team:kettu".into() });
    let over: Value = serde_json::from_str(&over).expect("JSON");
    assert_eq!(over["push"]["unsubscribe"]["code"], 2000);
    let error: Value = serde_json::from_str(&error_reply(4, &Refusal::busy("wait"))).expect("JSON");
    assert_eq!(error, json!({"id": 4, "error": {"code": 1004, "message": "wait", "temporary": true}}));
    assert_eq!(rpc_reply(2, &json!({"seq": 1})), r#"{"id":2,"rpc":{"data":{"seq":1}}}"#);
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
