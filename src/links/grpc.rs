//! The real transport: one bidirectional gRPC stream over HTTP/2 over TLS 1.3 over TCP.
//!
//! The service and its client are what a generator would write from `proto/links.proto`, by hand. TCP and TLS are our
//! own steps before it, each with its deadline, so that "nobody listens there" is known for certain.

use super::accept::accept;
use super::codec::FrameCodec;
use super::dial::Peer;
use super::frames::Frames;
use super::guard::Greeted;
use super::hello::{Me, Refused};
use super::limits::{CONNECT, HELLO, MESSAGE_BYTES, PING, PING_TIMEOUT, USER_TIMEOUT, WINDOW};
use super::node::{Links, NoLink, Shared, Transport};
use super::service::Service;
use super::tls::Tls;
use super::wire::Frame;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status, Streaming};

const PATH: &str = "/waystone.links.v1.Links/Link";
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 256;

/// Why a node's links cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for other nodes on {addr}: {source}; choose another cluster.listen")]
pub struct BindError {
    /// Where.
    pub addr: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// The port for other nodes, open: who dials is connected, and waits a while to be answered.
///
/// A node opens it before it joins. A member whose machine refuses is taken for one whose process is gone, and buried.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Port {
    /// Opens it.
    pub fn open(listen: SocketAddr) -> Result<Self, BindError> {
        let failed = |source| BindError { addr: listen, source };
        let listener = open(listen).map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, addr })
    }
}

impl Links {
    /// Peers are answered when [`Links::serve`] is called, others can be dialled at once.
    pub fn on(port: Port, me: Me, tls: Tls) -> Arc<Self> {
        let Port { listener, addr } = port;
        let transport = Grpc { listener: Mutex::new(Some(listener)), tls };
        Self::new(Shared::new(me), Arc::new(transport), Some(addr), Handle::current())
    }

    /// The same, with the port opened only now.
    pub fn bind(listen: SocketAddr, me: Me, tls: Tls) -> Result<Arc<Self>, BindError> {
        Port::open(listen).map(|port| Self::on(port, me, tls))
    }
}

fn open(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A node that starts again finds its port in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Options that no program should depend on: a system that lacks one works, only notices less soon.
pub(super) fn prepare(io: &TcpStream) {
    let socket = socket2::SockRef::from(io);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    #[cfg(not(target_os = "linux"))]
    let _ = USER_TIMEOUT;
}

#[derive(Debug)]
struct Grpc {
    /// Until it is served.
    listener: Mutex<Option<TcpListener>>,
    tls: Tls,
}

impl Transport for Grpc {
    fn dial<'a>(&'a self, to: &'a Peer, frames: Frames) -> BoxFuture<'a, Result<BoxStream<'static, Frame>, NoLink>> {
        Box::pin(async move {
            let io = connect(&to.address).await?;
            timeout(HELLO, self.stream(io, frames)).await.map_err(|_| NoLink::Silent)?
        })
    }

    fn serve(&self, service: Service) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            let shared = Arc::clone(service.shared());
            shared.tasks.spawn(accept(listener, self.tls.clone(), service));
        }
    }

    fn chance(&self) -> f64 {
        rand::random()
    }
}

impl Grpc {
    async fn stream(&self, io: TcpStream, frames: Frames) -> Result<BoxStream<'static, Frame>, NoLink> {
        let failed = |error: &dyn std::error::Error| NoLink::Failed(chain(error));
        let io = self.tls.connector.connect(self.tls.name.clone(), io).await.map_err(|error| failed(&error))?;
        // The scheme is only for show: TLS is done.
        let channel = Endpoint::from_static("http://waystone-node")
            .http2_keep_alive_interval(PING)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .connect_with_connector(Once(Some(io)))
            .await
            .map_err(|error| failed(&error))?;
        let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(MESSAGE_BYTES);
        client.ready().await.map_err(|error| failed(&error))?;
        let path = PathAndQuery::from_static(PATH);
        let replies = client.streaming(Request::new(frames), path, FrameCodec).await.map_err(refusal)?;
        Ok(messages(replies.into_inner()))
    }
}

/// A TCP connection to a peer.
async fn connect(address: &str) -> Result<TcpStream, NoLink> {
    let deadline = Instant::now() + CONNECT;
    let found = timeout_at(deadline, lookup_host(address)).await.map_err(|_| NoLink::Silent)?;
    let places = found.map_err(|error| NoLink::Failed(format!("{address} is not known: {error}")))?;
    let mut reason = NoLink::Failed(format!("{address} has no address"));
    for place in places {
        reason = match timeout_at(deadline, TcpStream::connect(place)).await {
            Ok(Ok(io)) => {
                prepare(&io);
                return Ok(io);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => match reason {
                // Of several addresses, all must say so.
                NoLink::Silent => NoLink::Silent,
                _ => NoLink::NobodyThere,
            },
            Ok(Err(error)) => NoLink::Failed(format!("cannot connect: {error}")),
            Err(_) => NoLink::Silent,
        };
    }
    Err(reason)
}

/// What the peer's refusal says.
fn refusal(status: Status) -> NoLink {
    match Refused::from_word(status.message()) {
        Some(reason) if status.code() == Code::FailedPrecondition => NoLink::Refused(reason),
        Some(_) | None => NoLink::Failed(chain(&status)),
    }
}

/// The messages of a stream until it ends; how it ends makes no difference to anyone.
fn messages(stream: Streaming<Frame>) -> BoxStream<'static, Frame> {
    stream::unfold(stream, |mut stream| async {
        match stream.message().await {
            Ok(Some(frame)) => Some((frame, stream)),
            Ok(None) => None,
            Err(status) => {
                tracing::debug!(reason = %chain(&status), "a stream between nodes has ended");
                None
            }
        }
    })
    .boxed()
}

/// An error with all its reasons.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Gives tonic the one connection that is there already.
struct Once(Option<TlsStream<TcpStream>>);

impl tower_service::Service<http::Uri> for Once {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        // When it is used up tonic would dial again; we do, with what has changed meanwhile.
        std::future::ready(self.0.take().map(TokioIo::new).ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

/// The gRPC service.
#[derive(Debug, Clone)]
pub(super) struct LinksService {
    service: Service,
}

impl LinksService {
    pub(super) fn new(service: Service) -> Self {
        Self { service }
    }
}

impl tower_service::Service<http::Request<Body>> for LinksService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let link = Link { service: self.service.clone() };
        Box::pin(async move {
            if request.uri().path() != PATH {
                return Ok(Status::unimplemented("there is only Link").into_http());
            }
            let mut grpc = tonic::server::Grpc::new(FrameCodec).max_decoding_message_size(MESSAGE_BYTES);
            Ok(grpc.streaming(link, request).await)
        })
    }
}

/// Its one method.
struct Link {
    service: Service,
}

impl tower_service::Service<Request<Streaming<Frame>>> for Link {
    type Response = Response<BoxStream<'static, Result<Frame, Status>>>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Frame>>) -> Self::Future {
        let service = self.service.clone();
        Box::pin(async move {
            let greeted = request.extensions().get::<Greeted>().cloned();
            let mut stream = request.into_inner();
            let refuse = |reason: Refused| Status::failed_precondition(reason.word());
            let first = timeout(HELLO, stream.message()).await.map_err(|_| refuse(Refused::NoHello))??;
            let first = first.ok_or_else(|| refuse(Refused::NoHello))?;
            let frames = service.take(&first, messages(stream)).map_err(refuse)?;
            if let Some(greeted) = greeted {
                greeted.set();
            }
            Ok(Response::new(frames.map(Ok).boxed()))
        })
    }
}
