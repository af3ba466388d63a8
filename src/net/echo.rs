//! An echo on the socket layer that players' sockets have: the same heads, frames, bounds on everything but size, close
//! codes and farewells, and in between whatever comes is sent back. For conformance tests; not in releases.

use super::close::Close;
use super::connection::{End, bid_farewell, end_of, hear_out};
use super::handshake::{self, Arrival, MessageBounds, Socket};
use super::head::HeadRules;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// How long a handshake and a farewell may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Conformance suites send messages of 16 MiB, in pieces of 64 bytes.
const BOUNDS: MessageBounds = MessageBounds { bytes: 17 << 20, pieces: u32::MAX };
/// As players' large messages leave.
const FRAGMENT_BYTES: usize = 4 * 1024;

/// Echoes at `/connect` until it is dropped.
pub async fn serve(listener: TcpListener) {
    let mut sockets = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((io, _)) = accepted {
                sockets.spawn(one(io));
            },
            Some(_) = sockets.join_next() => {}
        }
    }
}

async fn one(io: TcpStream) {
    let rules = HeadRules { loopback: true, ..HeadRules::default() };
    let Arrival::Socket(mut ws, _) = handshake::receive(io.into(), &rules, PATIENCE, || Ok(BOUNDS)).await else {
        return;
    };
    if let End::Close(close) = echo(&mut ws).await {
        let _ = timeout(PATIENCE, bid_farewell(&mut ws, close)).await;
    }
}

async fn echo(ws: &mut Socket) -> End {
    loop {
        let sent = match ws.next().await {
            Some(Ok(Message::Text(text))) => send(ws, Data::Text, text.into()).await,
            Some(Ok(Message::Binary(data))) => send(ws, Data::Binary, data).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => ws.flush().await,
            Some(Ok(Message::Frame(_))) => return End::Close(Close::SERVER_ERROR),
            Some(Ok(Message::Close(_))) => {
                hear_out(ws).await;
                return End::Gone;
            }
            Some(Err(err)) => return end_of(&err),
            None => return End::Gone,
        };
        if let Err(err) = sent {
            return end_of(&err);
        }
    }
}

async fn send(ws: &mut Socket, kind: Data, mut rest: Bytes) -> Result<(), WsError> {
    let mut opcode = kind;
    while rest.len() > FRAGMENT_BYTES {
        let part = Frame::message(rest.split_to(FRAGMENT_BYTES), OpCode::Data(opcode), false);
        ws.feed(Message::Frame(part)).await?;
        opcode = Data::Continue;
    }
    ws.send(Message::Frame(Frame::message(rest, OpCode::Data(opcode), true))).await
}
