//! The yardstick of `links`: what one would write without gRPC. Length-delimited frames over the same mutual TLS, one
//! writer and one reader a side, batches as they gather, the same JSON, calls by number.
//!
//! It has no hello, no versions, no deadlines, no lateness, no bound on calls under way, and it never dials again.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{FutureExt as _, Sink, SinkExt as _, StreamExt as _};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use waystone::cluster::link::{Call, Handler, Note, Reply};
use waystone::cluster::member::NodeId;
use waystone::ids::EntityId;
use waystone::links::Tls;

const CALL: u8 = 1;
const NOTE: u8 = 2;
/// As many as the real link has.
const QUEUE: usize = 4_096;
const BATCH: usize = 256;

type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Bytes>>>>;

/// The asking side.
pub struct Framing {
    queue: mpsc::Sender<Bytes>,
    pending: Pending,
    last: AtomicU64,
    /// Both sides' tasks, ended with it.
    _tasks: JoinSet<()>,
}

impl Framing {
    /// Two sides over loopback.
    pub async fn lay(tls: &Tls, handler: Arc<dyn Handler>) -> std::io::Result<Self> {
        let (acceptor, connector, name) = tls.ends();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let near = TcpStream::connect(listener.local_addr()?).await?;
        let (far, _) = listener.accept().await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let (near, far) = tokio::join!(connector.connect(name.clone(), near), acceptor.accept(far));
        let (queue, queued) = mpsc::channel(QUEUE);
        let pending = Pending::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(ask(near?, queued, Arc::clone(&pending)));
        tasks.spawn(answer(far?, handler));
        Ok(Self { queue, pending, last: AtomicU64::new(0), _tasks: tasks })
    }

    /// A call of an entity.
    pub async fn call(&self, call: &Call) -> Option<Reply> {
        let Call::Entity { to, epoch, request } = call else { return None };
        let body = serde_json::to_vec(request).ok()?;
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut frame = BytesMut::with_capacity(body.len() + to.key().len() + 24);
        frame.put_u8(CALL);
        frame.put_u64(number);
        frame.put_u64(*epoch);
        frame.put_u8(to.kind());
        frame.put_u16(u16::try_from(to.key().len()).ok()?);
        frame.put_slice(to.key().as_bytes());
        frame.put_slice(&body);
        let (answer, answered) = oneshot::channel();
        self.pending.lock().ok()?.insert(number, answer);
        self.queue.send(frame.freeze()).await.ok()?;
        serde_json::from_slice(&answered.await.ok()?).ok().map(Reply::Entity)
    }

    /// A note, if there is room.
    pub fn tell(&self, note: &Note) -> bool {
        let mut frame = BytesMut::with_capacity(160);
        frame.put_u8(NOTE);
        let Ok(body) = serde_json::to_vec(note) else { return false };
        frame.put_slice(&body);
        self.queue.try_send(frame.freeze()).is_ok()
    }
}

fn framed<Io: AsyncRead + AsyncWrite>(io: Io) -> Framed<Io, LengthDelimitedCodec> {
    Framed::new(io, LengthDelimitedCodec::new())
}

/// Writes what has queued up, as much at once as there is.
async fn write(mut out: impl Sink<Bytes> + Unpin, mut queued: mpsc::Receiver<Bytes>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queued.recv_many(&mut batch, BATCH).await > 0 {
        for frame in batch.drain(..) {
            if out.feed(frame).await.is_err() {
                return;
            }
        }
        if out.flush().await.is_err() {
            return;
        }
    }
}

async fn ask(io: impl AsyncRead + AsyncWrite, queued: mpsc::Receiver<Bytes>, pending: Pending) {
    let (out, mut replies) = framed(io).split();
    let write = write(out, queued);
    let read = async {
        while let Some(Ok(mut frame)) = replies.next().await {
            let number = frame.get_u64();
            let waiting = pending.lock().ok().and_then(|mut pending| pending.remove(&number));
            if let Some(waiting) = waiting {
                let _ = waiting.send(frame.freeze());
            }
        }
    };
    tokio::join!(write, read);
}

async fn answer(io: impl AsyncRead + AsyncWrite, handler: Arc<dyn Handler>) {
    let (out, mut asked) = framed(io).split();
    let (replies, replied) = mpsc::channel::<Bytes>(QUEUE);
    let mut calls = JoinSet::new();
    let from = NodeId::new("a");
    let write = write(out, replied);
    let read = async {
        while let Some(Ok(mut frame)) = asked.next().await {
            if frame.get_u8() == NOTE {
                if let Ok(note) = serde_json::from_slice(&frame) {
                    handler.note(from.clone(), note);
                }
                continue;
            }
            let Some((number, call)) = read_call(&mut frame) else { return };
            let (handler, from) = (Arc::clone(&handler), from.clone());
            let mut handling =
                async move { reply(number, &handler.call(from, call, Duration::from_secs(5)).await) }.boxed();
            match (&mut handling).now_or_never() {
                Some(reply) => {
                    if replies.send(reply).await.is_err() {
                        return;
                    }
                }
                None => {
                    let replies = replies.clone();
                    calls.spawn(async move { _ = replies.send(handling.await).await });
                }
            }
        }
    };
    tokio::join!(write, read);
}

fn read_call(frame: &mut BytesMut) -> Option<(u64, Call)> {
    let (number, epoch, kind, length) = (frame.get_u64(), frame.get_u64(), frame.get_u8(), frame.get_u16());
    let key = frame.split_to(usize::from(length));
    let to = EntityId::from_parts(kind, std::str::from_utf8(&key).ok()?)?;
    Some((number, Call::Entity { to, epoch, request: serde_json::from_slice(frame).ok()? }))
}

fn reply(number: u64, reply: &Reply) -> Bytes {
    let mut frame = BytesMut::with_capacity(160);
    frame.put_u64(number);
    if let Reply::Entity(answer) = reply {
        frame.put_slice(&serde_json::to_vec(answer).unwrap_or_default());
    }
    frame.freeze()
}
