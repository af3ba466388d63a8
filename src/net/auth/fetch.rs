//! Fetching a key set: one GET over a connection of its own, by hyper over rustls.
//!
//! No redirects, no cookies, no pool: an address that is configured is the one that is asked. `https` with the
//! system's authorities or a named one; `http` to this machine only, since whoever can change the answer can sign
//! tokens. Promise: bounded in time, in bytes and in headers, whatever the other side does.

use super::jwks::{self, JwksError, KeySet};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// How long a fetch may take in all: name, connection, TLS, answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Largest head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Where a key set is.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    path: String,
    tls: bool,
}

/// Why a text is no address of a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL, or of another kind.
    #[error("this is not an address such as https://login.example/.well-known/jwks.json")]
    Malformed,
    /// In the clear over a network.
    #[error("keys that come over http:// could be anybody's; only this machine may be asked so")]
    Clear,
    /// With a user's name.
    #[error("the address must not bear a name or password")]
    User,
}

impl Url {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::Malformed)?;
        let authority = uri.authority().ok_or(UrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::User);
        }
        let bare = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let host = bare.to_ascii_lowercase();
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(UrlError::Malformed),
        };
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if host.is_empty() {
            return Err(UrlError::Malformed);
        }
        if !tls && !here {
            return Err(UrlError::Clear);
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A query may follow the host at once; a request's target begins with a slash.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host, port, path, tls })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (if self.tls { "https" } else { "http" }, &self.host);
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{}{}", self.port, self.path),
            false => write!(f, "{scheme}://{host}:{}{}", self.port, self.path),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why no key set can be fetched at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file of the authority.
    #[error("{path}: {reason}; name a PEM file with the certificate of the key set's authority")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: pem::Error,
    },
    /// The system trusts nobody.
    #[error(
        "this system has no certificates of authorities: install ca-certificates, or name one with auth.jwks_ca_file"
    )]
    NoAuthorities,
    /// TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The host.
    #[error("the host in the key set's address is no name that a certificate could have")]
    Host,
}

/// Why a key set was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It took too long.
    #[error("no answer within {DEADLINE:?}")]
    Late,
    /// Nobody listens, or the name is not known.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// The certificate is not to be trusted, or the other side speaks no TLS.
    #[error("no trusted connection: {0}")]
    Tls(String),
    /// The answer is no HTTP, or breaks off.
    #[error("the answer cannot be read")]
    Http,
    /// Not 200; redirects are not followed.
    #[error("the answer has status {0}, not 200")]
    Status(u16),
    /// What came is no key set.
    #[error(transparent)]
    Set(#[from] JwksError),
}

/// Fetches from one address.
pub(super) struct Fetcher {
    url: Url,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Fetcher {
    pub(super) fn new(url: &Url, ca_file: Option<&Path>) -> Result<Self, SetupError> {
        let tls = match url.tls {
            false => None,
            true => {
                let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                    .with_safe_default_protocol_versions()?
                    .with_root_certificates(authorities(ca_file)?)
                    .with_no_client_auth();
                let name = ServerName::try_from(url.host.clone()).map_err(|_| SetupError::Host)?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self { url: url.clone(), tls })
    }

    /// The set as it is now.
    pub(super) async fn key_set(&self) -> Result<KeySet, FetchError> {
        let bytes = timeout(DEADLINE, self.bytes()).await.map_err(|_| FetchError::Late)??;
        Ok(jwks::parse(&bytes)?)
    }

    async fn bytes(&self) -> Result<Bytes, FetchError> {
        let tcp = TcpStream::connect((self.url.host.as_str(), self.url.port)).await;
        let tcp = tcp.map_err(|err| FetchError::Connect(err.kind()))?;
        match &self.tls {
            None => self.get(tcp).await,
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await;
                self.get(tls.map_err(|err| FetchError::Tls(err.to_string()))?).await
            }
        }
    }

    async fn get(&self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Bytes, FetchError> {
        let unreadable = |_| FetchError::Http;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX);
        let (mut sender, connection) = builder.handshake(TokioIo::new(io)).await.map_err(unreadable)?;
        let request = Request::get(self.url.path.as_str())
            .header(header::HOST, format!("{}:{}", self.url.host, self.url.port))
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|_| FetchError::Http)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(unreadable)?;
            if response.status() != StatusCode::OK {
                return Err(FetchError::Status(response.status().as_u16()));
            }
            let body = Limited::new(response.into_body(), jwks::BYTES_MAX).collect().await;
            body.map(|body| body.to_bytes()).map_err(|err| match err.is::<http_body_util::LengthLimitError>() {
                true => JwksError::TooLarge.into(),
                false => FetchError::Http,
            })
        };
        // The connection works only while it is polled, and may end before the answer has been taken from it.
        let work = async {
            let _ = connection.await;
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            answer = answer => answer,
            never = work => match never {},
        }
    }
}

/// Whom to trust: the named authority alone, or those of the system.
fn authorities(file: Option<&Path>) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            let fault = |reason| SetupError::Authority { path: path.to_owned(), reason };
            let certs = CertificateDer::pem_file_iter(path).map_err(fault)?.collect::<Result<Vec<_>, _>>();
            roots.add_parsable_certificates(certs.map_err(fault)?);
            if roots.is_empty() { Err(fault(pem::Error::NoItemsFound)) } else { Ok(roots) }
        }
        None => {
            // One that cannot be read is no reason to trust none.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() { Err(SetupError::NoAuthorities) } else { Ok(roots) }
        }
    }
}
