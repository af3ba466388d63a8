//! Phones with a tracking app: what Traccar Client, OwnTracks and Overland post is judged as any fix, whether the player
//! is connected or not, and no post holds up the next.

use crate::harness::{TestServer, eventually, quick, sign};
use crate::wire::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

const GATE: [f64; 2] = [24.9400, 60.1700];
const AWAY: [f64; 2] = [24.9480, 60.1760];
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const JSON: &str = "Content-Type: application/json";

fn device(server: &TestServer, player: &str) -> String {
    let mut claims = server.claims(player);
    claims["role"] = json!("device");
    sign(&claims)
}

/// A point of Overland's.
fn point(place: [f64; 2], ms: i64) -> Value {
    let time = jiff::Timestamp::from_millisecond(ms).expect("a time").to_string();
    json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": place },
            "properties": { "timestamp": time, "horizontal_accuracy": 5, "speed": -1 } })
}

async fn overland(server: &TestServer, token: &str, points: &[Value]) -> Response {
    let body = json!({ "locations": points }).to_string();
    server.http("POST", "/in/overland", &[&format!("Authorization: Bearer {token}"), JSON], &body).await
}

async fn traccar(server: &TestServer, token: &str, place: [f64; 2]) -> Response {
    let now = server.clock.now().as_millis();
    let body = format!("id={token}&timestamp={now}&lat={}&lon={}&accuracy=5", place[1], place[0]);
    server.http("POST", "/in/traccar", &[FORM], &body).await
}

async fn owntracks(server: &TestServer, token: &str, body: &Value) -> Response {
    let basic = format!("Authorization: Basic {}", STANDARD.encode(format!("anyone:{token}")));
    server.http("POST", "/in/owntracks", &[&basic, JSON], &body.to_string()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_with_a_tracking_app_plays_the_quest() {
    let server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    ada.found("One").await;
    ada.start("quick").await;
    let token = device(&server, "ada");

    // While the app of the game is open, the tracking app's fixes are judged by the same session.
    assert_eq!(traccar(&server, &token, AWAY).await.status, 200);
    let wake = ada.call("wake", json!({})).await;
    assert!(wake["circles"].as_array().is_some_and(|circles| !circles.is_empty()), "it has seen a fix: {wake}");

    // With the game's app closed the other goes on alone, and what it led to is heard on coming back.
    ada.enter_tunnel();
    eventually("the socket is gone", async || match server.metric("waystone_sessions").await {
        0 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
    for _ in 0..3 {
        server.clock.advance(Duration::from_secs(30));
        let answer = traccar(&server, &token, GATE).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
    assert_eq!(server.metric("waystone_sessions").await, 1, "a silent one");
    ada.leave_tunnel().await;
    ada.expect_done("meet").await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_comes_late_and_out_of_order_counts_by_its_times() {
    let server = TestServer::start(quick()).await;
    let mut ada = server.phone("ada").await;
    ada.found("One").await;
    ada.start("quick").await;
    let (token, now) = (device(&server, "ada"), server.clock.now().as_millis());
    let mut points: Vec<Value> = (0..10).map(|n| point(GATE, now - 60_000 + n * 5_000)).collect();
    points.reverse();
    points.extend([json!(null), json!({ "geometry": {} }), point([400.0, 60.0], now)]);
    let answer = overland(&server, &token, &points).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "result": "ok" })),
        "the bad ones do not hold up the rest"
    );
    ada.expect_done("meet").await;
    let again = overland(&server, &token, &points).await;
    assert_eq!(again.status, 200, "the app sends a batch again whose answer it has not heard");
    assert_eq!(ada.count(&json!({ "type": "step.completed" })), 1);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owntracks_shows_the_team_and_watches_the_open_steps() {
    let server = TestServer::start(quick()).await;
    let (mut ada, mut bo) = (server.phone("ada").await, server.phone("bo").await);
    let team = ada.act("team.create", json!({ "name": "Us" })).await;
    bo.act("team.join", json!({ "code": team["invite"] })).await;
    ada.start("quick").await;
    for phone in [&mut ada, &mut bo] {
        phone.act("team.share", json!({ "on": true })).await;
    }
    bo.stand_at(AWAY).await;
    let token = device(&server, "ada");
    let seconds = server.clock.now().as_millis() / 1_000;
    let location =
        json!({ "_type": "location", "lat": AWAY[1], "lon": AWAY[0], "acc": 6, "tst": seconds, "tid": "AD" });
    let shown = eventually("the mate is shown", async || {
        let answer = owntracks(&server, &token, &location).await;
        assert_eq!(answer.status, 200);
        let shown = answer.json();
        if shown[0]["_type"] == "location" { Ok(shown) } else { Err(shown.to_string()) }
    })
    .await;
    assert_eq!((&shown[0]["topic"], &shown[1]["_type"]), (&json!("owntracks/team/bo"), &json!("card")), "{shown}");
    let waypoints = &shown[2]["waypoints"]["waypoints"];
    assert_eq!(
        (&shown[2]["action"], &waypoints[0]["desc"]),
        (&json!("setWaypoints"), &json!("quick: gate")),
        "{shown}"
    );
    for other in [json!({ "_type": "lwt", "tst": 1 }), json!({ "_type": "encrypted", "data": "x" }), json!([1])] {
        let answer = owntracks(&server, &token, &other).await;
        assert_eq!((answer.status, answer.json()), (200, json!([])), "{other}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_unknown_is_refused() {
    let server = TestServer::start(quick()).await;
    let token = device(&server, "ada");
    for (target, headers, body, status) in [
        ("/in/traccar?id=nonsense&lat=60&lon=24".to_owned(), vec![], String::new(), 401),
        ("/in/traccar?lat=60&lon=24".to_owned(), vec![], String::new(), 401),
        (format!("/in/traccar?id={token}"), vec![], String::new(), 200),
        (format!("/in/traccar?id={token}&lat=99&lon=24"), vec![], String::new(), 200),
        (format!("/in/traccar?id={token}&lat=60&lon=24&timestamp=1"), vec![], String::new(), 200),
        (format!("/in/traccar?id={token}&lat=60&lon=24&timestamp=99999999999999"), vec![], String::new(), 200),
        (format!("/in/traccar?id={}&lat=60&lon=24", server.operator_token()), vec![], String::new(), 403),
        ("/in/owntracks".to_owned(), vec![], "{}".to_owned(), 401),
        ("/in/overland".to_owned(), vec![format!("Authorization: Bearer {token}")], "x".repeat(600_000), 200),
        (
            "/in/overland".to_owned(),
            vec![format!("Authorization: Bearer {token}")],
            "{\"locations\":".to_owned(),
            200,
        ),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = server.http("POST", &target, &headers, &body).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    // A device's token posts fixes, and nothing else.
    let bearer = format!("Authorization: Bearer {token}");
    for target in ["/v1/wake", "/v1/overview"] {
        assert_eq!(server.http("GET", target, &[&bearer], "").await.status, 403, "{target}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_an_operator_has_set_up_posts_until_it_is_lost() {
    let server = TestServer::start(quick()).await;
    let clerk = server.operator_token();
    let add = async |headers: &[&str], body: Value| {
        let bearer = format!("Authorization: Bearer {clerk}");
        let headers: Vec<&str> = [bearer.as_str(), JSON].into_iter().chain(headers.iter().copied()).collect();
        server.http("POST", "/v1/operator/devices", &headers, &body.to_string()).await
    };
    let made = add(&[], json!({ "player": "ada", "app": "traccar" })).await;
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{made:?}");
    let made = made.json();
    let link = made["link"].as_str().expect("a link");
    let (base, rest) = link.split_once("/in/traccar?id=").expect("Traccar's address");
    assert_eq!(base, format!("http://{}", server.addr()));
    assert!(made["picture"].as_str().is_some_and(|svg| svg.contains("<svg")), "{made}");
    let token = rest.split('&').next().expect("a token");
    assert_eq!(traccar(&server, token, GATE).await.status, 200);
    let bearer = format!("Authorization: Bearer {token}");
    assert_eq!(server.http("GET", "/v1/wake", &[&bearer], "").await.status, 403, "it posts, and nothing else");

    // Behind a proxy the page's own origin says how the phone gets here.
    let origin = format!("Origin: http://{}", server.addr());
    let other = add(&[&origin], json!({ "player": "bo", "app": "owntracks" })).await.json();
    assert!(other["link"].as_str().is_some_and(|link| link.starts_with("owntracks:///config?inline=")), "{other}");
    for bad in [
        json!({ "player": "a b", "app": "traccar" }),
        json!({ "player": "ada", "app": "fax" }),
        json!({ "player": "ada" }),
        json!(["ada", "traccar"]),
    ] {
        assert_eq!(add(&[], bad.clone()).await.status, 400, "{bad}");
    }
    assert_eq!(add(&["Origin: http://evil.example"], json!({ "player": "bo", "app": "traccar" })).await.status, 403);

    let audit = server.look("/v1/operator/audit").await;
    let jti = made["token"].as_str().expect("its name");
    let told: Vec<&Value> = audit["lines"].as_array().expect("lines").iter().map(|line| &line["target"]).collect();
    assert!(told.contains(&&json!(format!("player/ada token/{jti}"))), "{audit}");
    assert!(!audit.to_string().contains(token), "the log has no tokens");
    assert_eq!(server.post("/v1/operator/revocations", &clerk, &json!({ "token": jti })).await.status, 201);
    assert_eq!(traccar(&server, token, GATE).await.status, 401);
    server.end().await;
}
