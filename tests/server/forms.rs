//! One story in both forms of the protocol: an app may choose either, and the game is the same.

use crate::harness::{DEADLINE, TestServer, quick};
use crate::wire::{Head, Heard as Frame, Raw, frame};
use serde_json::{Value, json};
use waystone::net::client::{Client, ClientError, Form, Push, Resume};

/// What a client has heard and been answered, without what differs from one run to the next.
type Heard = Vec<(&'static str, Value)>;

async fn notice(client: &Client, wanted: &str) -> (u64, Value) {
    let look = async {
        loop {
            match client.next_push().await.expect("the connection lives") {
                Push::Publication { data, offset: Some(offset), .. } if data["type"] == wanted => {
                    return (offset, data);
                }
                Push::Publication { .. } => {}
                Push::Disconnected { reason, .. } => panic!("closed: {reason}"),
            }
        }
    };
    tokio::time::timeout(DEADLINE, look).await.unwrap_or_else(|_| panic!("no {wanted}"))
}

fn refused(answer: Result<Value, ClientError>) -> Value {
    match answer {
        Err(ClientError::Rpc { code, message, temporary }) => json!([code, message, temporary]),
        other => panic!("not refused: {other:?}"),
    }
}

async fn story(form: Form) -> Heard {
    let server = TestServer::start(quick()).await;
    let (url, token) = (server.url(), server.token("ada"));
    let (ada, connected) = Client::connect_in(form, &url, &token, None).await.expect("connects");
    let mut heard = Heard::new();
    let (channel, own) = connected.own().expect("a channel");
    let epoch = own.epoch.clone();
    heard.push(("connected", json!([channel, own.offset, own.recovered, connected.ping.as_secs(), connected.pong])));
    let now = server.clock.now().as_millis();
    let fix = |seq: i64| json!({"lat": 60.1, "lon": 24.9, "acc": 5, "seq": seq, "t": now - 1000 + seq});
    heard.push(("fix", ada.rpc("fix", fix(1)).await.expect("judged")));
    let batch = json!({"fixes": [fix(2), {"lat": 99, "lon": 0, "seq": 3}]});
    heard.push(("fixes", ada.rpc("fixes", batch).await.expect("judged")));
    ada.send(json!({"fix": fix(4)})).await.expect("sent");
    heard.push(("wake", ada.rpc("wake", json!({"max": 3})).await.expect("answered")));
    heard.push(("a slip", refused(ada.rpc("quest.strat", json!({})).await)));
    heard.push(("a bad fix", refused(ada.rpc("fix", json!({"lat": 91, "lon": 0})).await)));
    heard.push(("no team", refused(ada.subscribe("team:none").await)));
    let made = ada.rpc("team.create", json!({"name": "Ööti \"x\"", "cmd": "c-1"})).await.expect("made");
    heard.push(("made", made["name"].clone()));
    let (offset, joined) = notice(&ada, "team.joined").await;
    heard.push(("joined", json!([offset, joined["name"]])));
    let live = ada.subscribe(&format!("team:{}", made["team"].as_str().expect("an id"))).await.expect("subscribed");
    heard.push(("live", json!(live["data"]["members"].as_array().map(Vec::len))));
    // Lost without a word; what was missed comes with the next connection.
    ada.kill();
    let (other, _) = Client::connect_in(form, &url, &server.token("bo"), None).await.expect("connects");
    let code = json!({"code": made["invite"], "cmd": "c-1"});
    other.rpc("team.join", code).await.expect("joined");
    other.rpc("team.say", json!({"text": "hei", "cmd": "c-2"})).await.expect("said");
    notice(&other, "team.said").await;
    let resume = Resume { epoch, offset };
    let (ada, connected) = Client::connect_in(form, &url, &token, Some(resume)).await.expect("connects");
    let own = connected.own().expect("a channel").1.clone();
    heard.push(("recovered", json!(own.recovered)));
    let mut missed: Vec<_> =
        own.publications.into_iter().map(|missed| (missed.offset, missed.data["type"].clone())).collect();
    while missed.last().is_none_or(|(_, kind)| kind != "team.said") {
        let Some(Push::Publication { data, offset, .. }) = ada.next_push().await else { panic!("closed") };
        missed.push((offset, data["type"].clone()));
    }
    heard.push(("missed", json!(missed)));
    let state = ada.rpc("state.get", Value::Null).await.expect("told");
    heard.push(("state", json!([state["player"], state["offset"], state["team"]["members"]])));
    ada.close().await;
    server.end().await;
    heard
}

#[tokio::test]
async fn same_story_is_told_in_both_forms() {
    let json = story(Form::Json).await;
    let protobuf = story(Form::Protobuf).await;
    assert_eq!(json, protobuf);
    assert_eq!(json.len(), 13, "{json:?}");
}

/// A socket that has agreed on the Protobuf form.
async fn protobuf_socket(server: &TestServer) -> Raw {
    let mut raw = Raw::open(server.addr()).await;
    let head = Head::new(server.addr()).with("Sec-WebSocket-Protocol", "centrifuge-protobuf");
    raw.send(head.text().as_bytes()).await;
    let answer = raw.response().await;
    assert_eq!(answer.status, 101, "{answer:?}");
    raw
}

#[tokio::test]
async fn wrong_frames_on_the_protobuf_form_have_their_codes() {
    let server = TestServer::start(quick()).await;
    for (what, bytes, code) in [
        ("a text frame", frame(0x81, b"{}"), 1003),
        ("JSON in a binary frame", frame(0x82, br#"{"id":1,"connect":{}}"#), 3501),
        ("an empty frame", frame(0x82, b""), 3501),
        ("a length that nothing has", frame(0x82, &[0xff, 0xff, 0xff, 0xff, 0x7f]), 3501),
        ("a command before connect", frame(0x82, &[4, 8, 1, 106, 0]), 3501),
        ("65 commands", frame(0x82, &[0; 65]), 3501),
        ("a message that is too large", frame(0x82, &[0; 40_000]), 1009),
    ] {
        let mut raw = protobuf_socket(&server).await;
        raw.send(&bytes).await;
        let heard = raw.heard().await;
        assert!(matches!(heard, Frame::Close(got, _) if got == code), "{what}: {heard:?}");
    }
    server.end().await;
}
