//! Private servers and disks for tests and benchmarks, and lines between them that fail: started on free ports, ended
//! with whoever started them.
//!
//! A test that needs a database must neither ask for one that is configured somewhere nor leave one behind. So each
//! test process starts its own, in a folder of its own, and a small watcher process ends it when the test process is
//! gone. Promise: whatever is started here ends and is removed with the process that started it, however that ends,
//! `kill -9` included; and what cannot be started fails with a sentence that says what to install.
//!
//! All of it blocks: from an asynchronous test, wrap what takes long (a start, a restart) in `spawn_blocking`.

pub mod corpus;
pub mod fault;
mod folder;
pub mod lines;
pub mod port;
pub mod postgres;
pub mod proxy;
pub mod redis;
mod session;
pub mod signal;
mod wait;
mod watcher;

pub use lines::Lines;
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use redis::Redis;
pub use session::Session;

/// Why something could not be started or done, in words for who reads the test's output.
#[derive(Clone)]
pub struct Trouble(String);

/// What everything here answers with.
pub type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For `map_err`: what was tried, then what went wrong.
    pub(crate) fn of<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> Self {
        move |err| Self(format!("{what}: {err}"))
    }
}

impl std::error::Error for Trouble {}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// As `expect` shows it: the sentence, not a struct around it.
impl std::fmt::Debug for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
