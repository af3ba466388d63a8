//! Fixes and acts.

use super::{Answer, Case, Who, line, rpc};
use crate::harness::TestServer;
use serde_json::{Value, json};

pub fn cases(server: &TestServer) -> Vec<Case> {
    let mut cases = fixes(server);
    cases.extend(refused_by_form());
    cases.extend(refused_by_rules());
    cases
}

fn fixes(server: &TestServer) -> Vec<Case> {
    let now = server.clock.now().as_millis();
    let future = format!(r#"{{"lat":60,"lon":24,"t":{}}}"#, now + 31_000);
    let far_future = r#"{"lat":60,"lon":24,"t":9223372036854775807}"#;
    let late = format!(r#"{{"lat":60,"lon":24,"t":{}}}"#, now - 601_000);
    let one = [
        ("no data", "null"),
        ("no lat", r#"{"lon":24}"#),
        ("no lon", r#"{"lat":60}"#),
        ("lat 91", r#"{"lat":91,"lon":24}"#),
        ("lat -90.1", r#"{"lat":-90.1,"lon":24}"#),
        ("lon 181", r#"{"lat":60,"lon":181}"#),
        ("lat 1e999", r#"{"lat":1e999,"lon":24}"#),
        ("lat as a text", r#"{"lat":"60","lon":24}"#),
        ("lat null", r#"{"lat":null,"lon":24}"#),
        ("lat twice", r#"{"lat":60,"lat":61,"lon":24}"#),
        ("acc -1", r#"{"lat":60,"lon":24,"acc":-1}"#),
        ("acc as a text", r#"{"lat":60,"lon":24,"acc":"5"}"#),
        ("t in seconds", r#"{"lat":60,"lon":24,"t":1781000000}"#),
        ("t with a fraction", r#"{"lat":60,"lon":24,"t":1781000000000.5}"#),
        ("t as a text", r#"{"lat":60,"lon":24,"t":"now"}"#),
        ("seq -1", r#"{"lat":60,"lon":24,"seq":-1}"#),
        ("heading 361", r#"{"lat":60,"lon":24,"heading":361}"#),
        ("mock 1", r#"{"lat":60,"lon":24,"mock":1}"#),
        ("an unknown field", r#"{"lat":60,"lon":24,"accuracy":5}"#),
        ("an array", "[60,24]"),
        ("a batch", r#"{"fixes":[{"lat":60,"lon":24}]}"#),
    ];
    let hundred_and_one = format!(r#"{{"fixes":[{}]}}"#, vec![r#"{"lat":60,"lon":24}"#; 101].join(","));
    let many = [
        ("an empty batch", r#"{"fixes":[]}"#),
        ("101 fixes", hundred_and_one.as_str()),
        ("no list", r#"{"fixes":{}}"#),
        ("a number for a fix", r#"{"fixes":[1]}"#),
        ("a fix with an unknown field", r#"{"fixes":[{"lat":60,"lon":24,"x":1}]}"#),
        ("an unknown field beside", r#"{"fixes":[{"lat":60,"lon":24}],"x":1}"#),
        ("no batch", r#"{"lat":60,"lon":24}"#),
    ];
    let form = |method: &'static str| {
        move |(name, data): (&str, &str)| {
            line(&format!("{method}: {name}"), Who::Player, &rpc(method, data), Answer::Error(1001))
        }
    };
    let mut cases: Vec<Case> = one.into_iter().map(form("fix")).collect();
    cases.extend(many.into_iter().map(form("fixes")));
    let ignored =
        |reason: &str| json!({ "rpc": { "data": { "accepted": 0, "ignored": [{ "index": 0, "reason": reason }] } } });
    let batch = |fix: &str| format!(r#"{{"fixes":[{fix}]}}"#);
    cases.extend([
        line("fix: half a minute ahead", Who::Player, &rpc("fix", &future), Answer::Says(1002, "clock")),
        line("fix: at the end of time", Who::Player, &rpc("fix", far_future), Answer::Error(1002)),
        line("fix: too old", Who::Player, &rpc("fix", &late), Answer::Fine(ignored("late"))),
        line("fixes: ahead", Who::Player, &rpc("fixes", &batch(&future)), Answer::Fine(ignored("future"))),
        line(
            "fixes: lat 91",
            Who::Player,
            &rpc("fixes", &batch(r#"{"lat":91,"lon":24}"#)),
            Answer::Fine(ignored("bad_fix")),
        ),
    ]);
    cases
}

fn refused_by_form() -> Vec<Case> {
    let long = format!(r#"{{"quest":"quick","step":"riddle","text":"{}"}}"#, "x".repeat(281));
    let long_name = format!(r#"{{"name":"{}"}}"#, "ä".repeat(281));
    let long_cmd = format!(r#"{{"cmd":"{}"}}"#, "c".repeat(65));
    [
        ("quest.start", "{}"),
        ("quest.start", "null"),
        ("quest.start", "[]"),
        ("quest.start", r#"{"quest":"a b"}"#),
        ("quest.start", r#"{"quest":7}"#),
        ("quest.start", r#"{"quest":"quick","step":"riddle"}"#),
        ("quest.answer", r#"{"quest":"quick","step":"riddle"}"#),
        ("quest.answer", r#"{"quest":"quick","step":"riddle","text":"  "}"#),
        ("quest.answer", r#"{"quest":"quick","step":"riddle","text":"a\u0000b"}"#),
        ("quest.answer", r#"{"quest":"quick","step":"riddle","text":"a\ud800"}"#),
        ("quest.answer", &long),
        ("quest.hint", r#"{"quest":"quick","step":"riddle","hint":-1}"#),
        ("quest.hint", r#"{"quest":"quick","step":"riddle","hint":70000}"#),
        ("quest.photo", r#"{"quest":"quick","step":"selfie","photo":""}"#),
        ("team.create", r#"{"name":""}"#),
        ("team.create", &long_name),
        ("team.join", r#"{"code":null}"#),
        ("team.say", r#"{"text":"line\nbreak"}"#),
        ("team.share", r#"{"on":"yes"}"#),
        ("team.leave", r#"{"cmd":""}"#),
        ("team.leave", r#"{"cmd":"a b"}"#),
        ("team.leave", r#"{"cmd":"é"}"#),
        ("team.leave", &long_cmd),
        ("profile.set", r#"{"name":"A","email":"a@example.org"}"#),
    ]
    .map(|(method, data)| {
        let name: String = format!("{method} {data}").chars().take(80).collect();
        line(&name, Who::Player, &rpc(method, data), Answer::Error(107))
    })
    .into()
}

fn refused_by_rules() -> Vec<Case> {
    let at = |step: &str, field: &str, value: Value| json!({ "quest": "quick", "step": step, field: value });
    let alone = |step: &str| json!({ "quest": "alone", "step": step, "text": "waystone" });
    [
        (Who::Stranger, "quest.start", json!({ "quest": "nowhere" }), 1101),
        (Who::Stranger, "quest.start", json!({ "quest": "quick" }), 1301),
        (Who::Stranger, "quest.leave", json!({ "quest": "nowhere" }), 1101),
        (Who::Stranger, "quest.leave", json!({ "quest": "quick" }), 1104),
        (Who::Stranger, "quest.answer", json!({ "quest": "nowhere", "step": "x", "text": "x" }), 1101),
        (Who::Stranger, "quest.answer", at("riddle", "text", json!("7")), 1104),
        (Who::Stranger, "quest.answer", alone("word"), 1104),
        (Who::Stranger, "quest.hint", at("riddle", "hint", json!(0)), 1104),
        (Who::Stranger, "team.say", json!({ "text": "hello?" }), 1301),
        (Who::Stranger, "team.leave", json!({}), 1301),
        (Who::Stranger, "team.join", json!({ "code": "open sesame" }), 1303),
        (Who::Stranger, "team.join", json!({ "code": "abcdefgh-23456789" }), 1303),
        (Who::Stranger, "team.join", json!({ "code": "solo.bea-" }), 1303),
        (Who::Player, "team.create", json!({ "name": "Another" }), 1302),
        (Who::Player, "team.join", json!({ "code": "abcdefgh-23456789" }), 1302),
        (Who::Player, "quest.start", json!({ "quest": "quick" }), 1105),
        (Who::Player, "quest.start", json!({ "quest": "bronze-and-granite" }), 1305),
        (Who::Player, "quest.answer", at("nowhere", "text", json!("7")), 1102),
        (Who::Player, "quest.answer", at("sign", "text", json!("7")), 1208),
        (Who::Player, "quest.answer", at("meet", "text", json!("7")), 1202),
        (Who::Player, "quest.answer", at("descend", "text", json!("7")), 1201),
        (Who::Player, "quest.scan", at("sign", "code", json!("K-1872")), 1203),
        (Who::Player, "quest.photo", at("selfie", "photo", json!("photo:1")), 1203),
        (Who::Player, "quest.choose", at("side", "option", json!("up")), 1207),
        (Who::Player, "quest.choose", at("rest", "option", json!("left")), 1208),
        (Who::Player, "quest.hint", at("riddle", "hint", json!(2)), 1209),
        (Who::Player, "quest.hint", at("riddle", "hint", json!(1)), 1209),
        (Who::Player, "quest.hint", at("descend", "hint", json!(0)), 1201),
        (Who::Player, "quest.hint", at("nowhere", "hint", json!(0)), 1102),
        (Who::Player, "team.say", json!({ "text": "second", "cmd": "used" }), 1005),
    ]
    .map(|(who, method, data, code)| {
        let data = data.to_string();
        line(&format!("{method} {data}"), who, &rpc(method, &data), Answer::Error(code))
    })
    .into()
}
