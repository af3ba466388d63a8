//! What only operators may ask by HTTP: which entities are parked, who is shut out, what was done, who may look.

use super::auth::Role;
use super::http::State;
use super::object::Object;
use super::problem::Problem;
use super::rules::Caller;
use crate::actors::access::Revoked;
use crate::actors::operator::Unparked;
use crate::ids::{EntityId, PlayerId, TokenId};
use crate::units::Timestamp;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Json, Path, Query, ReqData};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Lines of the audit log in one answer, if nothing else is asked, and at most.
const LINES: (u32, u32) = (50, 500);

/// The addresses.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/operator/parked").get(parked).post(unpark))
        .service(web::resource("/v1/operator/revocations").get(revocations).post(revoke))
        .service(web::resource("/v1/operator/revocations/{id}").delete(lift))
        .service(web::resource("/v1/operator/audit").get(audit))
        .service(web::resource("/v1/operator/links").post(link));
}

/// An answer that no cache keeps.
fn fresh(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

/// What an operator wants of a parked entity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    entity: String,
    #[serde(rename = "do")]
    what: What,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Redrive,
    Drop,
}

async fn parked(state: Data<State>) -> HttpResponse {
    fresh(state.edge.game.parked().await)
}

async fn unpark(
    state: Data<State>,
    caller: ReqData<Caller>,
    wish: Json<Object<Wish>>,
) -> Result<HttpResponse, Problem> {
    let Object(wish) = wish.into_inner();
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "No such entity is parked; they are listed by GET.");
    let entity: EntityId = wish.entity.parse().map_err(|_| unknown())?;
    let (drop, action) = match wish.what {
        What::Drop => (true, "parked.drop"),
        What::Redrive => (false, "parked.redrive"),
    };
    let deed = caller.deed(action, entity.to_string());
    let done = async {
        match state.edge.game.unpark(entity, drop).await? {
            Unparked::NotParked => Err(unknown()),
            Unparked::Failed => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The message could not be dropped: the journal cannot be written, or the entity fails without it too.",
            )),
            done @ (Unparked::Redriven | Unparked::Dropped | Unparked::NothingToDrop) => {
                Ok(HttpResponse::Ok().json(json!({"done": done})))
            }
        }
    };
    state.doing(deed, done).await
}

/// What is to be revoked: all tokens of a player, or one token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    player: Option<PlayerId>,
    /// Tokens that were signed at this moment or before; now, if missing.
    until: Option<i64>,
    /// A token's `jti`.
    token: Option<String>,
}

async fn revocations(state: Data<State>) -> HttpResponse {
    fresh(json!({"revocations": state.edge.game.access().revocations()}))
}

async fn revoke(
    state: Data<State>,
    caller: ReqData<Caller>,
    wish: Json<Object<Revoke>>,
) -> Result<HttpResponse, Problem> {
    let bad = |why: &str| Problem::new(StatusCode::BAD_REQUEST, why);
    let now = state.edge.clock.now();
    let (what, target) = match wish.into_inner().0 {
        Revoke { player: Some(player), until, token: None } => {
            let until = until.map_or(now, Timestamp::from_millis);
            if until > now + std::time::Duration::from_secs(300) {
                return Err(bad("`until` is more than five minutes ahead; it is milliseconds since 1970."));
            }
            let target = format!("player/{player}");
            (Revoked::Player { player, until }, target)
        }
        Revoke { player: None, until: None, token: Some(token) } => {
            let token = TokenId::new(&token).ok_or_else(|| bad("`token` is the jti of a token, 1 to 128 bytes."))?;
            let target = format!("token/{}", token.as_str());
            (Revoked::Token { token }, target)
        }
        _ => return Err(bad("Give either `player`, with or without `until`, or `token`.")),
    };
    let by = caller.name.to_string();
    let done = async { Ok(state.edge.game.revoke(what, &by).await?) };
    let made = state.doing(caller.deed("token.revoke", target), done).await?;
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(made))
}

async fn lift(state: Data<State>, caller: ReqData<Caller>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "There is no such revocation; they are listed by GET.");
    if id.is_empty() || id.len() > 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let done = async {
        match state.edge.game.lift(&id).await? {
            true => Ok(HttpResponse::NoContent().finish()),
            false => Err(unknown()),
        }
    };
    state.doing(caller.deed("token.lift", format!("revocation/{id}")), done).await
}

/// Which lines of the audit log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    /// Those before this one.
    before: Option<String>,
    limit: Option<u32>,
}

async fn audit(state: Data<State>, lines: Query<Lines>) -> Result<HttpResponse, Problem> {
    let Lines { before, limit } = lines.into_inner();
    let limit = limit.unwrap_or(LINES.0);
    if !(1..=LINES.1).contains(&limit) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`limit` is 1 to 500."));
    }
    if before.as_ref().is_some_and(|before| before.len() > 64) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`before` is the `next` of an answer."));
    }
    let lines = state.edge.game.access().audit(before, limit).await?;
    let more = u32::try_from(lines.len()) == Ok(limit);
    let next = lines.last().filter(|_| more).map(|line| line.id.clone());
    Ok(fresh(json!({"lines": lines, "next": next})))
}

/// For whom a link to the console is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct For {
    role: Role,
}

async fn link(state: Data<State>, caller: ReqData<Caller>, wish: Json<Object<For>>) -> Result<HttpResponse, Problem> {
    let Object(For { role }) = wish.into_inner();
    if !matches!(role, Role::Operator | Role::Viewer) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "The console is for the roles operator and viewer."));
    }
    let console = state.console.as_ref();
    let console =
        console.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "This server runs without a console."))?;
    let action = if role == Role::Operator { "link.operator" } else { "link.viewer" };
    let made = async {
        let too_many = "32 links wait to be opened; each is good for 15 minutes.";
        let made = console.link(role, state.edge.clock.now());
        made.ok_or_else(|| Problem::new(StatusCode::TOO_MANY_REQUESTS, too_many))
    };
    let (key, expires) = state.doing(caller.deed(action, "console"), made).await?;
    let body = json!({"path": format!("/console/open?key={key}"), "role": role, "expires": expires});
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}
