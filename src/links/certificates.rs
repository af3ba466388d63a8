//! Certificates for a cluster: an authority of its own, and one certificate for each node.
//!
//! The authority serves this cluster and nothing else, so that whoever has a certificate of it is a node. Its key is
//! needed only to make more certificates; no node reads it.
//! Promises: what is there is not replaced unless that is asked for, and the authority never; a key can be read by its
//! owner only, and is on disk whole or not at all; what was made has been checked against the authority.

use super::tls::NODE_NAME;
use crate::units::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;

const DAY: Duration = Duration::from_secs(86_400);
/// The authority's time: replacing it means a new certificate for each node at once.
pub const AUTHORITY_DAYS: u32 = 3_653;
/// A node's time. A lost key is of use to nobody after that; a year is what people plan for.
pub const NODE_DAYS: u32 = 365;
/// Who verifies may have a clock that is a little slow.
const BACKDATED: Duration = Duration::from_secs(3_600);

/// The authority's certificate, which each node has.
pub const CA_FILE: &str = "ca.pem";
/// The authority's key, which no node has.
pub const CA_KEY_FILE: &str = "ca.key";
/// What the authority is called in its certificate.
const CA_NAME: &str = "Waystone cluster authority";

/// Why certificates were not made.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A name that cannot name files.
    #[error("\"{0}\" cannot name a certificate: use 1 to 64 letters, digits, '.', '-' and '_', and not \"ca\"")]
    Name(String),
    /// Only half of the authority is there.
    #[error("{missing} is missing beside {present}: bring it back, or name another folder to make a new authority")]
    Half {
        /// What is there.
        present: PathBuf,
        /// What is not.
        missing: PathBuf,
    },
    /// The key is not the authority's, or another program made the authority.
    #[error(
        "{0} and its key are no authority that this command made, so nodes would not trust what it signs; use the \
         program that made them, with the name \"{NODE_NAME}\" in each certificate, or name another folder"
    )]
    Foreign(PathBuf),
    /// The library of certificates refuses.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// A file of the cluster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was made now, or was there.
    pub made: bool,
}

/// Makes an authority in `dir` if there is none, and a certificate and a key for each name: `NAME.pem`, `NAME.key`.
/// Those that are there stay, unless `replace` says otherwise; the authority stays in any case.
pub fn make(
    dir: &Path,
    names: &[impl AsRef<str>],
    replace: bool,
    now: Timestamp,
) -> Result<Vec<CertificateFile>, CertificatesError> {
    if let Some(name) = names.iter().map(AsRef::as_ref).find(|name| !is_name(name)) {
        return Err(CertificatesError::Name(name.to_owned()));
    }
    let (ca, ca_key) = (dir.join(CA_FILE), dir.join(CA_KEY_FILE));
    let made = match (ca.exists(), ca_key.exists()) {
        (true, true) => false,
        (true, false) => return Err(CertificatesError::Half { present: ca, missing: ca_key }),
        (false, true) => return Err(CertificatesError::Half { present: ca_key, missing: ca }),
        (false, false) => {
            folder(dir)?;
            let key = KeyPair::generate()?;
            let certificate = authority(now).self_signed(&key)?;
            // The key first: an authority without one would be of no use, and is seen to be half.
            write(&ca_key, &key.serialize_pem(), Who::Owner)?;
            write(&ca, &certificate.pem(), Who::Anyone)?;
            true
        }
    };
    let key = KeyPair::from_pem(&read(&ca_key)?).map_err(|_| CertificatesError::Foreign(ca.clone()))?;
    let issuer = Issuer::new(authority(now), key);
    let mut files: Vec<_> = [ca.clone(), ca_key].into_iter().map(|path| CertificateFile { path, made }).collect();
    for name in names.iter().map(AsRef::as_ref) {
        let (cert, secret) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        let made = replace || !cert.exists() || !secret.exists();
        if made {
            let key = KeyPair::generate()?;
            let certificate = node(name, now)?.signed_by(&key, &issuer)?;
            verify(&ca, certificate.der(), now)?;
            write(&secret, &key.serialize_pem(), Who::Owner)?;
            write(&cert, &certificate.pem(), Who::Anyone)?;
        }
        files.extend([cert, secret].into_iter().map(|path| CertificateFile { path, made }));
    }
    Ok(files)
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.') && name != "ca"
}

fn params(common_name: &str, now: Timestamp, days: u32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let now = date_time_ymd(1970, 1, 1) + Duration::from_millis(millis);
    params.not_before = now - BACKDATED;
    params.not_after = now + DAY * days;
    params
}

fn authority(now: Timestamp) -> CertificateParams {
    let mut params = params(CA_NAME, now, AUTHORITY_DAYS);
    // It signs nodes, and no further authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn node(name: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(name, now, NODE_DAYS);
    params.subject_alt_names = CertificateParams::new(vec![NODE_NAME.to_owned()])?.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A node dials and is dialled.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Whether the authority's certificate vouches for another, as nodes will ask.
fn verify(ca: &Path, certificate: &CertificateDer<'_>, now: Timestamp) -> Result<(), CertificatesError> {
    let foreign = || CertificatesError::Foreign(ca.to_owned());
    let authority = CertificateDer::from_pem_slice(read(ca)?.as_bytes()).map_err(|_| foreign())?;
    let mut roots = RootCertStore::empty();
    roots.add(authority).map_err(|_| foreign())?;
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|_| foreign())?;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0)));
    verifier.verify_client_cert(certificate, &[], now).map(drop).map_err(|_| foreign())
}

/// Who may read a file.
#[derive(Clone, Copy)]
enum Who {
    Anyone,
    Owner,
}

fn folder(dir: &Path) -> Result<(), CertificatesError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir).map_err(|source| CertificatesError::File { path: dir.to_owned(), source })
}

fn read(path: &Path) -> Result<String, CertificatesError> {
    fs::read_to_string(path).map_err(|source| CertificatesError::File { path: path.to_owned(), source })
}

/// Writes a file aside and moves it to its place.
fn write(path: &Path, text: &str, who: Who) -> Result<(), CertificatesError> {
    let mut aside = path.to_owned();
    aside.as_mut_os_string().push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match who {
            Who::Anyone => 0o644,
            Who::Owner => 0o600,
        },
    );
    #[cfg(not(unix))]
    let _ = who;
    let written = options.open(&aside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)
    });
    written.map_err(|source| {
        if source.kind() != io::ErrorKind::AlreadyExists {
            // What was set aside may be half a key. If it cannot be removed the next try says so.
            let _ = fs::remove_file(&aside);
        }
        CertificatesError::File { path: aside, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::Tls;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn an_authority_is_made_once_and_nodes_when_missing() {
        let folder = super::super::tests::Folder::new();
        let dir = folder.path().join("deep/certs");
        let first = make(&dir, &["one", "two"], false, NOW).expect("made");
        assert_eq!(first.len(), 6);
        assert!(first.iter().all(|file| file.made && file.path.is_file()));
        let text = |name: &str| fs::read_to_string(dir.join(name)).expect("readable");
        let (ca, one) = (text("ca.pem"), text("one.pem"));
        let again = make(&dir, &["one", "three"], false, NOW).expect("made");
        let made: Vec<bool> = again.iter().map(|file| file.made).collect();
        assert_eq!(made, [false, false, false, false, true, true]);
        assert_eq!((text("ca.pem"), text("one.pem")), (ca.clone(), one.clone()));
        make(&dir, &["one"], true, NOW).expect("replaced");
        assert_eq!(text("ca.pem"), ca, "the authority stays");
        assert_ne!(text("one.pem"), one);
        for name in ["one", "two", "three"] {
            let pem = |ending: &str| dir.join(format!("{name}.{ending}"));
            Tls::load(&dir.join("ca.pem"), &pem("pem"), &pem("key")).expect("usable");
        }
        #[cfg(unix)]
        for key in ["ca.key", "one.key", "three.key"] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(dir.join(key)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }

    #[test]
    fn what_would_not_work_is_refused() {
        let folder = super::super::tests::Folder::new();
        let dir = folder.path();
        for name in ["", "ca", "../x", ".x", "a b"] {
            assert!(matches!(make(dir, &[name], false, NOW), Err(CertificatesError::Name(_))), "{name:?}");
        }
        make(dir, &["one"], false, NOW).expect("made");
        let other = super::super::tests::Folder::new();
        make(other.path(), &["two"], false, NOW).expect("made");
        fs::copy(other.path().join("ca.key"), dir.join("ca.key")).expect("copied");
        let error = make(dir, &["three"], false, NOW).expect_err("the key of another authority");
        assert!(matches!(error, CertificatesError::Foreign(_)), "{error}");
        assert!(!dir.join("three.pem").exists());
        let pem = |name: &str| dir.join(name);
        assert!(Tls::load(&pem("ca.pem"), &pem("one.pem"), &other.path().join("two.key")).is_err(), "no pair");
        fs::remove_file(dir.join("ca.key")).expect("removed");
        let error = make(dir, &["three"], false, NOW).expect_err("half an authority");
        assert!(error.to_string().contains("bring it back"), "{error}");
    }
}
