//! Errors of the HTTP side as RFC 9457 problem documents: one form for every status, whoever made the error.
//!
//! Promise: `type` is a path on this server that explains itself, `detail` says what to do and bears no token.

use crate::quest::refusal::Refusal;
use actix_http::ConnectionType;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// When to try again where nobody knows better.
const RETRY_AFTER_S: u64 = 5;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// An error with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// Our own code, where a refusal of the game is behind it.
    code: Option<u32>,
    /// For "not now": when to try again.
    retry_after: Option<Duration>,
    /// The methods that would do.
    allow: Option<String>,
    /// For a file that was sent: what is wrong with it, with line and column.
    faults: Option<Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), code: None, retry_after: None, allow: None, faults: None }
    }

    /// Too much is asked; the same will do after a while.
    pub(super) fn too_many(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// For a status without words of its own.
    pub(super) fn of(status: StatusCode) -> Self {
        Self::new(status, explain(status.canonical_reason().unwrap_or_default()))
    }

    /// For an address that is there, but not for this method.
    pub(super) fn method_not_allowed(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::of(StatusCode::METHOD_NOT_ALLOWED) }
    }

    /// For a file that was sent, with what is wrong with it.
    pub(super) fn with_faults(detail: impl Into<String>, faults: Value) -> Self {
        Self { faults: Some(faults), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Send `Authorization: Bearer <token>` with a valid token.")
    }
}

impl Problem {
    /// What became of what was asked, in a word or two.
    pub(super) fn outcome(&self) -> String {
        match self.code {
            Some(code) => format!("refused: {} ({code})", self.status.as_u16()),
            None => format!("refused: {}", self.status.as_u16()),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            107 => StatusCode::BAD_REQUEST,
            111 => StatusCode::TOO_MANY_REQUESTS,
            103 => StatusCode::FORBIDDEN,
            100 => StatusCode::INTERNAL_SERVER_ERROR,
            1003 | 1004 | 1008 => StatusCode::SERVICE_UNAVAILABLE,
            1101 | 1102 => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        Self { code: Some(refusal.code), ..Self::new(status, refusal.message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = serde_json::json!({
            "type": type_of(title), "title": title, "status": self.status.as_u16(), "detail": self.detail
        });
        if let Some(code) = self.code {
            body["code"] = code.into();
        }
        if let Some(faults) = &self.faults {
            body["faults"] = faults.clone();
        }
        let mut response = HttpResponse::build(self.status).content_type(MEDIA_TYPE).body(body.to_string());
        let headers = response.headers_mut();
        if let Some(allow) = self.allow.as_ref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        match self.status {
            StatusCode::UNAUTHORIZED => {
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"waystone\""));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                // Rounded up: a client that heeds it does not come too early.
                let wait = self.retry_after.map_or(RETRY_AFTER_S, |wait| wait.as_secs() + 1);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            }
            // What is left of the body is not waited for.
            StatusCode::REQUEST_TIMEOUT => {
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            _ => {}
        }
        response
    }
}

/// The `type` of a status with this title.
pub(super) fn type_of(title: &str) -> String {
    format!("/problems/{}", slug(title))
}

fn slug(title: &str) -> String {
    title.to_ascii_lowercase().replace(' ', "-")
}

/// Every status of an error, its title, and what it means here.
pub(super) const MEANINGS: &[(u16, &str, &str)] = &[
    (400, "Bad Request", "The request is malformed; the detail names the part."),
    (401, "Unauthorized", "A token is missing or not valid: send `Authorization: Bearer <token>`."),
    (403, "Forbidden", "The token or page may not do this; who may do what stands in docs/protocol.md."),
    (404, "Not Found", "There is nothing here; the addresses are listed in docs/protocol.md."),
    (405, "Method Not Allowed", "The address exists but not for this method; see the Allow header."),
    (408, "Request Timeout", "The request did not arrive in time."),
    (409, "Conflict", "The request is understood but not possible now; `code` is the refusal's number."),
    (413, "Payload Too Large", "The body is larger than this address takes."),
    (415, "Unsupported Media Type", "Send `Content-Type: application/json`."),
    (421, "Misdirected Request", "The Host header is none of this server's names."),
    (426, "Upgrade Required", "Open this address as a WebSocket, on a connection of its own."),
    (429, "Too Many Requests", "A limit is reached; wait for the time in Retry-After."),
    (431, "Request Header Fields Too Large", "The request head is over 8 KiB."),
    (500, "Internal Server Error", "A fault of ours; the log knows more."),
    (503, "Service Unavailable", "The node is full, short of memory, starting, or draining; try again."),
];

/// The meaning of a title.
fn explain(title: &str) -> &'static str {
    MEANINGS.iter().find(|(_, known, _)| *known == title).map_or("The request was not served.", |(_, _, text)| text)
}

/// The page behind a `type`.
pub(super) fn page(name: &str) -> Option<String> {
    let (_, title, text) = MEANINGS.iter().find(|(_, title, _)| slug(title) == name)?;
    Some(format!("{title}\n\n{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_leads_to_a_page() {
        for (status, title, _) in MEANINGS {
            let known = StatusCode::from_u16(*status).expect("a status");
            assert_eq!(known.canonical_reason(), Some(*title));
            let name = type_of(title);
            assert!(page(name.strip_prefix("/problems/").expect("our prefix")).is_some(), "{title}");
        }
        assert_eq!(page("coffee"), None);
    }

    #[test]
    fn refusals_keep_their_code() {
        let problem = Problem::from(Refusal::no_photo("nothing waits"));
        assert_eq!((problem.status, problem.code), (StatusCode::CONFLICT, Some(1210)));
        assert_eq!(Problem::from(Refusal::busy("x")).status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
