//! The HTTP side: health, metrics, the quests, the operator's calls and the console, on one actix-web thread.
//!
//! Nothing hot runs here. The accept loop hands connections over with the bytes it has read; actix-http reads them
//! as if it had accepted them itself.
//! Promises: every error is a problem document; every answer has the headers that keep a browser honest; no request
//! under a foreign Host or from a foreign Origin acts on anything.

use super::console::{self, Console};
use super::house::HttpIo;
use super::io::Prefixed;
use super::limits::{Admitted, Bucket};
use super::listener::Edge;
use super::live::Shared;
use super::operators;
use super::phones;
use super::problem::{self, Problem};
use super::rules::{self, Caller};
use super::wake::WakeData;
use crate::actors::access::Deed;
use crate::actors::cards::Overview;
use crate::actors::game::Review;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{Service, ServiceFactory, map_config};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::error::JsonPayloadError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Version};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, Json, JsonConfig, Path, Query, QueryConfig, ReqData};
use actix_web::{App, Error, HttpResponse, ResponseError};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// Largest body of a request; the largest that we know is a review of a few hundred bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a request may take where nothing is configured, which is in tests of this file.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// Refused calls a second that are noted in the audit log, and saved up: a stranger shall not fill it.
const STRANGERS: (u32, u32) = (1, 20);
/// How long an idle HTTP connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long answers under way may take at the end of a drain.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// What everybody may know of a quest; places and steps may be secrets of the game.
const PUBLIC_FIELDS: [&str; 12] = [
    "id",
    "quest",
    "version",
    "name",
    "title",
    "summary",
    "description",
    "languages",
    "lang",
    "team",
    "window",
    "hours",
];

/// What the handlers share.
pub(super) struct State {
    pub(super) edge: Arc<Edge>,
    pub(super) console: Option<Console>,
    pub(super) draining: watch::Receiver<bool>,
    shared: Shared,
    strangers: Mutex<Bucket>,
}

impl State {
    /// The overview, not older than a console may bear.
    pub(super) fn overview(&self) -> Arc<Overview> {
        self.shared.get(|| self.edge.game.overview())
    }

    fn ready(&self) -> Result<(), &'static str> {
        if *self.draining.borrow() {
            return Err("the node drains");
        }
        self.edge.game.ready()?;
        self.edge.auth.ready()
    }
}

impl State {
    /// Has something done that belongs into the audit log: written down before, and with its outcome after.
    pub(super) async fn doing<T>(
        &self,
        deed: Deed,
        done: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let access = self.edge.game.access();
        let line = access.begin(deed).await?;
        let result = done.await;
        match &result {
            Ok(_) => access.end(line, "done").await,
            Err(problem) => access.end(line, &problem.outcome()).await,
        }
        result
    }

    /// Notes in the audit log that someone was not let in; of many at once only some.
    pub(super) async fn note_stranger(&self, who: Option<Caller>, why: &'static str, what: String) {
        let noted = self.strangers.lock().unwrap_or_else(PoisonError::into_inner).take(1, Instant::now());
        if !noted {
            return;
        }
        let deed = match who {
            Some(caller) => caller.deed("refused", what),
            None => Deed { who: "-".to_owned(), role: "-", action: "refused", target: what },
        };
        // The refusal itself stands, whether it is written down or not; the counters have it in any case.
        if let Err(refusal) = self.edge.game.access().note(deed, why).await {
            tracing::warn!(%refusal, "a refused call is not in the audit log");
        }
    }
}

/// The thread of the HTTP side.
#[derive(Debug)]
pub(super) struct HttpThread {
    done: oneshot::Receiver<()>,
}

impl HttpThread {
    /// Waits for the thread to end; it does when the accept loop has dropped its queue.
    pub(super) async fn join(self, deadline: Instant) {
        let _ = timeout_at(deadline.max(Instant::now()) + LAST_ANSWERS, self.done).await;
    }
}

/// Starts the thread.
pub(super) fn start(
    edge: Arc<Edge>,
    connections: mpsc::Receiver<HttpIo>,
    draining: watch::Receiver<bool>,
) -> io::Result<HttpThread> {
    let (end, done) = oneshot::channel();
    std::thread::Builder::new().name("waystone-http".into()).spawn(move || {
        let console = edge.config.console.clone().map(Console::new);
        let strangers = Mutex::new(Bucket::new(STRANGERS, Instant::now()));
        let state = State { edge, console, draining, shared: Shared::default(), strangers };
        actix_rt::System::new().block_on(run(Data::new(state), connections));
        let _ = end.send(());
    })?;
    Ok(HttpThread { done })
}

/// What actix-http takes for a connection.
type Arrived = (Prefixed<Admitted>, Protocol, Option<SocketAddr>);

async fn run(state: Data<State>, mut connections: mpsc::Receiver<HttpIo>) {
    let head_deadline = state.edge.config.head_deadline;
    let app = App::new().configure(|config| routes(config, state.clone())).wrap(from_fn(guard));
    let factory = HttpService::<_, _, _>::build()
        .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
        .client_request_timeout(head_deadline)
        .client_disconnect_timeout(LAST_ANSWERS)
        .finish::<_, BoxBody>(map_config(app, |()| AppConfig::default()));
    let Ok(service) = ServiceFactory::<Arrived>::new_service(&factory, ()).await else {
        tracing::error!("http service did not start");
        return;
    };
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            connection = connections.recv() => {
                let Some((io, peer)) = connection else { break };
                let ready = std::future::poll_fn(|cx| {
                    Service::<Arrived>::poll_ready(&service, cx)
                });
                if ready.await.is_err() {
                    break;
                }
                let answer = service.call((io, Protocol::Http1, Some(peer)));
                tasks.spawn_local(async move {
                    // Broken requests have been answered; what is left is a peer that went away.
                    let _ = answer.await;
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
    let _ = timeout(LAST_ANSWERS, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Every address.
fn routes(config: &mut web::ServiceConfig, state: Data<State>) {
    config
        .app_data(state)
        .app_data(JsonConfig::default().limit(BODY_BYTES_MAX).error_handler(|err, _| match err {
            JsonPayloadError::ContentType => Problem::of(StatusCode::UNSUPPORTED_MEDIA_TYPE).into(),
            err => said(&err),
        }))
        .app_data(QueryConfig::default().error_handler(|err, _| said(&err)))
        .service(web::resource("/livez").get(alive).head(alive))
        .service(web::resource("/healthz").get(alive).head(alive))
        .service(web::resource("/readyz").get(ready).head(ready))
        .service(web::resource("/metrics").get(metrics))
        .service(web::resource("/connect").get(async || Problem::of(StatusCode::UPGRADE_REQUIRED).error_response()))
        .service(web::resource("/problems/{name}").get(problem_page))
        .service(web::resource("/v1/quests").get(quests))
        .service(web::resource("/v1/me").get(me))
        .service(web::resource("/v1/overview").get(overview))
        .service(web::resource("/v1/reviews").post(review))
        .service(web::resource("/v1/wake").get(wake))
        .configure(phones::routes)
        .configure(operators::routes)
        .configure(console::routes);
}

/// An extractor's error, told in its own words.
fn said(err: &(impl ResponseError + 'static)) -> Error {
    Problem::new(err.status_code(), err.to_string()).into()
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn ready(state: Data<State>) -> Result<&'static str, Problem> {
    state.ready().map(|()| "ready\n").map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))
}

async fn metrics(state: Data<State>) -> HttpResponse {
    let memory = state.edge.memory.figures(Instant::now());
    let page = state.edge.metrics.page(&state.edge.game.counts(), &state.edge.auth, state.ready().is_ok(), memory);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(page)
}

async fn problem_page(name: Path<String>) -> Result<HttpResponse, Problem> {
    let page = problem::page(&name).ok_or_else(|| Problem::of(StatusCode::NOT_FOUND))?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(page))
}

async fn quests(state: Data<State>) -> HttpResponse {
    let quests: Vec<Value> = state.overview().quests.iter().map(public).collect();
    HttpResponse::Ok().json(serde_json::json!({"quests": quests}))
}

fn public(quest: &Value) -> Value {
    let known = PUBLIC_FIELDS.iter().filter_map(|field| Some(((*field).to_owned(), quest.get(field)?.clone())));
    Value::Object(known.collect())
}

/// Who asks, as this server knows them.
async fn me(caller: ReqData<Caller>) -> HttpResponse {
    let body = serde_json::json!({"name": caller.name, "role": caller.role});
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

async fn overview(state: Data<State>) -> Result<HttpResponse, Problem> {
    let looker = state.edge.game.look();
    looker.refresh().await;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(&*state.overview()))
}

async fn review(state: Data<State>, caller: ReqData<Caller>, review: Json<Review>) -> Result<HttpResponse, Problem> {
    let review = review.into_inner();
    let action = if review.approve { "review.approve" } else { "review.reject" };
    let deed = caller.deed(action, format!("player/{} quest/{} step/{}", review.player, review.quest, review.step));
    state.doing(deed, async { Ok(state.edge.game.review(review).await?) }).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn wake(state: Data<State>, caller: ReqData<Caller>, data: Query<WakeData>) -> Result<HttpResponse, Problem> {
    let wake = state.edge.game.wake(&caller.name, data.checked()?).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(wake))
}

/// A page for people.
pub(super) fn html(status: StatusCode, page: &'static str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(page)
}

/// Around every request: who may ask at all, and how an answer looks.
async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let deadline = request.app_data::<Data<State>>().map(|state| state.edge.config.request_deadline);
    let response = match forbidden(&request, host.as_deref()) {
        Some(problem) => request.into_response(problem.error_response()),
        // A body that drips is waited for in here, and so is a key set that a token needs.
        None => match timeout(deadline.unwrap_or(REQUEST_DEADLINE), async {
            match rules::admit(&request).await {
                Some(refusal) => Ok(request.into_response(refusal)),
                None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
            }
        })
        .await
        {
            Ok(Ok(response)) => response,
            Ok(Err(err)) => return Err(err),
            Err(_) => return Err(Problem::of(StatusCode::REQUEST_TIMEOUT).into()),
        },
    };
    let mut response = as_problem(response);
    dress(&mut response, host.as_deref());
    Ok(response)
}

fn forbidden(request: &ServiceRequest, host: Option<&str>) -> Option<Problem> {
    let state = request.app_data::<Data<State>>()?;
    let rules = &state.edge.rules;
    match host {
        Some(host) if !rules.knows_host(host) => return Some(Problem::of(StatusCode::MISDIRECTED_REQUEST)),
        None if request.version() >= Version::HTTP_11 => return Some(Problem::of(StatusCode::BAD_REQUEST)),
        _ => {}
    }
    // Reading is safe: a foreign page cannot see the answer.
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let origin = request.headers().get(header::ORIGIN)?;
    let known = origin.to_str().is_ok_and(|origin| rules.knows_origin(origin, host.unwrap_or_default()));
    (!known).then(|| Problem::new(StatusCode::FORBIDDEN, "Pages of this origin may not act here."))
}

/// Gives errors that actix-web made by itself (404, 405, 413, 415) the one form of errors.
fn as_problem(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ours = kind.starts_with(problem::MEDIA_TYPE) || kind.starts_with("text/html");
    if !(status.is_client_error() || status.is_server_error()) || ours {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut plain = Problem::of(status).error_response();
    if let Some(allow) = allow {
        plain.headers_mut().insert(header::ALLOW, allow);
    }
    response.into_response(plain)
}

fn dress(response: &mut ServiceResponse<BoxBody>, host: Option<&str>) {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    // The host has been checked against our names, so it cannot smuggle a directive in.
    let host = host.unwrap_or("localhost");
    let policy = format!(
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
         connect-src 'self' ws://{host} wss://{host}; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service, read_body_json};

    #[tokio::test]
    async fn errors_of_actix_web_become_problems_and_answers_are_dressed() {
        let livez = web::resource("/livez").get(alive).head(alive);
        let app = init_service(App::new().service(livez).wrap(from_fn(guard))).await;
        for (request, status) in [
            (TestRequest::get().uri("/livez"), 200),
            (TestRequest::default().method(Method::HEAD).uri("/livez"), 200),
            (TestRequest::get().uri("/nope"), 404),
            (TestRequest::get().uri("/livez/../nope"), 404),
            (TestRequest::delete().uri("/livez"), 405),
        ] {
            let response = call_service(&app, request.to_request()).await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().get("x-content-type-options").expect("set"), "nosniff");
            assert!(response.headers().contains_key("content-security-policy"));
            if status >= 400 {
                assert_eq!(response.headers().get("content-type").expect("set"), problem::MEDIA_TYPE);
                assert_eq!(response.headers().contains_key("allow"), status == 405);
                let body: Value = read_body_json(response).await;
                assert_eq!(body["status"], status);
                assert!(["type", "title", "detail"].iter().all(|field| body[field].is_string()), "{body}");
            }
        }
    }

    #[test]
    fn public_view_of_a_quest_keeps_its_secrets() {
        let quest = serde_json::json!({"id": "q", "title": "T", "places": [1], "steps": [2], "codes": [3]});
        assert_eq!(public(&quest), serde_json::json!({"id": "q", "title": "T"}));
    }
}
