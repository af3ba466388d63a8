//! TLS at the edge: a certificate from two files, renewed while sockets stay.
//!
//! Sockets and HTTP share one port, so both have it or none. A certificate is looked up for each handshake, so a new one
//! serves whoever comes next and disturbs nobody who is there. Promises: what cannot serve is found before anything
//! listens; files that have become useless while it runs leave the certificate in place that was there, and the log says
//! so; HTTP/1.1 and nothing else is agreed on; no error repeats what a key file holds.

use super::changes::Changes;
use super::listener::told;
use super::metrics::Counting;
use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

/// Browsers open WebSockets by HTTP/1.1, and that is all that this port speaks.
const ALPN: &[u8] = b"http/1.1";

/// Why a certificate cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {reason}; check the path, and that this user may read the file")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A file cannot be made.
    #[error("{path} cannot be made: {reason}; check that this user may write there")]
    Make {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// There is no certificate in the file.
    #[error("{path} holds no certificate in PEM: name the file that begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error("{path} holds no private key in PEM: name the file that begins with -----BEGIN PRIVATE KEY-----")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The two do not belong together, or cannot be used.
    #[error(
        "the certificate {cert} cannot serve with the key {key}: {reason}; name two files that were made together"
    )]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
    /// The library of certificates refuses.
    #[error("a certificate cannot be made: {0}; name files of your own with --tls-cert-file and --tls-key-file")]
    SelfSigned(#[from] rcgen::Error),
}

/// TLS with a certificate that may be renewed. Clones share it.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

/// The certificate at work and the files it came from.
struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    renewed: AtomicU64,
    failed: AtomicU64,
}

impl Tls {
    /// From two PEM files: the certificate with its chain, and its key.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let pair = |reason| TlsError::Pair { cert: cert.to_owned(), key: key.to_owned(), reason };
        let certificate = Arc::new(Certificate {
            cert: cert.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(read(cert, key)?),
            renewed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Certificate>::clone(&certificate));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Tickets, which the client keeps, instead of a store of sessions here.
        config.ticketer = ring::Ticketer::new().map_err(pair)?;
        config.send_tls13_tickets = 1;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// The SHA-256 of the certificate at work, as browsers show it.
    pub fn fingerprint(&self) -> String {
        let current = self.certificate.current.load();
        let der = current.cert.first().map(AsRef::as_ref).unwrap_or_default();
        let mut text = String::new();
        for byte in Sha256::digest(der) {
            let _ = write!(text, "{}{byte:02X}", if text.is_empty() { "" } else { ":" });
        }
        text
    }

    /// Reads the files again.
    pub fn reload(&self) -> Result<(), TlsError> {
        let certificate = &self.certificate;
        match read(&certificate.cert, &certificate.key) {
            Ok(new) => {
                certificate.current.store(Arc::new(new));
                certificate.renewed.fetch_add(1, Ordering::Relaxed);
                tracing::info!(fingerprint = self.fingerprint(), "the certificate has been read again");
                Ok(())
            }
            Err(err) => {
                certificate.failed.fetch_add(1, Ordering::Relaxed);
                Err(err)
            }
        }
    }

    /// Reads the files again when they have changed, or at SIGHUP, until the node drains.
    pub(super) async fn watch(self, mut draining: watch::Receiver<bool>) {
        let mut changes = Changes::of(vec![self.certificate.cert.clone(), self.certificate.key.clone()]);
        loop {
            tokio::select! {
                () = told(&mut draining) => return,
                () = changes.next() => {}
            }
            if let Err(err) = self.reload() {
                tracing::warn!(%err, "the certificate in use stays");
            }
        }
    }
}

impl Counting for Tls {
    fn counts(&self) -> Vec<(String, &'static str, u64)> {
        let (renewed, failed) = (&self.certificate.renewed, &self.certificate.failed);
        vec![
            (
                "certificate_renewals".to_owned(),
                "Times that a new certificate was taken.",
                renewed.load(Ordering::Relaxed),
            ),
            ("certificate_failures".to_owned(), "Times that its files were no good.", failed.load(Ordering::Relaxed)),
        ]
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("cert", &self.certificate.cert).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// A certificate and its key, if they can serve together.
fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let no_certificate = || TlsError::NoCertificate { path: cert.to_owned() };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&bytes(cert)?).map(|one| one.map(CertificateDer::into_owned)).collect();
    let chain = chain.map_err(|_: pem::Error| no_certificate())?;
    if chain.is_empty() {
        return Err(no_certificate());
    }
    let secret = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|_| TlsError::NoKey { path: key.to_owned() })?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(|reason| TlsError::Pair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        reason,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|reason| TlsError::Read { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests;
