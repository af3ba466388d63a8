//! Revocations and the audit log in Postgres: one connection beside the writers', each call one statement.
//!
//! A change of revocations counts `meta.revocations` up in the same statement, so whoever sees the new count sees
//! the change, and two that come at once both count.

use super::line;
use crate::persist::ReadError;
use crate::persist::control::{
    AuditLine, Control, ControlError, DEADLINE, Revocation, Revocations, audit_line, in_time, revocation, written,
};
use crate::units::Timestamp;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

/// Longest statement.
const STATEMENT: &str = "3s";

const VERSION: &str = "SELECT value FROM meta WHERE key = 'revocations'";
const ALL: &str = "SELECT id, at, ends, who, player, until, token FROM revocation WHERE ends > $1";
/// Of one statement all parts see the rows as they were before it.
const REVOKE: &str = "WITH ended AS (DELETE FROM revocation WHERE ends <= $2), \
     new AS (INSERT INTO revocation (id, at, ends, who, player, until, token) \
       SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM revocation WHERE ends > $2) < $8 RETURNING 1), \
     changed AS (INSERT INTO meta (key, value) SELECT 'revocations', '1' FROM new \
       ON CONFLICT (key) DO UPDATE SET value = (meta.value::int8 + 1)::text) \
     SELECT count(*) FROM new";
const LIFT: &str = "WITH gone AS (DELETE FROM revocation WHERE id = $1 RETURNING 1), \
     changed AS (INSERT INTO meta (key, value) SELECT 'revocations', '1' FROM gone \
       ON CONFLICT (key) DO UPDATE SET value = (meta.value::int8 + 1)::text) \
     SELECT count(*) FROM gone";
const RECORD: &str = "INSERT INTO audit (id, at, node, who, role, action, target, outcome) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const CONCLUDE: &str = "UPDATE audit SET outcome = $1 WHERE id = $2 AND outcome = 'asked'";
const AUDIT: &str = "SELECT id, at, node, who, role, action, target, outcome FROM audit \
     WHERE $1::text IS NULL OR id < $1 ORDER BY id DESC LIMIT $2";
/// Planned each by itself, so that old lines are found by the index of their time. A line that both mean goes once.
pub(super) const TRIM: &str = "WITH old AS (DELETE FROM audit WHERE at < $1) \
     DELETE FROM audit WHERE id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET $2)";

/// The tables.
#[derive(Debug)]
pub(super) struct PgControl {
    pool: PgPool,
}

impl PgControl {
    /// Connects when first asked.
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(DEADLINE);
        Self { pool: pool.connect_lazy_with(line::settings(options, STATEMENT)) }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
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

    async fn add(&self, revocation: Revocation, max: u32) -> Result<(), ControlError> {
        let (player, until, token) = revocation.columns();
        let query = sqlx::query_scalar::<_, i64>(REVOKE).bind(&revocation.id).bind(revocation.at.as_millis());
        let query = query.bind(revocation.ends.as_millis()).bind(&revocation.by);
        let query = query.bind(player).bind(until).bind(token).bind(i64::from(max));
        match query.fetch_one(&self.pool).await.map_err(refused)? {
            0 => Err(ControlError::Full),
            _ => Ok(()),
        }
    }
}

/// What the database says may quote what was asked, so only the kind of trouble is told on.
fn refused(err: sqlx::Error) -> ControlError {
    ControlError::Unavailable(line::trouble(&err).text().to_owned())
}

fn unreadable(err: sqlx::Error) -> ReadError {
    ReadError::Unavailable(line::trouble(&err).text().to_owned())
}

impl Control for PgControl {
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
        let query = sqlx::query_scalar::<_, i64>(LIFT).bind(id);
        written(async { query.fetch_one(&self.pool).await.map(|gone| gone > 0).map_err(refused) }).boxed()
    }

    fn record(&self, line: AuditLine) -> BoxFuture<'_, Result<(), ControlError>> {
        let query = sqlx::query(RECORD).bind(line.id).bind(line.at.as_millis()).bind(line.node).bind(line.who);
        let query = query.bind(line.role).bind(line.action).bind(line.target).bind(line.outcome);
        written(async { query.execute(&self.pool).await.map(drop).map_err(refused) }).boxed()
    }

    fn conclude(&self, id: String, outcome: String) -> BoxFuture<'_, Result<(), ControlError>> {
        let query = sqlx::query(CONCLUDE).bind(outcome).bind(id);
        written(async { query.execute(&self.pool).await.map(drop).map_err(refused) }).boxed()
    }

    fn audit(&self, before: Option<String>, limit: u32) -> BoxFuture<'_, Result<Vec<AuditLine>, ReadError>> {
        let query = sqlx::query_as(AUDIT).bind(before).bind(i64::from(limit));
        let read = async {
            let rows = query.fetch_all(&self.pool).await.map_err(unreadable)?;
            Ok(rows.into_iter().map(audit_line).collect())
        };
        in_time(read).boxed()
    }

    fn trim(&self, before: Timestamp, keep: u32) -> BoxFuture<'_, Result<(), ControlError>> {
        let query = sqlx::query(TRIM).bind(before.as_millis()).bind(i64::from(keep));
        written(async { query.execute(&self.pool).await.map(drop).map_err(refused) }).boxed()
    }
}
