//! What can go wrong with a run, as opposed to what a run finds out.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why there is no report, or why it does not count.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// An address that is not this machine's.
    #[error("{addr} is not a loopback address: this program loads servers on this machine only")]
    NotLoopback {
        /// Which.
        addr: SocketAddr,
    },
    /// An address that cannot be read.
    #[error("{url} is no address: give ws://127.0.0.1:7170/connect or 127.0.0.1:7170")]
    Url {
        /// What was given.
        url: String,
    },
    /// The key of the server's tokens cannot be read.
    #[error(transparent)]
    Key(#[from] waystone::config::KeyFileError),
    /// A server of one's own did not start.
    #[error("the server did not start: {0}")]
    Server(String),
    /// Files and folders.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What the kernel says was not understood.
    #[error("{path} is not as expected: is this Linux, and does the process still run?")]
    Proc {
        /// Which file.
        path: String,
    },
    /// More sockets than the limit allows.
    #[error(
        "{wanted} sockets need more descriptors than the {limit} of a process: raise `ulimit -n` or ask for fewer"
    )]
    Descriptors {
        /// Sockets.
        wanted: u32,
        /// The limit.
        limit: u64,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    Settings(String),
    /// A store that is measured, or what it is measured against.
    #[error("the store: {0}")]
    Store(String),
    /// A phone's connection.
    #[error("{player}: {what}")]
    Phone {
        /// Whose.
        player: String,
        /// What happened.
        what: String,
    },
}

impl Fault {
    /// A fault of one phone.
    pub fn phone(player: &str, what: impl std::fmt::Display) -> Self {
        Self::Phone { player: player.to_owned(), what: what.to_string() }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(err: sqlx::Error) -> Self {
        Self::Store(err.to_string())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(err: rusqlite::Error) -> Self {
        Self::Store(err.to_string())
    }
}

impl From<waystone_kit::Trouble> for Fault {
    fn from(trouble: waystone_kit::Trouble) -> Self {
        Self::Store(trouble.to_string())
    }
}
