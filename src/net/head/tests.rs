//! Request heads, good and bad, with the exact answer to each.

use super::*;

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

fn head(line: &str, headers: &[&str]) -> Vec<u8> {
    format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n")).into_bytes()
}

fn good_with(extra: &[&'static str]) -> Vec<&'static str> {
    let mut all = vec!["Host: 127.0.0.1:7170", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket"];
    all.extend(["Sec-WebSocket-Version: 13", KEY]);
    all.extend(extra);
    all
}

fn without(name: &str) -> Vec<&'static str> {
    good_with(&[]).into_iter().filter(|line| !line.starts_with(name)).collect()
}

fn rules() -> HeadRules {
    HeadRules { loopback: true, hosts: vec![], origins: vec!["https://play.example.org".into()] }
}

#[test]
fn upgrade_answers_the_rfc_example() {
    let bytes = head("GET /connect HTTP/1.1", &good_with(&["Sec-WebSocket-Protocol: x, centrifuge-json"]));
    let (upgrade, length) = upgrade(&bytes, &rules()).expect("good").expect("complete");
    assert_eq!(length, bytes.len());
    let response = upgrade.response();
    assert!(response.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{response}");
    assert!(response.ends_with("Sec-WebSocket-Protocol: centrifuge-json\r\n\r\n"), "{response}");
}

#[test]
fn upgrade_takes_what_real_clients_send() {
    for extra in [
        vec![],
        vec!["Origin: http://127.0.0.1:7170"],
        vec!["Origin: https://play.example.org"],
        vec!["Content-Length: 0"],
        vec!["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"],
    ] {
        let bytes = head("GET /connect?format=json HTTP/1.1", &good_with(&extra));
        let (granted, _) = upgrade(&bytes, &rules()).expect("granted").expect("complete");
        assert!(!granted.response().contains("Sec-WebSocket-Protocol"), "none offered, none named");
        assert!(!granted.response().contains("Extensions"), "no compression");
    }
}

#[test]
fn upgrade_refuses_each_fault_with_its_status() {
    let connect = "GET /connect HTTP/1.1";
    let table: Vec<(u16, &str, Vec<&str>)> = vec![
        (405, "POST /connect HTTP/1.1", good_with(&[])),
        (404, "GET /connected HTTP/1.1", good_with(&[])),
        (404, "GET /connect/ HTTP/1.1", good_with(&[])),
        (400, "GET /connect HTTP/1.0", good_with(&[])),
        (400, "GET /connect HTTP/9.9", good_with(&[])),
        (400, "GET /connect", good_with(&[])),
        (400, connect, without("Host")),
        (400, connect, good_with(&["Host: localhost"])),
        (400, connect, good_with(&["Content-Length: 5"])),
        (400, connect, good_with(&["Transfer-Encoding: chunked"])),
        (426, connect, without("Connection")),
        (426, connect, without("Upgrade")),
        (426, connect, without("Sec-WebSocket-Version")),
        (400, connect, good_with(&["Sec-WebSocket-Version: 8"])),
        (400, connect, without("Sec-WebSocket-Key")),
        (400, connect, good_with(&[KEY])),
        (403, connect, good_with(&["Origin: http://evil.example"])),
        (403, connect, good_with(&["Origin: null"])),
        (403, connect, good_with(&["Origin: http://127.0.0.1:7171"])),
        (403, connect, good_with(&["Origin: http://127.0.0.1:7170.evil.example"])),
        (403, connect, good_with(&["Origin: "])),
        (400, connect, good_with(&["Sec-WebSocket-Protocol: graphql-ws, mqtt"])),
        (400, connect, good_with(&["Bad Header: 1"])),
        (400, connect, good_with(&["X: \u{1}"])),
    ];
    for (status, line, headers) in table {
        let refused = upgrade(&head(line, &headers), &rules()).expect_err(&format!("{line} {headers:?} was granted"));
        assert_eq!(refused.status, status, "{line} {headers:?}: {refused}");
    }
    let mut old = without("Sec-WebSocket-Version");
    old.push("Sec-WebSocket-Version: 8");
    let refused = upgrade(&head(connect, &old), &rules()).expect_err("version 8");
    assert!(refused.response().contains("\r\nSec-WebSocket-Version: 13\r\n"), "{}", refused.response());
}

#[test]
fn upgrade_refuses_keys_that_are_not_16_bytes() {
    for key in ["", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j*Q==", "aGk="] {
        let line = format!("Sec-WebSocket-Key: {key}");
        let mut headers = without("Sec-WebSocket-Key");
        headers.push(&line);
        let refused = upgrade(&head("GET /connect HTTP/1.1", &headers), &rules()).expect_err(key);
        assert_eq!(refused.status, 400, "{key}");
    }
}

#[test]
fn head_is_bounded_and_may_come_in_pieces() {
    let bytes = head("GET /connect HTTP/1.1", &good_with(&[]));
    for cut in 0..bytes.len() {
        assert_eq!(upgrade(&bytes[..cut], &rules()), Ok(None), "cut at {cut}");
    }
    let mut endless = b"GET /connect HTTP/1.1\r\nX: ".to_vec();
    endless.resize(HEAD_BYTES_MAX, b'a');
    assert_eq!(upgrade(&endless, &rules()), Err(Refused::LARGE));
    let many = vec!["X: 1"; 101];
    assert_eq!(upgrade(&head("GET /connect HTTP/1.1", &many), &rules()), Err(Refused::LARGE));
}

#[test]
fn route_decides_as_early_as_it_can() {
    for (bytes, expected) in [
        ("", Route::Undecided),
        ("G", Route::Undecided),
        ("GET /connect", Route::Undecided),
        ("GET /connect ", Route::Socket),
        ("GET /connect?a", Route::Socket),
        ("GET /connects", Route::Http),
        ("GET /", Route::Undecided),
        ("GET / ", Route::Http),
        ("POST", Route::Http),
        ("\u{16}\u{3}", Route::Http),
    ] {
        assert_eq!(route(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

#[test]
fn host_names_are_known_or_not() {
    let public = HeadRules { hosts: vec!["play.example.org".into()], ..HeadRules::default() };
    let open = HeadRules::default();
    for (host, on_loopback, on_public, on_open) in [
        ("localhost:7170", true, true, true),
        ("LOCALHOST", true, true, true),
        ("127.0.0.1:7170", true, true, true),
        ("[::1]:7170", true, true, true),
        ("[::1]", true, true, true),
        ("192.168.1.7:7170", true, true, true),
        ("play.example.org", false, true, true),
        ("Play.Example.org:443", false, true, true),
        ("evil.example", false, false, true),
        ("127.0.0.1.evil.example:7170", false, false, true),
        ("localhost.evil.example", false, false, true),
        ("", false, false, false),
        ("a b", false, false, false),
        ("evil.example@localhost", false, false, false),
    ] {
        assert_eq!(rules().knows_host(host), on_loopback, "{host} on loopback");
        assert_eq!(public.knows_host(host), on_public, "{host} on a named server");
        assert_eq!(open.knows_host(host), on_open, "{host} on an open server");
    }
}

#[test]
fn same_origin_minds_default_ports_and_case() {
    let rules = HeadRules::default();
    for (origin, host, same) in [
        ("http://play.example.org", "play.example.org", true),
        ("https://play.example.org", "play.example.org:443", true),
        ("http://Play.example.org:80", "play.example.org", true),
        ("https://play.example.org:444", "play.example.org", false),
        ("ftp://play.example.org", "play.example.org", false),
        ("play.example.org", "play.example.org", false),
    ] {
        assert_eq!(rules.knows_origin(origin, host), same, "{origin} at {host}");
    }
}

#[test]
fn first_known_subprotocol_decides_the_form() {
    for (offered, form, told) in [
        (&[][..], Form::Json, None),
        (&["Sec-WebSocket-Protocol: centrifuge-json"], Form::Json, Some("centrifuge-json")),
        (&["Sec-WebSocket-Protocol: centrifuge-protobuf"], Form::Protobuf, Some("centrifuge-protobuf")),
        (
            &["Sec-WebSocket-Protocol: mqtt, centrifuge-protobuf, centrifuge-json"],
            Form::Protobuf,
            Some("centrifuge-protobuf"),
        ),
        (&["Sec-WebSocket-Protocol: centrifuge-json,centrifuge-protobuf"], Form::Json, Some("centrifuge-json")),
    ] {
        let granted = upgrade(&head("GET /connect HTTP/1.1", &good_with(offered)), &rules()).expect("granted");
        let (upgrade, _) = granted.expect("whole");
        assert_eq!(upgrade.form(), form, "{offered:?}");
        let answer = upgrade.response();
        let name = answer.split("\r\n").find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        assert_eq!(name, told, "{offered:?}");
    }
}
