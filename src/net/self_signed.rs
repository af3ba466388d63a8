//! A certificate for a workshop, where nobody has a name on the net: made once into the data folder, signed by itself.
//!
//! No phone trusts it by itself, and that is right: docs/operations.md says what people do with its fingerprint.
//! Promises: what is there stays, so that who has trusted it once need not again; the key can be read by its owner only;
//! both files are whole or not there.

use super::tls::{Tls, TlsError};
use crate::units::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// The certificate's file in the data folder.
pub const CERT_FILE: &str = "tls.pem";
/// The key's file.
pub const KEY_FILE: &str = "tls.key";
/// How long it is good: iOS takes none that is good for longer.
const GOOD_FOR: Duration = Duration::from_secs(825 * 86_400);
/// Phones' clocks may be a little slow.
const BACKDATED: Duration = Duration::from_secs(3_600);

/// The certificate in a folder, made if there is none, for the names that reach this machine.
pub fn in_folder(folder: &Path, listen: SocketAddr, host: Option<&str>, now: Timestamp) -> Result<Tls, TlsError> {
    let (cert, key) = (folder.join(CERT_FILE), folder.join(KEY_FILE));
    if !cert.exists() || !key.exists() {
        let pair = KeyPair::generate()?;
        let certificate = params(&names(listen, host), now)?.self_signed(&pair)?;
        make_folder(folder).map_err(|reason| TlsError::Make { path: folder.to_owned(), reason })?;
        // The key first: a certificate without one is made again.
        write(&key, &pair.serialize_pem(), 0o600).map_err(|reason| TlsError::Make { path: key.clone(), reason })?;
        write(&cert, &certificate.pem(), 0o644).map_err(|reason| TlsError::Make { path: cert.clone(), reason })?;
    }
    Tls::load(&cert, &key)
}

/// What this machine may be called.
fn names(listen: SocketAddr, host: Option<&str>) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(host.map(str::to_owned));
    if listen.ip().is_unspecified() {
        names.extend(own_address().map(|ip| ip.to_string()));
    } else {
        names.push(listen.ip().to_string());
    }
    names.sort();
    names.dedup();
    names
}

/// The address by which others in the network see us. Nothing is sent for it: a datagram socket that is connected only
/// chooses its way.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip()).filter(|ip| !ip.is_unspecified())
}

fn params(names: &[String], now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Waystone workshop");
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(millis);
    params.not_before = now - BACKDATED;
    params.not_after = now - BACKDATED + GOOD_FOR;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Writes a file aside and moves it to its place.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut aside = path.to_owned();
    aside.as_mut_os_string().push(format!(".{:08x}", rand::random::<u32>()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_only_its_owner_reads_the_key() {
        let folder = std::env::temp_dir().join(format!("waystone-tls-{:08x}", rand::random::<u32>()));
        let listen = SocketAddr::from(([0, 0, 0, 0], 7170));
        let now = Timestamp::from_millis(1_781_000_000_000);
        let make = || in_folder(&folder, listen, Some("play.example.org"), now).expect("made").fingerprint();
        let first = make();
        assert_eq!((first.len(), first.matches(':').count()), (95, 31));
        assert_eq!(make(), first, "what is there stays");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.join(KEY_FILE)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::remove_file(folder.join(KEY_FILE)).expect("there");
        assert_ne!(make(), first, "half of it is none");
        fs::remove_dir_all(&folder).expect("ours");
    }

    #[test]
    fn it_has_the_names_that_reach_us() {
        let at = |listen: &str, host| names(listen.parse().expect("an address"), host);
        assert_eq!(at("127.0.0.1:1", None), ["127.0.0.1", "::1", "localhost"]);
        assert_eq!(at("10.0.0.5:1", Some("a.b")), ["10.0.0.5", "127.0.0.1", "::1", "a.b", "localhost"]);
    }
}
