//! One task for one socket: reads frames, writes the outbound queue, keeps the heartbeat.
//!
//! The task owns everything of the connection, so its end ends all of it: the session, commands in flight, the
//! count of admission. The only timer is one `Sleep` that is moved a few times a minute, never per message.
//! Promise: whoever is closed by us gets a code of `close.rs`, and a client's own Close is answered with its echo.

use super::close::Close;
use super::commands::{Desk, Outcome};
use super::frames::TooManyPieces;
use super::handshake::Socket;
use super::limits::Bucket;
use super::listener::{Edge, told};
use super::metrics::Limited;
use super::outbound::{AGE_MAX, Next, Outbound};
use super::protocol::{Form, json, protobuf};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// How long a client may take to answer a ping: SDKs answer at once, a phone that wakes its radio takes seconds.
const PONG_GRACE: Duration = Duration::from_secs(8);
/// Heartbeats fall on multiples of this since the edge's start: a worker that wakes for one then finds some more to do,
/// and waking is most of what an idle socket costs. At 20,000 sockets some 240 beat together, which takes 3 ms.
const BEAT_GRID: Duration = Duration::from_millis(100);
/// How long the closing handshake may take.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// How long after `exp` a client may still refresh its token; SDKs start at `exp`.
const REFRESH_GRACE: Duration = Duration::from_secs(25);

/// Largest frame that we send; longer messages are fragmented.
const FRAGMENT_BYTES: usize = 4 * 1024;
/// Messages a second, and saved up, pings and pongs among them: far more than the limits on what they bear would take.
const MESSAGES: (u32, u32) = (100, 400);

/// Why the loop has ended.
pub(super) enum End {
    /// We close.
    Close(Close),
    /// The stream has failed or the peer has hung up; there is nobody to tell.
    Gone,
}

/// Serves a socket to its end.
pub(super) async fn run(mut ws: Box<Socket>, form: Form, edge: Arc<Edge>, mut drain: watch::Receiver<bool>) {
    match serve(&mut ws, form, &edge, &mut drain).await {
        End::Close(close) => {
            edge.metrics.closed(close);
            tracing::debug!(code = close.code, reason = close.reason, "socket closed");
            let _ = timeout(CLOSE_WAIT, bid_farewell(&mut ws, close)).await;
        }
        End::Gone => tracing::debug!("socket gone"),
    }
}

async fn serve(ws: &mut Socket, form: Form, edge: &Arc<Edge>, drain: &mut watch::Receiver<bool>) -> End {
    let mut desk = Desk::new(Arc::clone(edge), form);
    let mut messages = Bucket::new(MESSAGES, Instant::now());
    let mut pulse = Pulse::new(edge.config.ping, edge.config.connect_deadline);
    let mut timer = pin!(sleep_until(pulse.due(edge.begun)));
    let mut draining = pin!(drained(drain, edge.config.drain_spread));
    loop {
        let outcome = tokio::select! {
            // What is not read waits in the phone, which sees that it is not taken.
            message = ws.next(), if desk.has_room() => match message {
                Some(Ok(message)) => {
                    pulse.heard = true;
                    if messages.take(1, Instant::now()) {
                        incoming(ws, &mut desk, message).await
                    } else {
                        edge.metrics.limited(Limited::Messages);
                        Outcome::Close(Close::TOO_MANY_REQUESTS)
                    }
                }
                Some(Err(err)) => return end_of(&err),
                None => return End::Gone,
            },
            outcome = desk.work() => outcome,
            () = &mut timer => {
                let outcome = pulse.beat(&mut desk, edge);
                timer.as_mut().reset(pulse.due(edge.begun));
                match ws.get_ref().unfinished_since() {
                    // While commands are under way it may be we who do not read it to its end; and none can come meanwhile.
                    Some(since) if since.elapsed() > edge.config.message_deadline && desk.is_idle() => {
                        Outcome::Close(Close::UNFINISHED)
                    }
                    _ => outcome,
                }
            }
            () = &mut draining => Outcome::Close(Close::SHUTDOWN),
        };
        match outcome {
            Outcome::Go => {}
            Outcome::Opened => {
                pulse.open();
                timer.as_mut().reset(pulse.due(edge.begun));
            }
            Outcome::Close(close) => desk.out.end(close),
            Outcome::Gone => return End::Gone,
        }
        if let Some(end) = flush(ws, &desk.out).await {
            return end;
        }
    }
}

/// Resolves when the node drains, at a moment of this connection's own, so that not all come back at once.
async fn drained(drain: &mut watch::Receiver<bool>, spread: Duration) {
    told(drain).await;
    tokio::time::sleep(spread.mul_f64(rand::random::<f64>())).await;
}

async fn incoming(ws: &mut Socket, desk: &mut Desk, message: Message) -> Outcome {
    match (message, desk.out.form()) {
        (Message::Text(text), Form::Json) => desk.frame(json::commands(&text)).await,
        (Message::Binary(bytes), Form::Protobuf) => desk.frame(protobuf::commands(&bytes)).await,
        (Message::Text(_) | Message::Binary(_), _) => Outcome::Close(Close::UNSUPPORTED_DATA),
        (Message::Ping(_) | Message::Pong(_) | Message::Frame(_), _) => {
            // tungstenite has queued the pong; it leaves with the next write or flush.
            let _ = timeout(AGE_MAX, ws.flush()).await;
            Outcome::Go
        }
        (Message::Close(_), _) => {
            hear_out(ws).await;
            Outcome::Gone
        }
    }
}

/// After the peer's Close. The echo is sent while the stream is polled to its end; leaving now would show the peer code
/// 1006.
pub(super) async fn hear_out(ws: &mut Socket) {
    let _ = timeout(CLOSE_WAIT, async { while let Some(Ok(_)) = ws.next().await {} }).await;
}

/// Writes all that waits. A peer that does not take a frame in time is slow.
async fn flush(ws: &mut Socket, out: &Outbound) -> Option<End> {
    loop {
        match out.next(Instant::now()) {
            Next::Nothing => return None,
            Next::Close(close) => return Some(End::Close(close)),
            Next::Frame(frame) => match timeout(AGE_MAX, write(ws, out.form(), frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(err)) => return Some(end_of(&err)),
                Err(_) => return Some(End::Close(Close::SLOW)),
            },
        }
    }
}

/// Writes a message, a large one in fragments: tungstenite keeps the room of the largest frame that it ever
/// wrote for as long as the socket lives, and one `state.get` must not cost an idle connection 50 KiB.
async fn write(ws: &mut Socket, form: Form, message: Vec<u8>) -> Result<(), WsError> {
    let mut rest = Bytes::from(message);
    let mut opcode = match form {
        Form::Json => Data::Text,
        Form::Protobuf => Data::Binary,
    };
    while rest.len() > FRAGMENT_BYTES {
        let part = Frame::message(rest.split_to(FRAGMENT_BYTES), OpCode::Data(opcode), false);
        ws.send(Message::Frame(part)).await?;
        opcode = Data::Continue;
    }
    ws.send(Message::Frame(Frame::message(rest, OpCode::Data(opcode), true))).await
}

/// tungstenite reports faults of the peer but tells it nothing.
pub(super) fn end_of(err: &WsError) -> End {
    match err {
        WsError::Capacity(_) => End::Close(Close::TOO_BIG),
        WsError::Utf8(_) => End::Close(Close::INVALID_TEXT),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        WsError::Protocol(_) => End::Close(Close::PROTOCOL_ERROR),
        WsError::Io(err) if err.get_ref().is_some_and(|inner| inner.is::<TooManyPieces>()) => {
            End::Close(Close::TOO_BIG)
        }
        WsError::WriteBufferFull(_) => End::Close(Close::SERVER_ERROR),
        _ => End::Gone,
    }
}

/// Sends Close, then reads what still comes: unread bytes would turn our hang-up into a reset that overtakes it.
pub(super) async fn bid_farewell(ws: &mut Socket, close: Close) {
    let frame = CloseFrame { code: CloseCode::from(close.code), reason: Utf8Bytes::from_static(close.reason) };
    if ws.close(Some(frame)).await.is_err() {
        return;
    }
    while let Some(Ok(_)) = ws.next().await {}
    let io = ws.get_mut().io();
    if io.shutdown().await.is_ok() {
        let _ = io.drain().await;
    }
}

/// The heartbeat: the connect deadline first, then ping, wait for any message, ping.
struct Pulse {
    /// When to beat next.
    due: Instant,
    period: Duration,
    /// Whether anything has come since the last ping.
    heard: bool,
    phase: Beat,
}

enum Beat {
    Connecting,
    Ping,
    Pong,
}

impl Pulse {
    fn new(ping: Duration, connect_deadline: Duration) -> Self {
        // +-10 %, so that a storm of connects does not become a storm of pings each 25 seconds.
        let period = ping.mul_f64(rand::random_range(0.9..=1.1));
        Self { due: Instant::now() + connect_deadline, period, heard: true, phase: Beat::Connecting }
    }

    /// When to beat next, on the grid of an edge that has begun then.
    fn due(&self, begun: Instant) -> Instant {
        let grid = BEAT_GRID.as_nanos();
        let since = self.due.saturating_duration_since(begun).as_nanos();
        let late = u64::try_from(since.next_multiple_of(grid) - since).unwrap_or(0);
        self.due + Duration::from_nanos(late)
    }

    fn open(&mut self) {
        self.phase = Beat::Ping;
        self.due = Instant::now() + self.period;
    }

    fn beat(&mut self, desk: &mut Desk, edge: &Edge) -> Outcome {
        match self.phase {
            Beat::Connecting => return Outcome::Close(Close::STALE),
            Beat::Ping => {
                // A ping goes out each time, even to a busy client: SDKs hang up when the server's pings stay away.
                desk.out.reply(desk.out.form().ping());
                self.heard = false;
                self.phase = Beat::Pong;
                self.due += PONG_GRACE.min(self.period / 2);
            }
            Beat::Pong if !self.heard => return Outcome::Close(Close::NO_PONG),
            Beat::Pong => {
                self.phase = Beat::Ping;
                self.due += self.period - PONG_GRACE.min(self.period / 2);
            }
        }
        match desk.expires() {
            Some(expires) if edge.clock.now() > expires + REFRESH_GRACE => Outcome::Close(Close::EXPIRED),
            _ => Outcome::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::frames::{Followed, PIECES_MAX};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    #[tokio::test(start_paused = true)]
    async fn heartbeats_share_moments_and_are_never_early() {
        let begun = Instant::now();
        let mut pulse = Pulse::new(Duration::from_secs(25), Duration::from_millis(5_001));
        assert_eq!(pulse.due(begun) - begun, Duration::from_millis(5_100));
        pulse.due = begun + Duration::from_millis(5_100);
        assert_eq!(pulse.due(begun), pulse.due);
        pulse.open();
        let due = pulse.due(begun);
        assert_eq!((due - begun).as_millis() % 100, 0);
        assert!(due >= pulse.due && due - pulse.due < BEAT_GRID);
    }

    async fn pair() -> (Socket, WebSocketStream<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (far, _) = listener.accept().await.expect("accepts");
        let server =
            WebSocketStream::from_raw_socket(Followed::new(far.into(), &[], PIECES_MAX), Role::Server, None).await;
        (server, WebSocketStream::from_raw_socket(near, Role::Client, None).await)
    }

    #[tokio::test]
    async fn large_message_arrives_whole_though_sent_in_fragments() {
        let (mut server, mut client) = pair().await;
        for length in [1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1, 3 * FRAGMENT_BYTES, 100_000] {
            let text = "ä".repeat(length);
            let (written, read) = tokio::join!(write(&mut server, Form::Json, text.clone().into()), client.next());
            written.expect("written");
            assert_eq!(read.expect("a message").expect("a good one"), Message::Text(text.into()));
        }
    }

    #[tokio::test]
    async fn farewell_tells_code_and_reason_and_ends() {
        let (mut server, mut client) = pair().await;
        let listen = async move {
            let Some(Ok(Message::Close(Some(frame)))) = client.next().await else { panic!("no close frame") };
            while client.next().await.is_some() {}
            drop(client);
            frame
        };
        let (frame, ()) = tokio::join!(listen, bid_farewell(&mut server, Close::SLOW));
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (3008, "slow"));
    }
}
