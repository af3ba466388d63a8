//! Yardstick: a transaction an event, over a pool, on the journal's own tables. What a server without group commit does.

use super::drive::Sink;
use super::mix::{Mix, Row, entity};
use crate::fault::Fault;
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use waystone::cluster::shard::Shard;

/// Connections: many more make Postgres slower.
const CONNECTIONS: u32 = 16;
const FENCE: &str = "SELECT epoch FROM shard WHERE shard = $1 FOR SHARE";
const EVENT: &str = "INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
                     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10)";
const AWARD: &str = "INSERT INTO award (shard, kind, id, key, seq) VALUES ($1, $2, $3, $4, $5)";

/// The pool, and where each shard ends.
#[derive(Debug)]
pub struct Transactions {
    pool: PgPool,
    mix: Arc<Mix>,
    heads: Vec<AtomicI64>,
}

impl Transactions {
    /// Connects to a database that has the journal's schema.
    pub async fn open(url: &str, mix: &Arc<Mix>) -> Result<Self, Fault> {
        let pool =
            PgPoolOptions::new().min_connections(CONNECTIONS).max_connections(CONNECTIONS).connect(url).await?;
        Ok(Self { pool, mix: Arc::clone(mix), heads: Shard::all().map(|_| AtomicI64::new(0)).collect() })
    }

    /// Disconnects.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn insert(&self, row: Row) -> Result<(), sqlx::Error> {
        let (shard, kind) = (i16::try_from(row.shard.number()).unwrap_or(0), i16::from(row.kind));
        let mut tx = self.pool.begin().await?;
        let epoch: i64 = sqlx::query_scalar(FENCE).bind(shard).fetch_one(&mut *tx).await?;
        let off = self.heads[usize::from(row.shard.number())].fetch_add(1, Ordering::Relaxed) + 1;
        let query = sqlx::query(EVENT).bind(shard).bind(kind).bind(&row.id).bind(row.seq).bind(off).bind(epoch);
        query.bind(&row.cause).bind(row.out_n).bind(row.at).bind(&*row.payload).execute(&mut *tx).await?;
        for award in &row.awards {
            let query = sqlx::query(AWARD).bind(shard).bind(kind).bind(&row.id).bind(award).bind(row.seq);
            query.execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}

impl Sink for Transactions {
    async fn write(&self, n: u64, seq: u64) -> Result<(), Fault> {
        Ok(self.insert(self.mix.row(&entity("tx", n)?, n, seq)).await?)
    }
}
