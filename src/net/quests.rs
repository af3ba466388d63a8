//! Quests over HTTP for those who write them: all of them whole, and a file that is checked or published.
//!
//! What a file means is not the edge's to know: it hands the text over and tells what was found. Promise: what has errors
//! is not published, and each is told with its line and column; what is published stands in the audit log.

use super::http::State;
use super::problem::Problem;
use super::rules::Caller;
use crate::ids::QuestId;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Payload, Query, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Largest quest file: fifty times that of the demo. One with places drawn in detail fits.
const FILE_BYTES_MAX: usize = 512 * 1024;
/// What a file may be called; what a page of another origin could send without being asked is not among them.
const KINDS: [&str; 3] = ["application/yaml", "application/x-yaml", "text/yaml"];

/// What can be published, and who knows how.
pub trait Publish: Debug + Send + Sync {
    /// Looks at a file without publishing it.
    fn check(&self, text: String) -> BoxFuture<'_, Result<Checked, PublishError>>;

    /// Publishes a file as the next version of its quest, if it differs from the newest.
    fn publish(&self, text: String) -> BoxFuture<'_, Result<Published, PublishError>>;
}

/// A file that can be published.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Which quest it is.
    pub quest: QuestId,
    /// What is probably not meant, as `waystone quest check --json` has it.
    pub warnings: Value,
}

/// A file that has been published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its version.
    pub version: u32,
    /// Whether that is new; else the newest version had this text already.
    pub new: bool,
}

/// Why a file was not published.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// It has errors; all that was found, as `waystone quest check --json` has it.
    #[error("the quest cannot be published; `faults` says what is wrong, line by line")]
    Faults(Value),
    /// As many versions as may be kept.
    #[error("{0} versions of quests are kept already; start a new journal, or publish fewer changes at once")]
    Full(usize),
    /// Somebody else was faster.
    #[error("another node has published a version of this quest in the same moment; try again")]
    Taken,
    /// The journal does not answer.
    #[error("the quest was not published: {0}; try again")]
    Unavailable(String),
}

impl From<PublishError> for Problem {
    fn from(err: PublishError) -> Self {
        let said = err.to_string();
        match err {
            PublishError::Faults(faults) => Self::with_faults(said, faults),
            PublishError::Full(_) | PublishError::Taken => Self::new(StatusCode::CONFLICT, said),
            PublishError::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, said),
        }
    }
}

/// The addresses.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/operator/quests").get(list).post(publish));
}

/// Quests whole, with their places and steps.
async fn list(state: Data<State>) -> HttpResponse {
    let body = json!({"quests": state.overview().quests});
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    /// Only to look.
    #[serde(default)]
    check: bool,
}

async fn publish(
    state: Data<State>,
    caller: ReqData<Caller>,
    how: Query<How>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let publisher = state.edge.config.publisher.as_ref();
    let publisher =
        publisher.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "This server publishes from files alone."))?;
    let text = read(&request, body).await?;
    let Checked { quest, warnings } = publisher.check(text.clone()).await?;
    if how.check {
        return Ok(HttpResponse::Ok().json(json!({"quest": quest, "warnings": warnings})));
    }
    let deed = caller.deed("quest.publish", format!("quest/{quest}"));
    let Published { version, new } = state.doing(deed, async { Ok(publisher.publish(text).await?) }).await?;
    state.changed();
    let mut answer = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(json!({"quest": quest, "version": version, "new": new, "warnings": warnings})))
}

/// The body as a text.
async fn read(request: &HttpRequest, body: Payload) -> Result<String, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        let detail = "Send the quest file as it is, with `Content-Type: application/yaml`.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let bytes = match body.to_bytes_limited(FILE_BYTES_MAX).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Problem::new(StatusCode::BAD_REQUEST, "The body broke off; send it again.")),
        Err(_) => return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The quest file is over 512 KiB.")),
    };
    String::from_utf8(bytes.to_vec()).map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The file is not UTF-8."))
}
