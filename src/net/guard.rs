//! Around every request over HTTP: who may ask at all, for how long, and how an answer looks.
//!
//! Promises: a head is within the bounds of all heads, also a later one on a connection; every error is a problem
//! document; every answer has the headers that keep a browser honest; no request under a foreign Host or from a
//! foreign Origin acts on anything.

use super::head::{HEAD_BYTES_MAX, HEADERS_MAX};
use super::http::State;
use super::problem::{self, Problem};
use super::rules;
use actix_http::ConnectionType;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError as _};
use std::time::Duration;
use tokio::time::timeout;

/// How long a request may take where nothing is configured, which is in tests of this file.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Around every request: who may ask at all, and how an answer looks.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let deadline = request.app_data::<Data<State>>().map(|state| state.edge.config.request_deadline);
    // Of a connection's first head that is known already; the library takes 128 KiB of each later one.
    if is_large(&request) {
        let problem = Problem::of(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let mut response = request.into_response(problem.error_response());
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        dress(&mut response, None);
        return Ok(response);
    }
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

/// Whether a head is over the bounds of all heads.
fn is_large(request: &ServiceRequest) -> bool {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    // `: ` and the end of the line; of the first line two spaces, the version and its end.
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let bytes = request.method().as_str().len() + target + 12 + lines.sum::<usize>() + 2;
    bytes > HEAD_BYTES_MAX || request.headers().len() > HEADERS_MAX
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
    use actix_web::{App, web};
    use serde_json::Value;

    async fn alive() -> &'static str {
        "ok\n"
    }

    use actix_web::middleware::from_fn;
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
}
