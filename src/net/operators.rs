//! What only operators may ask by HTTP: which entities are parked, and to have one tried again.

use super::http::{State, operator};
use super::problem::Problem;
use crate::actors::operator::Unparked;
use crate::ids::EntityId;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

/// The addresses.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/operator/parked").get(parked).post(unpark));
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

async fn parked(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    operator(&state, &request)?;
    let parked = state.edge.game.parked().await;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(parked))
}

async fn unpark(state: Data<State>, request: HttpRequest, wish: Json<Wish>) -> Result<HttpResponse, Problem> {
    operator(&state, &request)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "No such entity is parked; they are listed by GET.");
    let entity: EntityId = wish.entity.parse().map_err(|_| unknown())?;
    let drop = matches!(wish.what, What::Drop);
    match state.edge.game.unpark(entity, drop).await? {
        Unparked::NotParked => Err(unknown()),
        Unparked::Failed => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The message could not be dropped: the journal cannot be written, or the entity fails without it too.",
        )),
        done @ (Unparked::Redriven | Unparked::Dropped | Unparked::NothingToDrop) => {
            Ok(HttpResponse::Ok().json(serde_json::json!({"done": done})))
        }
    }
}
