//! Requests over HTTP.

use super::{Answer, Case, Who, case};
use crate::harness::{CONSOLE_KEY, TestServer};
use serde_json::json;

const FORBIDDEN: Answer = Answer::Status(403, "/problems/forbidden");
const UNAUTHORIZED: Answer =
    Answer::Header(401, "/problems/unauthorized", "www-authenticate", "Bearer realm=\"waystone\"");
const NOT_FOUND: Answer = Answer::Status(404, "/problems/not-found");
const BAD: Answer = Answer::Status(400, "/problems/bad-request");
/// A page for people, not a problem document.
const LOCKED: Answer = Answer::Header(403, "", "content-type", "text/html; charset=utf-8");

/// Spends the one-time key; gives the cookie. A wrong key does not spend it.
pub async fn open_console(server: &TestServer) -> String {
    let wrong = server.http("GET", "/console/open?key=wrong", &[], "").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, None), "{wrong:?}");
    let opened = server.http("GET", &format!("/console/open?key={CONSOLE_KEY}"), &[], "").await;
    assert_eq!((opened.status, opened.header("location")), (303, Some("/console/")), "{opened:?}");
    let cookie = opened.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap_or_default());
    let page = server.http("GET", "/console/", &[&cookie], "").await;
    assert_eq!(page.status, 200, "{page:?}");
    cookie
}

struct Pages {
    host: String,
    operator: String,
    player: String,
    cookie: String,
}

impl Pages {
    fn get(&self, target: &str, headers: &[&str]) -> String {
        self.request("GET", target, headers, "")
    }

    fn request(&self, method: &str, target: &str, headers: &[&str], body: &str) -> String {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}{length}\r\n{body}", self.host)
    }

    fn review(&self, who: &str, body: &str) -> String {
        self.request("POST", "/v1/reviews", &[who, "Content-Type: application/json"], body)
    }
}

pub fn cases(server: &TestServer, cookie: &str) -> Vec<Case> {
    let bearer = |token: String| format!("Authorization: Bearer {token}");
    let pages = Pages {
        host: server.addr().to_string(),
        operator: bearer(server.operator_token()),
        player: bearer(server.token("bea")),
        cookie: cookie.to_owned(),
    };
    let mut cases = reading(&pages);
    cases.extend(writing(&pages));
    cases
}

fn reading(pages: &Pages) -> Vec<Case> {
    let get = |target: &str, headers: &[&str]| pages.get(target, headers);
    let spent = format!("/console/open?key={CONSOLE_KEY}");
    let cookie = pages.cookie.as_str();
    let elsewhere = get("/livez", &[]).replace(&format!("Host: {}", pages.host), "Host: evil.example.org");
    let nowhere = get("/livez", &[]).replace(&format!("Host: {}\r\n", pages.host), "");
    [
        ("nothing there", get("/nope", &[]), NOT_FOUND),
        ("an unknown problem", get("/problems/coffee", &[]), NOT_FOUND),
        ("a foreign Host", elsewhere, Answer::Status(421, "/problems/misdirected-request")),
        // Here actix-http hangs up before a problem could be written.
        ("no Host", nowhere, Answer::Status(400, "")),
        ("no token", get("/v1/overview", &[]), UNAUTHORIZED),
        ("a token that is none", get("/v1/overview", &["Authorization: Bearer x"]), UNAUTHORIZED),
        ("a password", get("/v1/overview", &["Authorization: Basic YTpi"]), UNAUTHORIZED),
        ("a player's token", get("/v1/overview", &[&pages.player]), FORBIDDEN),
        ("a made-up cookie", get("/v1/overview", &["Cookie: waystone_console=0"]), UNAUTHORIZED),
        ("the live stream without a token", get("/console/live", &[]), UNAUTHORIZED),
        ("codes without a token", get("/console/codes?quest=quick", &[]), UNAUTHORIZED),
        ("codes with a player's token", get("/console/codes?quest=quick", &[&pages.player]), FORBIDDEN),
        ("codes of an unknown quest", get("/console/codes?quest=nowhere", &[&pages.operator]), NOT_FOUND),
        ("codes of no quest", get("/console/codes", &[&pages.operator]), BAD),
        ("codes of a quest that is no name", get("/console/codes?quest=a%20b", &[&pages.operator]), BAD),
        ("a map that is not there", get("/console/map.geojson", &[&pages.operator]), NOT_FOUND),
        ("the console without a cookie", get("/console/", &[]), LOCKED),
        ("its files without a cookie", get("/console/main.js", &[]), LOCKED),
        ("a wrong key", get("/console/open?key=wrong", &[]), LOCKED),
        ("no key", get("/console/open", &[]), LOCKED),
        ("the key a second time", get(&spent, &[]), LOCKED),
        ("a way out of the folder", get("/console/../Cargo.toml", &[cookie]), NOT_FOUND),
        ("another", get("/console/%2e%2e/%2e%2e/Cargo.toml", &[cookie]), NOT_FOUND),
        ("a third", get("/console/..%2f..%2fCargo.toml", &[cookie]), NOT_FOUND),
        ("a NUL in the path", get("/console/main.js%00", &[cookie]), NOT_FOUND),
        ("a space in the target", get("/li vez", &[]), Answer::Status(400, "")),
    ]
    .map(|(name, request, answer)| case(&format!("HTTP: {name}"), Who::Nobody, request, answer))
    .into()
}

fn writing(pages: &Pages) -> Vec<Case> {
    let operator = pages.operator.as_str();
    let good = json!({ "player": "bea", "quest": "quick", "step": "selfie", "approve": true }).to_string();
    let unknown = json!({ "player": "bea", "quest": "nowhere", "step": "selfie", "approve": true }).to_string();
    let no_step = json!({ "player": "bea", "quest": "quick", "step": "nowhere", "approve": true }).to_string();
    let nobody = json!({ "player": "nobody", "quest": "quick", "step": "selfie", "approve": true }).to_string();
    let large = format!("{{\"player\":\"{}\"}}", "x".repeat(17_000));
    let json = "Content-Type: application/json";
    let conflict = || Answer::Status(409, "/problems/conflict");
    let too_large = || Answer::Status(413, "/problems/payload-too-large");
    let post = |target: &str, headers: &[&str], body: &str| pages.request("POST", target, headers, body);
    let foreign = post("/v1/reviews", &[&pages.cookie, json, "Origin: https://evil.example.org"], &good);
    let only = |method: &str, target: &str, allow: &'static str| {
        let answer = Answer::Header(405, "/problems/method-not-allowed", "allow", allow);
        (pages.request(method, target, &[operator], ""), answer)
    };
    let (delete, not_delete) = only("DELETE", "/livez", "GET, HEAD");
    let (get, not_get) = only("GET", "/v1/reviews", "POST");
    let (put, not_put) = only("PUT", "/v1/overview", "GET");
    [
        ("DELETE of what is read", delete, not_delete),
        ("GET of what is written", get, not_get),
        ("PUT", put, not_put),
        ("a review without a token", pages.review("X-Nothing: 1", &good), UNAUTHORIZED),
        ("a player's review", pages.review(&pages.player, &good), FORBIDDEN),
        ("a review from a foreign page", foreign, FORBIDDEN),
        (
            "a review as a form",
            post("/v1/reviews", &[operator], "player=bea"),
            Answer::Status(415, "/problems/unsupported-media-type"),
        ),
        ("a review that is not JSON", pages.review(operator, "{"), BAD),
        ("an empty review", pages.review(operator, "{}"), BAD),
        ("a review with a field too many", pages.review(operator, &good.replacen('{', "{\"x\":1,", 1)), BAD),
        ("a review of 17 kB", pages.review(operator, &large), too_large()),
        (
            "a review that announces 1 GB",
            pages.review(operator, "{}").replacen("Content-Length: 2", "Content-Length: 1000000000", 1),
            too_large(),
        ),
        ("a review where no photo waits", pages.review(operator, &good), conflict()),
        ("a review of an unknown quest", pages.review(operator, &unknown), NOT_FOUND),
        ("a review of an unknown step", pages.review(operator, &no_step), NOT_FOUND),
        ("a review of nobody's photo", pages.review(operator, &nobody), conflict()),
        ("an avatar without the console", post("/console/player", &[operator], ""), UNAUTHORIZED),
        ("a companion without a demo", post("/console/companion", &[operator, json], r#"{"invite":"x"}"#), NOT_FOUND),
        ("a node stopped without a demo", post("/console/stop", &[operator, json], r#"{"node":"a"}"#), NOT_FOUND),
        ("a node stopped by nobody", post("/console/stop", &[json], r#"{"node":"a"}"#), UNAUTHORIZED),
    ]
    .map(|(name, request, answer)| case(&format!("HTTP: {name}"), Who::Nobody, request, answer))
    .into()
}
