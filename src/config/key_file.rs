//! Key files: the only form in which a secret comes into the program.
//!
//! A secret's text is the key, without the white space around it, so that `openssl rand -hex 32 > auth.key` and an
//! editor that ends each file with a newline give the same key as any other signer sees.
//! Promise: no error repeats what a file holds.

use crate::net::auth::{Key, KeyError, KeyFiles, Secret};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The file in a data folder that holds the key of its players' tokens.
pub const DATA_KEY: &str = "auth.key";

/// The largest key file read.
const BYTES_MAX: u64 = 64 * 1024;

/// Why a key file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the key file {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// It cannot be made.
    #[error("cannot make the key file {path}: {reason}")]
    Make {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// What it holds is no key.
    #[error("the key file {path} holds no key: {reason}")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// Why, with the remedy.
        reason: KeyError,
    },
}

/// The shared secret in a file.
pub fn read_secret(path: &Path) -> Result<Secret, KeyFileError> {
    let text = read(path)?;
    let secret = Secret::new(text.trim_ascii());
    // The check is the one that the server makes.
    Key::hs256(secret.clone()).map_err(|reason| KeyFileError::NoKey { path: path.to_owned(), reason })?;
    Ok(secret)
}

/// The key of a data folder, made if there is none: 32 random bytes as hex that only the owner can read.
///
/// The folder is made too. Whoever asks at once gets the same key.
pub fn data_key(folder: &Path) -> Result<Secret, KeyFileError> {
    let path = folder.join(DATA_KEY);
    match make(folder, &path) {
        Err(reason) if reason.kind() != io::ErrorKind::AlreadyExists => Err(KeyFileError::Make { path, reason }),
        Ok(()) | Err(_) => read_secret(&path),
    }
}

fn make(folder: &Path, path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        builder.mode(0o700);
        options.mode(0o600);
    }
    builder.recursive(true).create(folder)?;
    let hex = random_hex::<32>()?;
    // Written aside and then linked: a key file is whole or not there, and one that is there is never replaced.
    let aside = folder.join(format!("{DATA_KEY}.{}", random_hex::<8>()?));
    let written = options.open(&aside).and_then(|mut file| {
        writeln!(file, "{hex}")?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&aside, path));
    // What is set aside is a secret too.
    let removed = fs::remove_file(&aside);
    linked.and(removed)
}

fn random_hex<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0_u8; BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The public keys in a file: PEM or a JSON Web Key Set.
pub fn read_public_keys(path: &Path) -> Result<Vec<Key>, KeyFileError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    Key::all_from_text(&text).map_err(|reason| KeyFileError::NoKey { path: path.to_owned(), reason })
}

/// All keys of these settings' files, shared secrets first. They are read when this is asked for, and not before.
pub fn key_files(auth: &super::Auth) -> KeyFiles {
    let (secrets, publics) = (auth.hs256_secret_files.clone(), auth.public_key_files.clone());
    let paths = secrets.iter().chain(&publics).cloned().collect();
    KeyFiles::new(paths, move || {
        let mut keys = Vec::new();
        for path in &secrets {
            let key = Key::hs256(read_secret(path)?);
            keys.push(key.map_err(|reason| KeyFileError::NoKey { path: path.clone(), reason })?);
        }
        for path in &publics {
            keys.extend(read_public_keys(path)?);
        }
        Ok(keys)
    })
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|reason| KeyFileError::Read { path: path.to_owned(), reason })?;
    Ok(bytes)
}
