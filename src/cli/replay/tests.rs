//! A replay against a small server that counts fixes, drops the line and tells notices.

use super::super::tests::{folder, paper};
use super::*;
use crate::config::Terminal;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::sync::Mutex;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

/// `{"sub":"ada"}`, with a signature that only a real server would check.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln";

/// Every fix that came, in order; the connection breaks once, under the third.
#[expect(clippy::disallowed_methods, reason = "the server ends with the test's runtime")]
async fn server() -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/connect", listener.local_addr().expect("bound"));
    let fixes: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = fixes.clone();
    tokio::spawn(async move {
        let mut broken = false;
        while let Ok((tcp, _)) = listener.accept().await {
            let mut socket = tokio_tungstenite::accept_async(tcp).await.expect("a handshake");
            while let Some(Ok(Message::Text(text))) = socket.next().await {
                let command: Value = serde_json::from_str(&text).expect("JSON");
                let id = &command["id"];
                if command.get("connect").is_some() {
                    let own = json!({"recoverable": true, "epoch": "e", "recovered": true, "offset": 0});
                    let reply = json!({"id": id, "connect": {"client": "c", "subs": {"#ada": own}}});
                    socket.send(Message::text(reply.to_string())).await.expect("sent");
                    continue;
                }
                let data = &command["rpc"]["data"];
                let came: Vec<Value> = data["fixes"].as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
                if seen.lock().expect("unpoisoned").len() >= 2 && !broken {
                    broken = true;
                    break;
                }
                let ignored: &[Value] = if came.len() > 1 { &[json!({"index": 0, "reason": "late"})] } else { &[] };
                let accepted = came.len() - ignored.len();
                let count = {
                    let mut seen = seen.lock().expect("unpoisoned");
                    seen.extend(came);
                    seen.len()
                };
                let reply = json!({"id": id, "rpc": {"data": {"accepted": accepted, "ignored": ignored}}});
                let told = json!({"type": "step.completed", "step": "smiths\u{1b}[2J", "points": 30, "by": ["ada"]});
                let push = json!({"push": {"channel": "#ada", "pub": {"data": told, "offset": count}}});
                socket.send(Message::text(format!("{push}\n{reply}"))).await.expect("sent");
            }
        }
    });
    (url, fixes)
}

fn args(name: &str, url: &str, json: bool) -> (ReplayArgs, PathBuf) {
    let folder = folder(name);
    let file = folder.join("walk.csv");
    let points: String = (0..6).map(|i| format!("2026-06-01T12:00:{:02}Z,60.17,24.94{i},5\n", i * 2)).collect();
    std::fs::write(&file, format!("time,lat,lon,accuracy\n{points}")).expect("written");
    let player = PlayerId::new("ada").expect("an id");
    let (url, token) = (url.to_owned(), Some(TOKEN.to_owned()));
    (ReplayArgs { file, player, speed: 10.0, url, token, data: folder.clone(), json }, folder)
}

#[tokio::test]
async fn a_track_is_walked_in_time_over_a_broken_line() {
    let (url, fixes) = server().await;
    let (args, folder) = args("walk", &url, false);
    let clock = Clock::system();
    let (mut out, result, _) = paper(Terminal::default());
    let before = clock.now();
    let exit = run(&args, &clock, &mut out).await.expect("walked");
    let text = result.text();
    assert_eq!(exit, Exit::Done, "{text}");
    let fixes = fixes.lock().expect("unpoisoned").clone();
    let times: Vec<i64> = fixes.iter().map(|fix| fix["t"].as_i64().expect("a time")).collect();
    assert_eq!(times.len(), 6, "{fixes:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 200), "ten times as fast: {times:?}");
    assert!(times[0] >= before.as_millis() && times[5] <= clock.now().as_millis(), "never in the future: {times:?}");
    assert!(fixes.iter().all(|fix| fix["seq"] == fix["t"]), "above what an earlier replay has used");
    assert!(text.contains("step.completed  points=30  step=smiths\u{fffd}[2J\n"), "{text:?}");
    assert!(text.contains("6 fixes sent"), "{text}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn with_json_each_line_is_a_value() {
    let (url, _) = server().await;
    let (args, folder) = args("json", &url, true);
    let (mut out, result, _) = paper(Terminal::default());
    run(&args, &Clock::system(), &mut out).await.expect("walked");
    let text = result.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (tally, notices) = lines.split_last().expect("lines");
    assert_eq!(tally["sent"], 6, "{text}");
    assert_eq!(tally["notices"], notices.len(), "{text}");
    assert!(notices.iter().all(|notice| notice["data"]["points"] == 30), "{text}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn a_server_that_is_not_there_has_its_own_code() {
    let (args, folder) = args("none", "ws://127.0.0.1:9/connect", false);
    let (mut out, result, errors) = paper(Terminal::default());
    let exit = run(&args, &Clock::system(), &mut out).await.expect("said");
    assert_eq!(exit, Exit::Unreachable);
    assert!(errors.text().contains("is the server running") && result.text().is_empty(), "{}", errors.text());
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn without_a_token_or_a_key_nothing_is_tried() {
    let (args, folder) = args("token", "ws://127.0.0.1:9/connect", false);
    let args = ReplayArgs { token: None, ..args };
    let (mut out, _, _) = paper(Terminal::default());
    let error = run(&args, &Clock::system(), &mut out).await.expect_err("no key");
    assert!(format!("{error:#}").contains("--token"), "{error:#}");
    crate::config::data_key(&folder).expect("made");
    assert_eq!(run(&args, &Clock::system(), &mut out).await.expect("said"), Exit::Unreachable);
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn speeds_are_written_either_way() {
    assert_eq!(speed("x10"), Ok(10.0));
    assert_eq!(speed("0.5"), Ok(0.5));
    assert!(speed("fast").is_err() && speed("0").is_err() && speed("inf").is_err());
}
