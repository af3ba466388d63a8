//! As much HTTP as an operator's script needs: one request, one answer, one connection.

use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest request; longer, and the server is down or busy with its end.
const DEADLINE: Duration = Duration::from_secs(5);

const JSON: &str = "application/json";

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body, as text.
    pub body: String,
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// GET, as an operator if there is a token.
pub(crate) async fn get(port: u16, path: &str, token: Option<&str>) -> io::Result<Reply> {
    ask(port, "GET", path, token, (JSON, "")).await
}

/// POST with JSON, as an operator.
pub(crate) async fn post(port: u16, path: &str, token: &str, body: &Value) -> io::Result<Reply> {
    send(port, path, token, JSON, &body.to_string()).await
}

/// POST with a body of some kind.
pub(crate) async fn send(port: u16, path: &str, token: &str, kind: &str, body: &str) -> io::Result<Reply> {
    ask(port, "POST", path, Some(token), (kind, body)).await
}

async fn ask(
    port: u16,
    method: &str,
    path: &str,
    token: Option<&str>,
    (kind, body): (&str, &str),
) -> io::Result<Reply> {
    let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{bearer}\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = timeout(DEADLINE, exchange).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let text = String::from_utf8_lossy(&answer);
    let (head, rest) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Ok(Reply { status, body: if chunked { unchunk(rest)? } else { rest.to_owned() } })
}

fn unchunk(mut rest: &str) -> io::Result<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if size == 0 {
            return Ok(body);
        }
        body.push_str(after.get(..size).ok_or(io::ErrorKind::UnexpectedEof)?);
        rest = after.get(size + 2..).ok_or(io::ErrorKind::UnexpectedEof)?;
    }
}
