//! The operator's console: a one-time link opens it, a cookie keeps it open, everything it needs is in the binary.
//!
//! No password to choose or forget: whoever started the server has the link from its terminal, and it works once on
//! each node; an operator makes further ones, also for who may only look. The cookie is good for all nodes that share
//! the secret, and for twelve hours.
//! Promise: key and cookie are compared in constant time, are stored nowhere and appear in no log.

use super::auth::{Role, Secret};
use super::console_assets;
use super::console_cookie::Cookies;
use super::http::{State, html};
use super::live;
use super::object::Object;
use super::problem::Problem;
use super::rules::Caller;
use super::stage::{self, Stage};
use crate::actors::access::Credential;
use crate::ids::{PlayerId, QuestId};
use crate::units::Timestamp;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Data, Json, Path, Query, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// How long the operator's own avatar may play on one token; the page asks for the next one in time.
const AVATAR_TTL: Duration = Duration::from_secs(15 * 60);
/// How long a link is good that an operator has made: as long as it takes to hand it over.
const LINK_TTL: Duration = Duration::from_secs(15 * 60);
/// Links that wait to be opened: a control room is made ready in one go.
const LINKS_MAX: usize = 32;
const COOKIE: &str = "waystone_console";

/// How the console is set up.
#[derive(Debug, Clone)]
pub struct ConsoleConfig {
    /// The key of the one-time link.
    pub key: Secret,
    /// What proves cookies; all nodes of a cluster have the same.
    pub cookies: Secret,
    /// The map, as gzipped GeoJSON.
    pub map: Option<&'static [u8]>,
    /// Where to ask for a companion in a demo; `None` without one.
    pub companion: Option<mpsc::Sender<CompanionRequest>>,
    /// In a demo of several nodes: how they are.
    pub stage: Option<Stage>,
}

/// A wish for a companion that joins a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanionRequest {
    /// The team's invite code.
    pub invite: String,
}

/// The console's state.
#[derive(Debug)]
pub(super) struct Console {
    config: ConsoleConfig,
    links: Mutex<Vec<Link>>,
    cookies: Cookies,
    readers: Arc<Semaphore>,
}

/// A link that has not been opened yet.
#[derive(Debug)]
struct Link {
    key: Secret,
    role: Role,
    /// `None`: as long as the node runs.
    until: Option<Timestamp>,
}

impl Console {
    pub(super) fn new(config: ConsoleConfig) -> Self {
        let first = Link { key: config.key.clone(), role: Role::Operator, until: None };
        let links = Mutex::new(vec![first]);
        let cookies = Cookies::new(config.cookies.clone());
        Self { config, links, cookies, readers: Arc::new(Semaphore::new(live::READERS_MAX)) }
    }

    pub(super) fn stage(&self) -> Option<&Stage> {
        self.config.stage.as_ref()
    }

    /// Spends a key. Who has come in by it, and the cookie; or nothing for a wrong or spent key.
    fn open(&self, key: &str, now: Timestamp) -> Option<(Caller, String)> {
        let mut links = self.links(now);
        // All are compared, so the time says nothing.
        let matching = |found, (place, link): (usize, &Link)| match link.key.matches(key.as_bytes()) {
            true => Some(place),
            false => found,
        };
        let found = links.iter().enumerate().fold(None, matching)?;
        let Link { role, .. } = links.remove(found);
        drop(links);
        // Letters, digits and a hyphen: always an id.
        let name = PlayerId::new(format!("{}-{:08x}", role.name(), rand::random::<u32>())).ok()?;
        let cookie = self.cookies.issue(&name, role, now);
        Some((Caller { name, role }, cookie))
    }

    /// Makes a key for one more console. `None`: too many wait.
    pub(super) fn link(&self, role: Role, now: Timestamp) -> Option<(String, Timestamp)> {
        let mut links = self.links(now);
        if links.len() >= LINKS_MAX {
            return None;
        }
        let (key, until) = (format!("{:032x}", rand::random::<u128>()), now + LINK_TTL);
        links.push(Link { key: Secret::new(key.as_bytes()), role, until: Some(until) });
        Some((key, until))
    }

    fn links(&self, now: Timestamp) -> MutexGuard<'_, Vec<Link>> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| link.until.is_none_or(|until| now < until));
        links
    }

    /// Whose session a request's cookie proves.
    fn session(&self, request: &HttpRequest, now: Timestamp) -> Option<(Caller, Timestamp)> {
        let lines = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
            pair.trim().split_once('=').filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
        });
        let (name, role, since) = cookies.find_map(|cookie| self.cookies.check(cookie, now))?;
        Some((Caller { name, role }, since))
    }

    /// The same, if it has not been revoked.
    pub(super) fn caller(&self, state: &State, request: &HttpRequest) -> Option<Caller> {
        let (caller, since) = self.session(request, state.edge.clock.now())?;
        let credential = Credential { issued: Some(since), token: None };
        (!state.edge.game.access().revokes(&caller.name, &credential)).then_some(caller)
    }
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/console").get(async || redirect()))
        .service(web::resource("/console/open").get(open))
        .service(web::resource("/console/live").get(stream))
        .service(web::resource("/console/map.geojson").get(map))
        .service(web::resource("/console/player").post(player))
        .service(web::resource("/console/companion").post(companion))
        .service(web::resource("/console/stop").post(stage::stop))
        .service(web::resource("/console/codes").get(codes).post(codes))
        .service(web::resource("/console/{path:.*}").get(asset));
}

fn redirect() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/console/")).finish()
}

#[derive(Deserialize)]
struct OpenQuery {
    #[serde(default)]
    key: String,
}

async fn open(state: Data<State>, request: HttpRequest, query: Query<OpenQuery>) -> Result<HttpResponse, Problem> {
    let Some(console) = &state.console else { return Ok(no_console()) };
    match console.open(&query.key, state.edge.clock.now()) {
        Some((caller, cookie)) => {
            tracing::info!(role = caller.role.name(), "console opened");
            state.edge.game.access().note(caller.deed("console.open", "console"), "done").await?;
            // Behind a proxy it is the proxy that knows whether the way is safe.
            let secure = if state.edge.config.tls.is_some() { "; Secure" } else { "" };
            let age = Cookies::age();
            let cookie = format!("{COOKIE}={cookie}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
            let mut response = redirect();
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        // A second click on the link in the browser that has opened it already.
        None if console.caller(&state, &request).is_some() => Ok(redirect()),
        None => Ok(locked()),
    }
}

fn no_console() -> HttpResponse {
    actix_web::ResponseError::error_response(&Problem::new(
        StatusCode::NOT_FOUND,
        "This server runs without a console.",
    ))
}

/// What to do without a valid key or cookie.
pub(super) fn locked() -> HttpResponse {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Waystone: console closed</title>\
        <h1>This link has been used or is wrong</h1>\
        <p>The link to the console works once, in one browser. To get a new one, ask an operator for one, or restart \
        Waystone: it prints a fresh link when it starts. If you have just opened the link here, reload this \
        page.</p></html>";
    html(StatusCode::FORBIDDEN, page)
}

async fn asset(state: Data<State>, request: HttpRequest, path: Path<String>) -> Result<HttpResponse, Problem> {
    if state.console.is_none() {
        return Ok(no_console());
    }
    let asset = console_assets::find(&path).ok_or_else(|| Problem::of(StatusCode::NOT_FOUND))?;
    let etag = console_assets::etag(asset.bytes);
    let cache = if asset.mime.starts_with("text/html") { "no-store" } else { "no-cache" };
    let mut response = match request.headers().get(header::IF_NONE_MATCH) {
        Some(known) if known.as_bytes() == etag.as_bytes() => HttpResponse::NotModified(),
        _ => HttpResponse::Ok(),
    };
    response
        .content_type(asset.mime)
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, cache));
    Ok(response.body(asset.bytes))
}

async fn map(state: Data<State>) -> Result<HttpResponse, Problem> {
    let map = state.console.as_ref().and_then(|console| console.config.map);
    let map = map.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "This server carries no map."))?;
    Ok(HttpResponse::Ok()
        .content_type("application/geo+json")
        .insert_header((header::CONTENT_ENCODING, "gzip"))
        .insert_header((header::CACHE_CONTROL, "private, max-age=3600"))
        .body(map))
}

async fn stream(state: Data<State>) -> Result<HttpResponse, Problem> {
    let console = state.console.as_ref().ok_or_else(|| Problem::of(StatusCode::NOT_FOUND))?;
    let place = Arc::clone(&console.readers)
        .try_acquire_owned()
        .map_err(|_| Problem::new(StatusCode::TOO_MANY_REQUESTS, "16 consoles are open already; close one."))?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(live::stream(state.clone(), place)))
}

async fn player(state: Data<State>, caller: ReqData<Caller>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let avatar = &caller.name;
    let token = state.edge.auth.mint_player(avatar, AVATAR_TTL).ok_or_else(no_secret)?;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if state.edge.config.tls.is_some() { "wss" } else { "ws" };
    let body = json!({"player": avatar, "token": token, "url": format!("{scheme}://{host}/connect")});
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

async fn companion(
    state: Data<State>,
    caller: ReqData<Caller>,
    wish: Json<Object<CompanionRequest>>,
) -> Result<HttpResponse, Problem> {
    let sender = state.console.as_ref().and_then(|console| console.config.companion.as_ref());
    let sender = sender.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "Only the demo has companions."))?;
    // The invite opens a team, so it is not written down.
    let asked = async {
        match sender.try_send(wish.into_inner().0) {
            Ok(()) => Ok(HttpResponse::Accepted().finish()),
            Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Companions are busy; try again.")),
        }
    };
    state.doing(caller.deed("companion", "demo"), asked).await
}

pub(super) fn no_secret() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "This server has no secret to sign tokens with; configure an HS256 key.")
}

#[derive(Deserialize)]
struct CodesQuery {
    quest: QuestId,
}

async fn codes(
    state: Data<State>,
    caller: ReqData<Caller>,
    query: Query<CodesQuery>,
) -> Result<HttpResponse, Problem> {
    let codes = state.edge.game.scan_codes(&query.quest);
    let codes = codes.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No quest of that name is published."))?;
    state.edge.game.access().note(caller.deed("codes.read", format!("quest/{}", query.quest)), "done").await?;
    let codes: Vec<_> = codes.into_iter().map(|(step, code)| json!({"step": step, "code": code})).collect();
    let body = json!({"quest": query.quest, "codes": codes});
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn console() -> Console {
        let (key, cookies) = (Secret::new(*b"one-time-key"), Secret::new([1; 32]));
        Console::new(ConsoleConfig { key, cookies, map: None, companion: None, stage: None })
    }

    fn with_cookie(value: &str) -> HttpRequest {
        TestRequest::default().insert_header((header::COOKIE, value)).to_http_request()
    }

    #[test]
    fn key_opens_once_and_the_cookie_is_good_on_any_node() {
        let (console, other, now) = (console(), console(), Timestamp::from_millis(1_800_000_000_000));
        assert!(console.open("wrong", now).is_none());
        let (caller, cookie) = console.open("one-time-key", now).expect("opens");
        assert!(console.open("one-time-key", now).is_none(), "spent");
        let request = with_cookie(&format!("a=b; {COOKIE}={cookie}"));
        let (avatar, since) = console.session(&request, now).expect("an operator");
        assert_eq!((&avatar.name, avatar.role, since), (&caller.name, Role::Operator, now));
        assert!(other.session(&request, now).is_some_and(|(other, _)| other.name == avatar.name));
        for line in ["", COOKIE, &format!("{COOKIE}="), &format!("{COOKIE}=0"), &format!("x{COOKIE}={cookie}")] {
            assert!(console.session(&with_cookie(line), now).is_none(), "{line}");
        }
        assert!(!format!("{console:?}").contains(&cookie));
    }

    #[test]
    fn further_links_bear_their_role_for_a_while() {
        let (console, now) = (console(), Timestamp::from_millis(1_800_000_000_000));
        let (key, until) = console.link(Role::Viewer, now).expect("room");
        assert!(console.open(&key, until).is_none(), "too late");
        let (key, _) = console.link(Role::Viewer, now).expect("room");
        let (caller, _) = console.open(&key, now).expect("opens");
        assert_eq!(caller.role, Role::Viewer);
        assert!(caller.name.as_str().starts_with("viewer-") && console.open(&key, now).is_none());
        let made = std::iter::from_fn(|| console.link(Role::Viewer, now)).take(100).count();
        assert!(made < LINKS_MAX, "the first link still waits: {made}");
    }
}
