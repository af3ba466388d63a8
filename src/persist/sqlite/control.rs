//! Revocations and the audit log in SQLite: a connection of its own beside the writer's, for a few rows a minute.
//!
//! It takes SQLite's lock for as long as one commit; the writer waits that out, as it does for a checkpoint.

use crate::persist::ReadError;
use crate::persist::control::{
    AuditLine, Control, ControlError, DEADLINE, Revocation, Revocations, audit_line, in_time, revocation, written,
};
use crate::units::Timestamp;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Pool, Sqlite};

const VERSION: &str = "SELECT value FROM meta WHERE key = 'revocations'";
const ALL: &str = "SELECT id, at, ends, who, player, until, token FROM revocation WHERE ends > ?";
const ENDED: &str = "DELETE FROM revocation WHERE ends <= ?";
const REVOKE: &str = "INSERT INTO revocation (id, at, ends, who, player, until, token) \
     SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM revocation) < ?";
const LIFT: &str = "DELETE FROM revocation WHERE id = ?";
const CHANGED: &str = "INSERT INTO meta (key, value) VALUES ('revocations', '1') \
     ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1";
const RECORD: &str =
    "INSERT INTO audit (id, at, node, who, role, action, target, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const CONCLUDE: &str = "UPDATE audit SET outcome = ? WHERE id = ? AND outcome = 'asked'";
const AUDIT: &str = "SELECT id, at, node, who, role, action, target, outcome FROM audit \
     WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2";
/// By the two indexes, one for each half.
pub(super) const TRIM: &str = "DELETE FROM audit WHERE at < ?1 \
     OR id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?2)";
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The tables.
#[derive(Debug)]
pub(super) struct SqliteControl {
    pool: Pool<Sqlite>,
}

impl SqliteControl {
    /// Connects when first asked; writes only where the options allow it.
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(DEADLINE).idle_timeout(None);
        Self { pool: pool.max_lifetime(None).test_before_acquire(false).connect_lazy_with(options) }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn add(&self, revocation: Revocation, max: u32) -> Result<(), ControlError> {
        let mut tx = self.pool.begin_with(BEGIN).await.map_err(refused)?;
        sqlx::query(ENDED).bind(revocation.at.as_millis()).execute(&mut *tx).await.map_err(refused)?;
        let (player, until, token) = revocation.columns();
        let query = sqlx::query(REVOKE).bind(&revocation.id).bind(revocation.at.as_millis());
        let query = query.bind(revocation.ends.as_millis()).bind(&revocation.by);
        let query = query.bind(player).bind(until).bind(token).bind(max);
        if query.execute(&mut *tx).await.map_err(refused)?.rows_affected() == 0 {
            return Err(ControlError::Full);
        }
        sqlx::query(CHANGED).execute(&mut *tx).await.map_err(refused)?;
        tx.commit().await.map_err(refused)
    }

    async fn remove(&self, id: String) -> Result<bool, ControlError> {
        let mut tx = self.pool.begin_with(BEGIN).await.map_err(refused)?;
        let removed = sqlx::query(LIFT).bind(id).execute(&mut *tx).await.map_err(refused)?.rows_affected() > 0;
        if removed {
            sqlx::query(CHANGED).execute(&mut *tx).await.map_err(refused)?;
        }
        tx.commit().await.map_err(refused)?;
        Ok(removed)
    }

    async fn read(&self, known: Option<i64>, now: Timestamp) -> Result<Option<Revocations>, ReadError> {
        let version: Option<String> =
            sqlx::query_scalar(VERSION).fetch_optional(&self.pool).await.map_err(unreadable)?;
        let version = version.and_then(|text| text.parse().ok()).unwrap_or(0);
        if known == Some(version) {
            return Ok(None);
        }
        let rows = sqlx::query_as(ALL).bind(now.as_millis()).fetch_all(&self.pool).await.map_err(unreadable)?;
        Ok(Some(Revocations { version, all: rows.into_iter().map(revocation).collect::<Result<_, _>>()? }))
    }
}

fn refused(err: sqlx::Error) -> ControlError {
    ControlError::Unavailable(err.to_string())
}

fn unreadable(err: sqlx::Error) -> ReadError {
    ReadError::Unavailable(err.to_string())
}

impl Control for SqliteControl {
    fn revocations(
        &self,
        known: Option<i64>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Revocations>, ReadError>> {
        in_time(self.read(known, now)).boxed()
    }

    fn revoke(&self, revocation: Revocation, max: u32) -> BoxFuture<'_, Result<(), ControlError>> {
        written(self.add(revocation, max)).boxed()
    }

    fn lift(&self, id: String) -> BoxFuture<'_, Result<bool, ControlError>> {
        written(self.remove(id)).boxed()
    }

    fn record(&self, line: AuditLine) -> BoxFuture<'_, Result<(), ControlError>> {
        let write = async move {
            let query = sqlx::query(RECORD).bind(line.id).bind(line.at.as_millis()).bind(line.node).bind(line.who);
            let query = query.bind(line.role).bind(line.action).bind(line.target).bind(line.outcome);
            query.execute(&self.pool).await.map(drop).map_err(refused)
        };
        written(write).boxed()
    }

    fn conclude(&self, id: String, outcome: String) -> BoxFuture<'_, Result<(), ControlError>> {
        let query = sqlx::query(CONCLUDE).bind(outcome).bind(id);
        written(async { query.execute(&self.pool).await.map(drop).map_err(refused) }).boxed()
    }

    fn audit(&self, before: Option<String>, limit: u32) -> BoxFuture<'_, Result<Vec<AuditLine>, ReadError>> {
        let read = async move {
            let rows =
                sqlx::query_as(AUDIT).bind(before).bind(limit).fetch_all(&self.pool).await.map_err(unreadable)?;
            Ok(rows.into_iter().map(audit_line).collect())
        };
        in_time(read).boxed()
    }

    fn trim(&self, before: Timestamp, keep: u32) -> BoxFuture<'_, Result<(), ControlError>> {
        let query = sqlx::query(TRIM).bind(before.as_millis()).bind(keep);
        written(async { query.execute(&self.pool).await.map(drop).map_err(refused) }).boxed()
    }
}
