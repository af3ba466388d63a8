//! The lease: this process tells the database each second that it lives, so that nobody else claims its shards.
//!
//! It only keeps two living nodes from taking shards from each other. What may be written is decided by the epoch
//! alone, so a lease that runs out late, early or unnoticed harms no entry. Time is the database's; here only spans
//! of the monotonic clock count.

use super::line::{Fault, connect};
use super::sql;
use crate::persist::health::Trouble;
use crate::persist::members::{BEAT, TTL, Until};
use crate::persist::writer::Shared;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest wait for one beat.
pub(super) const ANSWER: Duration = Duration::from_secs(1);

/// The lease as this process knows it.
#[derive(Debug)]
pub(super) struct Lease {
    node: Arc<str>,
    /// Until when it runs for certain: counted from before the last beat was sent.
    until: Until,
    /// How many shards this process has claimed.
    claimed: AtomicI64,
    shared: Arc<Shared>,
}

impl Lease {
    /// Takes it, before anything is claimed.
    pub(super) async fn take(
        conn: &mut PgConnection,
        node: Arc<str>,
        shared: Arc<Shared>,
    ) -> Result<Arc<Self>, sqlx::Error> {
        sqlx::query(sql::LEASES_SWEEP).execute(&mut *conn).await?;
        let lease = Self { node, until: Until::over(), claimed: AtomicI64::new(0), shared };
        lease.beat(conn).await?;
        Ok(Arc::new(lease))
    }

    /// Notes shards that were claimed.
    pub(super) fn hold(&self, shards: usize) {
        self.claimed.fetch_max(i64::try_from(shards).unwrap_or(i64::MAX), Ordering::AcqRel);
    }

    /// Notes shards that were claimed beside others.
    pub(super) fn hold_more(&self, shards: usize) {
        self.claimed.fetch_add(i64::try_from(shards).unwrap_or(0), Ordering::AcqRel);
    }

    /// Notes shards that are given up.
    pub(super) fn let_go(&self, shards: usize) {
        let shards = i64::try_from(shards).unwrap_or(i64::MAX);
        let left = |claimed: i64| Some(claimed.saturating_sub(shards).max(0));
        // The closure always has a value.
        let _ = self.claimed.fetch_update(Ordering::AcqRel, Ordering::Acquire, left);
    }

    /// Whether it runs.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.until.runs() { Ok(()) } else { Err(Trouble::Expired.text()) }
    }

    /// For tests: as if no beat had come for long.
    #[cfg(test)]
    pub(super) fn expire(&self) {
        self.until.set(Instant::now());
    }

    async fn beat(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (sent, late) = (Instant::now(), self.check().is_err());
        sqlx::query(sql::LEASE).bind(&*self.node).bind(TTL.as_secs_f64()).execute(&mut *conn).await?;
        // While it did not run, somebody may have claimed what was ours: who decides nothing would never notice.
        if late && self.claimed.load(Ordering::Acquire) > 0 {
            let owned: i64 = sqlx::query_scalar(sql::OWNED).bind(&*self.node).fetch_one(conn).await?;
            if owned < self.claimed.load(Ordering::Acquire) {
                self.shared.lose();
                return Ok(());
            }
        }
        self.until.set(sent + TTL);
        Ok(())
    }

    /// Renews it until told to stop, and then gives it up, so that the next node need not wait.
    pub(super) async fn run(
        self: Arc<Self>,
        options: PgConnectOptions,
        mut conn: Option<PgConnection>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(BEAT) => {}
            }
            conn = self.try_beat(&options, conn).await;
        }
        if let Some(mut conn) = conn {
            let ended = sqlx::query(sql::LEASE_END).bind(&*self.node).execute(&mut conn);
            // If it cannot be given up it runs out.
            let _ = tokio::time::timeout(ANSWER, ended).await;
        }
    }

    /// One beat; `None` when the connection is not to be trusted any more.
    async fn try_beat(&self, options: &PgConnectOptions, conn: Option<PgConnection>) -> Option<PgConnection> {
        let work = async {
            let mut conn = match conn {
                Some(conn) => conn,
                None => connect(options).await?,
            };
            self.beat(&mut conn).await?;
            Ok::<_, Fault>(conn)
        };
        match tokio::time::timeout(ANSWER, work).await {
            Ok(Ok(conn)) => Some(conn),
            Ok(Err(fault)) => {
                tracing::debug!(?fault, "the lease was not renewed");
                None
            }
            Err(_) => None,
        }
    }
}
