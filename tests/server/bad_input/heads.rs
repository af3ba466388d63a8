//! Heads of handshakes.

use super::{Answer, Case, Who, case};
use crate::harness::TestServer;
use crate::wire::Head;

const BAD: Answer = Answer::Status(400, "/problems/bad-request");

pub fn cases(server: &TestServer) -> Vec<Case> {
    let good = || Head::new(server.addr());
    let upgrade = || Answer::Header(426, "/problems/upgrade-required", "sec-websocket-version", "13");
    let large = || Answer::Status(431, "/problems/request-header-fields-too-large");
    let elsewhere = || Answer::Status(421, "/problems/misdirected-request");
    let stranger = || Answer::Status(403, "/problems/forbidden");
    let many = (0..120).fold(good(), |head, n| head.with(&format!("X-{n}"), "1"));
    let heads = [
        ("no Host", good().without("Host"), BAD),
        ("two Hosts", good().with("Host", "127.0.0.1"), BAD),
        ("a foreign Host", good().set("Host", "evil.example.org"), elsewhere()),
        ("a Host with a smuggled path", good().set("Host", "localhost/evil"), elsewhere()),
        ("POST", good().line("POST /connect HTTP/1.1"), not_allowed()),
        ("get in small letters", good().line("get /connect HTTP/1.1"), not_allowed()),
        ("HTTP/1.0", good().line("GET /connect HTTP/1.0"), BAD),
        ("HTTP/3.7", good().line("GET /connect HTTP/3.7"), BAD),
        ("no version", good().line("GET /connect"), Answer::Status(400, "")),
        ("another path", good().line("GET /connect/ HTTP/1.1"), Answer::Status(404, "/problems/not-found")),
        ("WebSocket version 12", good().set("Sec-WebSocket-Version", "12"), upgrade()),
        ("no WebSocket version", good().without("Sec-WebSocket-Version"), upgrade()),
        ("two WebSocket versions", good().with("Sec-WebSocket-Version", "13"), BAD),
        ("no Upgrade", good().without("Upgrade"), upgrade()),
        ("an Upgrade to HTTP/2", good().set("Upgrade", "h2c"), upgrade()),
        ("no Connection", good().without("Connection"), upgrade()),
        ("Connection: keep-alive", good().set("Connection", "keep-alive"), upgrade()),
        ("no key", good().without("Sec-WebSocket-Key"), BAD),
        ("a short key", good().set("Sec-WebSocket-Key", "c2hvcnQ="), BAD),
        ("a key that is not base64", good().set("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!=="), BAD),
        ("an unknown sub-protocol", good().with("Sec-WebSocket-Protocol", "mqtt, graphql-ws"), BAD),
        ("a sub-protocol that is not quite ours", good().with("Sec-WebSocket-Protocol", "centrifuge-msgpack"), BAD),
        ("a foreign Origin", good().with("Origin", "https://evil.example.org"), stranger()),
        ("Origin: null", good().with("Origin", "null"), stranger()),
        ("our name as a prefix of an Origin", good().with("Origin", "http://127.0.0.1.evil.example.org"), stranger()),
        ("a body", good().with("Content-Length", "5"), BAD),
        ("a chunked body", good().with("Transfer-Encoding", "chunked"), BAD),
        ("a huge header", good().with("X-Big", &"x".repeat(9_000)), large()),
        ("120 headers", many, large()),
        ("a header without a name", good().with("", "x"), BAD),
        ("a space before the colon", good().with("X-A ", "x"), BAD),
        ("a folded header", good().with("X-A", "one\r\n two"), BAD),
        ("a NUL in a header", good().with("X-A", "a\0b"), BAD),
    ];
    let mut cases: Vec<Case> =
        heads.into_iter().map(|(name, head, answer)| case(name, Who::Nobody, head.text(), answer)).collect();
    let mut binary = good().text().into_bytes();
    binary.splice(binary.len() - 2..binary.len() - 2, *b"Origin: \xff\xfe\r\n");
    let pipelined = format!("{}{}", good().text(), "hello".repeat(100));
    let bare = good().text().replace("\r\n", "\n");
    cases.extend([
        case("an Origin that is not text", Who::Nobody, binary, BAD),
        // The answer to these two is a socket; what follows is judged as frames.
        case("junk behind a good head", Who::Socket, "hello".repeat(100), Answer::Close(1002)),
        case("junk in one packet with a good head", Who::Nobody, pipelined, Answer::Status(101, "")),
        // RFC 9112, 2.2: a recipient may take a bare LF for the end of a line.
        case("bare LF", Who::Nobody, bare, Answer::Status(101, "")),
        case("an end in the middle of the head", Who::Nobody, "GET /connect HTTP/1.1\r\nHo", Answer::Hangup),
        case("nothing", Who::Nobody, "", Answer::Hangup),
        case(
            "a TLS hello",
            Who::Nobody,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            Answer::Status(400, ""),
        ),
        case("HTTP/2 with prior knowledge", Who::Nobody, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Answer::Status(400, "")),
    ]);
    cases
}

fn not_allowed() -> Answer {
    Answer::Header(405, "/problems/method-not-allowed", "allow", "GET")
}
