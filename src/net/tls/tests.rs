//! Files, good and bad, and what becomes of a change.

use super::*;
use crate::net::self_signed;
use crate::units::Timestamp;
use std::net::SocketAddr;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("waystone-tls-{:08x}", rand::random::<u32>()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// A certificate and its key, by these names.
    fn pair(&self, name: &str) -> (PathBuf, PathBuf) {
        let folder = self.0.join(name);
        let listen = SocketAddr::from(([127, 0, 0, 1], 7170));
        self_signed::in_folder(&folder, listen, None, Timestamp::from_millis(1_781_000_000_000)).expect("made");
        (folder.join(self_signed::CERT_FILE), folder.join(self_signed::KEY_FILE))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind in the temporary folder is no reason to fail.
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// How often the files were read again, and how often in vain.
fn counted(tls: &Tls) -> (u64, u64) {
    let counts = tls.counts();
    (counts[0].2, counts[1].2)
}

#[test]
fn what_cannot_serve_is_said_with_its_remedy() {
    let folder = Folder::new();
    let ((cert, key), (_, other_key)) = (folder.pair("a"), folder.pair("b"));
    let (nowhere, empty) = (folder.0.join("nowhere"), folder.file("empty", ""));
    let broken = folder.file("broken", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let garbage = folder.file("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let odd_key = folder.file("odd.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let fault = |cert: &Path, key: &Path| Tls::load(cert, key).expect_err("cannot serve");
    for (cert, key, wanted) in [
        (&nowhere, &key, "nowhere cannot be read"),
        (&cert, &nowhere, "nowhere cannot be read"),
        (&empty, &key, "empty holds no certificate in PEM: name the file that begins with"),
        (&broken, &key, "broken holds no certificate"),
        (&key, &key, "holds no certificate"),
        (&cert, &empty, "empty holds no private key in PEM: name the file that begins with"),
        (&cert, &cert, "holds no private key"),
        (&cert, &other_key, "made together"),
        (&garbage, &key, "made together"),
        (&cert, &odd_key, "made together"),
    ] {
        let fault = fault(cert, key).to_string();
        assert!(fault.contains(wanted), "{fault}");
        assert!(!fault.contains("AAAA") && !fault.contains("BEGIN PRIVATE KEY-----\n"), "{fault}");
    }
}

#[test]
fn a_new_certificate_takes_over_and_a_bad_one_does_not() {
    let folder = Folder::new();
    let ((cert, key), (new_cert, new_key)) = (folder.pair("a"), folder.pair("b"));
    let tls = Tls::load(&cert, &key).expect("good");
    let (first, second) = (tls.fingerprint(), Tls::load(&new_cert, &new_key).expect("good").fingerprint());
    assert_ne!(first, second);
    fs::copy(&new_cert, &cert).expect("copied");
    assert!(matches!(tls.reload(), Err(TlsError::Pair { .. })), "the key is still the old one");
    assert_eq!((tls.fingerprint(), counted(&tls)), (first, (0, 1)));
    fs::copy(&new_key, &key).expect("copied");
    tls.reload().expect("good again");
    assert_eq!((tls.fingerprint(), counted(&tls)), (second, (1, 1)));
}
