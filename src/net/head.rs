//! What the first bytes of a connection ask for, and whether we open a WebSocket for them.
//!
//! Pure: bytes in, verdict out. tungstenite's own acceptor only hangs up on a bad head; here each fault gets its
//! status code and a sentence. Promise: a browser page of a foreign site gets no socket (Origin), and a foreign
//! name that resolves to us gets nothing at all (Host, against DNS rebinding).

use super::protocol::Form;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Largest request head: browsers stay under 4 KiB even with long tokens in the query.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Most header lines in a head; browsers send about 20.
pub(super) const HEADERS_MAX: usize = 100;
/// The target that stays here; everything else is HTTP's.
const CONNECT: &[u8] = b"GET /connect";

/// Who is to answer a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Too early to say.
    Undecided,
    /// A socket is asked for.
    Socket,
    /// Everything else.
    Http,
}

/// Names under which we answer, and pages that may open sockets.
#[derive(Debug, Clone, Default)]
pub struct HeadRules {
    /// Bound to loopback: only loopback names are ours unless `hosts` says more.
    pub loopback: bool,
    /// Our public names, without port. Empty: any name, unless `loopback`.
    pub hosts: Vec<String>,
    /// Origins besides our own that may open sockets, such as `https://play.example.org`.
    pub origins: Vec<String>,
}

/// An upgrade that we grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    accept: String,
    /// As agreed by a sub-protocol; JSON if none was offered.
    form: Option<Form>,
}

/// A head that we refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {title}: {detail}")]
pub struct Refused {
    /// The status code.
    pub status: u16,
    /// Its name.
    pub title: &'static str,
    /// What is wrong and what to do.
    pub detail: &'static str,
    /// One more header line, if the status needs one.
    pub header: Option<&'static str>,
}

impl Refused {
    const fn new(status: u16, title: &'static str, detail: &'static str) -> Self {
        Self { status, title, detail, header: None }
    }

    const fn with(self, header: &'static str) -> Self {
        Self { header: Some(header), ..self }
    }

    const fn bad(detail: &'static str) -> Self {
        Self::new(400, "Bad Request", detail)
    }

    /// The head did not come in time.
    pub const LATE: Self = Self::new(408, "Request Timeout", "The request head did not arrive in time.");
    /// The head is too large.
    pub const LARGE: Self = Self::new(431, "Request Header Fields Too Large", "The request head is over 8 KiB.");
    /// The node is full.
    pub const NODE_FULL: Self =
        Self::new(503, "Service Unavailable", "This node has all the connections it may have; try again.")
            .with("Retry-After: 5");
    /// Too many are arriving at once.
    pub const NODE_BUSY: Self =
        Self::new(503, "Service Unavailable", "Too many connections are arriving at this node; try again.")
            .with("Retry-After: 5");
    /// The node is short of memory.
    pub const NO_MEMORY: Self =
        Self::new(503, "Service Unavailable", "This node is short of memory and lets nobody else in; try again.")
            .with("Retry-After: 10");
    /// Plain HTTP on a port that speaks TLS.
    pub const NO_TLS: Self = Self::bad("This port speaks TLS: use https:// or wss://.");
    /// The address has too many connections.
    pub const ADDRESS_FULL: Self =
        Self::new(429, "Too Many Requests", "Your address has too many connections; close some or wait.")
            .with("Retry-After: 30");
    /// The Host header names somebody else.
    pub const MISDIRECTED: Self = Self::new(
        421,
        "Misdirected Request",
        "This server does not answer to that host name; use its address or add the name to its configuration.",
    );

    /// The whole HTTP answer, after which the connection is closed.
    pub fn response(&self) -> String {
        let body = serde_json::json!({
            "type": super::problem::type_of(self.title), "title": self.title, "status": self.status, "detail": self.detail
        })
        .to_string();
        let extra = self.header.map(|line| format!("{line}\r\n")).unwrap_or_default();
        format!(
            "HTTP/1.1 {} {}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n{extra}Connection: close\r\n\r\n{body}",
            self.status,
            self.title,
            body.len(),
        )
    }
}

impl Upgrade {
    /// How the protocol is written on this connection.
    pub fn form(&self) -> Form {
        self.form.unwrap_or_default()
    }

    /// The whole `101` answer.
    pub fn response(&self) -> String {
        let mut text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
            self.accept
        );
        if let Some(form) = self.form {
            let _ = write!(text, "Sec-WebSocket-Protocol: {}\r\n", form.subprotocol());
        }
        text.push_str("\r\n");
        text
    }
}

/// Decides by the first bytes alone, as early as they allow.
pub fn route(bytes: &[u8]) -> Route {
    let known = bytes.len().min(CONNECT.len());
    if bytes[..known] != CONNECT[..known] {
        return Route::Http;
    }
    match bytes.get(CONNECT.len()) {
        None => Route::Undecided,
        Some(b' ' | b'?') => Route::Socket,
        Some(_) => Route::Http,
    }
}

/// Judges the head of a `/connect` request. `Ok(None)`: it is not complete yet. `Ok(Some((upgrade, length)))`:
/// granted, and what comes after `length` bytes is the client's first frames.
pub fn upgrade(bytes: &[u8], rules: &HeadRules) -> Result<Option<(Upgrade, usize)>, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() >= HEAD_BYTES_MAX => return Err(Refused::LARGE),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::LARGE),
        Err(_) => return Err(Refused::bad("The request head is not HTTP/1.1.")),
    };
    if request.method != Some("GET") {
        return Err(Refused::new(405, "Method Not Allowed", "A WebSocket is opened with GET.").with("Allow: GET"));
    }
    let path = request.path.unwrap_or_default();
    if path.split('?').next() != Some("/connect") {
        return Err(Refused::new(404, "Not Found", "Sockets are at /connect."));
    }
    if request.version != Some(1) {
        return Err(Refused::bad("A WebSocket needs HTTP/1.1."));
    }
    judge(request.headers, rules).map(|upgrade| Some((upgrade, length)))
}

fn judge(headers: &[httparse::Header<'_>], rules: &HeadRules) -> Result<Upgrade, Refused> {
    let Some(host) = single(headers, "host")? else {
        return Err(Refused::bad("The Host header is missing."));
    };
    if !rules.knows_host(host) {
        return Err(Refused::MISDIRECTED);
    }
    if single(headers, "content-length")?.is_some_and(|n| n != "0") || single(headers, "transfer-encoding")?.is_some()
    {
        return Err(Refused::bad("A WebSocket request has no body."));
    }
    if !lists(headers, "connection", "upgrade") || !lists(headers, "upgrade", "websocket") {
        return Err(Refused::new(426, "Upgrade Required", "This address speaks WebSocket only.")
            .with("Upgrade: websocket\r\nSec-WebSocket-Version: 13"));
    }
    if single(headers, "sec-websocket-version")? != Some("13") {
        return Err(Refused::new(426, "Upgrade Required", "Only WebSocket version 13 is spoken here.")
            .with("Upgrade: websocket\r\nSec-WebSocket-Version: 13"));
    }
    let Some(key) = single(headers, "sec-websocket-key")?.filter(|key| is_key(key)) else {
        return Err(Refused::bad("Sec-WebSocket-Key must be 16 bytes in base64."));
    };
    if let Some(origin) = single(headers, "origin")?
        && !rules.knows_origin(origin, host)
    {
        return Err(Refused::new(
            403,
            "Forbidden",
            "Pages of this origin may not open sockets here; add it to the allowed origins.",
        ));
    }
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    Ok(Upgrade { accept, form: form(headers)? })
}

impl HeadRules {
    /// Whether `host`, as the Host header has it, names us. An IP address always does: DNS rebinding needs a name.
    pub fn knows_host(&self, host: &str) -> bool {
        let name = without_port(host);
        let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        if literal.parse::<IpAddr>().is_ok() {
            return true;
        }
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
            return false;
        }
        name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
            || (self.hosts.is_empty() && !self.loopback)
    }

    /// Whether a page of `origin` may act on us, who are called `host`: our own pages and the listed ones.
    pub fn knows_origin(&self, origin: &str, host: &str) -> bool {
        let same = ["http://", "https://"].iter().any(|scheme| {
            let default = if *scheme == "http://" { ":80" } else { ":443" };
            let bare = |text: &str| text.strip_suffix(default).unwrap_or(text).to_ascii_lowercase();
            origin.strip_prefix(scheme).is_some_and(|rest| bare(rest) == bare(host))
        });
        same || self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

/// The value of a header that may stand once only.
fn single<'a>(headers: &[httparse::Header<'a>], name: &str) -> Result<Option<&'a str>, Refused> {
    let mut found = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    let Some(first) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(Refused::bad("A header that may stand once stands twice."));
    }
    std::str::from_utf8(first.value)
        .map(|value| Some(value.trim()))
        .map_err(|_| Refused::bad("A header is not text."))
}

/// Whether a comma-separated header names `token`.
fn lists(headers: &[httparse::Header<'_>], name: &str, token: &str) -> bool {
    values(headers, name).any(|value| value.eq_ignore_ascii_case(token))
}

fn values<'a>(headers: &[httparse::Header<'a>], name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .filter_map(|header| std::str::from_utf8(header.value).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// 16 bytes in base64 are 22 letters, of which the last bears four zero bits, and two `=`.
fn is_key(key: &str) -> bool {
    let bytes = key.as_bytes();
    bytes.len() == 24
        && bytes[..22].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        && matches!(bytes[21], b'A' | b'Q' | b'g' | b'w')
        && &bytes[22..] == b"=="
}

/// The first offered sub-protocol that we speak; none if none is offered. An offer without ours is refused, since a
/// `101` that names none makes browsers fail the connection without saying why.
fn form(headers: &[httparse::Header<'_>]) -> Result<Option<Form>, Refused> {
    let offered: Vec<&str> = values(headers, "sec-websocket-protocol").collect();
    let known = |name: &&str| [Form::Json, Form::Protobuf].into_iter().find(|form| form.subprotocol() == *name);
    let form = offered.iter().find_map(known);
    if form.is_none() && !offered.is_empty() {
        return Err(Refused::bad(
            "None of the offered sub-protocols is known; offer centrifuge-json, centrifuge-protobuf or none.",
        ));
    }
    Ok(form)
}

#[cfg(test)]
mod tests;
