//! Who may ask what over HTTP: one table, which is also that of docs/protocol.md, enforced before any handler runs.
//!
//! What has no rule is refused, so a new address is closed until someone has decided whose it is. A device's and a
//! viewer's token open no more than their row says; who plays may not look, and who looks may not play.
//! Promise: no handler asks for a role by itself; it is handed a [`Caller`] that has been let in.

use super::auth::{Identity, Role, TokenError};
use super::console;
use super::http::State;
use super::problem::Problem;
use crate::actors::access::Deed;
use crate::ids::PlayerId;
use actix_web::dev::ServiceRequest;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _};
use std::fmt::Write as _;

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Anybody's.
    All,
    /// Of these roles, by a token in the head.
    Token(&'static [Role]),
    /// Of these roles, by a token in the head or by the console's cookie.
    Console(&'static [Role]),
    /// Of these roles, by the console's cookie alone.
    Cookie(&'static [Role]),
    /// Of these roles, by a token that stands where the app puts it: the handler looks.
    Posted(&'static [Role]),
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) method: &'static str,
    /// As it is routed.
    pub(super) path: &'static str,
    pub(super) who: Who,
}

const fn rule(method: &'static str, path: &'static str, who: Who) -> Rule {
    Rule { method, path, who }
}

const OPERATORS: &[Role] = &[Role::Operator];
const LOOKERS: &[Role] = &[Role::Operator, Role::Viewer];
const MAKERS: &[Role] = &[Role::Operator, Role::Designer];
const STAFF: &[Role] = &[Role::Operator, Role::Designer, Role::Viewer];
const PLAYERS: &[Role] = &[Role::Player, Role::Operator];
const WALKERS: &[Role] = &[Role::Player, Role::Device];

/// The table.
pub(super) const RULES: &[Rule] = &[
    rule("GET", "/livez", Who::All),
    rule("HEAD", "/livez", Who::All),
    rule("GET", "/healthz", Who::All),
    rule("HEAD", "/healthz", Who::All),
    rule("GET", "/readyz", Who::All),
    rule("HEAD", "/readyz", Who::All),
    rule("GET", "/metrics", Who::All),
    rule("GET", "/connect", Who::All),
    rule("GET", "/problems/{name}", Who::All),
    rule("GET", "/v1/quests", Who::All),
    rule("GET", "/v1/wake", Who::Token(PLAYERS)),
    rule("GET", "/in/traccar", Who::Posted(WALKERS)),
    rule("POST", "/in/traccar", Who::Posted(WALKERS)),
    rule("POST", "/in/owntracks", Who::Posted(WALKERS)),
    rule("POST", "/in/overland", Who::Posted(WALKERS)),
    rule("GET", "/v1/me", Who::Console(&Role::ALL)),
    rule("GET", "/v1/overview", Who::Console(LOOKERS)),
    rule("POST", "/v1/reviews", Who::Console(OPERATORS)),
    rule("GET", "/v1/operator/quests", Who::Console(MAKERS)),
    rule("POST", "/v1/operator/quests", Who::Console(MAKERS)),
    rule("GET", "/v1/operator/parked", Who::Console(LOOKERS)),
    rule("POST", "/v1/operator/parked", Who::Console(OPERATORS)),
    rule("GET", "/v1/operator/revocations", Who::Console(OPERATORS)),
    rule("POST", "/v1/operator/revocations", Who::Console(OPERATORS)),
    rule("DELETE", "/v1/operator/revocations/{id}", Who::Console(OPERATORS)),
    rule("GET", "/v1/operator/audit", Who::Console(OPERATORS)),
    rule("POST", "/v1/operator/devices", Who::Console(OPERATORS)),
    rule("POST", "/v1/operator/links", Who::Console(OPERATORS)),
    rule("GET", "/console", Who::All),
    // By its one-time key.
    rule("GET", "/console/open", Who::All),
    rule("GET", "/console/live", Who::Console(LOOKERS)),
    rule("GET", "/console/map.geojson", Who::Console(STAFF)),
    rule("POST", "/console/player", Who::Cookie(OPERATORS)),
    rule("POST", "/console/companion", Who::Console(OPERATORS)),
    rule("POST", "/console/stop", Who::Console(OPERATORS)),
    rule("GET", "/console/codes", Who::Console(MAKERS)),
    rule("POST", "/console/codes", Who::Console(MAKERS)),
    rule("GET", "/console/{path:.*}", Who::Cookie(LOOKERS)),
];

impl Who {
    /// The roles that may come in; `None`: anybody.
    #[cfg(test)]
    pub(super) fn roles(self) -> Option<&'static [Role]> {
        match self {
            Self::All => None,
            Self::Token(roles) | Self::Console(roles) | Self::Cookie(roles) | Self::Posted(roles) => Some(roles),
        }
    }

    /// Whether a refusal is an operator's business.
    fn is_staff(self) -> bool {
        matches!(self, Self::Console(_) | Self::Cookie(_))
    }
}

/// Who has been let in.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// `sub`, or the console's avatar.
    pub(super) name: PlayerId,
    pub(super) role: Role,
}

impl Caller {
    /// What this caller is about to do.
    pub(super) fn deed(&self, action: &'static str, target: impl Into<String>) -> Deed {
        Deed { who: self.name.to_string(), role: self.role.name(), action, target: target.into() }
    }
}

/// Why somebody is not let in, and as whom they came, if that is certain.
struct Refused {
    problem: Problem,
    who: Option<Caller>,
    why: &'static str,
}

/// Lets a request in, or says why not; what the handler needs to know of the caller is put into the request.
pub(super) async fn admit(request: &ServiceRequest) -> Option<HttpResponse> {
    let state = request.app_data::<Data<State>>()?.clone();
    // Nothing is routed there: what answers is a plain 404.
    let pattern = request.match_pattern()?;
    let method = request.method().as_str();
    let mut of_path = RULES.iter().filter(|rule| rule.path == pattern).peekable();
    if of_path.peek().is_none() {
        tracing::error!(pattern, "an address without a rule is refused");
        return Some(Problem::new(StatusCode::FORBIDDEN, "Nothing says who may ask this.").error_response());
    }
    let Some(rule) = of_path.clone().find(|rule| rule.method == method) else {
        let allowed: Vec<&str> = of_path.map(|rule| rule.method).collect();
        return Some(Problem::method_not_allowed(allowed.join(", ")).error_response());
    };
    match who_asks(&state, request.request(), rule.who).await {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            None
        }
        Ok(None) => None,
        Err(refused) => {
            if rule.who.is_staff() {
                state.note_stranger(refused.who, refused.why, format!("{method} {pattern}")).await;
            }
            // A browser that opens the console's page is told how to, and needs no problem document.
            let page = rule.method == "GET" && matches!(rule.who, Who::Cookie(_));
            Some(if page { console::locked() } else { refused.problem.error_response() })
        }
    }
}

async fn who_asks(state: &State, request: &HttpRequest, who: Who) -> Result<Option<Caller>, Refused> {
    let (roles, by_token, by_cookie) = match who {
        Who::All | Who::Posted(_) => return Ok(None),
        Who::Token(roles) => (roles, true, false),
        Who::Console(roles) => (roles, true, true),
        Who::Cookie(roles) => (roles, false, true),
    };
    let session = state.console.as_ref().filter(|_| by_cookie).and_then(|console| console.caller(state, request));
    let caller = match session {
        Some(caller) => caller,
        None if by_token => {
            let token = bearer_token(request).ok_or_else(|| anonymous(Problem::unauthorized()))?;
            let identity = known_token(state, token).await;
            let identity = identity.map_err(|(problem, fault)| Refused { problem, who: None, why: fault.name() })?;
            Caller { name: identity.player, role: identity.role }
        }
        None => {
            let detail = "Open the console by its link first.";
            return Err(anonymous(Problem::new(StatusCode::UNAUTHORIZED, detail)));
        }
    };
    if roles.contains(&caller.role) {
        return Ok(Some(caller));
    }
    Err(Refused { problem: wrong_role(roles), who: Some(caller), why: "role" })
}

fn anonymous(problem: Problem) -> Refused {
    Refused { problem, who: None, why: "no token" }
}

/// A refusal that says which roles would do.
fn wrong_role(roles: &[Role]) -> Problem {
    let mut detail = "The token needs the claim role = ".to_owned();
    for (place, role) in roles.iter().enumerate() {
        let _ = write!(detail, "{}{}", if place > 0 { " or " } else { "" }, role.name());
    }
    detail.push('.');
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// Whose posted token it is, if that may post.
pub(super) async fn poster(state: &State, request: &HttpRequest, token: Option<&str>) -> Result<Identity, Problem> {
    let token = token.or_else(|| bearer_token(request)).ok_or_else(Problem::unauthorized)?;
    let identity = known_token(state, token).await.map_err(|(problem, _)| problem)?;
    if WALKERS.contains(&identity.role) { Ok(identity) } else { Err(wrong_role(WALKERS)) }
}

fn bearer_token(request: &HttpRequest) -> Option<&str> {
    let bearer = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    bearer.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer")).map(|(_, token)| token)
}

async fn known_token(state: &State, token: &str) -> Result<Identity, (Problem, TokenError)> {
    let refused = |fault: TokenError| {
        let status = match fault {
            TokenError::KeysUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        };
        (Problem::new(status, fault.to_string()), fault)
    };
    state.edge.identify(token.trim()).await.map_err(refused)
}

#[cfg(test)]
mod tests;
