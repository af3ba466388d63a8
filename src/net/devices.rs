//! A phone's own tracking app, set up by an operator: the link that it opens, and the same as a picture for its camera.
//!
//! What `waystone device add --qr` does at the command line. The token in the link can post the player's fixes and nothing
//! else; its name is told and written down, so that a lost phone can be shut out.

use super::auth::Role;
use super::console;
use super::http::State;
use super::object::Object;
use super::phones::setup::{self, PhoneApp};
use super::problem::Problem;
use super::rules::Caller;
use crate::ids::PlayerId;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Json, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How long the app may post: the season of a game, as at the command line.
const TTL: Duration = Duration::from_secs(30 * 86_400);

/// The addresses.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/operator/devices").post(add));
}

/// Whose app, and which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    player: PlayerId,
    app: PhoneApp,
}

async fn add(
    state: Data<State>,
    caller: ReqData<Caller>,
    request: HttpRequest,
    wish: Json<Object<Wish>>,
) -> Result<HttpResponse, Problem> {
    let Object(Wish { player, app }) = wish.into_inner();
    let minted = state.edge.auth.mint(&player, Role::Device, TTL);
    let (token, claims) = minted.ok_or_else(console::no_secret)?;
    let link = setup::link(app, &own_address(&state, &request), &player, &token);
    let too_long =
        |_| Problem::new(StatusCode::BAD_REQUEST, "The link is too long for a picture; take a shorter id.");
    let picture = setup::svg(&link).map_err(too_long)?;
    let jti = claims.jti.unwrap_or_default();
    let deed = caller.deed("device.add", format!("player/{player} token/{jti}"));
    state.edge.game.access().note(deed, "done").await?;
    let body = json!({"link": link, "picture": picture, "player": player, "token": jti, "expires": claims.exp});
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// This server as who asks knows it: the page's own origin, which a proxy in front of us does not change.
fn own_address(state: &State, request: &HttpRequest) -> String {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    // Both have been checked against our names.
    match text(header::ORIGIN) {
        Some(origin) if origin.starts_with("http") => origin.to_owned(),
        Some(_) | None => {
            let scheme = if state.edge.config.tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{}", text(header::HOST).unwrap_or("localhost"))
        }
    }
}
