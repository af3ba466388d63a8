//! Tests of the client and the link against a small server that speaks the protocol and misbehaves on request.

#![expect(clippy::disallowed_methods, reason = "the test's runtime ends its tasks")]

use super::*;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

/// `{"sub":"ada"}`, with a signature that only a real server would check.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln";
const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(20);

/// What the server remembers over its connections.
#[derive(Default)]
struct Server {
    epoch: Mutex<String>,
    stream: Mutex<Vec<Value>>,
    pongs: AtomicUsize,
    connects: AtomicUsize,
    done: AtomicUsize,
    sent: Mutex<Vec<Value>>,
}

/// What the server does after a command.
enum Act {
    Say(Vec<Value>),
    Close(u16),
    Vanish,
}

impl Server {
    async fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/connect", listener.local_addr().expect("bound"));
        let server = Arc::new(Self { epoch: Mutex::new("e1".to_owned()), ..Self::default() });
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(tcp));
            }
        });
        (server, url)
    }

    async fn serve(self: Arc<Self>, tcp: TcpStream) {
        let mut socket = tokio_tungstenite::accept_async(tcp).await.expect("a handshake");
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            for line in text.lines() {
                let command: Value = serde_json::from_str(line).expect("JSON");
                match self.act(&command) {
                    Act::Say(lines) => say(&mut socket, &lines).await,
                    Act::Close(code) => {
                        let frame = CloseFrame { code: code.into(), reason: "as asked".into() };
                        let _ = socket.close(Some(frame)).await;
                    }
                    Act::Vanish => return,
                }
            }
        }
    }

    fn act(&self, command: &Value) -> Act {
        let id = &command["id"];
        if let Some(connect) = command.get("connect") {
            self.connects.fetch_add(1, Ordering::SeqCst);
            return match connect["token"].as_str() {
                Some("stranger") => Act::Close(3_500),
                Some("later") => {
                    Act::Say(vec![json!({"id": id, "error": {"code": 100, "message": "later", "temporary": true}})])
                }
                // With a ping in the same frame: what stands behind the reply must not be lost.
                _ => Act::Say(vec![self.connected(id, connect), json!({})]),
            };
        }
        if let Some(rpc) = command.get("rpc") {
            return self.rpc(id, rpc["method"].as_str().expect("a method"), &rpc["data"]);
        }
        if let Some(subscribe) = command.get("subscribe") {
            let push = json!({"push": {"channel": subscribe["channel"], "pub": {"data": "hello"}}});
            return Act::Say(vec![json!({"id": id, "subscribe": {"epoch": "b"}}), push]);
        }
        match command.get("send") {
            Some(send) => self.sent.lock().expect("unpoisoned").push(send["data"].clone()),
            None => drop(self.pongs.fetch_add(1, Ordering::SeqCst)),
        }
        Act::Say(vec![])
    }

    fn connected(&self, id: &Value, connect: &Value) -> Value {
        let (epoch, stream) = (self.epoch.lock().expect("unpoisoned"), self.stream.lock().expect("unpoisoned"));
        let asked = &connect["subs"]["#ada"];
        let recovered = asked["recover"] == true && asked["epoch"] == *epoch;
        let seen = asked["offset"].as_u64().unwrap_or(0);
        let missed = (1..).zip(stream.iter()).filter(|(offset, _)| recovered && *offset > seen);
        let missed: Vec<Value> = missed.map(|(offset, data)| json!({"data": data, "offset": offset})).collect();
        let sub = json!({"recoverable": true, "epoch": *epoch, "offset": stream.len(),
            "recovered": recovered, "publications": missed});
        let ping = if connect["token"] == "frozen" { 1 } else { 25 };
        json!({"id": id, "connect": {"client": "c1", "ping": ping, "pong": true, "subs": {"#ada": sub}}})
    }

    fn rpc(&self, id: &Value, method: &str, data: &Value) -> Act {
        let reply = json!({"id": id, "rpc": {"data": data}});
        let count = data["count"].as_u64().unwrap_or(1);
        let refusal = |temporary| json!({"id": id, "error": {"code": 1_001, "message": "GPS too weak", "temporary": temporary}});
        match method {
            "refuse" => Act::Say(vec![refusal(false)]),
            "silent" => Act::Say(vec![]),
            "close" => Act::Close(u16::try_from(count).expect("a close code")),
            "busy_once" if self.done.fetch_add(1, Ordering::SeqCst) == 0 => Act::Say(vec![refusal(true)]),
            "vanish_once" if self.done.fetch_add(1, Ordering::SeqCst) == 0 => Act::Vanish,
            "vanish" => {
                (0..count).for_each(|_| drop(self.publish()));
                Act::Vanish
            }
            "publish" => Act::Say((0..count).map(|_| self.publish()).chain([reply]).collect()),
            // The whole stream once more, as a server might that lost its place.
            "again" => {
                let stream = self.stream.lock().expect("unpoisoned");
                let pushes = (1..).zip(stream.iter()).map(|(offset, data)| push(offset, data));
                Act::Say(pushes.chain([reply]).collect())
            }
            _ => Act::Say(vec![reply]),
        }
    }

    fn publish(&self) -> Value {
        let mut stream = self.stream.lock().expect("unpoisoned");
        let data = json!(format!("event {}", stream.len() + 1));
        stream.push(data.clone());
        push(stream.len() as u64, &data)
    }
}

fn push(offset: u64, data: &Value) -> Value {
    json!({"push": {"channel": "#ada", "pub": {"data": data, "offset": offset}}})
}

async fn say(socket: &mut WebSocketStream<TcpStream>, lines: &[Value]) {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    if !text.is_empty() {
        let _ = socket.send(Message::text(text.join("\n"))).await;
    }
}

async fn connect(url: &str) -> Client {
    Client::connect(url, TOKEN, None).await.expect("a connection").0
}

fn offset_of(push: Option<Push>) -> u64 {
    match push {
        Some(Push::Publication { offset: Some(offset), .. }) => offset,
        other => panic!("not a publication with an offset: {other:?}"),
    }
}

#[tokio::test]
async fn connects_calls_and_is_refused() {
    let (server, url) = Server::start().await;
    let (client, connected) = Client::connect(&url, TOKEN, None).await.expect("a connection");
    assert_eq!(connected.own().map(|(channel, sub)| (channel, sub.offset)), Some(("#ada", 0)));
    assert_eq!(client.rpc("echo", json!({"a": [1, 2]})).await.expect("a reply"), json!({"a": [1, 2]}));
    match client.rpc("refuse", json!({})).await {
        Err(ClientError::Rpc { code: 1_001, message, temporary: false }) => assert_eq!(message, "GPS too weak"),
        other => panic!("{other:?}"),
    }
    client.send(json!("gone by")).await.expect("queued");
    client.rpc("echo", json!(1)).await.expect("a reply");
    assert_eq!(*server.sent.lock().expect("unpoisoned"), [json!("gone by")]);
    assert_eq!(server.pongs.load(Ordering::SeqCst), 1, "the ping behind the connect reply was lost");
}

#[tokio::test]
async fn many_calls_in_flight_find_their_own_replies() {
    let (_server, url) = Server::start().await;
    let client = connect(&url).await;
    let calls = (0..1_000).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { (number, client.rpc("echo", json!(number)).await) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (number, reply) = call.await.expect("no panic");
        assert_eq!(reply.expect("a reply"), json!(number));
    }
}

#[tokio::test]
async fn a_deadline_leaves_nothing_behind() {
    let (_server, url) = Server::start().await;
    let client = connect(&url).await;
    for _ in 0..3 {
        let outcome = client.rpc_within("silent", json!({}), SHORT).await;
        assert!(matches!(outcome, Err(ClientError::Deadline { .. })), "{outcome:?}");
    }
    assert_eq!(client.inner.pending.len(), 0);
    assert_eq!(client.inner.permits.available_permits(), IN_FLIGHT_MAX);
}

#[tokio::test]
async fn what_was_missed_comes_with_the_resume() {
    let (_server, url) = Server::start().await;
    let client = connect(&url).await;
    client.rpc("publish", json!({"count": 2})).await.expect("a reply");
    assert_eq!((offset_of(client.next_push().await), offset_of(client.next_push().await)), (1, 2));
    let outcome = client.rpc("vanish", json!({"count": 3})).await;
    assert!(matches!(outcome, Err(ClientError::Closed { code: CODE_TRANSPORT, .. })), "{outcome:?}");
    assert!(matches!(client.next_push().await, Some(Push::Disconnected { code: CODE_TRANSPORT, .. })));
    assert_eq!(client.next_push().await, None);

    let resume = Resume { epoch: "e1".to_owned(), offset: 2 };
    let (_client, connected) = Client::connect(&url, TOKEN, Some(resume)).await.expect("a connection");
    let (_, sub) = connected.own().expect("the own channel");
    assert!(sub.recovered);
    let offsets: Vec<_> = sub.publications.iter().map(|publication| publication.offset).collect();
    assert_eq!(offsets, [Some(3), Some(4), Some(5)]);
}

#[tokio::test]
async fn subscribes_and_hears() {
    let (_server, url) = Server::start().await;
    let client = connect(&url).await;
    assert_eq!(client.subscribe("board:x").await.expect("a reply"), json!({"epoch": "b"}));
    let push = Push::Publication { channel: "board:x".to_owned(), data: json!("hello"), offset: None };
    assert_eq!(client.next_push().await, Some(push));
}

#[tokio::test]
async fn unread_pushes_end_the_connection_not_the_memory() {
    let (_server, url) = Server::start().await;
    let client = connect(&url).await;
    let _ = client.rpc("publish", json!({"count": PUSHES_MAX + 1})).await;
    for offset in 1..=PUSHES_MAX {
        assert_eq!(offset_of(client.next_push().await), offset as u64);
    }
    assert!(matches!(client.next_push().await, Some(Push::Disconnected { code: CODE_PUSHES_NOT_READ, .. })));
    assert!(matches!(
        client.rpc("echo", json!(1)).await,
        Err(ClientError::Closed { code: CODE_PUSHES_NOT_READ, .. })
    ));
}

#[tokio::test]
async fn close_codes_say_whether_to_come_back() {
    let (_server, url) = Server::start().await;
    let error = Client::connect(&url, "stranger", None).await.map(|_| ()).expect_err("refused");
    assert!(matches!(error, ClientError::Closed { code: 3_500, .. }) && !error.may_reconnect(), "{error}");
    let error = Client::connect(&url, "later", None).await.map(|_| ()).expect_err("refused");
    assert!(matches!(error, ClientError::Refused { code: 100, .. }) && error.may_reconnect(), "{error}");
    let error = Client::connect("ws://127.0.0.1:1/", TOKEN, None).await.map(|_| ()).expect_err("no one there");
    assert!(matches!(error, ClientError::Connect(_)) && error.may_reconnect(), "{error}");
    let error = Client::connect("http://127.0.0.1:1/", TOKEN, None).await.map(|_| ()).expect_err("not ws");
    assert!(!error.may_reconnect(), "{error}");
    let resume = Some(Resume { epoch: String::new(), offset: 0 });
    assert!(matches!(Client::connect(&url, "stranger", resume).await, Err(ClientError::Token)));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_noticed() {
    let (_server, url) = Server::start().await;
    let (client, _) = Client::connect(&url, "frozen", None).await.expect("a connection");
    let last = tokio::time::timeout(LONG, client.next_push()).await.expect("noticed");
    assert!(matches!(last, Some(Push::Disconnected { code: CODE_NO_PING, .. })), "{last:?}");
    assert!(may_reconnect(CODE_NO_PING));
}

#[tokio::test]
async fn kill_drop_and_close_end_the_task() {
    let (_server, url) = Server::start().await;
    let client = connect(&url).await;
    client.kill();
    assert!(matches!(client.rpc("echo", json!(1)).await, Err(ClientError::Closed { code: CODE_OURS, .. })));
    assert!(matches!(client.next_push().await, Some(Push::Disconnected { code: CODE_OURS, .. })));

    let client = connect(&url).await;
    client.close().await;
    assert!(client.is_closed());

    let client = connect(&url).await;
    let commands = client.inner.commands.clone();
    drop(client);
    tokio::time::timeout(LONG, commands.closed()).await.expect("the task outlived its client");
}

fn link(url: &str) -> (Link, mpsc::Receiver<LinkEvent>) {
    Link::start(url, Arc::new(|| TOKEN.to_owned()), None)
}

/// Reads events until `count` notices have come; gives their offsets, and whether each connection continued.
async fn notices(events: &mut mpsc::Receiver<LinkEvent>, count: usize) -> (Vec<u64>, Vec<bool>) {
    let (mut offsets, mut ups) = (Vec::new(), Vec::new());
    while offsets.len() < count {
        match tokio::time::timeout(LONG, events.recv()).await.expect("in time").expect("not ended") {
            LinkEvent::Notice { offset, .. } => offsets.push(offset),
            LinkEvent::Up { continued, .. } => ups.push(continued),
            _ => {}
        }
    }
    (offsets, ups)
}

#[tokio::test]
async fn link_hands_out_each_notice_once_over_drops() {
    let (_server, url) = Server::start().await;
    let (link, mut events) = link(&url);
    link.rpc("publish", json!({"count": 2}), Repeat::Never, LONG).await.expect("a reply");
    let outcome = link.rpc("vanish", json!({"count": 3}), Repeat::Never, LONG).await;
    assert!(matches!(outcome, Err(ClientError::Closed { .. })), "{outcome:?}");
    link.rpc("publish", json!({}), Repeat::Never, LONG).await.expect("a reply");
    link.rpc("again", json!({}), Repeat::Never, LONG).await.expect("a reply");
    link.kill();
    link.rpc("publish", json!({}), Repeat::Safe, LONG).await.expect("a reply");
    let (offsets, ups) = notices(&mut events, 7).await;
    assert_eq!(offsets, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(ups, [false, true, true]);
    assert_eq!(link.resume().map(|resume| resume.epoch), Some("e1".to_owned()));
}

#[tokio::test]
async fn link_repeats_only_what_may_be_repeated() {
    for method in ["vanish_once", "busy_once"] {
        let (server, url) = Server::start().await;
        let (link, _events) = link(&url);
        assert!(link.rpc(method, json!({}), Repeat::Never, LONG).await.is_err(), "{method}");
        server.done.store(0, Ordering::SeqCst);
        let reply = link.rpc(method, json!({"cmd": "c-1"}), Repeat::Safe, LONG).await;
        assert_eq!(reply.expect(method), json!({"cmd": "c-1"}));
    }
}

#[tokio::test]
async fn link_says_when_the_stream_starts_anew() {
    let (server, url) = Server::start().await;
    let (link, mut events) = link(&url);
    link.rpc("publish", json!({"count": 5}), Repeat::Never, LONG).await.expect("a reply");
    assert_eq!(notices(&mut events, 5).await.0.len(), 5);
    *server.epoch.lock().expect("unpoisoned") = "e2".to_owned();
    server.stream.lock().expect("unpoisoned").truncate(1);
    link.kill();
    link.rpc("publish", json!({}), Repeat::Safe, LONG).await.expect("a reply");
    assert_eq!(notices(&mut events, 1).await, (vec![2], vec![false]));
}

#[tokio::test]
async fn link_subscribes_again_and_ends_when_told() {
    let (server, url) = Server::start().await;
    let (link, mut events) = link(&url);
    link.subscribe("team:t1", LONG).await.expect("a reply");
    link.kill();
    let mut heard = 0;
    while heard < 2 {
        let event = tokio::time::timeout(LONG, events.recv()).await.expect("in time");
        heard += usize::from(matches!(event, Some(LinkEvent::Publication { .. })));
    }
    let outcome = link.rpc("close", json!({"count": 4_501}), Repeat::Safe, LONG).await;
    assert!(matches!(outcome, Err(ClientError::Closed { code: 4_501, .. })), "{outcome:?}");
    let mut last = None;
    while let Some(event) = tokio::time::timeout(LONG, events.recv()).await.expect("in time") {
        last = Some(event);
    }
    assert!(matches!(last, Some(LinkEvent::Ended { .. })), "{last:?}");
    assert_eq!(server.connects.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn link_waits_for_a_server_and_gives_up_at_its_deadline() {
    let (link, mut events) = link("ws://127.0.0.1:1/");
    let outcome = link.rpc("echo", json!({}), Repeat::Safe, SHORT).await;
    assert!(matches!(outcome, Err(ClientError::Deadline { .. })), "{outcome:?}");
    assert!(matches!(events.recv().await, Some(LinkEvent::Down { .. })));
}
