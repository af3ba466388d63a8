//! Commands of the protocol.

use super::{Answer, Case, Who, line, rpc};
use serde_json::json;
use std::fmt::Write as _;

const NO_PROTOCOL: Answer = Answer::Close(3501);

pub fn cases() -> Vec<Case> {
    let mut cases = without_connect();
    cases.extend(malformed());
    cases.extend(unserved());
    cases
}

fn without_connect() -> Vec<Case> {
    [
        ("a call", rpc("state.get", "{}")),
        ("a ping", r#"{"id":2,"ping":{}}"#.to_owned()),
        ("a subscription", r#"{"id":2,"subscribe":{"channel":"board:quick"}}"#.to_owned()),
        ("a fix", r#"{"send":{"data":{"fix":{"lat":60,"lon":24}}}}"#.to_owned()),
        ("a connect without an id", r#"{"connect":{"token":"x"}}"#.to_owned()),
        ("a connect that is a text", r#"{"id":1,"connect":"x"}"#.to_owned()),
        ("a token that is a number", r#"{"id":1,"connect":{"token":5}}"#.to_owned()),
    ]
    .map(|(name, text)| line(&format!("first of all {name}"), Who::Socket, &text, NO_PROTOCOL))
    .into()
}

fn malformed() -> Vec<Case> {
    let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    let mut pings = String::new();
    for id in 2..67 {
        let _ = writeln!(pings, r#"{{"id":{id},"ping":{{}}}}"#);
    }
    let closed = [
        ("a second connect", r#"{"id":2,"connect":{"token":"x"}}"#),
        ("only spaces", " \n \n"),
        ("not JSON", "hello"),
        ("half of JSON", r#"{"id":2,"ping":"#),
        ("two objects on a line", r#"{"id":2,"ping":{}}{"id":3,"ping":{}}"#),
        ("an array", r#"[{"id":2,"ping":{}}]"#),
        ("a number", "7"),
        ("null", "null"),
        ("a text", r#""ping""#),
        ("deep nesting", deep.as_str()),
        ("NaN", r#"{"id":2,"rpc":{"method":"fix","data":{"lat":NaN,"lon":24}}}"#),
        ("65 commands", pings.as_str()),
        ("an unknown command", r#"{"id":2,"fly":{}}"#),
        ("an id and nothing else", r#"{"id":2}"#),
        ("a call without an id", r#"{"rpc":{"method":"state.get"}}"#),
        ("id 0", r#"{"id":0,"ping":{}}"#),
        ("id -1", r#"{"id":-1,"ping":{}}"#),
        ("id 1.5", r#"{"id":1.5,"ping":{}}"#),
        ("id 2^32", r#"{"id":4294967296,"ping":{}}"#),
        ("a text for an id", r#"{"id":"2","ping":{}}"#),
        ("an id that stands twice", r#"{"id":2,"id":3,"ping":{}}"#),
        ("a message with an id", r#"{"id":2,"send":{"data":{"fix":{"lat":60,"lon":24}}}}"#),
        ("a message without data", r#"{"send":{}}"#),
        ("a message that is no fix", r#"{"send":{"data":{"text":"hello"}}}"#),
        ("a subscription to nothing", r#"{"id":2,"subscribe":{}}"#),
        ("a method that is a number", r#"{"id":2,"rpc":{"method":7}}"#),
        ("a good command before a bad one", "{\"id\":2,\"ping\":{}}\nhello"),
    ];
    let mut cases: Vec<Case> =
        closed.iter().map(|(name, text)| line(name, Who::Stranger, text, NO_PROTOCOL)).collect();
    // Each command gets its own answer, whatever its id.
    let twice = "{\"id\":2,\"ping\":{}}\n{\"id\":2,\"rpc\":{\"method\":\"nope\"}}";
    cases.push(line("an id used twice", Who::Stranger, twice, Answer::Fine(json!({ "ping": {} }))));
    cases.push(line(
        "fields of tomorrow",
        Who::Stranger,
        r#"{"id":2,"ping":{},"tomorrow":1}"#,
        Answer::Fine(json!({})),
    ));
    let nested = rpc("quest.start", &deep);
    cases.push(line("deep nesting in a call", Who::Stranger, &nested, Answer::Error(107)));
    cases
}

fn unserved() -> Vec<Case> {
    let subscribe = |channel: &str| format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#);
    let boards: Vec<String> =
        (3..11).map(|id| format!(r#"{{"id":{id},"subscribe":{{"channel":"board:b{id}"}}}}"#)).collect();
    let ninth = format!("{}\n{}", boards.join("\n"), subscribe("board:quick"));
    let again = format!("{}\n{}", boards[0], boards[0].replacen("\"id\":3", "\"id\":2", 1));
    let long = subscribe(&format!("board:{}", "b".repeat(200)));
    [
        ("an unknown method", rpc("team.dance", "{}"), Answer::Says(104, "no such method")),
        ("a slip of the pen", rpc("quest.strat", "{}"), Answer::Says(104, "did you mean \"quest.start\"?")),
        ("another", rpc("fixs", "{}"), Answer::Says(104, "did you mean \"fix")),
        ("no method", r#"{"id":2,"rpc":{}}"#.to_owned(), Answer::Error(104)),
        ("a method of 1,000 letters", rpc(&"m".repeat(1_000), "{}"), Answer::Error(104)),
        ("presence", r##"{"id":2,"presence":{"channel":"#cy"}}"##.to_owned(), Answer::Error(108)),
        ("presence_stats", r##"{"id":2,"presence_stats":{"channel":"#cy"}}"##.to_owned(), Answer::Error(108)),
        ("history", r##"{"id":2,"history":{"channel":"#cy","limit":10}}"##.to_owned(), Answer::Error(108)),
        ("publish", r##"{"id":2,"publish":{"channel":"#bea","data":{}}}"##.to_owned(), Answer::Error(108)),
        (
            "sub_refresh",
            r#"{"id":2,"sub_refresh":{"channel":"board:quick","token":"x"}}"#.to_owned(),
            Answer::Error(108),
        ),
        ("an unknown kind of channel", subscribe("fly:me"), Answer::Error(102)),
        ("somebody else's notices", subscribe("#bea"), Answer::Error(102)),
        ("one's own notices", subscribe("#cy"), Answer::Error(102)),
        ("an empty channel", subscribe(""), Answer::Error(102)),
        ("a channel without a name", subscribe("team:"), Answer::Error(102)),
        ("a channel of 200 letters", long, Answer::Error(102)),
        ("another team", subscribe("team:abcdefgh"), Answer::Error(103)),
        ("a channel twice", again, Answer::Error(105)),
        ("a ninth channel", ninth, Answer::Error(106)),
        (
            "an end of what never began",
            r#"{"id":2,"unsubscribe":{"channel":"board:never"}}"#.to_owned(),
            Answer::Fine(json!({ "unsubscribe": {} })),
        ),
        ("a refresh with garbage", r#"{"id":2,"refresh":{"token":"x"}}"#.to_owned(), Answer::Close(3500)),
    ]
    .map(|(name, text, answer)| line(name, Who::Stranger, &text, answer))
    .into()
}
