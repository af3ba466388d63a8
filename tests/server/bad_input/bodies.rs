//! Bodies of HTTP requests, and how they are framed.

use super::{Answer, Case, Who, case};
use crate::harness::TestServer;

const BAD: Answer = Answer::Status(400, "/problems/bad-request");
/// Where actix-http hangs up before a problem could be written.
const BARE: Answer = Answer::Status(400, "");

pub fn cases(server: &TestServer) -> Vec<Case> {
    let mut cases = reviews(server);
    cases.extend(framing(server));
    cases
}

fn request(server: &TestServer, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/reviews HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{headers}\r\n",
        server.addr(),
        server.operator_token()
    );
    [head.as_bytes(), body].concat()
}

fn reviews(server: &TestServer) -> Vec<Case> {
    let with = |body: &[u8]| {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        request(server, &headers, body)
    };
    let deep = format!("{}{}", "[".repeat(7_000), "]".repeat(7_000));
    let late = r#"{"player":"bea","quest":"quick","step":"selfie","approve":true} true"#;
    [
        ("no body", &b""[..]),
        ("white space", b" \n\t "),
        ("null", b"null"),
        ("a number", b"7"),
        ("a text", b"\"approve\""),
        ("a list", b"[]"),
        ("a list of what the fields would hold", br#"["bea","quick","selfie",true,null]"#),
        ("something after the end", late.as_bytes()),
        ("a mark of byte order", b"\xef\xbb\xbf{}"),
        ("bytes that are no text", b"{\"player\":\"\xff\"}"),
        ("UTF-16", b"\xff\xfe{\0}\0"),
        ("a NUL", b"{\0}"),
        ("deep nesting", deep.as_bytes()),
        ("a comma too many", br#"{"player":"bea",}"#),
        ("single quotes", b"{'player':'bea'}"),
        ("a field twice", br#"{"player":"bea","player":"cy","quest":"quick","step":"selfie","approve":true}"#),
        ("a player that is a number", br#"{"player":7,"quest":"quick","step":"selfie","approve":true}"#),
        ("a player that is no name", br#"{"player":"a b","quest":"quick","step":"selfie","approve":true}"#),
        ("a player without a name", br#"{"player":"","quest":"quick","step":"selfie","approve":true}"#),
        ("a quest that is null", br#"{"player":"bea","quest":null,"step":"selfie","approve":true}"#),
        ("a step that is a list", br#"{"player":"bea","quest":"quick","step":["selfie"],"approve":true}"#),
        ("an approval that is a text", br#"{"player":"bea","quest":"quick","step":"selfie","approve":"yes"}"#),
        ("an approval that is 1", br#"{"player":"bea","quest":"quick","step":"selfie","approve":1}"#),
        ("no approval", br#"{"player":"bea","quest":"quick","step":"selfie"}"#),
    ]
    .map(|(name, body)| case(&format!("body: {name}"), Who::Nobody, with(body), BAD))
    .into()
}

fn framing(server: &TestServer) -> Vec<Case> {
    let json = "Content-Type: application/json\r\n";
    let with = |headers: &str, body: &str| request(server, &format!("{json}{headers}"), body.as_bytes());
    let unsupported = || Answer::Status(415, "/problems/unsupported-media-type");
    let typed = |kind: &str| request(server, &format!("{kind}Content-Length: 2\r\n"), b"{}");
    [
        ("a length that is a word", with("Content-Length: two\r\n", "{}"), BARE),
        ("a negative length", with("Content-Length: -2\r\n", "{}"), BARE),
        ("a length with a sign", with("Content-Length: +2\r\n", "{}"), BARE),
        ("a length beyond all numbers", with("Content-Length: 99999999999999999999\r\n", "{}"), BARE),
        ("two lengths", with("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), BARE),
        (
            "a length and chunks",
            with("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
            BARE,
        ),
        ("chunks of no size", with("Transfer-Encoding: chunked\r\n", "x\r\n{}\r\n0\r\n\r\n"), BAD),
        ("a chunk beyond all numbers", with("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}"), BAD),
        ("an unknown encoding", with("Transfer-Encoding: gzip\r\n", "{}"), BARE),
        ("no type", typed(""), unsupported()),
        ("an empty type", typed("Content-Type: \r\n"), unsupported()),
        ("a type that is none", typed("Content-Type: json\r\n"), unsupported()),
        ("XML", typed("Content-Type: application/xml\r\n"), unsupported()),
        ("a form with files", typed("Content-Type: multipart/form-data; boundary=x\r\n"), unsupported()),
        ("an empty body in chunks", with("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), BAD),
    ]
    .map(|(name, bytes, answer)| case(&format!("framing: {name}"), Who::Nobody, bytes, answer))
    .into()
}
