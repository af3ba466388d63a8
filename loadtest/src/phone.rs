//! A lean phone: one socket with small buffers and a number for its next command. It is driven by whoever holds it.

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::wire::{self, Line, Notice};
use futures_util::{SinkExt as _, StreamExt as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Phones behind one source address: below the server's limit, and few enough for a quick search of free ports.
const PER_ADDRESS: u32 = 1_500;
/// How long a connect or a command of the preparations may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a refusal bears that may pass, and the pause before it is tried again.
const TEMPORARY: &str = "\"temporary\":true";
const AGAIN: Duration = Duration::from_millis(50);

/// A connected phone.
#[derive(Debug)]
pub struct Phone {
    ws: WebSocketStream<TcpStream>,
    /// Whose.
    pub player: String,
    dialect: Dialect,
    last_id: u32,
    /// Notices that came during preparations.
    notices: Vec<Notice>,
}

impl Phone {
    /// Connects and waits for the welcome.
    pub async fn connect(addr: SocketAddr, index: u32, player: String, token: &str) -> Result<Self, Fault> {
        let mut phone = Self::open(addr, index, player).await?;
        phone.enter(token).await?;
        Ok(phone)
    }

    /// Opens a socket, and says nothing yet.
    pub async fn open(addr: SocketAddr, index: u32, player: String) -> Result<Self, Fault> {
        Self::open_as(Dialect::Own, addr, index, player).await
    }

    /// The same, on a server that speaks otherwise.
    pub async fn open_as(dialect: Dialect, addr: SocketAddr, index: u32, player: String) -> Result<Self, Fault> {
        let fault = |what: String| Fault::phone(&player, what);
        let work = async {
            let io = dial(addr, index).await.map_err(|err| fault(format!("no connection: {err}")))?;
            io.set_nodelay(true).map_err(|err| fault(err.to_string()))?;
            let mut config = WebSocketConfig::default();
            config.read_buffer_size = 1024;
            config.write_buffer_size = 0;
            let url = format!("ws://{addr}{}", dialect.path());
            let (ws, _) = client_async_with_config(url, io, Some(config))
                .await
                .map_err(|err| fault(format!("no WebSocket: {err}")))?;
            Ok(Self { ws, player: player.clone(), dialect, last_id: 0, notices: Vec::new() })
        };
        timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(fault("no socket in time".to_owned())))
    }

    /// Says who it is and waits for the welcome.
    pub async fn enter(&mut self, token: &str) -> Result<(), Fault> {
        let id = self.next_id();
        let work = async {
            self.send(wire::connect(id, token)).await?;
            self.answer(id).await
        };
        let entered = timeout(PATIENCE, work).await;
        entered.unwrap_or_else(|_| Err(Fault::phone(&self.player, "no welcome in time")))
    }

    /// The number of the next command.
    pub fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// Sends a line.
    pub async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), Fault> {
        let sent = self.ws.send(Message::Text(self.dialect.outgoing(text.into()))).await;
        sent.map_err(|err| Fault::phone(&self.player, format_args!("cannot send: {err}")))
    }

    /// The next text frame; losing the connection is a fault. Safe to drop while it waits.
    pub async fn frame(&mut self) -> Result<Utf8Bytes, Fault> {
        loop {
            match self.ws.next().await {
                Some(Ok(Message::Text(text))) => return Ok(self.dialect.incoming(text)),
                Some(Ok(Message::Close(frame))) => {
                    let why = frame.map_or_else(String::new, |frame| format!("{} {}", frame.code, frame.reason));
                    return Err(Fault::phone(&self.player, format_args!("closed by the server: {why}")));
                }
                Some(Ok(_)) => {}
                Some(Err(err)) => return Err(Fault::phone(&self.player, format_args!("connection lost: {err}"))),
                None => return Err(Fault::phone(&self.player, "connection lost")),
            }
        }
    }

    /// A call outside of a driver: waits for its answer, keeps notices that come meanwhile, and asks again when it is told
    /// that it may; a command has its id, so that it is done once.
    pub async fn call(&mut self, method: &str, data: &str) -> Result<(), Fault> {
        let work = async {
            loop {
                let id = self.next_id();
                self.send(wire::rpc(id, method, data)).await?;
                match self.answer(id).await {
                    Err(Fault::Phone { what, .. }) if what.contains(TEMPORARY) => sleep(AGAIN).await,
                    answered => return answered,
                }
            }
        };
        let answered = timeout(PATIENCE, work).await;
        answered.unwrap_or_else(|_| Err(Fault::phone(&self.player, format_args!("{method}: no answer in time"))))
    }

    /// Waits for a notice of the preparations.
    pub async fn await_notice(&mut self, kind: &str) -> Result<Notice, Fault> {
        let work = async {
            loop {
                if let Some(at) = self.notices.iter().position(|notice| notice.kind == kind) {
                    return Ok(self.notices.swap_remove(at));
                }
                self.take(0).await?;
            }
        };
        let got = timeout(PATIENCE, work).await;
        got.unwrap_or_else(|_| Err(Fault::phone(&self.player, format_args!("no {kind} in time"))))
    }

    /// Answers pings until told otherwise by the caller, who drops this.
    pub async fn idle(&mut self) -> Fault {
        loop {
            if let Err(fault) = self.take(0).await {
                return fault;
            }
        }
    }

    /// Forgets what the preparations left behind.
    pub fn tidy(&mut self) {
        self.notices = Vec::new();
    }

    async fn answer(&mut self, id: u32) -> Result<(), Fault> {
        while !self.take(id).await? {}
        Ok(())
    }

    /// Takes one frame in; true if it held the answer to a command.
    async fn take(&mut self, wanted: u32) -> Result<bool, Fault> {
        let frame = self.frame().await?;
        let mut answered = false;
        for line in wire::lines(&frame) {
            match line {
                Line::Ping => self.send(Utf8Bytes::from_static(wire::PONG)).await?,
                Line::Reply { id, .. } => answered |= id == wanted,
                Line::Push(text) => self.notices.extend(wire::notice(text)),
                Line::Refused(text) | Line::Strange(text) => return Err(Fault::phone(&self.player, text)),
            }
        }
        Ok(answered)
    }
}

/// Dials from one of several loopback addresses: one address has too few ports, and the server counts by address.
async fn dial(addr: SocketAddr, index: u32) -> std::io::Result<TcpStream> {
    match addr.ip() {
        IpAddr::V4(_) => {
            let socket = TcpSocket::new_v4()?;
            let host = u8::try_from(2 + index / PER_ADDRESS).unwrap_or(u8::MAX);
            socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)))?;
            socket.connect(addr).await
        }
        IpAddr::V6(_) => TcpStream::connect(addr).await,
    }
}
