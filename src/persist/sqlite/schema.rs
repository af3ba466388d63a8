//! The data folder: who may open it, what is in it, and of which version.
//!
//! Promise: one process at a time writes to a folder (an exclusive lock on a file, which the system lets go of when
//! the process ends, however it ends); a folder of a newer version is left alone; only the owner can read it.

use super::sql;
use crate::cluster::shard::SHARDS;
use crate::persist::new_id;
use rusqlite::{Connection, OpenFlags};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlStr};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database's name in the data folder; beside it lie its `-wal` and `-shm`.
pub const DATABASE: &str = "waystone.db";
/// The lock's name in the data folder.
pub const LOCK: &str = "waystone.lock";
/// How long a statement waits for another process's lock, such as an operator's shell; below an append's deadline.
const BUSY: Duration = Duration::from_secs(2);
/// What the writer's connection sets for itself. A page cache of 32 MiB (negative: KiB) holds the upper parts of the
/// indexes. A log of 4,000 pages, 16 MB, is moved into the database by few commits.
const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
                      PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000";
/// Statements that stay prepared: more than there are.
const STATEMENTS: usize = 32;

/// Why a data folder was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be made or opened.
    #[error("the data folder {} cannot be used: {source}; make it writable for this user, or choose another", .dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it.
    #[error("the data folder {} is in use by another Waystone; stop that one, or give this one a folder of its own", .dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// There is nothing to read.
    #[error("there is no journal in {}; name the folder that a Waystone server keeps its data in", .dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// A newer Waystone wrote it.
    #[error("the journal in {} has schema {found}, this version knows up to {known}; use the newer Waystone", .dir.display())]
    Newer {
        /// The folder.
        dir: PathBuf,
        /// The schema found.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// An older Waystone wrote it, and who only reads does not change it.
    #[error("the journal in {} has schema {found}, this version reads {known}; start the server once, it migrates", .dir.display())]
    Older {
        /// The folder.
        dir: PathBuf,
        /// The schema found.
        found: i64,
        /// The one that is needed.
        known: i64,
    },
    /// It is a database, but not such a journal.
    #[error("{} holds something else than a journal of this Waystone: {reason}; choose another folder", .dir.display())]
    Foreign {
        /// The folder.
        dir: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The database cannot be read or written.
    #[error("the journal in {} cannot be opened: {reason}; check the disk, then restore a backup", .dir.display())]
    Store {
        /// The folder.
        dir: PathBuf,
        /// What the database said.
        reason: String,
    },
}

/// The migrations, embedded; the number is the schema's version.
fn migrator() -> Migrator {
    const FIRST: SqlStr = SqlStr::from_static(include_str!("../migrations/sqlite/0001_journal.sql"));
    const SECOND: SqlStr = SqlStr::from_static(include_str!("../migrations/sqlite/0002_snapshot_form.sql"));
    const THIRD: SqlStr = SqlStr::from_static(include_str!("../migrations/sqlite/0003_control.sql"));
    const FOURTH: SqlStr = SqlStr::from_static(include_str!("../migrations/sqlite/0004_audit_at.sql"));
    let migration = |n, name: &'static str, sql| Migration::new(n, name.into(), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![
        migration(1, "journal", FIRST),
        migration(2, "snapshot form", SECOND),
        migration(3, "control", THIRD),
        migration(4, "audit at", FOURTH),
    ])
}

/// The newest schema that this version knows.
pub(super) fn known() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Makes the folder and the database's file where they are missing, for their owner only, and locks the folder.
/// The lock holds as long as the file is kept.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let fault = |source| OpenError::Folder { dir: dir.to_owned(), source };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(fault)?;
    let file = private().create(true).truncate(false).open(dir.join(LOCK)).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => return Err(fault(source)),
    }
    // SQLite gives its other files the mode of this one. It is never opened here once it is there: closing it would
    // let go of SQLite's own locks.
    match private().create_new(true).open(dir.join(DATABASE)) {
        Ok(made) => {
            made.sync_all().map_err(fault)?;
            sync_folder(dir).map_err(fault)?;
        }
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
        Err(err) => return Err(fault(err)),
    }
    Ok(file)
}

/// A new file's name survives a power cut only when its folder is written too.
fn sync_folder(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// How a folder is prepared: before anyone writes entries.
pub(super) fn preparing(dir: &Path) -> SqliteConnectOptions {
    reading(dir).read_only(false).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
}

/// Connects the writer. The database's file is there.
pub(super) fn connect(dir: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(dir.join(DATABASE), flags)?;
    conn.busy_timeout(BUSY)?;
    conn.execute_batch(WRITER)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// How readers connect.
pub(super) fn reading(dir: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(dir.join(DATABASE))
        .read_only(true)
        .foreign_keys(false)
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

/// Brings the schema up to date and answers with the journal's id.
pub(super) async fn prepare(dir: &Path, conn: &mut SqliteConnection) -> Result<String, OpenError> {
    let store = |reason: String| OpenError::Store { dir: dir.to_owned(), reason };
    let (found, known) = (found(conn).await.map_err(|err| store(err.to_string()))?, known());
    if found > known {
        return Err(OpenError::Newer { dir: dir.to_owned(), found, known });
    }
    migrator().run(&mut *conn).await.map_err(|err| store(err.to_string()))?;
    let id = new_id().map_err(store)?;
    for (key, value) in [("id", id), ("shards", SHARDS.to_string())] {
        let set = sqlx::query(sql::META_SET).bind(key).bind(value).execute(&mut *conn).await;
        set.map_err(|err| store(err.to_string()))?;
    }
    identity(dir, conn).await
}

/// For who only reads: checks the schema and answers with the journal's id.
pub(super) async fn check(dir: &Path, conn: &mut SqliteConnection) -> Result<String, OpenError> {
    let store = |err: sqlx::Error| OpenError::Store { dir: dir.to_owned(), reason: err.to_string() };
    let (found, known) = (found(conn).await.map_err(store)?, known());
    match found {
        0 => Err(OpenError::Missing { dir: dir.to_owned() }),
        _ if found > known => Err(OpenError::Newer { dir: dir.to_owned(), found, known }),
        _ if found < known => Err(OpenError::Older { dir: dir.to_owned(), found, known }),
        _ => identity(dir, conn).await,
    }
}

/// The schema's version in the database; 0 is none.
pub(super) async fn found(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(sql::HAS_TABLE).bind("_sqlx_migrations").fetch_one(&mut *conn).await?;
    if tables == 0 { Ok(0) } else { sqlx::query_scalar(sql::SCHEMA).fetch_one(conn).await }
}

/// The journal's id, if this is a journal with as many shards as this version has.
async fn identity(dir: &Path, conn: &mut SqliteConnection) -> Result<String, OpenError> {
    let mut read = [String::new(), String::new()];
    for (slot, key) in read.iter_mut().zip(["id", "shards"]) {
        let value: Result<Option<String>, _> =
            sqlx::query_scalar(sql::META).bind(key).fetch_optional(&mut *conn).await;
        *slot = value
            .map_err(|err| OpenError::Store { dir: dir.to_owned(), reason: err.to_string() })?
            .ok_or_else(|| OpenError::Foreign { dir: dir.to_owned(), reason: format!("it has no {key}") })?;
    }
    let [id, shards] = read;
    if shards == SHARDS.to_string() {
        Ok(id)
    } else {
        let reason = format!("it has {shards} shards, not {SHARDS}");
        Err(OpenError::Foreign { dir: dir.to_owned(), reason })
    }
}
