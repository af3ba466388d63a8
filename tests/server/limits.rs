//! Limits that need more than one message to be met: what one player may ask over all ways together, memory, pieces and
//! time of a message, and bodies that drip.

use crate::harness::{DEADLINE, MEMORY, TestServer, eventually, quick, resident, sign};
use crate::wire::{Heard, Raw, Response, frame, text};
use serde_json::{Value, json};
use std::time::Duration;
use waystone::net::budget::Allowance;
use waystone::units::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_781_000_000_000);
const AWAY: [f64; 2] = [24.9480, 60.1760];

fn fixes(count: usize, seq: u64) -> String {
    let all: Vec<Value> =
        (0..count as u64).map(|n| json!({ "lat": AWAY[1], "lon": AWAY[0], "acc": 5, "seq": seq + n })).collect();
    json!({ "id": seq, "rpc": { "method": "fixes", "data": { "fixes": all } } }).to_string()
}

async fn post(server: &TestServer, player: &str, count: usize) -> Response {
    let mut claims = server.claims(player);
    claims["role"] = json!("device");
    let time = jiff::Timestamp::from_millisecond(server.clock.now().as_millis()).expect("a time").to_string();
    let point = json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": AWAY },
                        "properties": { "timestamp": time, "horizontal_accuracy": 5 } });
    server.post("/in/overland", &sign(&claims), &json!({ "locations": vec![point; count] })).await
}

fn limited(what: &str) -> String {
    format!("waystone_limited_total{{what=\"{what}\"}}")
}

fn refused(why: &str) -> String {
    format!("waystone_refused_total{{why=\"{why}\"}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_and_posts_of_a_player_spend_from_one_budget() {
    let server = TestServer::start_at(NOW, quick(), |edge| {
        edge.allowance = Allowance { fixes: (1, 200), commands: (1, 20) };
    })
    .await;
    let mut ada = Raw::connected(server.addr(), &server.token("ada")).await;
    ada.send(&text(&fixes(100, 100))).await;
    assert_eq!(ada.reply(100).await["rpc"]["data"]["seq"], 199);
    assert_eq!(post(&server, "ada", 60).await.status, 200);
    let too_many = post(&server, "ada", 100).await;
    assert_eq!((too_many.status, too_many.problem().as_str()), (429, "/problems/too-many-requests"));
    let wait: u64 = too_many.header("retry-after").and_then(|wait| wait.parse().ok()).expect("when to come back");
    assert!((1..=61).contains(&wait), "{wait}");
    ada.send(&text(&fixes(100, 200))).await;
    let reply = ada.reply(200).await;
    assert_eq!((&reply["error"]["code"], &reply["error"]["temporary"]), (&json!(111), &json!(true)), "{reply}");
    // To come back changes nothing, and others have their own.
    drop(ada);
    let mut again = Raw::connected(server.addr(), &server.token("ada")).await;
    again.send(&text(&fixes(100, 200))).await;
    assert_eq!(again.reply(200).await["error"]["code"], 111);
    assert_eq!(post(&server, "bo", 200).await.status, 200);
    // A post of more than can ever be saved up is cut to its newest, not refused for ever.
    assert_eq!(post(&server, "cy", 900).await.status, 200);
    // A post without a fix costs a command.
    let mut last = 200;
    for _ in 0..40 {
        last = post(&server, "dee", 0).await.status;
    }
    assert_eq!(last, 429);
    assert!(server.metric(&limited("fixes")).await >= 2 && server.metric(&limited("posts")).await >= 2);
    server.end().await;
}

/// More than a socket may have under way: nothing is refused for it, since no more is read until something is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_faster_than_can_be_answered_is_answered_all() {
    let server = TestServer::start_at(NOW, quick(), |_| {}).await;
    let mut ada = Raw::connected(server.addr(), &server.token("ada")).await;
    let ids = 100..450_u64;
    let frames: Vec<u8> = ids.clone().flat_map(|id| text(&fixes(1, id))).collect();
    ada.send(&frames).await;
    for id in ids {
        let reply = ada.reply(id).await;
        assert_eq!(reply["rpc"]["data"]["seq"], id, "{reply}");
    }
    server.end().await;
}

const ROOM: u64 = 300 << 20;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_of_memory_nobody_else_is_let_in_and_who_is_inside_plays_on() {
    let _alone = MEMORY.lock().await;
    let server = TestServer::start_at(NOW, quick(), |edge| {
        edge.memory_max = Some(resident() + ROOM);
        edge.connect_deadline = Duration::from_secs(120);
    })
    .await;
    let addr = server.addr();
    let mut inside = Raw::connected(addr, &server.token("ada")).await;
    let mut waiting = Raw::socket(addr).await;
    assert_eq!(post(&server, "phone", 1).await.status, 200);
    // Far over the ceiling, each page touched.
    let ballast = vec![1_u8; (ROOM * 3) as usize];
    eventually("new sockets are shed", async || {
        let mut raw = Raw::open(addr).await;
        raw.send(crate::wire::Head::new(addr).text().as_bytes()).await;
        let response = raw.response().await;
        let told = (response.status, response.header("retry-after").map(str::to_owned), response.problem());
        let wanted = (503, Some("10".to_owned()), "/problems/service-unavailable".to_owned());
        if told == wanted { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
    // Who has a socket already, but no session, is asked to wait; the socket stays.
    let connect = |id: u64| text(&json!({ "id": id, "connect": { "token": server.token("bo") } }).to_string());
    waiting.send(&connect(1)).await;
    let reply = waiting.reply(1).await;
    assert_eq!((&reply["error"]["code"], &reply["error"]["temporary"]), (&json!(1004), &json!(true)), "{reply}");
    // Inside all goes on, over sockets and posts; health can be seen.
    inside.send(&text(&fixes(10, 10))).await;
    assert_eq!(inside.reply(10).await["rpc"]["data"]["seq"], 19);
    assert_eq!(post(&server, "phone", 1).await.status, 200);
    assert_eq!(post(&server, "stranger", 1).await.status, 503);
    assert_eq!(server.http("GET", "/livez", &[], "").await.status, 200);
    assert!(server.metric("waystone_memory_bytes").await >= server.metric("waystone_memory_ceiling_bytes").await);
    assert!(server.metric(&refused("memory")).await >= 1 && server.metric(&limited("memory")).await >= 1);
    assert!(ballast.iter().step_by(4096).all(|byte| *byte == 1));
    drop(ballast);
    eventually("the door is open again", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut raw = Raw::open(addr).await;
        raw.send(crate::wire::Head::new(addr).text().as_bytes()).await;
        let status = raw.response().await.status;
        if status == 101 { Ok(()) } else { Err(format!("{status} at {} MiB", resident() >> 20)) }
    })
    .await;
    waiting.send(&connect(2)).await;
    assert!(waiting.reply(2).await["connect"].is_object());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_in_few_pieces_and_whole_in_time() {
    let server = TestServer::start_at(NOW, quick(), |edge| {
        edge.ping = Duration::from_secs(1);
        edge.message_deadline = Duration::from_millis(200);
    })
    .await;
    let (first, more, last) = (frame(0x01, b"{\"id\":2"), frame(0x00, b" "), frame(0x80, b",\"ping\":{}}"));
    let pieces = |count: usize| [first.clone(), more.repeat(count - 2), last.clone()].concat();
    let mut ada = Raw::connected(server.addr(), &server.token("ada")).await;
    ada.send(&pieces(64)).await;
    assert_eq!(ada.reply(2).await["ping"], json!({}));
    ada.send(&pieces(65)).await;
    assert_eq!(ada.end().await, Heard::Close(1009, "message too big".to_owned()));
    for begun in [&first[..], &[0x81], &[0x81, 0xfe, 0x10, 0x00, 0, 0, 0, 0, b'{']] {
        let mut bo = Raw::connected(server.addr(), &server.token("bo")).await;
        bo.send(begun).await;
        assert_eq!(bo.end().await, Heard::Close(1008, "message unfinished".to_owned()), "{begun:?}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_what_costs_no_command_are_ended() {
    let server = TestServer::start(quick()).await;
    for (name, cheap) in [("pings", frame(0x89, b"x")), ("pongs", frame(0x8a, b"")), ("answers to pings", text("{}"))]
    {
        let mut raw = Raw::connected(server.addr(), &server.token("ada")).await;
        raw.send(&cheap.repeat(600)).await;
        assert_eq!(raw.end().await, Heard::Close(3013, "too many requests".to_owned()), "{name}");
    }
    // Bad tokens on one socket: the first closes. Expired ones do not, so they are counted.
    let mut claims = server.claims("ada");
    claims["exp"] = json!(1_700_000_000);
    let mut raw = Raw::socket(server.addr()).await;
    let codes = async {
        let mut codes = Vec::new();
        for id in 1..=8_u64 {
            raw.send(&text(&json!({ "id": id, "connect": { "token": sign(&claims) } }).to_string())).await;
            codes.push(raw.reply(id).await["error"]["code"].clone());
        }
        codes
    };
    let codes = codes.await;
    assert_eq!((&codes[..5], codes.last()), (&vec![json!(109); 5][..], Some(&json!(111))), "{codes:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_holds_nothing_for_long() {
    let server = TestServer::start_at(NOW, quick(), |edge| edge.request_deadline = Duration::from_millis(300)).await;
    let mut claims = server.claims("ada");
    claims["role"] = json!("device");
    let targets =
        [("/in/overland", sign(&claims)), ("/v1/reviews", server.operator_token()), ("/in/traccar", sign(&claims))];
    for (target, token) in targets {
        let mut raw = Raw::open(server.addr()).await;
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
            server.addr()
        );
        raw.send(head.as_bytes()).await;
        let late = raw.response().await;
        assert_eq!((late.status, late.problem().as_str()), (408, "/problems/request-timeout"), "{target}");
        assert_eq!(raw.end().await, Heard::Eof, "{target}: nobody waits for the rest");
    }
    // Who says at the end of the request that nothing more comes gets the answer all the same.
    let mut raw = Raw::open(server.addr()).await;
    raw.send(format!("GET /livez HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr()).as_bytes()).await;
    raw.finish().await;
    assert_eq!(raw.response().await.status, 200);
    // A socket whose client says so is over, and no session stays.
    let mut half = Raw::connected(server.addr(), &server.token("bo")).await;
    half.finish().await;
    let ended = tokio::time::timeout(DEADLINE, half.end()).await.expect("it ends");
    assert_eq!(ended, Heard::Eof);
    eventually("no session is left", async || match server.metric("waystone_sessions").await {
        0 => Ok(()),
        open => Err(format!("{open} sessions")),
    })
    .await;
    server.end().await;
}

/// Until the server says nothing more, in time.
async fn rest(raw: &mut Raw) -> Heard {
    tokio::time::timeout(DEADLINE, raw.end()).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_head_on_a_connection_is_bounded_like_the_first() {
    let server = TestServer::start_at(NOW, quick(), |edge| {
        edge.head_deadline = Duration::from_millis(500);
        edge.request_deadline = Duration::from_millis(500);
    })
    .await;
    let addr = server.addr();
    let get = |more: &str| format!("GET /livez HTTP/1.1\r\nHost: {addr}\r\n{more}\r\n");
    let again = async |raw: &mut Raw, more: &str| {
        raw.send(get(more).as_bytes()).await;
        let response = raw.response().await;
        (response.status, response.problem())
    };
    let fine = (200, String::new());
    let large = (431, "/problems/request-header-fields-too-large".to_owned());
    let many: String = (0..90).map(|n| format!("X-{n}: 1\r\n")).collect();
    for (more, wanted) in [
        (format!("X-Big: {}\r\n", "x".repeat(7_900)), &fine),
        (many, &fine),
        (format!("X-Big: {}\r\n", "x".repeat(8_200)), &large),
        (format!("X-Big: {}\r\n", "x".repeat(100_000)), &large),
    ] {
        let mut raw = Raw::open(addr).await;
        for _ in 0..2 {
            assert_eq!(again(&mut raw, "").await, fine);
        }
        assert_eq!(again(&mut raw, &more).await, *wanted, "{} bytes", more.len());
        if *wanted == large {
            assert_eq!(rest(&mut raw).await, Heard::Eof, "nothing more is read");
        } else {
            assert_eq!(again(&mut raw, "").await, fine, "and the connection goes on");
        }
    }
    // One that drips holds nothing for long.
    let mut raw = Raw::open(addr).await;
    assert_eq!(again(&mut raw, "").await, fine);
    let begun = tokio::time::Instant::now();
    raw.send(b"GET /livez HTTP/1.1\r\nHo").await;
    assert_eq!(rest(&mut raw).await, Heard::Eof);
    assert!((900..5_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    // One that is idle between two requests is another thing.
    let mut raw = Raw::open(addr).await;
    assert_eq!(again(&mut raw, "").await, fine);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(again(&mut raw, "").await, fine);
    server.end().await;
}
