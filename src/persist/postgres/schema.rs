//! The database: how it is reached, what is in it, of which version, and whether it keeps what it says it has.
//!
//! Promise: schemas only go forward; two nodes that migrate at once come to the same end; a newer schema is left alone;
//! a database that may forget what it has confirmed is refused.

use super::line::{Fault, connect, settings};
use super::sql;
use crate::cluster::shard::SHARDS;
use crate::persist::new_id;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Row, SqlStr};
use std::str::FromStr;
use std::time::Duration;

/// Longest migration: an index on a hundred million entries takes minutes.
const MIGRATION: &str = "1h";
/// How often two nodes that migrate at once may meet before we believe in another cause.
const MEETINGS: u32 = 8;
const MEETING: Duration = Duration::from_millis(250);

/// Why a database was not opened. The address is told without user and password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none.
    #[error("the address of the database is not like postgres://user@host:5432/name: {0}")]
    Address(String),
    /// It cannot be reached.
    #[error("the database {at} cannot be used: {reason}; is it running, and may this user connect?")]
    Unreachable {
        /// Where.
        at: String,
        /// What was said.
        reason: String,
    },
    /// It has no journal.
    #[error("there is no journal in {at}; make one with `waystone migrate --postgres URL`")]
    Missing {
        /// Where.
        at: String,
    },
    /// A newer Waystone wrote it.
    #[error("the journal in {at} has schema {found}, this version knows up to {known}; use the newer Waystone")]
    Newer {
        /// Where.
        at: String,
        /// The schema found.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// An older Waystone wrote it.
    #[error(
        "the journal in {at} has schema {found}, this version needs {known}; run `waystone migrate --postgres URL`"
    )]
    Older {
        /// Where.
        at: String,
        /// The schema found.
        found: i64,
        /// The one that is needed.
        known: i64,
    },
    /// It is a database, but not such a journal.
    #[error("{at} holds something else than a journal of this Waystone: {reason}; choose another database")]
    Foreign {
        /// Where.
        at: String,
        /// What was found.
        reason: String,
    },
    /// It would forget.
    #[error(
        "the database {at} has {setting} = off, so a power cut could take back what players were told; switch it on"
    )]
    Forgetful {
        /// Where.
        at: String,
        /// Which setting.
        setting: &'static str,
    },
    /// Another node bears the name.
    #[error("a living node of the cluster in {at} is called {name} already; choose another name for this one")]
    NameTaken {
        /// Where.
        at: String,
        /// The name.
        name: String,
    },
    /// The others have another key in their data folders.
    #[error(
        "the living nodes of the cluster in {at} have another auth.key in their data folders, so their consoles and the \
         codes at scan steps would not be this node's; copy the file from one of them. If it is the others' that shall \
         go, stop them all first"
    )]
    KeyDiffers {
        /// Where.
        at: String,
    },
    /// A migration failed.
    #[error("the journal in {at} cannot be migrated: {reason}")]
    Migration {
        /// Where.
        at: String,
        /// What was said.
        reason: String,
    },
}

/// An address and how it is told to people.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) options: PgConnectOptions,
    pub(super) at: String,
}

impl Address {
    /// From a URL; what it leaves out comes from the usual PG variables and password file.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(OpenError::Address("it begins with another scheme".to_owned()));
        }
        // The text of the fault could repeat the password.
        let parsed = PgConnectOptions::from_str(url);
        let options = parsed.map_err(|_| OpenError::Address("it cannot be read".to_owned()))?;
        let host = options.get_socket().map_or_else(|| options.get_host().to_owned(), |s| s.display().to_string());
        let at = format!("{}:{}/{}", host, options.get_port(), options.get_database().unwrap_or(""));
        Ok(Self { options, at })
    }

    pub(super) async fn connect(&self, statement: &'static str) -> Result<PgConnection, OpenError> {
        connect(&settings(self.options.clone(), statement)).await.map_err(|fault| self.trouble(fault))
    }

    /// What kept the database from answering at the start, in words.
    pub(super) fn trouble(&self, fault: Fault) -> OpenError {
        let reason = match fault {
            Fault::Refused(trouble) | Fault::Unknown(trouble) => trouble.text().to_owned(),
            Fault::Unique(_) => String::new(),
        };
        OpenError::Unreachable { at: self.at.clone(), reason }
    }

    pub(super) fn fault(&self, err: &sqlx::Error) -> OpenError {
        OpenError::Unreachable { at: self.at.clone(), reason: err.to_string() }
    }
}

/// The migrations, embedded; the number is the schema's version.
fn migrator() -> Migrator {
    const FIRST: SqlStr = SqlStr::from_static(include_str!("../migrations/postgres/0001_journal.sql"));
    const SECOND: SqlStr = SqlStr::from_static(include_str!("../migrations/postgres/0002_cluster.sql"));
    const THIRD: SqlStr = SqlStr::from_static(include_str!("../migrations/postgres/0003_control.sql"));
    const FOURTH: SqlStr = SqlStr::from_static(include_str!("../migrations/postgres/0004_audit_at.sql"));
    let migrations = [(1, "journal", FIRST), (2, "cluster", SECOND), (3, "control", THIRD), (4, "audit at", FOURTH)];
    let simple =
        |(n, name, sql): (i64, &'static str, _)| Migration::new(n, name.into(), MigrationType::Simple, sql, false);
    let mut migrator = Migrator::with_migrations(migrations.into_iter().map(simple).collect());
    // Without advisory locks, which not every database that speaks this protocol has: see [`migrate`].
    migrator.set_locking(false);
    migrator
}

/// For tests: a database as an older version left it.
#[cfg(test)]
pub(super) async fn migrate_to(address: &Address, version: i64) {
    let mut conn = address.connect(MIGRATION).await.expect("the server runs");
    migrator().run_to(version, &mut conn).await.expect("a new database");
    for (key, value) in [("id", "0123456789abcdef".to_owned()), ("shards", SHARDS.to_string())] {
        sqlx::query(sql::META_SET).bind(key).bind(value).execute(&mut conn).await.expect("it has the table");
    }
}

/// The newest schema that this version knows.
pub(super) fn known() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Brings the schema up to date; answers with its version before and after. Each migration is one transaction, so of
/// two nodes that come to the same one at once one fails whole, and finds it done when it looks again.
pub(super) async fn migrate(address: &Address) -> Result<(i64, i64), OpenError> {
    let mut conn = address.connect(MIGRATION).await?;
    let before = found(&mut conn).await.map_err(|err| address.fault(&err))?;
    if before > known() {
        return Err(OpenError::Newer { at: address.at.clone(), found: before, known: known() });
    }
    let mut meeting = 0;
    while let Err(err) = migrator().run_direct(None, &mut conn, false).await {
        meeting += 1;
        if meeting >= MEETINGS {
            return Err(OpenError::Migration { at: address.at.clone(), reason: err.to_string() });
        }
        tokio::time::sleep(MEETING * meeting).await;
    }
    let id = new_id().map_err(|reason| OpenError::Migration { at: address.at.clone(), reason })?;
    for (key, value) in [("id", id), ("shards", SHARDS.to_string())] {
        let set = sqlx::query(sql::META_SET).bind(key).bind(value).execute(&mut conn).await;
        set.map_err(|err| address.fault(&err))?;
    }
    Ok((before, known()))
}

/// Checks the schema and answers with the journal's id.
pub(super) async fn check(address: &Address, conn: &mut PgConnection) -> Result<String, OpenError> {
    let at = || address.at.clone();
    let (found, known) = (found(conn).await.map_err(|err| address.fault(&err))?, known());
    match found {
        0 => Err(OpenError::Missing { at: at() }),
        _ if found > known => Err(OpenError::Newer { at: at(), found, known }),
        _ if found < known => Err(OpenError::Older { at: at(), found, known }),
        _ => identity(address, conn).await,
    }
}

/// Whether what the database confirms survives a power cut.
pub(super) async fn check_durability(address: &Address, conn: &mut PgConnection) -> Result<(), OpenError> {
    let row = sqlx::query(sql::DURABILITY).fetch_one(conn).await.map_err(|err| address.fault(&err))?;
    for (column, setting) in ["fsync", "synchronous_commit", "full_page_writes"].into_iter().enumerate() {
        let value: String = row.try_get(column).map_err(|err| address.fault(&err))?;
        if value == "off" {
            return Err(OpenError::Forgetful { at: address.at.clone(), setting });
        }
    }
    Ok(())
}

/// The schema's version in the database; 0 is none.
async fn found(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(sql::HAS_TABLE).bind("_sqlx_migrations").fetch_one(&mut *conn).await?;
    if tables == 0 { Ok(0) } else { sqlx::query_scalar(sql::SCHEMA).fetch_one(conn).await }
}

/// The journal's id, if this is a journal with as many shards as this version has.
async fn identity(address: &Address, conn: &mut PgConnection) -> Result<String, OpenError> {
    let foreign = |reason: String| OpenError::Foreign { at: address.at.clone(), reason };
    let mut read = [String::new(), String::new()];
    for (slot, key) in read.iter_mut().zip(["id", "shards"]) {
        let value: Option<String> = sqlx::query_scalar(sql::META)
            .bind(key)
            .fetch_optional(&mut *conn)
            .await
            .map_err(|err| address.fault(&err))?;
        *slot = value.ok_or_else(|| foreign(format!("it has no {key}")))?;
    }
    let [id, shards] = read;
    if shards == SHARDS.to_string() { Ok(id) } else { Err(foreign(format!("it has {shards} shards, not {SHARDS}"))) }
}
