//! Errors of the HTTP side as RFC 9457 problem documents: one form for every status, whoever made the error.
//!
//! Promise: `type` is a path on this server that explains itself, `detail` says what to do and bears no token.

use crate::quest::refusal::Refusal;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use std::fmt;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// An error with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// Our own code, where a refusal of the game is behind it.
    code: Option<u32>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), code: None }
    }

    /// For a status without words of its own.
    pub(super) fn of(status: StatusCode) -> Self {
        Self::new(status, explain(status.canonical_reason().unwrap_or_default()))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Send `Authorization: Bearer <token>` with a valid token.")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            107 => StatusCode::BAD_REQUEST,
            111 => StatusCode::TOO_MANY_REQUESTS,
            103 => StatusCode::FORBIDDEN,
            100 => StatusCode::INTERNAL_SERVER_ERROR,
            1003 | 1004 => StatusCode::SERVICE_UNAVAILABLE,
            1101 | 1102 => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        Self { status, detail: refusal.message, code: Some(refusal.code) }
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
        let mut response = HttpResponse::build(self.status).content_type(MEDIA_TYPE).body(body.to_string());
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"waystone\""));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
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

/// What each title means here.
const MEANINGS: &[(&str, &str)] = &[
    ("Bad Request", "The request is malformed; the detail names the part."),
    ("Unauthorized", "A token is missing or not valid: send `Authorization: Bearer <token>`."),
    ("Forbidden", "The token or page may not do this; an operator's token has the claim role = operator."),
    ("Not Found", "There is nothing here; the addresses are listed in docs/protocol.md."),
    ("Method Not Allowed", "The address exists but not for this method; see the Allow header."),
    ("Request Timeout", "The request did not arrive in time."),
    ("Conflict", "The request is understood but not possible now; `code` is the refusal's number."),
    ("Payload Too Large", "The body is over 16 KiB."),
    ("Unsupported Media Type", "Send `Content-Type: application/json`."),
    ("Misdirected Request", "The Host header is none of this server's names."),
    ("Upgrade Required", "Open this address as a WebSocket, on a connection of its own."),
    ("Too Many Requests", "A limit is reached; wait for the time in Retry-After."),
    ("Request Header Fields Too Large", "The request head is over 8 KiB."),
    ("Internal Server Error", "A fault of ours; the log knows more."),
    ("Service Unavailable", "The node is full, starting, or draining; try again."),
];

/// The meaning of a title.
fn explain(title: &str) -> &'static str {
    MEANINGS.iter().find(|(known, _)| *known == title).map_or("The request was not served.", |(_, text)| text)
}

/// The page behind a `type`.
pub(super) fn page(name: &str) -> Option<String> {
    let (title, text) = MEANINGS.iter().find(|(title, _)| slug(title) == name)?;
    Some(format!("{title}\n\n{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_leads_to_a_page() {
        for (title, _) in MEANINGS {
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
