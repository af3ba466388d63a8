//! The socket layer against what RFC 6455 wants: the Autobahn suite, where it is installed (`scripts/autobahn` installs and
//! runs it), and always a table of our own of what it looks for.

#![expect(clippy::print_stdout, reason = "the report is for whoever runs it")]

use crate::harness::{DEADLINE, Folder};
use crate::wire::{Heard, Raw, frame};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use waystone::net::echo;

async fn start() -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let mut tasks = JoinSet::new();
    tasks.spawn(echo::serve(listener));
    (addr, tasks)
}

#[expect(clippy::disallowed_methods, reason = "where the suite is, is no configuration of the server")]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Cases of the suite that may be something else than OK, and what: by Autobahn's own words both are within the RFC.
fn is_fine(case: &Value) -> bool {
    matches!(case["behavior"].as_str(), Some("OK" | "INFORMATIONAL" | "NON-STRICT"))
        && matches!(case["behaviorClose"].as_str(), Some("OK" | "INFORMATIONAL"))
}

fn judge(report: &Path) {
    let text = std::fs::read_to_string(report.join("index.json")).expect("a report");
    let index: Value = serde_json::from_str(&text).expect("JSON");
    let cases = index["waystone"].as_object().expect("cases of ours");
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for case in cases.values() {
        *counts.entry(format!("{} / close {}", case["behavior"], case["behaviorClose"])).or_default() += 1;
    }
    println!("{} cases: {counts:?}", cases.len());
    let bad: Vec<String> =
        cases.iter().filter(|(_, case)| !is_fine(case)).map(|(name, case)| format!("{name}: {case}")).collect();
    assert!(bad.is_empty() && !cases.is_empty(), "{}", bad.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn autobahn_finds_no_failure_and_no_unclean_close() {
    let Some(wstest) = asked("WAYSTONE_WSTEST") else {
        println!("not run: scripts/autobahn installs the suite");
        return;
    };
    let (addr, _tasks) = start().await;
    let folder = Folder::new();
    let cases: Vec<String> =
        asked("WAYSTONE_AUTOBAHN_CASES").unwrap_or("*".to_owned()).split_whitespace().map(str::to_owned).collect();
    let report = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/autobahn/report");
    let spec = json!({
        "outdir": report,
        "servers": [{ "agent": "waystone", "url": format!("ws://{addr}/connect"), "options": { "version": 18 } }],
        "cases": cases, "exclude-cases": ["12.*", "13.*"], "exclude-agent-cases": {},
    });
    let spec_file = folder.path().join("spec.json");
    std::fs::write(&spec_file, spec.to_string()).expect("written");
    let run = move || Command::new(wstest).args(["-m", "fuzzingclient", "-s"]).arg(spec_file).output();
    let done = tokio::task::spawn_blocking(run).await.expect("it runs").expect("it starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    judge(&report);
}

/// Sends frames and hears how it ends, with everything said before.
async fn exchange(addr: SocketAddr, bytes: &[u8]) -> (Vec<Heard>, Heard) {
    let mut raw = Raw::socket(addr).await;
    raw.send(bytes).await;
    let mut heard = Vec::new();
    loop {
        match tokio::time::timeout(DEADLINE, raw.heard()).await.expect("it goes on") {
            end @ (Heard::Close(..) | Heard::Eof) => return (heard, end),
            other => heard.push(other),
        }
    }
}

fn close(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_codes_are_echoed_or_refused() {
    let (addr, _tasks) = start().await;
    let good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    let bad = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    let wanted = good.map(|code| (code, code)).into_iter().chain(bad.map(|code| (code, 1002)));
    for (sent, wanted) in wanted {
        let (_, end) = exchange(addr, &close(sent)).await;
        assert!(matches!(end, Heard::Close(code, _) if code == wanted), "{sent}: {end:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_back_whole_with_pongs_between() {
    let (addr, _tasks) = start().await;
    let talk = [
        frame(0x01, "h\u{e4}".as_bytes()),
        frame(0x89, b"are you there"),
        frame(0x00, b""),
        frame(0x80, " and bye".as_bytes()),
        frame(0x8a, b"nobody asked"),
        frame(0x01, &"\u{20ac}".as_bytes()[..1]),
        frame(0x80, &"\u{20ac}".as_bytes()[1..]),
        frame(0x81, "x".repeat(70_000).as_bytes()),
        frame(0x81, b""),
        close(1000),
    ];
    let (heard, end) = exchange(addr, &talk.concat()).await;
    let text = |text: &str| Heard::Text(text.to_owned());
    let wanted = [
        Heard::Pong(b"are you there".to_vec()),
        text("h\u{e4} and bye"),
        text("\u{20ac}"),
        text(&"x".repeat(70_000)),
        text(""),
    ];
    assert!(heard == wanted, "{heard:.200?}");
    assert_eq!(end, Heard::Close(1000, String::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_found_before_the_message_ends() {
    let (addr, _tasks) = start().await;
    let begun = frame(0x01, b"good");
    for (name, bytes, code) in [
        ("bytes that are no text, in the middle", [begun.clone(), frame(0x00, b"\xff")].concat(), 1007),
        ("a surrogate in the middle", [begun.clone(), frame(0x00, b"\xed\xa0\x80")].concat(), 1007),
        ("overlong", frame(0x01, b"\xc0\x80"), 1007),
        ("beyond Unicode", frame(0x01, b"\xf4\x90\x80\x80"), 1007),
        ("a reserved bit in the rest", [begun.clone(), frame(0x40, b"x")].concat(), 1002),
        ("an unknown control frame", [begun.clone(), frame(0x8b, b"")].concat(), 1002),
        ("another beginning", [begun.clone(), frame(0x02, b"x")].concat(), 1002),
        ("a ping in pieces", [begun, frame(0x09, b"x")].concat(), 1002),
    ] {
        let (heard, end) = exchange(addr, &bytes).await;
        assert_eq!(heard, [], "{name}");
        assert!(matches!(end, Heard::Close(got, _) if got == code), "{name}: {end:?}");
    }
}
