//! Who someone is, over real sockets: keys that rotate, tokens that end or are called back, one device that tracks, and
//! what operators did.

use crate::harness::{DEADLINE, TestServer, eventually, quick, sign};
use crate::wire::{Heard, Raw, text};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use waystone::net::auth::{RemoteConfig, Url};
use waystone::units::Timestamp;

const GATE: [f64; 2] = [24.9400, 60.1700];
const AWAY: [f64; 2] = [24.9480, 60.1760];

/// Keys that open nothing: private halves as PKCS #8, public ones as key sets have them.
const OLD: (&str, &[u8; 32]) = ("old", &[1; 32]);
const NEW: (&str, &[u8; 32]) = ("new", &[2; 32]);

fn private((kid, seed): (&str, &[u8; 32]), claims: &Value) -> String {
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend(seed);
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&der)).expect("it can be signed")
}

fn public((kid, seed): (&str, &[u8; 32])) -> Value {
    use base64::Engine as _;
    let point = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes();
    let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(point);
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
}

/// An identity provider that serves what it is told to.
struct Provider {
    url: Url,
    keys: Arc<Mutex<Vec<Value>>>,
    _tasks: JoinSet<()>,
}

impl Provider {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/jwks.json", listener.local_addr().expect("bound"));
        let keys = Arc::<Mutex<Vec<Value>>>::default();
        let (mut tasks, kept) = (JoinSet::new(), Arc::clone(&keys));
        tasks.spawn(async move {
            loop {
                let (mut io, _) = listener.accept().await.expect("it listens");
                let body = json!({ "keys": *kept.lock().expect("whole") }).to_string();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                // The server asks again if it has not been answered.
                let _ = io.read(&mut [0; 2048]).await;
                let _ = io.write_all(answer.as_bytes()).await;
            }
        });
        Self { url: Url::parse(&url).expect("an address"), keys, _tasks: tasks }
    }

    fn serve(&self, keys: &[(&str, &[u8; 32])]) {
        *self.keys.lock().expect("whole") = keys.iter().map(|key| public(*key)).collect();
    }

    fn config(&self) -> RemoteConfig {
        let (refresh, keep) = (Duration::from_millis(500), Duration::from_secs(600));
        RemoteConfig { url: self.url.clone(), ca_file: None, refresh, gap: Duration::from_millis(100), keep }
    }
}

/// The answer to connecting, once the server knows its keys.
async fn connect(server: &TestServer, token: &str) -> Result<Raw, Heard> {
    let command = text(&json!({ "id": 1, "connect": { "token": token } }).to_string());
    loop {
        let mut raw = Raw::socket(server.addr()).await;
        raw.send(&command).await;
        match raw.heard().await {
            Heard::Text(reply) if reply.contains("\"connect\"") => return Ok(raw),
            Heard::Text(reply) if reply.contains("1008") => tokio::time::sleep(Duration::from_millis(50)).await,
            other => return Err(other),
        }
    }
}

async fn lives(raw: &mut Raw, id: u64) {
    raw.send(&text(&json!({ "id": id, "ping": {} }).to_string())).await;
    assert!(raw.reply(id).await["ping"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_live_players() {
    let provider = Provider::new().await;
    let server = TestServer::start_fetching(quick(), provider.config()).await;
    let ready = server.http("GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 503, "the provider lists no key: {ready:?}");
    let bearer = format!("Authorization: Bearer {}", private(OLD, &server.claims("ada")));
    assert_eq!(server.http("GET", "/v1/me", &[&bearer], "").await.status, 503, "it may be good");

    provider.serve(&[OLD]);
    let mut ada = connect(&server, &private(OLD, &server.claims("ada"))).await.expect("the key is listed");
    assert_eq!(server.http("GET", "/readyz", &[], "").await.status, 200);
    let early = connect(&server, &private(NEW, &server.claims("bo"))).await.map(drop);
    assert_eq!(early, Err(Heard::Close(3500, "invalid token".to_owned())), "nobody has heard of that key");

    provider.serve(&[OLD, NEW]);
    let mut bo = connect(&server, &private(NEW, &server.claims("bo"))).await.expect("both are listed");
    let mut cy = connect(&server, &private(OLD, &server.claims("cy"))).await.expect("both are listed");

    provider.serve(&[NEW]);
    eventually("the old key is out", async || match connect(&server, &private(OLD, &server.claims("dan"))).await {
        Err(Heard::Close(3500, _)) => Ok(()),
        other => Err(format!("{:?}", other.map(drop))),
    })
    .await;
    for raw in [&mut ada, &mut bo, &mut cy] {
        lives(raw, 7).await;
    }
    let renewed = json!({ "id": 8, "refresh": { "token": private(NEW, &server.claims("ada")) } });
    ada.send(&text(&renewed.to_string())).await;
    assert_eq!(ada.reply(8).await["refresh"]["ttl"], 12 * 3600, "a live player goes on by the new key");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_renew_in_time_is_closed() {
    let now = Timestamp::from_millis(1_781_000_000_000);
    let server = TestServer::start_at(now, quick(), |edge| edge.ping = Duration::from_secs(4)).await;
    let soon = |player: &str| {
        let mut claims = server.claims(player);
        claims["exp"] = json!(server.clock.now().as_millis() / 1000 + 60);
        sign(&claims)
    };
    let mut late = Raw::socket(server.addr()).await;
    late.send(&text(&json!({ "id": 1, "connect": { "token": soon("ada") } }).to_string())).await;
    assert_eq!(late.reply(1).await["connect"]["ttl"], 60, "told beforehand when it ends");
    let mut good = Raw::connected(server.addr(), &soon("bo")).await;
    good.send(&text(&json!({ "id": 2, "refresh": { "token": server.token("bo") } }).to_string())).await;
    assert_eq!(good.reply(2).await["refresh"]["ttl"], 12 * 3600);
    server.clock.advance(Duration::from_secs(60 + 26));
    assert_eq!(late.end().await, Heard::Close(3005, "connection expired".to_owned()));
    lives(&mut good, 3).await;
    server.end().await;
}

fn dated(server: &TestServer, player: &str, jti: &str) -> String {
    let mut claims = server.claims(player);
    claims["iat"] = json!(server.clock.now().as_millis() / 1000);
    claims["jti"] = json!(jti);
    sign(&claims)
}

const REVOKED: (u16, &str) = (4502, "revoked");

fn revoked() -> Heard {
    Heard::Close(REVOKED.0, REVOKED.1.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_opens_nothing_and_what_it_opened_is_closed() {
    let mut server = TestServer::start(quick()).await;
    let (first, bo) = (dated(&server, "ada", "t1"), dated(&server, "bo", "b1"));
    let mut ada = connect(&server, &first).await.expect("it is good");
    let mut friend = connect(&server, &bo).await.expect("it is good");
    let clerk = server.operator_token();
    let made = server.post("/v1/operator/revocations", &clerk, &json!({ "player": "ada" })).await;
    assert_eq!((made.status, &made.json()["by"]), (201, &json!("the-operator")), "{made:?}");
    assert_eq!(ada.end().await, revoked());
    assert_eq!(connect(&server, &first).await.map(drop), Err(revoked()));
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    assert_eq!(server.http("GET", "/v1/me", &[&bearer(&first)], "").await.status, 401);
    assert_eq!(server.http("GET", &format!("/in/traccar?id={first}&lat=60&lon=24"), &[], "").await.status, 401);
    assert_eq!(
        connect(&server, &server.token("ada")).await.map(drop),
        Err(revoked()),
        "it does not say when it was signed"
    );
    lives(&mut friend, 2).await;

    server.clock.advance(Duration::from_secs(1));
    let second = dated(&server, "ada", "t2");
    let mut ada = connect(&server, &second).await.expect("signed after it");
    // A refresh does not help what is revoked; and a session is closed by the token that it was renewed with.
    let third = dated(&server, "ada", "t3");
    ada.send(&text(&json!({ "id": 4, "refresh": { "token": third } }).to_string())).await;
    assert!(ada.reply(4).await["refresh"].is_object());
    assert_eq!(server.post("/v1/operator/revocations", &clerk, &json!({ "token": "t2" })).await.status, 201);
    lives(&mut ada, 5).await;
    ada.send(&text(&json!({ "id": 6, "refresh": { "token": second } }).to_string())).await;
    assert_eq!(ada.end().await, revoked());
    server.restart().await;
    assert_eq!(connect(&server, &second).await.map(drop), Err(revoked()), "it is kept");

    let listed = server.look("/v1/operator/revocations").await;
    let all = listed["revocations"].as_array().expect("a list");
    assert_eq!((all.len(), &all[0]["token"], &all[1]["player"]), (2, &json!("t2"), &json!("ada")), "{listed}");
    let path = format!("/v1/operator/revocations/{}", all[0]["id"].as_str().expect("a name"));
    assert_eq!(server.http("DELETE", &path, &[&bearer(&clerk)], "").await.status, 204);
    assert_eq!(server.http("DELETE", &path, &[&bearer(&clerk)], "").await.status, 404);
    assert!(connect(&server, &second).await.is_ok(), "taken back");
    for bad in
        [json!({}), json!({ "player": "a b" }), json!({ "player": "ada", "token": "t" }), json!({ "token": "" })]
    {
        assert_eq!(server.post("/v1/operator/revocations", &clerk, &bad).await.status, 400, "{bad}");
    }
    let far = json!({ "player": "ada", "until": server.clock.now().as_millis() + 3_600_000 });
    assert_eq!(server.post("/v1/operator/revocations", &clerk, &far).await.status, 400);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_did_is_written_down_and_read_page_by_page() {
    let mut server = TestServer::start(quick()).await;
    let clerk = server.operator_token();
    let verdict =
        json!({ "player": "ada", "quest": "quick", "step": "meet", "approve": false, "reason": "not her face" });
    assert_eq!(server.post("/v1/reviews", &clerk, &verdict).await.status, 409, "nothing waits");
    server.clock.advance(Duration::from_secs(1));
    server.look("/console/codes?quest=quick").await;
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.post("/v1/operator/revocations", &clerk, &json!({ "player": "ada" })).await.status, 201);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.post("/v1/reviews", &server.token("eve"), &verdict).await.status, 403);
    server.restart().await;
    let told = |page: &Value| -> Vec<String> {
        let lines = page["lines"].as_array().expect("lines");
        let told = |line: &Value| {
            ["who", "role", "action", "target", "outcome"]
                .map(|field| line[field].as_str().expect("a text").to_owned())
                .join(" | ")
        };
        lines.iter().map(told).collect()
    };
    let first = server.look("/v1/operator/audit?limit=2").await;
    assert_eq!(
        told(&first),
        [
            "eve | player | refused | POST /v1/reviews | role",
            "the-operator | operator | token.revoke | player/ada | done",
        ]
    );
    let next = first["next"].as_str().expect("there is more");
    let rest = server.look(&format!("/v1/operator/audit?before={next}")).await;
    assert_eq!(
        told(&rest),
        [
            "the-operator | operator | codes.read | quest/quick | done",
            "the-operator | operator | review.reject | player/ada quest/quick step/meet | refused: 409 (1104)",
        ]
    );
    assert_eq!((&rest["next"], &first["lines"][0]["node"]), (&Value::Null, &json!("node-1")));
    let all = format!("{first}{rest}");
    assert!(!all.contains("face") && !all.contains(&clerk), "no texts and no tokens: {all}");
    let bearer = format!("Authorization: Bearer {clerk}");
    for bad in ["limit=0", "limit=501", "limit=x", "from=1"] {
        let answer = server.http("GET", &format!("/v1/operator/audit?{bad}"), &[&bearer], "").await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    assert!(server.metric("waystone_auth_failures_total{reason=\"signature\"}").await == 0);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_tracks_and_the_other_is_told_why() {
    let server = TestServer::start(quick()).await;
    let device = |jti: &str| {
        let mut claims = server.claims("ada");
        (claims["role"], claims["jti"]) = (json!("device"), json!(jti));
        claims["iat"] = json!(server.clock.now().as_millis() / 1000);
        sign(&claims)
    };
    let post = async |token: &str, place: [f64; 2]| {
        let now = server.clock.now().as_millis();
        let body = format!("id={token}&timestamp={now}&lat={}&lon={}&accuracy=5", place[1], place[0]);
        let answer =
            server.http("POST", "/in/traccar", &["Content-Type: application/x-www-form-urlencoded"], &body).await;
        assert_eq!(answer.status, 200, "no queue is held up: {answer:?}");
        answer.header("waystone-ignored").map(str::to_owned)
    };
    let ignored = Some("other_device".to_owned());
    let old = device("old");
    server.clock.advance(Duration::from_secs(60));
    let mut ada = server.phone("ada").await;
    ada.found("One").await;
    ada.start("quick").await;
    assert_eq!(post(&old, AWAY).await, None, "nobody else has said where she is");
    let here = |at: &TestServer| json!({ "lat": AWAY[1], "lon": AWAY[0], "acc": 6, "t": at.clock.now().as_millis() });
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.call("fix", here(&server)).await["accepted"], 1, "the connection is newer");
    for _ in 0..4 {
        server.clock.advance(Duration::from_secs(5));
        assert_eq!(post(&old, GATE).await, ignored);
    }
    assert_eq!(ada.count(&json!({ "type": "step.completed" })), 0, "where the other phone is does not count");

    server.clock.advance(Duration::from_secs(60));
    let new = device("new");
    assert_eq!(post(&new, AWAY).await, None, "set up after the connection was opened");
    server.clock.advance(Duration::from_secs(1));
    let refused = ada.refused("fix", here(&server)).await;
    assert!(refused.0 == 1009 && !refused.2 && refused.1.contains("connect again"), "{refused:?}");
    let batch = ada.refused("fixes", json!({ "fixes": [here(&server)] })).await;
    assert_eq!(batch.0, 1009);

    server.clock.advance(Duration::from_secs(60));
    ada.enter_tunnel();
    ada.leave_tunnel().await;
    assert_eq!(ada.call("fix", here(&server)).await["accepted"], 1, "connected anew");
    assert_eq!(post(&new, GATE).await, ignored);
    tokio::time::timeout(DEADLINE, server.end()).await.expect("it ends");
}
