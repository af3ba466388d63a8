//! The data folder's own secret: made at the first start, kept in one file that only its owner reads. From it come
//! the tokens of a demo and the codes that hang at scan steps; there is no default secret anywhere.

use crate::ids::{QuestId, StepId};
use crate::net::auth::Secret;
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRngCore;
use sha2::Sha256;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file's name in the data folder.
pub const FILE: &str = "auth.key";
/// 256 bits, as HS256 asks for.
const BYTES: usize = 32;
/// 32^8 codes; a wrong guess costs a command, and commands are rationed.
const CODE_CHARS: usize = 8;
/// Crockford's base 32: no letter that looks like a digit.
const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or made.
    #[error("the key file {path} cannot be used: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is something else in it.
    #[error("the key file {path} must hold {} hexadecimal digits; delete it to have a new one made (old tokens end)", 2 * BYTES)]
    Form {
        /// Which.
        path: PathBuf,
    },
    /// There is none.
    #[error("{path} does not exist: start the server once, or name the folder of its data with --data")]
    Missing {
        /// Which.
        path: PathBuf,
    },
}

/// Reads the folder's secret.
pub fn read(data: &Path) -> Result<Secret, KeyFileError> {
    let path = data.join(FILE);
    let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing { path: path.clone() },
        _ => KeyFileError::Io { path: path.clone(), source },
    })?;
    let hex = text.trim();
    let byte = |at: usize| hex.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    match bytes {
        Some(bytes) if bytes.len() == BYTES => Ok(Secret::new(bytes)),
        Some(_) | None => Err(KeyFileError::Form { path }),
    }
}

/// Reads the folder's secret, or makes it.
pub fn read_or_make(data: &Path) -> Result<Secret, KeyFileError> {
    match read(data) {
        Err(KeyFileError::Missing { path }) => {
            let fault = |source| KeyFileError::Io { path: path.clone(), source };
            let secret = random();
            let hex: String = secret.expose().iter().map(|byte| format!("{byte:02x}")).collect();
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(fault)?;
            writeln!(file, "{hex}").and_then(|()| file.sync_all()).map_err(fault)?;
            Ok(secret)
        }
        read => read,
    }
}

/// A fresh secret from the system's source.
pub fn random() -> Secret {
    let mut bytes = [0_u8; BYTES];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the system's random source works, or nothing is safe");
    Secret::new(bytes)
}

/// A secret as a text that can stand in a link.
pub fn text(secret: &Secret) -> String {
    secret.expose().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The code that hangs at a scan step: HMAC-SHA-256 of quest and step under the folder's secret, shortened.
pub fn scan_code(secret: &Secret, quest: &QuestId, step: &StepId) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
    mac.update(format!("scan/{quest}/{step}").as_bytes());
    let digest = mac.finalize().into_bytes();
    digest.iter().take(CODE_CHARS).map(|byte| char::from(CODE_ALPHABET[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("waystone-keys-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        assert!(matches!(read(&folder), Err(KeyFileError::Missing { .. })));
        let made = read_or_make(&folder).expect("made");
        assert!(made.matches(read_or_make(&folder).expect("read").expose()));
        let mode = fs::metadata(folder.join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(folder.join(FILE), "é0123").expect("written");
        assert!(matches!(read(&folder), Err(KeyFileError::Form { .. })));
        fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn scan_codes_differ_by_step_and_secret() {
        let (quest, a, b) = ("q".parse().expect("id"), "a".parse().expect("id"), "b".parse().expect("id"));
        let secret = Secret::new([1; 32]);
        assert_eq!(scan_code(&secret, &quest, &a), scan_code(&secret, &quest, &a));
        assert_ne!(scan_code(&secret, &quest, &a), scan_code(&secret, &quest, &b));
        assert_ne!(scan_code(&secret, &quest, &a), scan_code(&Secret::new([2; 32]), &quest, &a));
    }
}
