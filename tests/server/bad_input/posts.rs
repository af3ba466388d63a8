//! Posts of phone apps. Whatever data comes with a good token is taken for nothing, so that no queue is held up.

use super::{Answer, Case, Who, case};
use crate::harness::{TestServer, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

const TAKEN: Answer = Answer::Status(200, "");
const FORBIDDEN: Answer = Answer::Status(403, "/problems/forbidden");
const UNAUTHORIZED: Answer =
    Answer::Header(401, "/problems/unauthorized", "www-authenticate", "Bearer realm=\"waystone\"");
const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

struct Posts {
    host: String,
    device: String,
    expired: String,
    operator: String,
}

impl Posts {
    fn request(&self, line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.device)
    }

    fn basic(&self, text: &str) -> String {
        format!("Authorization: Basic {}", STANDARD.encode(text))
    }
}

/// Each is of a player of its own, so that no limit is met.
fn posts(server: &TestServer, player: &str) -> Posts {
    let mut claims = server.claims(player);
    claims["role"] = json!("device");
    let device = sign(&claims);
    claims["exp"] = json!(1_700_000_000);
    Posts { host: server.addr().to_string(), device, expired: sign(&claims), operator: server.operator_token() }
}

pub fn cases(server: &TestServer) -> Vec<Case> {
    let mut cases = traccar(&posts(server, "tracy"));
    cases.extend(owntracks(&posts(server, "owen")));
    cases.extend(overland(&posts(server, "olga")));
    cases
}

fn traccar(posts: &Posts) -> Vec<Case> {
    let form =
        |body: &str| posts.request("POST /in/traccar", &[FORM], format!("id={}&{body}", posts.device).as_bytes());
    let asked = |query: &str| posts.request(&format!("GET /in/traccar?id={}&{query}", posts.device), &[], b"");
    let json = |body: &[u8]| posts.request("POST /in/traccar", &[JSON, &posts.bearer()], body);
    let as_id = |token: &str| posts.request(&format!("GET /in/traccar?id={token}&lat=60&lon=24"), &[], b"");
    let huge = format!("[{}]", vec![r#"{"lat":"x","lon":"y"}"#; 30_000].join(","));
    let many = format!("[{}]", vec![r#"{"lat":99,"lon":24}"#; 2_000].join(","));
    let put = Answer::Header(405, "/problems/method-not-allowed", "allow", "GET, POST");
    [
        ("no id and no token", posts.request("GET /in/traccar?lat=60&lon=24", &[], b""), UNAUTHORIZED),
        ("an id that is a name", as_id("ada"), UNAUTHORIZED),
        ("an expired token for an id", as_id(&posts.expired), UNAUTHORIZED),
        ("an operator's token for an id", as_id(&posts.operator), FORBIDDEN),
        ("a token with its end cut off", as_id(&posts.device[..posts.device.len() - 2]), UNAUTHORIZED),
        ("an id of 9,000 letters", as_id(&"x".repeat(9_000)), Answer::Status(431, "")),
        ("an id of 5,000 letters", as_id(&"x".repeat(5_000)), UNAUTHORIZED),
        ("a heartbeat", form("batt=5"), TAKEN),
        ("lat as a word", form("lat=sixty&lon=24"), TAKEN),
        ("lat NaN", form("lat=NaN&lon=24"), TAKEN),
        ("lat infinite", form("lat=inf&lon=-inf"), TAKEN),
        ("lat 91", form("lat=91&lon=24"), TAKEN),
        ("lon 181", form("lat=60&lon=181"), TAKEN),
        ("lat without lon", form("lat=60"), TAKEN),
        ("a place of one number", form("location=60"), TAKEN),
        ("a place of words", form("location=here,there"), TAKEN),
        ("a time that is a word", form("lat=60&lon=24&timestamp=yesterday"), TAKEN),
        ("a time beyond all numbers", form("lat=60&lon=24&timestamp=99999999999999999999"), TAKEN),
        ("a time before all phones", form("lat=60&lon=24&timestamp=-1"), TAKEN),
        ("a fix that says it is none", form("lat=60&lon=24&valid=false"), TAKEN),
        (
            "bytes that are no text",
            posts.request(&format!("POST /in/traccar?id={}", posts.device), &[FORM], &[0, 255, 254]),
            TAKEN,
        ),
        ("broken percents", asked("lat=%zz&lon=%f"), TAKEN),
        ("a NUL", asked("lat=%00&lon=%00"), TAKEN),
        ("a key a thousand times", form(&"lat=99&".repeat(1_000)), TAKEN),
        ("half of JSON", json(b"{\"lat\":"), TAKEN),
        ("no body where JSON should be", json(b""), TAKEN),
        ("JSON that is a number", json(b"7"), TAKEN),
        ("JSON that is null", json(b"null"), TAKEN),
        ("a list of anything", json(b"[1,\"x\",null,[],{}]"), TAKEN),
        ("a place that is a list", json(b"{\"location\":[60,24]}"), TAKEN),
        ("deep nesting", json("[".repeat(100_000).as_bytes()), TAKEN),
        ("2,000 bad fixes", json(many.as_bytes()), TAKEN),
        ("600 kB", json(huge.as_bytes()), TAKEN),
        ("PUT", posts.request("PUT /in/traccar", &[FORM], b"id=x"), put),
    ]
    .map(|(name, bytes, answer)| case(&format!("traccar: {name}"), Who::Nobody, bytes, answer))
    .into()
}

fn owntracks(posts: &Posts) -> Vec<Case> {
    let with = |headers: &[&str], body: &str| posts.request("POST /in/owntracks", headers, body.as_bytes());
    let good = posts.basic(&format!("ada:{}", posts.device));
    let post = |body: &str| with(&[JSON, &good], body);
    let fix = r#"{"_type":"location","lat":91,"lon":24,"tst":1781000000}"#;
    let only = Answer::Header(405, "/problems/method-not-allowed", "allow", "POST");
    [
        ("no password", with(&[JSON], fix), UNAUTHORIZED),
        ("a password that is a word", with(&[JSON, &posts.basic("ada:secret")], fix), UNAUTHORIZED),
        ("no colon", with(&[JSON, &posts.basic(&posts.device)], fix), UNAUTHORIZED),
        ("no base64", with(&[JSON, "Authorization: Basic !!!"], fix), UNAUTHORIZED),
        ("base64 of no text", with(&[JSON, "Authorization: Basic //4="], fix), UNAUTHORIZED),
        ("an expired password", with(&[JSON, &posts.basic(&format!(":{}", posts.expired))], fix), UNAUTHORIZED),
        ("an operator's", with(&[JSON, &posts.basic(&format!("x:{}", posts.operator))], fix), FORBIDDEN),
        ("another scheme", with(&[JSON, "Authorization: Digest x"], fix), UNAUTHORIZED),
        ("GET", posts.request("GET /in/owntracks", &[&good], b""), only),
        ("lat 91", post(fix), TAKEN),
        ("no lat", post(r#"{"_type":"location","lon":24}"#), TAKEN),
        ("lat as a text", post(r#"{"_type":"location","lat":"60","lon":24}"#), TAKEN),
        ("lat too large for a number", post(r#"{"_type":"location","lat":1e999,"lon":24}"#), TAKEN),
        ("a time that is a text", post(r#"{"_type":"location","lat":99,"lon":24,"tst":"now"}"#), TAKEN),
        ("a time beyond all numbers", post(r#"{"_type":"location","lat":99,"lon":24,"tst":1e300}"#), TAKEN),
        ("no type", post(r#"{"lat":60,"lon":24}"#), TAKEN),
        ("an unknown type", post(r#"{"_type":"dance"}"#), TAKEN),
        ("a type that is a number", post(r#"{"_type":7}"#), TAKEN),
        ("an encrypted message", post(r#"{"_type":"encrypted","data":"AAAA"}"#), TAKEN),
        ("a farewell", post(r#"{"_type":"lwt","tst":1}"#), TAKEN),
        ("a list", post("[]"), TAKEN),
        ("half of JSON", post("{"), TAKEN),
        ("nothing", post(""), TAKEN),
        ("a key twice", post(r#"{"_type":"location","lat":99,"lat":98,"lon":24}"#), TAKEN),
    ]
    .map(|(name, bytes, answer)| case(&format!("owntracks: {name}"), Who::Nobody, bytes, answer))
    .into()
}

fn overland(posts: &Posts) -> Vec<Case> {
    let with = |headers: &[&str], body: &[u8]| posts.request("POST /in/overland", headers, body);
    let bearer = posts.bearer();
    let post = |body: &str| with(&[JSON, &bearer], body.as_bytes());
    let point = |coordinates: &str| {
        post(&format!(
            r#"{{"locations":[{{"geometry":{{"type":"Point","coordinates":{coordinates}}},"properties":{{}}}}]}}"#
        ))
    };
    let timed = |time: &str| {
        post(&format!(
            r#"{{"locations":[{{"geometry":{{"type":"Point","coordinates":[24,99]}},"properties":{{"timestamp":{time}}}}}]}}"#
        ))
    };
    let many = format!(r#"{{"locations":[{}]}}"#, vec![r#"{"geometry":{"coordinates":[200,99]}}"#; 3_000].join(","));
    let huge = format!(r#"{{"locations":[],"x":"{}"}}"#, "x".repeat(600_000));
    let expired = format!("Authorization: Bearer {}", posts.expired);
    let operator = format!("Authorization: Bearer {}", posts.operator);
    let only = Answer::Header(405, "/problems/method-not-allowed", "allow", "POST");
    [
        ("no token", with(&[JSON], b"{}"), UNAUTHORIZED),
        ("an expired token", with(&[JSON, &expired], b"{}"), UNAUTHORIZED),
        ("an operator's token", with(&[JSON, &operator], b"{}"), FORBIDDEN),
        ("a bearer of nothing", with(&[JSON, "Authorization: Bearer "], b"{}"), UNAUTHORIZED),
        ("a token that is not ASCII", with(&[JSON, "Authorization: Bearer \u{e4}"], b"{}"), UNAUTHORIZED),
        ("a foreign page", with(&[JSON, &bearer, "Origin: https://evil.example.org"], b"{}"), FORBIDDEN),
        ("DELETE", posts.request("DELETE /in/overland", &[&bearer], b""), only),
        ("nothing", post(""), TAKEN),
        ("half of JSON", post(r#"{"locations":[{"#), TAKEN),
        ("a list", post("[]"), TAKEN),
        ("no locations", post("{}"), TAKEN),
        ("locations that are none", post(r#"{"locations":"here"}"#), TAKEN),
        ("locations of anything", post(r#"{"locations":[1,null,"x",[],{}]}"#), TAKEN),
        ("no geometry", post(r#"{"locations":[{"properties":{"timestamp":"now"}}]}"#), TAKEN),
        ("no coordinates", point("[]"), TAKEN),
        ("one coordinate", point("[24]"), TAKEN),
        ("coordinates as texts", point(r#"["24","60"]"#), TAKEN),
        ("coordinates off the earth", point("[24,99]"), TAKEN),
        ("coordinates too large for numbers", point("[24,1e999]"), TAKEN),
        ("a line", point("[[24,60],[24,61]]"), TAKEN),
        ("a time that is a word", timed(r#""yesterday""#), TAKEN),
        ("a time that is a number", timed("1781000000"), TAKEN),
        ("a time in the year 99999", timed(r#""99999-01-01T00:00:00Z""#), TAKEN),
        ("bytes that are no text", with(&[JSON, &bearer], &[b'{', 0xff, 0xfe, b'}']), TAKEN),
        ("3,000 bad fixes", post(&many), TAKEN),
        ("600 kB", post(&huge), TAKEN),
        ("another content type", with(&["Content-Type: text/plain", &bearer], b"hello"), TAKEN),
    ]
    .map(|(name, bytes, answer)| case(&format!("overland: {name}"), Who::Nobody, bytes, answer))
    .into()
}
