//! Where a journal is kept: a folder or a database. The one place that chooses between the stores.

use super::{Journal, Members, postgres, sqlite};
use crate::clock::Clock;
use crate::cluster::member::Identity;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a journal is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A data folder, for SQLite.
    Folder(PathBuf),
    /// The URL of a Postgres database; it may bear a password, so it is never shown.
    Database(String),
}

/// Why a journal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] sqlite::OpenError),
    /// The database.
    #[error(transparent)]
    Database(#[from] postgres::OpenError),
    /// A node of a cluster was asked for, on a folder.
    #[error("{dir} is one process's own: nodes of a cluster share a Postgres database; name it with `--postgres URL`",
        dir = dir.display())]
    Alone {
        /// The folder.
        dir: PathBuf,
    },
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => f.debug_tuple("Folder").field(dir).finish(),
            Self::Database(_) => f.write_str("Database"),
        }
    }
}

impl Place {
    /// The database if there is a URL, else the folder.
    pub fn new(data: &Path, postgres: Option<&str>) -> Self {
        postgres.map_or_else(|| Self::Folder(data.to_owned()), |url| Self::Database(url.to_owned()))
    }

    /// Opens it as the one that writes. A folder's schema is brought up to date; a database's must be.
    pub async fn open(&self) -> Result<Arc<dyn Journal>, OpenError> {
        Ok(match self {
            Self::Folder(dir) => Arc::new(sqlite::SqliteJournal::open(dir, sqlite::Options::default()).await?),
            Self::Database(url) => {
                Arc::new(postgres::PostgresJournal::open(url, postgres::Options::default()).await?)
            }
        })
    }

    /// Opens it as one node of a cluster, with its membership. Waits some seconds for its name, should the last run of
    /// this node have been killed. A steered clock is held to the database's from now on.
    pub async fn open_member(
        &self,
        identity: Identity,
        fingerprint: String,
        clock: Clock,
    ) -> Result<(Arc<dyn Journal>, Arc<dyn Members>), OpenError> {
        match self {
            Self::Folder(dir) => Err(OpenError::Alone { dir: dir.clone() }),
            Self::Database(url) => {
                let member = Some(identity);
                let options = postgres::Options { member, fingerprint, clock, ..postgres::Options::default() };
                let journal = postgres::PostgresJournal::open(url, options).await?;
                let members = journal.members().expect("it was opened as a member");
                Ok((Arc::new(journal), members))
            }
        }
    }

    /// Opens it for reading, as of one moment, also beside a running server.
    pub async fn open_read_only(&self) -> Result<Arc<dyn Journal>, OpenError> {
        Ok(match self {
            Self::Folder(dir) => Arc::new(sqlite::SqliteJournal::open_read_only(dir).await?),
            Self::Database(url) => Arc::new(postgres::PostgresJournal::open_read_only(url).await?),
        })
    }

    /// Brings its schema up to date, making it where there is none; answers with its version before and after.
    pub async fn migrate(&self) -> Result<(i64, i64), OpenError> {
        Ok(match self {
            Self::Folder(dir) => sqlite::migrate(dir).await?,
            Self::Database(url) => postgres::migrate(url).await?,
        })
    }
}
