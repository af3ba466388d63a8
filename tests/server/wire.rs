//! Bytes by hand: HTTP answers and WebSocket frames, right and wrong, without any library's good manners.

use crate::harness::DEADLINE;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// An HTTP answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().filter_map(|line| line.split_once(':'));
        line.clone().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|err| panic!("{err}: {self:?}"))
    }

    /// `type` of a problem document; empty for anything else.
    pub fn problem(&self) -> String {
        match self.header("content-type") {
            Some("application/problem+json") => self.json()["type"].as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        }
    }
}

/// What the server sent on a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Text(String),
    Pong(Vec<u8>),
    /// Code (1005: none) and reason.
    Close(u16, String),
    /// Hung up without a word.
    Eof,
}

/// A connection.
pub struct Raw {
    io: TcpStream,
    got: Vec<u8>,
    ended: bool,
    /// Lines of frames that have been read, but not yet asked for.
    lines: VecDeque<Value>,
}

impl Raw {
    pub async fn open(addr: SocketAddr) -> Self {
        let io = timeout(DEADLINE, TcpStream::connect(addr)).await.expect("in time").expect("somebody listens");
        Self::over(io)
    }

    /// One that the kernel reads little ahead for.
    pub async fn open_narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("set");
        Self::over(timeout(DEADLINE, socket.connect(addr)).await.expect("in time").expect("somebody listens"))
    }

    fn over(io: TcpStream) -> Self {
        Self { io, got: Vec::new(), ended: false, lines: VecDeque::new() }
    }

    /// A WebSocket that has not yet sent its connect command.
    pub async fn socket(addr: SocketAddr) -> Self {
        Self::open(addr).await.upgraded(addr).await
    }

    /// The same connection as a WebSocket.
    pub async fn upgraded(mut self, addr: SocketAddr) -> Self {
        let raw = &mut self;
        raw.send(Head::new(addr).text().as_bytes()).await;
        let response = raw.response().await;
        assert_eq!(response.status, 101, "{response:?}");
        self
    }

    /// A client's connection.
    pub async fn connected(addr: SocketAddr, token: &str) -> Self {
        let mut raw = Self::socket(addr).await;
        raw.send(&text(&json!({"id": 1, "connect": {"token": token}}).to_string())).await;
        let reply = raw.reply(1).await;
        assert!(reply["connect"].is_object(), "not connected: {reply}");
        raw
    }

    /// A server that has hung up already is found out when its words are read.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(DEADLINE, self.io.write_all(bytes)).await.expect("the server reads");
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.io.shutdown().await;
    }

    async fn more(&mut self) {
        let mut buffer = [0; 4096];
        let read = timeout(DEADLINE, self.io.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("the server is silent after {:?}", self.said()));
        match read {
            Ok(n) if n > 0 => self.got.extend_from_slice(&buffer[..n]),
            Ok(_) | Err(_) => self.ended = true,
        }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }

    /// The next HTTP answer; status 0 when there is none.
    pub async fn response(&mut self) -> Response {
        let end = loop {
            if let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if self.ended {
                return Response { status: 0, head: String::new(), body: self.said() };
            }
            self.more().await;
        };
        let head = String::from_utf8_lossy(&self.got[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        self.got.drain(..end);
        let mut response = Response { status, head, body: String::new() };
        if status == 101 {
            return response;
        }
        let length = response.header("content-length").and_then(|length| length.parse::<usize>().ok());
        while !self.ended && length.is_none_or(|length| self.got.len() < length) {
            self.more().await;
        }
        response.body = self.said();
        self.got.clear();
        response
    }

    /// The next frame.
    pub async fn heard(&mut self) -> Heard {
        loop {
            if let Some((heard, length)) = unframe(&self.got) {
                self.got.drain(..length);
                return heard;
            }
            if self.ended {
                return Heard::Eof;
            }
            self.more().await;
        }
    }

    /// The answer to a command; panics with what came instead when the server closes.
    pub async fn reply(&mut self, id: u64) -> Value {
        loop {
            if let Some(place) = self.lines.iter().position(|line| line["id"] == id) {
                return self.lines.remove(place).expect("it is there");
            }
            match self.heard().await {
                Heard::Text(text) => {
                    let line = |line| serde_json::from_str::<Value>(line).expect("the server speaks JSON");
                    self.lines.extend(text.lines().map(line));
                }
                other => panic!("no reply to {id}: {other:?} after {:?}", self.lines),
            }
        }
    }

    /// How the connection ends; what is said until then is passed over.
    pub async fn end(&mut self) -> Heard {
        loop {
            match self.heard().await {
                Heard::Text(_) | Heard::Pong(_) => {}
                end => return end,
            }
        }
    }
}

/// The first frame of what was got: whether it ends its message, opcode, payload, length in all.
fn first_frame(got: &[u8]) -> Option<(bool, u8, &[u8], usize)> {
    let (first, second) = (*got.first()?, *got.get(1)?);
    assert_eq!((first & 0x70, second & 0x80), (0, 0), "a server sets no RSV bit and masks nothing");
    let (start, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(got.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(got.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    Some((first & 0x80 != 0, first & 0x0f, got.get(start..start + length)?, start + length))
}

/// The first message of what was got; a long one comes in several frames.
fn unframe(got: &[u8]) -> Option<(Heard, usize)> {
    let (mut ends, opcode, payload, mut used) = first_frame(got)?;
    let mut payload = payload.to_vec();
    while !ends {
        let (last, continued, more, length) = first_frame(&got[used..])?;
        assert_eq!(continued, 0, "a message is not interrupted");
        payload.extend_from_slice(more);
        (ends, used) = (last, used + length);
    }
    let as_text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let heard = match opcode {
        1 => Heard::Text(as_text(&payload)),
        8 if payload.len() < 2 => Heard::Close(1005, String::new()),
        8 => Heard::Close(u16::from_be_bytes([payload[0], payload[1]]), as_text(&payload[2..])),
        10 => Heard::Pong(payload),
        other => panic!("the server sent opcode {other}"),
    };
    Some((heard, used))
}

/// The head of an upgrade, line by line, to be spoilt.
#[derive(Clone)]
pub struct Head {
    pub line: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn new(addr: SocketAddr) -> Self {
        let headers = [
            ("Host", addr.to_string().as_str()),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { line: "GET /connect HTTP/1.1".to_owned(), headers: headers.to_vec() }
    }

    pub fn line(self, line: &str) -> Self {
        Self { line: line.to_owned(), ..self }
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub fn text(&self) -> String {
        let lines: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{lines}\r\n", self.line)
    }
}

/// A client's frame: first byte as given (FIN, RSV, opcode), masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).expect("short")),
        long => match u16::try_from(long) {
            Ok(long) => {
                bytes.push(0x80 | 126);
                bytes.extend(long.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        },
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A text frame.
pub fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// Stands between a client and the server and keeps every byte that the server sends.
pub struct Wiretap {
    addr: SocketAddr,
    bytes: Arc<Mutex<Vec<u8>>>,
    _tasks: JoinSet<()>,
}

impl Wiretap {
    pub async fn on(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let (mut tasks, kept) = (JoinSet::new(), Arc::clone(&bytes));
        tasks.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                lines.spawn(listen_in(client, server, Arc::clone(&kept)));
            }
        });
        Self { addr, bytes, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/connect", self.addr)
    }

    /// All that the server has said so far, as text.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

async fn listen_in(client: TcpStream, server: SocketAddr, kept: Arc<Mutex<Vec<u8>>>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(|_| ()) };
    let down = async {
        let mut buffer = [0; 4096];
        loop {
            match from_server.read(&mut buffer).await? {
                0 => return Ok::<(), std::io::Error>(()),
                n => {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..n]);
                    to_client.write_all(&buffer[..n]).await?;
                }
            }
        }
    };
    tokio::select! {
        _ = up => {}
        _ = down => {}
    }
}
