//! Mutual TLS of the links: who has no certificate of the cluster's own authority is not spoken to.
//!
//! Only TLS 1.3, since both ends are ours. All nodes' certificates bear the same name, [`NODE_NAME`]: an address may
//! be an IP address today and a name tomorrow, and which node it is says hello, not the certificate. No tickets: each
//! connection shows its certificate anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig, client, version};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The name in all nodes' certificates.
pub const NODE_NAME: &str = "waystone-node";

/// HTTP/2, which is what gRPC speaks.
const ALPN: &[u8] = b"h2";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{path}: {reason}; `waystone cluster certificates` makes such files")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: pem::Error,
    },
    /// The certificate and the key do not belong together, or cannot be used.
    #[error("the certificate {path} cannot be used with its key: {reason}")]
    Pair {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
    /// There is no authority.
    #[error("{path} holds no certificate of an authority: {reason}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: VerifierBuilderError,
    },
}

/// A node's certificate, its key, and the authority that it trusts.
#[derive(Clone)]
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
}

impl Tls {
    /// From three PEM files.
    pub fn load(ca: &Path, cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |reason| TlsError::File { path, reason }
        };
        let read = |path: &Path| -> Result<Vec<CertificateDer<'static>>, TlsError> {
            let certs: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(file(path))?.collect();
            let certs = certs.map_err(file(path))?;
            if certs.is_empty() { Err(file(path)(pem::Error::NoItemsFound)) } else { Ok(certs) }
        };
        let certs = read(cert)?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(file(key))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(read(ca)?);
        let roots = Arc::new(roots);
        let provider = Arc::new(ring::default_provider());
        let pair = |reason| TlsError::Pair { path: cert.to_owned(), reason };

        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|reason| TlsError::Authority { path: ca.to_owned(), reason })?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(pair)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certs.clone(), secret.clone_key())
            .map_err(pair)?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.send_tls13_tickets = 0;

        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(pair)?
            .with_root_certificates(roots)
            .with_client_auth_cert(certs, secret)
            .map_err(pair)?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = client::Resumption::disabled();

        let name =
            ServerName::try_from(NODE_NAME).map_err(|error| pair(rustls::Error::General(error.to_string())))?;
        let (acceptor, connector) = (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
        Ok(Self { acceptor, connector, name })
    }

    /// The two ends and the name that the server must have: for who wants the same TLS without our links.
    pub fn ends(&self) -> (&TlsAcceptor, &TlsConnector, &ServerName<'static>) {
        (&self.acceptor, &self.connector, &self.name)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}
