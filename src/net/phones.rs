//! Phone apps that exist already and post their fixes over HTTP: Traccar Client and OsmAnd, OwnTracks, Overland. One
//! decoder for each reads what it sends; from there on a fix is a fix, checked where all are.
//!
//! Promise: who has shown a good token is answered with success whatever the data. These apps send the head of their
//! queue again until they hear one, so a refused fix would hold up all later ones for ever; bad ones are counted and
//! passed over. Refused is only who is unknown (401, 403), and what a later try will mend (429, 503).

use super::auth::{Identity, Role};
use super::fix::RawFix;
use super::http::State;
use super::metrics::Limited;
use super::problem::Problem;
use super::rules::poster;
use crate::actors::contract::Hello;
use crate::actors::game::Device;
use crate::actors::live_session::Judged;
use crate::geo::position::Fix;
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use actix_web::http::header;
use actix_web::web::{self, Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use tokio::time::Instant;

mod overland;
mod owntracks;
pub mod setup;
mod traccar;

/// Largest body: Overland's default batch of 200 has 80 kB, and its largest of 1,000 five times as much.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// Most fixes of one post that are looked at: Overland's largest batch. Of more the newest count.
const FIXES_MAX: usize = 1_000;
/// When to post again while too many others do: until then most of them will have been forgotten.
const CROWDED: Duration = Duration::from_secs(30);
/// How many circles a phone is given to watch: what iOS lets an app have.
const CIRCLES: usize = 20;

/// What an app has sent, as far as it can be read.
#[derive(Debug, Default)]
struct Post {
    /// In the order sent.
    fixes: Vec<RawFix>,
    /// How many more there were that are none.
    unreadable: usize,
}

impl Post {
    fn add(&mut self, fix: Option<RawFix>) {
        match fix {
            Some(fix) => self.fixes.push(fix),
            None => self.unreadable += 1,
        }
    }
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/in/traccar").get(from_traccar).post(from_traccar))
        .service(web::resource("/in/owntracks").post(from_owntracks))
        .service(web::resource("/in/overland").post(from_overland));
}

async fn from_traccar(state: Data<State>, request: HttpRequest, body: Payload) -> Result<HttpResponse, Problem> {
    let body = read(body).await;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (device, post) = traccar::read(kind, request.query_string(), &body);
    // The app sends no headers: the token is what it calls the device's id.
    let identity = poster(&state, &request, device.as_deref()).await?;
    let outcome = judge(&state, identity, post).await?;
    // Old devices take words in the answer for commands.
    Ok(outcome.answer().finish())
}

async fn from_owntracks(state: Data<State>, request: HttpRequest, body: Payload) -> Result<HttpResponse, Problem> {
    let identity = poster(&state, &request, password(&request).as_deref()).await?;
    let post = owntracks::read(&read(body).await);
    let player = identity.player.clone();
    let outcome = judge(&state, identity, post).await?;
    let answer = match &outcome {
        Outcome::Judged(judged) => {
            // Without a fix that has counted there is nothing to watch yet.
            let wake = state.edge.game.wake(&player, CIRCLES).await.ok();
            owntracks::answer(&judged.mates, wake.as_ref(), state.edge.clock.now())
        }
        Outcome::NoFix | Outcome::OtherDevice => serde_json::json!([]),
    };
    Ok(outcome.answer().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

async fn from_overland(state: Data<State>, request: HttpRequest, body: Payload) -> Result<HttpResponse, Problem> {
    let identity = poster(&state, &request, None).await?;
    let outcome = judge(&state, identity, overland::read(&read(body).await)).await?;
    Ok(outcome.answer().json(serde_json::json!({ "result": "ok" })))
}

/// The body; nothing if it is too large or breaks off, which the app must not send again for ever.
async fn read(body: Payload) -> Bytes {
    match body.to_bytes_limited(BODY_BYTES_MAX).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) | Err(_) => {
            tracing::debug!("a post of fixes broke off or is over {BODY_BYTES_MAX} bytes");
            Bytes::new()
        }
    }
}

/// What each decoder makes of any bytes; for fuzzing. The first line stands in for a query.
#[cfg(feature = "faults")]
pub(super) fn decode(bytes: &[u8], now: crate::units::Timestamp) -> [Vec<Fix>; 5] {
    let (query, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 1..]),
        None => (String::new(), bytes),
    };
    let posts = [
        traccar::read("application/json", &query, body).1,
        traccar::read("application/x-www-form-urlencoded", "", body).1,
        traccar::read("", &query, body).1,
        owntracks::read(body),
        overland::read(body),
    ];
    posts.map(|post| post.fixes.into_iter().filter_map(|raw| raw.check(now).ok()).collect())
}

/// The password of HTTP Basic, as the app's user has typed it in; whom it names does not matter.
fn password(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (kind, encoded) = value.split_once(' ')?;
    let decoded = kind.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// What became of a post.
enum Outcome {
    Judged(Judged),
    /// There was no fix in it.
    NoFix,
    /// A newer device of the player tracks.
    OtherDevice,
}

impl Outcome {
    /// An answer of success. The apps read nothing of it, people who look for the reason do.
    fn answer(&self) -> HttpResponseBuilder {
        let mut answer = HttpResponse::Ok();
        if matches!(self, Self::OtherDevice) {
            answer.insert_header(("Waystone-Ignored", "other_device"));
        }
        answer
    }
}

/// Which device posts: one with a token of its own. A player's own token is their app's, as on a socket.
fn device(identity: &Identity) -> Option<Device> {
    let name = identity.id.as_ref().map_or_else(String::new, |id| id.as_str().to_owned());
    let since = identity.issued.unwrap_or(Timestamp::from_millis(0));
    (identity.role == Role::Device).then_some(Device { name, since })
}

/// Has what was sent judged.
async fn judge(state: &State, identity: Identity, post: Post) -> Result<Outcome, Problem> {
    // A post costs a command whatever is in it, and each of its fixes what one over a socket does.
    let limited = |detail, wait| {
        state.edge.metrics.limited(Limited::Posts);
        Problem::too_many(detail, wait)
    };
    let Some(budget) = state.edge.budgets.of(&identity.player, Instant::now()) else {
        return Err(limited("too many others post at the moment: send the same again later", CROWDED));
    };
    budget.command(Instant::now()).map_err(|wait| limited("too many posts: send the same again later", wait))?;
    let now = state.edge.clock.now();
    let sent = post.fixes.len() + post.unreadable;
    let mut fixes: Vec<Fix> = post.fixes.into_iter().filter_map(|raw| raw.check(now).ok()).collect();
    let unreadable = sent - fixes.len();
    if unreadable > 0 {
        tracing::debug!(player = %identity.player, unreadable, "posted fixes that are none");
    }
    if fixes.is_empty() {
        return Ok(Outcome::NoFix);
    }
    fixes.sort_by_key(Fix::time);
    let burst = usize::try_from(state.edge.budgets.allowance().fixes.1).unwrap_or(FIXES_MAX);
    let late = fixes.len().saturating_sub(FIXES_MAX.min(burst));
    let fixes = fixes.split_off(late);
    let count = u32::try_from(fixes.len()).unwrap_or(u32::MAX);
    budget.fixes(count, Instant::now()).map_err(|wait| limited("too many fixes: send the same again later", wait))?;
    let (credential, device) = (identity.credential(), device(&identity));
    let hello = Hello { player: identity.player, name: identity.name, lang: identity.lang, resume: None, credential };
    let newcomers = !state.edge.memory.short(Instant::now());
    match state.edge.game.post(hello, device, fixes, newcomers).await {
        Ok(judged) => Ok(Outcome::Judged(judged)),
        Err(refusal) if refusal.code == Refusal::other_device("").code => Ok(Outcome::OtherDevice),
        Err(refusal) => Err(refusal.into()),
    }
}
