//! The HTTP side: health, metrics, the quests, the operator's calls and the console, on one actix-web thread.
//!
//! Nothing hot runs here. The accept loop hands connections over with the bytes it has read; actix-http reads them
//! as if it had accepted them itself.
//! What holds for every request and answer, is `guard`'s to see to.

use super::console::{self, Console};
use super::devices;
use super::guard::guard;
use super::house::HttpIo;
use super::io::Prefixed;
use super::limits::{Admitted, Bucket};
use super::listener::Edge;
use super::live::Shared;
use super::object::Object;
use super::operators;
use super::phones;
use super::problem::{self, Problem};
use super::quests;
use super::rules::Caller;
use super::wake::WakeData;
use crate::actors::access::Deed;
use crate::actors::cards::Overview;
use crate::actors::game::Review;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{Service, ServiceFactory, map_config};
use actix_web::body::BoxBody;
use actix_web::dev::AppConfig;
use actix_web::error::JsonPayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::middleware::from_fn;
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

    /// Something has changed that the next reader is to see.
    pub(super) fn changed(&self) {
        self.shared.forget();
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
        .service(web::resource("/v1/quests").get(public_quests))
        .service(web::resource("/v1/me").get(me))
        .service(web::resource("/v1/overview").get(overview))
        .service(web::resource("/v1/reviews").post(review))
        .service(web::resource("/v1/wake").get(wake))
        .configure(phones::routes)
        .configure(operators::routes)
        .configure(devices::routes)
        .configure(quests::routes)
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

async fn public_quests(state: Data<State>) -> HttpResponse {
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

async fn review(
    state: Data<State>,
    caller: ReqData<Caller>,
    review: Json<Object<Review>>,
) -> Result<HttpResponse, Problem> {
    let Object(review) = review.into_inner();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_view_of_a_quest_keeps_its_secrets() {
        let quest = serde_json::json!({"id": "q", "title": "T", "places": [1], "steps": [2], "codes": [3]});
        assert_eq!(public(&quest), serde_json::json!({"id": "q", "title": "T"}));
    }
}
