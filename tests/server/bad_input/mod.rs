//! All the ways of being wrong, in one table with one expected answer each; after it the server is as it was.

mod bodies;
mod deeds;
mod frames;
mod heads;
mod pages;
mod posts;
mod tokens;
mod words;

use crate::harness::{MEMORY, TestServer, eventually, faults, quest, quick, resident};
use crate::phone::Phone;
use crate::wire::{Heard, Raw, Response, text};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use waystone::units::Timestamp;

const GATE: [f64; 2] = [24.9400, 60.1700];

/// Who sends it, and what is said before.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    /// A TCP connection that has said nothing.
    Nobody,
    /// An upgraded socket that has said nothing.
    Socket,
    /// Cy: connected, in no team.
    Stranger,
    /// Bea: connected, in a team that plays `quick`, at the gate; the step `meet` is done.
    Player,
}

/// What must come back.
#[derive(Debug, Clone)]
enum Answer {
    /// An HTTP answer: status and the problem's type; an empty type is any body.
    Status(u16, &'static str),
    /// The same with one header line more.
    Header(u16, &'static str, &'static str, &'static str),
    /// The socket is closed with this code; 1005 bears none.
    Close(u16),
    /// Hung up without a word.
    Hangup,
    /// The reply to id 2 is this error.
    Error(u32),
    /// And its message has these words.
    Says(u32, &'static str),
    /// The reply to id 2 is no error and has at least these fields.
    Fine(Value),
}

struct Case {
    name: String,
    who: Who,
    bytes: Vec<u8>,
    answer: Answer,
}

fn case(name: &str, who: Who, bytes: impl Into<Vec<u8>>, answer: Answer) -> Case {
    Case { name: name.to_owned(), who, bytes: bytes.into(), answer }
}

/// A case whose bytes are one text frame.
fn line(name: &str, who: Who, line: &str, answer: Answer) -> Case {
    case(name, who, text(line), answer)
}

/// A call with id 2.
fn rpc(method: &str, data: &str) -> String {
    format!(r#"{{"id":2,"rpc":{{"method":"{method}","data":{data}}}}}"#)
}

/// Says what is wrong with what came back; nothing when all is right.
async fn judge(server: &TestServer, case: &Case) -> Option<String> {
    let addr = server.addr();
    let mut raw = match case.who {
        Who::Nobody => Raw::open(addr).await,
        Who::Socket => Raw::socket(addr).await,
        Who::Stranger => Raw::connected(addr, &server.token("cy")).await,
        Who::Player => Raw::connected(addr, &server.token("bea")).await,
    };
    raw.send(&case.bytes).await;
    let fault = match &case.answer {
        Answer::Status(status, kind) => of_http(&raw.response().await, *status, kind, None),
        Answer::Header(status, kind, name, value) => {
            of_http(&raw.response().await, *status, kind, Some((name, value)))
        }
        Answer::Close(code) => of_end(raw.end().await, *code),
        Answer::Hangup => {
            raw.finish().await;
            let response = raw.response().await;
            (response.status != 0 || !response.body.is_empty()).then(|| format!("{response:?}"))
        }
        Answer::Error(code) => of_error(&raw.reply(2).await, *code, ""),
        Answer::Says(code, words) => of_error(&raw.reply(2).await, *code, words),
        Answer::Fine(fields) => {
            let reply = raw.reply(2).await;
            (!crate::phone::has(&reply, fields)).then(|| reply.to_string())
        }
    };
    fault.map(|fault| format!("{}: wanted {:?}, got {fault}", case.name, case.answer))
}

fn of_http(got: &Response, status: u16, kind: &str, header: Option<(&str, &str)>) -> Option<String> {
    let problem = kind.is_empty() || got.problem() == kind;
    let headed = header.is_none_or(|(name, value)| got.header(name) == Some(value));
    (got.status != status || !problem || !headed).then(|| format!("{got:?}"))
}

fn of_end(end: Heard, code: u16) -> Option<String> {
    let fine = matches!(&end, Heard::Close(got, _) if *got == code);
    (!fine).then(|| format!("{end:?}"))
}

fn of_error(reply: &Value, code: u32, words: &str) -> Option<String> {
    let message = reply["error"]["message"].as_str().unwrap_or_default();
    let fine = reply["error"]["code"] == code && !message.is_empty() && message.contains(words);
    (!fine).then(|| reply.to_string())
}

/// Bea founds a team, starts and passes the gate; then her phone is put away.
async fn set_the_stage(server: &TestServer) {
    let mut bea = server.phone("bea").await;
    bea.found("The B team").await;
    bea.start("quick").await;
    bea.stand_at(GATE).await;
    bea.expect_open("side").await;
    bea.call("team.say", json!({ "text": "first", "cmd": "used" })).await;
    bea.expect(json!({ "type": "team.said" })).await;
    server.phone("cy").await;
}

async fn serves_a_good_client(server: &TestServer) {
    let mut dee: Phone = server.phone("dee").await;
    dee.start("alone").await;
    dee.stand_at([24.9400, 60.1800]).await;
    dee.expect_done("sit").await;
}

/// What the server may keep of one area: the sockets of a table are gone when it is through. Other tests have their servers
/// in this process.
const GROWTH_MAX: u64 = 128 << 20;
/// What clients are promised.
const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// Whether the answer is one of those in the document.
fn is_documented(answer: &Answer) -> bool {
    let number = match answer {
        Answer::Status(status, _) | Answer::Header(status, ..) => u32::from(*status),
        // The echo of a client's own code is its own.
        Answer::Close(1000 | 1005 | 4000) | Answer::Hangup | Answer::Fine(_) => return true,
        Answer::Close(code) => u32::from(*code),
        Answer::Error(code) | Answer::Says(code, _) => *code,
    };
    matches!(number, 101 | 200) || DOCUMENT.lines().any(|line| line.starts_with(&format!("| {number} | ")))
}

/// Another client: calls one after the other for as long as the tables are gone through; how many were answered.
async fn bystander(mut raw: Raw, stop: Arc<AtomicBool>) -> u64 {
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = answered + 2;
        raw.send(&text(&json!({ "id": id, "rpc": { "method": "state.get" } }).to_string())).await;
        let reply = raw.reply(id).await;
        assert!(reply["rpc"].is_object(), "{reply}");
        answered += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    answered
}

async fn no_session_but_the_bystanders(server: &TestServer) {
    eventually("all sockets of the table are gone", async || match server.metric("waystone_sessions").await {
        1 => Ok(()),
        open => Err(format!("{open} sessions")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_input_gets_its_answer_and_changes_nothing() {
    let _alone = MEMORY.lock().await;
    let mut quests = quick();
    quests.push(quest("quests/helsinki.yaml"));
    // A few players ask for all cases, faster than players do.
    let server = TestServer::start_at(Timestamp::from_millis(1_781_000_000_000), quests, |edge| {
        edge.allowance.commands = (10_000, 10_000);
    })
    .await;
    set_the_stage(&server).await;
    let cookie = pages::open_console(&server).await;
    let before = server.entries().await;
    let areas = [
        ("heads", heads::cases(&server)),
        ("frames", frames::cases()),
        ("words", words::cases()),
        ("tokens", tokens::cases(&server)),
        ("deeds", deeds::cases(&server)),
        ("pages", pages::cases(&server, &cookie)),
        ("bodies", bodies::cases(&server)),
        ("posts", posts::cases(&server)),
    ];
    let count: usize = areas.iter().map(|(_, cases)| cases.len()).sum();
    assert!(count >= 350 && areas.iter().all(|(_, cases)| cases.len() >= 20), "{count}");
    let stop = Arc::new(AtomicBool::new(false));
    let other = Raw::connected(server.addr(), &server.token("other")).await;
    let mut others = JoinSet::new();
    others.spawn(bystander(other, Arc::clone(&stop)));
    let mut wrong = Vec::new();
    for (area, cases) in &areas {
        let held = resident();
        for case in cases {
            wrong.extend(judge(&server, case).await.map(|fault| format!("{area}: {fault}")));
            if !is_documented(&case.answer) {
                wrong.push(format!("{area}: {}: {:?} is not in docs/protocol.md", case.name, case.answer));
            }
        }
        no_session_but_the_bystanders(&server).await;
        let grown = resident().saturating_sub(held);
        assert!(grown < GROWTH_MAX, "{area}: {grown} bytes more than before");
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
    stop.store(true, Ordering::Relaxed);
    let answered = others.join_next().await.expect("it runs").expect("it was answered each time");
    assert!(answered > 0);
    assert_eq!(server.entries().await, before, "what was refused was written");
    assert_eq!(faults(), Vec::<String>::new());
    serves_a_good_client(&server).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_too_long_is_told_so() {
    let now = Timestamp::from_millis(1_781_000_000_000);
    let server = TestServer::start_at(now, quick(), |edge| {
        edge.head_deadline = Duration::from_millis(300);
        edge.connect_deadline = Duration::from_millis(300);
    })
    .await;
    let slow = "/problems/request-timeout";
    let cases = [
        case("half a head", Who::Nobody, "GET /connect HTTP/1.1\r\nHost: 127.0.0.1\r\n", Answer::Status(408, slow)),
        case("no byte at all", Who::Nobody, "", Answer::Status(408, slow)),
        case("an upgrade and silence", Who::Socket, "", Answer::Close(3502)),
        line("nothing but pongs", Who::Socket, "{}", Answer::Close(3502)),
    ];
    let mut wrong = Vec::new();
    for case in &cases {
        wrong.extend(judge(&server, case).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_answered_then_ended() {
    let server = TestServer::start(quick()).await;
    let mut raw = Raw::connected(server.addr(), &server.token("ada")).await;
    let pings = |ids: std::ops::Range<u64>| ids.map(|id| format!(r#"{{"id":{id},"ping":{{}}}}"#)).collect::<Vec<_>>();
    raw.send(&text(&pings(2..66).join("\n"))).await;
    let mut refused = Vec::new();
    for id in 2..66 {
        let reply = raw.reply(id).await;
        if reply["error"].is_object() {
            assert_eq!((&reply["error"]["code"], &reply["error"]["temporary"]), (&json!(111), &json!(true)));
            refused.push(reply);
        }
    }
    assert!(
        (1..=15).contains(&refused.len()),
        "50 are saved up, connecting took one, 20 more come each second: {refused:?}"
    );
    for batch in 0..8 {
        raw.send(&text(&pings(100 + 64 * batch..164 + 64 * batch).join("\n"))).await;
    }
    assert_eq!(raw.end().await, Heard::Close(3013, "too many requests".to_owned()));
    assert!(server.metric("waystone_limited_total{what=\"commands\"}").await >= 100);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_says_when_to_come_back() {
    let now = Timestamp::from_millis(1_781_000_000_000);
    let server = TestServer::start_at(now, quick(), |edge| edge.connections_per_ip_max = 2).await;
    let first = Raw::connected(server.addr(), &server.token("ada")).await;
    let _second = Raw::connected(server.addr(), &server.token("bo")).await;
    let full = Answer::Header(429, "/problems/too-many-requests", "retry-after", "30");
    assert_eq!(judge(&server, &case("a third from one address", Who::Nobody, "", full)).await, None);
    drop(first);
    eventually("there is room again", async || {
        let mut raw = Raw::open(server.addr()).await;
        raw.send(format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.addr()).as_bytes())
            .await;
        let response = raw.response().await;
        if response.status == 200 { Ok(()) } else { Err(format!("{response:?}")) }
    })
    .await;
    server.end().await;
}
