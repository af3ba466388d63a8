//! Key files: the only form in which a secret comes into the program.
//!
//! A secret's text is the key, without the white space around it, so that `openssl rand -hex 32 > auth.key` and an
//! editor that ends each file with a newline give the same key as any other signer sees.
//! Promise: no error repeats what a file holds.

use crate::net::auth::{Key, KeyError, Secret};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

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

/// The public key in a PEM file.
pub fn read_public_key(path: &Path) -> Result<Key, KeyFileError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    Key::from_pem(&text).map_err(|reason| KeyFileError::NoKey { path: path.to_owned(), reason })
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|reason| KeyFileError::Read { path: path.to_owned(), reason })?;
    Ok(bytes)
}
