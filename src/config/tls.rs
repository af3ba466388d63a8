//! TLS at the edge: which certificate, if any.

use super::Config;
use super::fault::{Fault, Source};
use crate::net::self_signed;
use crate::net::tls::{Tls as Certificate, TlsError};
use crate::units::Timestamp;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Which certificate the edge shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tls {
    /// The certificate with its chain, as PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, as PEM.
    pub key_file: Option<PathBuf>,
    /// Whether one is made into the data folder, for a workshop.
    pub self_signed: bool,
}

impl Tls {
    /// Whether the edge speaks TLS.
    pub fn is_on(&self) -> bool {
        self.self_signed || self.cert_file.is_some() || self.key_file.is_some()
    }
}

impl Config {
    /// The certificate to serve with; `None`: plain HTTP. One of a workshop is made if it is not there.
    pub fn certificate(&self, now: Timestamp) -> Result<Option<Certificate>, TlsError> {
        if self.tls.self_signed {
            let host = self.http.public_host.as_deref();
            return self_signed::in_folder(&self.store.data, self.http.listen, host, now).map(Some);
        }
        let files = self.tls.cert_file.as_deref().zip(self.tls.key_file.as_deref());
        files.map(|(cert, key)| Certificate::load(cert, key)).transpose()
    }
}

/// What is wrong with it.
pub(super) fn faults(
    config: &Config,
    faulty: &BTreeSet<&'static str>,
    source: &dyn Fn(&str) -> Source,
) -> Option<Fault> {
    const KEYS: [&str; 3] = ["tls.cert_file", "tls.key_file", "tls.self_signed"];
    if KEYS.iter().any(|key| faulty.contains(key)) {
        return None;
    }
    let tls = &config.tls;
    let [cert_key, key_key, self_key] = KEYS;
    match (&tls.cert_file, &tls.key_file) {
        (None, None) => None,
        (Some(_), _) | (_, Some(_)) if tls.self_signed => {
            let message = format!("{self_key}: there is a certificate of your own too, and only one can be shown");
            Some(Fault::new(source(self_key), message, "leave out the one that you do not want"))
        }
        (Some(_), None) => {
            let message = format!("{cert_key}: a certificate is of no use without its key");
            Some(Fault::new(source(cert_key), message, "set tls.key_file (--tls-key-file) to the file of its key"))
        }
        (None, Some(_)) => {
            let message = format!("{key_key}: a key is of no use without its certificate");
            let help = "set tls.cert_file (--tls-cert-file) to the file of its certificate, with the chain";
            Some(Fault::new(source(key_key), message, help))
        }
        (Some(cert), Some(key)) => {
            let error = Certificate::load(cert, key).err()?;
            let key = match &error {
                TlsError::Read { path, .. } | TlsError::NoKey { path } if path == key => key_key,
                _ => cert_key,
            };
            let message = error.to_string();
            let (message, help) =
                message.rsplit_once("; ").or_else(|| message.rsplit_once(": ")).unwrap_or((&message, ""));
            Some(Fault::new(source(key), format!("{key}: {message}"), help))
        }
    }
}
