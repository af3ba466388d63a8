//! Every address as every role, over a real port: nobody comes in whom the table does not let in.

use super::*;
use crate::actors::game::Game;
use crate::actors::start;
use crate::clock::Clock;
use crate::net::auth::{Auth, AuthConfig, Claims, Key, Secret, mint};
use crate::net::console::ConsoleConfig;
use crate::net::listener::{self, EdgeConfig, Running};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SECRET: [u8; 32] = [7; 32];
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn every_address_that_is_routed_has_a_rule_and_no_rule_is_idle() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/net");
    let mut routed = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the room is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|ext| ext != "rs") || path.ends_with("rules.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("sources are text");
        let code = text.find("#[cfg(test)]").map_or(text.as_str(), |at| &text[..at]).to_owned();
        for after in code.split("web::resource(\"").skip(1) {
            routed.insert(after.split('"').next().unwrap_or_default().to_owned());
        }
    }
    let ruled: BTreeSet<String> = RULES.iter().map(|rule| rule.path.to_owned()).collect();
    assert!(routed.len() > 15, "{routed:?}");
    assert_eq!(routed, ruled);
}

#[test]
fn a_refusal_says_which_roles_would_do() {
    assert!(wrong_role(LOOKERS).to_string().ends_with("The token needs the claim role = operator or viewer."));
}

async fn serve() -> (Running, start::RunningNode) {
    let clock = Clock::system();
    let node = start::in_memory(clock.clone()).await;
    let key = Key::hs256(Secret::new(SECRET)).expect("32 bytes");
    let auth = Arc::new(Auth::new(vec![key], AuthConfig::default(), clock.clone()));
    let mut edge = EdgeConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (key, cookies) = (Secret::new(*b"key"), Secret::new([1; 32]));
    edge.console = Some(ConsoleConfig { key, cookies, map: None, companion: None, stage: None });
    let game = Game::new(Arc::clone(&node.node), "test");
    (listener::serve(edge, game, auth, clock).await.expect("a free port"), node)
}

/// The head of the answer; a stream that goes on is not waited for.
async fn ask(addr: SocketAddr, method: &str, path: &str, header: &str, body: &str) -> String {
    let asked = async {
        let mut io = TcpStream::connect(addr).await.expect("it listens");
        let kind = "Content-Type: application/json\r\nConnection: close";
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {addr}\r\n{kind}\r\n{header}Content-Length: {length}\r\n\r\n{body}"
        );
        io.write_all(request.as_bytes()).await.expect("it reads");
        let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
        while !got.windows(4).any(|four| four == b"\r\n\r\n") {
            match io.read(&mut buffer).await {
                Ok(n) if n > 0 => got.extend_from_slice(&buffer[..n]),
                _ => break,
            }
        }
        String::from_utf8_lossy(&got).into_owned()
    };
    timeout(DEADLINE, asked).await.expect("an answer")
}

async fn status(addr: SocketAddr, rule: &Rule, header: &str) -> u16 {
    let path = rule.path.replace("{path:.*}", "main.js").replace("{name}", "conflict").replace("{id}", "0a");
    let head = ask(addr, rule.method, &path, header, if rule.method == "POST" { "{}" } else { "" }).await;
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{path}: {head}"))
}

fn bearer(role: Role) -> String {
    let player = PlayerId::new("someone").expect("an id");
    let claims = Claims::new(player, role, Clock::system().now(), Duration::from_secs(600));
    format!("Authorization: Bearer {}\r\n", mint(&Secret::new(SECRET), &claims).expect("32 bytes"))
}

async fn cookie(addr: SocketAddr, path: &str) -> String {
    let head = ask(addr, "GET", path, "", "").await;
    let cookie =
        head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).and_then(|line| line.split(';').next());
    format!("Cookie: {}\r\n", cookie.unwrap_or_else(|| panic!("{head}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_comes_in_where_the_table_says_and_nowhere_else() {
    let (edge, node) = serve().await;
    let addr = edge.addr();
    let operator = cookie(addr, "/console/open?key=key").await;
    let made = ask(addr, "POST", "/v1/operator/links", &operator, r#"{"role":"viewer"}"#).await;
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    let console = node.node.access.audit(None, 10).await.expect("memory answers");
    assert_eq!(console.iter().map(|line| line.action.as_str()).collect::<Vec<_>>(), ["link.viewer", "console.open"]);
    for rule in RULES {
        let case = format!("{} {}", rule.method, rule.path);
        let let_in = |status: u16| !matches!(status, 401 | 403);
        let anonymous = status(addr, rule, "").await;
        let open = rule.who == Who::All;
        // The one-time key is spent, so its page says so.
        let by_key = rule.path == "/console/open";
        assert_eq!(let_in(anonymous), open && !by_key, "{case} without a token: {anonymous}");
        for role in Role::ALL {
            let status = status(addr, rule, &bearer(role)).await;
            let wanted = match rule.who {
                Who::All => !by_key,
                Who::Cookie(_) => false,
                Who::Token(roles) | Who::Console(roles) | Who::Posted(roles) => roles.contains(&role),
            };
            assert_eq!(let_in(status), wanted, "{case} as {}: {status}", role.name());
        }
        let status = status(addr, rule, &operator).await;
        let wanted = match rule.who {
            Who::All => true,
            Who::Console(roles) | Who::Cookie(roles) => roles.contains(&Role::Operator),
            Who::Token(_) | Who::Posted(_) => false,
        };
        assert_eq!(let_in(status), wanted, "{case} with the cookie: {status}");
    }
    let refused = node.node.access.audit(None, 500).await.expect("memory answers");
    let refused = refused.iter().filter(|line| line.action == "refused").count();
    assert!((10..=60).contains(&refused), "some of them are in the audit log, not all: {refused}");
    edge.drain().await;
    node.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_looks_and_does_nothing() {
    let (edge, node) = serve().await;
    let (addr, now) = (edge.addr(), Clock::system().now());
    // The cookie of a viewer, made as the console makes it.
    let cookies = crate::net::console_cookie::Cookies::new(Secret::new([1; 32]));
    let viewer = cookies.issue(&PlayerId::new("viewer-1").expect("an id"), Role::Viewer, now);
    let viewer = format!("Cookie: waystone_console={viewer}\r\n");
    for rule in RULES.iter().filter(|rule| matches!(rule.who, Who::Console(_) | Who::Cookie(_))) {
        let roles = rule.who.roles().expect("it is somebody's");
        let status = status(addr, rule, &viewer).await;
        let wanted = roles.contains(&Role::Viewer);
        assert_eq!(!matches!(status, 401 | 403), wanted, "{} {}: {status}", rule.method, rule.path);
        assert!(!wanted || rule.method == "GET", "{} {} is no looking", rule.method, rule.path);
    }
    let revoked = r#"{"player":"viewer-1"}"#;
    let made = ask(addr, "POST", "/v1/operator/revocations", &bearer(Role::Operator), revoked).await;
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    let head = ask(addr, "GET", "/v1/overview", &viewer, "").await;
    assert!(head.starts_with("HTTP/1.1 401"), "a console can be called back: {head}");
    edge.drain().await;
    node.drain().await;
}
