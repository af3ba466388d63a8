//! Fresh folders and names that nobody can guess.

use crate::{Result, Trouble};
use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

/// An empty folder that only its owner may enter. It stands directly below the system's folder for temporary files,
/// which every user can reach; a build's own folder may lie in somebody's home.
pub(crate) fn fresh(name: &str) -> Result<PathBuf> {
    let temporary = std::env::temp_dir();
    let temporary = temporary.canonicalize().map_err(Trouble::of(temporary.display()))?;
    let folder = temporary.join(format!("waystone-{name}-{}-{}", std::process::id(), random_hex(4)?));
    DirBuilder::new().mode(0o700).create(&folder).map_err(Trouble::of(folder.display()))?;
    Ok(folder)
}

/// As many random bytes, in hexadecimal.
pub(crate) fn random_hex(bytes: usize) -> Result<String> {
    let mut hex = String::with_capacity(bytes * 2);
    for byte in random(bytes)? {
        write!(hex, "{byte:02x}").map_err(Trouble::of("a number in hexadecimal"))?;
    }
    Ok(hex)
}

/// Random bytes of the system.
pub(crate) fn random(bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut buffer));
    read.map_err(Trouble::of("/dev/urandom"))?;
    Ok(buffer)
}
