//! Reading: a few connections that cannot write, beside the writer and never in its way (WAL).

use super::batch::{int, uint};
use super::sql;
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, QuestId};
use crate::persist::{Loaded, PublishedSource, ReadError, Stored, record};
use crate::units::Timestamp;
use futures_util::{FutureExt, TryStreamExt};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteRow};
use sqlx::{Pool, Row, Sqlite};
use std::time::Duration;

/// Two: one for entities that start, one for a long scan beside it.
const CONNECTIONS: u32 = 2;
/// Longest wait for a connection, and then for an answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Entries in one page at most, some 2 MB: who wants more asks again.
const PAGE: u32 = 4096;

/// The pool.
#[derive(Debug)]
pub(super) struct Reader {
    pool: Pool<Sqlite>,
}

impl Reader {
    /// Connects when first asked.
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self { pool: pool().max_connections(CONNECTIONS).connect_lazy_with(options) }
    }

    /// The same, but all that is ever read is of one moment: that of the first question. One connection within one
    /// transaction, which SQLite gives a view of its own.
    pub(super) fn of_one_moment(options: SqliteConnectOptions) -> Self {
        let pool = pool().max_connections(1).after_connect(|conn, _| {
            async { sqlx::query(sql::BEGIN_READING).execute(conn).await.map(|_| ()) }.boxed()
        });
        Self { pool: pool.connect_lazy_with(options) }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// One entity; from its snapshot on if `snapshots`.
    pub(super) async fn load(&self, entity: &EntityId, snapshots: bool) -> Result<Loaded, ReadError> {
        in_time(async {
            let mut conn = self.pool.acquire().await.map_err(unavailable)?;
            load(&mut conn, entity, snapshots).await
        })
        .await
    }

    /// A page of a shard's entities, in order.
    pub(super) async fn load_page(
        &self,
        shard: Shard,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Result<Loaded, ReadError>)>, ReadError> {
        let (kind, key) = after.map_or((0, ""), |after| (after.kind(), after.key()));
        let read = async {
            let mut conn = self.pool.acquire().await.map_err(unavailable)?;
            let query = sqlx::query(sql::ENTITIES).bind(shard.number()).bind(kind).bind(key);
            let rows = query.bind(limit.min(PAGE)).fetch_all(&mut *conn).await.map_err(unavailable)?;
            let mut page = Vec::with_capacity(rows.len());
            for row in &rows {
                let entity = entity(row, 0)?;
                let loaded = load(&mut conn, &entity, true).await;
                page.push((entity, loaded));
            }
            Ok(page)
        };
        in_time(read).await
    }

    pub(super) async fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        self.page(sql::UNDELIVERED, shard, after, limit).await
    }

    pub(super) async fn scan(&self, shard: Shard, after: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        self.page(sql::SCAN, shard, after, limit).await
    }

    /// Entries in order; a page ends before one that cannot be read, unless it is the first.
    async fn page(&self, sql: &'static str, shard: Shard, after: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        let read = async {
            let query = sqlx::query(sql).bind(shard.number()).bind(int(after)).bind(limit.min(PAGE));
            let (mut rows, mut page) = (query.fetch(&self.pool), Vec::new());
            while let Some(row) = rows.try_next().await.map_err(unavailable)? {
                match stored(&row) {
                    Ok(stored) => page.push(stored),
                    Err(err) if page.is_empty() => return Err(err),
                    Err(_) => break,
                }
            }
            Ok(page)
        };
        in_time(read).await
    }

    pub(super) async fn epoch(&self, shard: Shard) -> Result<u64, ReadError> {
        let query = sqlx::query(sql::EPOCH).bind(shard.number());
        in_time(async { number(&query.fetch_one(&self.pool).await.map_err(unavailable)?, 0) }).await
    }

    pub(super) async fn wakes(&self, shard: Shard) -> Result<Vec<(EntityId, Timestamp)>, ReadError> {
        let read = async {
            let rows =
                sqlx::query(sql::WAKES).bind(shard.number()).fetch_all(&self.pool).await.map_err(unavailable)?;
            let wake = |row: &SqliteRow| {
                let due = row.try_get(2).map_err(unavailable)?;
                Ok((entity(row, 0)?, Timestamp::from_millis(due)))
            };
            rows.iter().map(wake).collect()
        };
        in_time(read).await
    }

    pub(super) async fn published(&self) -> Result<Vec<PublishedSource>, ReadError> {
        let read = async {
            let rows = sqlx::query(sql::QUESTS).fetch_all(&self.pool).await.map_err(unavailable)?;
            let quest = |row: &SqliteRow| {
                let id: String = row.try_get(0).map_err(unavailable)?;
                let quest = QuestId::new(&id)
                    .map_err(|err| record::corrupt(&format_args!("quest/{id:?}"), 0, 0, err.to_string()))?;
                let source = row.try_get(2).map_err(unavailable)?;
                Ok(PublishedSource { quest, version: form_of(row, 1)?, source })
            };
            rows.iter().map(quest).collect()
        };
        in_time(read).await
    }
}

async fn load(conn: &mut SqliteConnection, entity: &EntityId, snapshots: bool) -> Result<Loaded, ReadError> {
    let shard = Shard::of(entity).number();
    let form = if snapshots { record::SNAPSHOT_FORM } else { 0 };
    let query = sqlx::query(sql::SNAPSHOT).bind(shard).bind(entity.kind()).bind(entity.key()).bind(form);
    let snapshot = match query.fetch_optional(&mut *conn).await.map_err(unavailable)? {
        Some(row) => Some((number(&row, 0)?, row.try_get(1).map_err(unavailable)?)),
        None => None,
    };
    let mut seq = snapshot.as_ref().map_or(0, |(seq, _)| *seq);
    let query = sqlx::query(sql::TAIL).bind(shard).bind(entity.kind()).bind(entity.key()).bind(int(seq));
    let (mut rows, mut tail) = (query.fetch(conn), Vec::new());
    while let Some(row) = rows.try_next().await.map_err(unavailable)? {
        seq += 1;
        let found = number(&row, 0)?;
        if found != seq {
            return Err(record::missing(entity, seq, found));
        }
        tail.push(record::decode(entity, 0, seq, form_of(&row, 1)?, bytes(&row, 2)?)?);
    }
    Ok(Loaded { snapshot, tail })
}

fn pool() -> SqlitePoolOptions {
    // A connection that is there stays: it is cheap, and may stand within a transaction.
    SqlitePoolOptions::new()
        .acquire_timeout(DEADLINE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

async fn in_time<T>(read: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    let late = |_| Err(ReadError::Unavailable("the database did not answer in time".to_owned()));
    tokio::time::timeout(DEADLINE, read).await.unwrap_or_else(late)
}

/// A row of [`sql::SCAN`] or [`sql::UNDELIVERED`].
fn stored(row: &SqliteRow) -> Result<Stored, ReadError> {
    let (seq, offset) = (number(row, 2)?, number(row, 3)?);
    let entity = entity(row, offset)?;
    let entry = record::decode(&entity, offset, seq, form_of(row, 4)?, bytes(row, 5)?)?;
    Ok(Stored { entity, offset, epoch: number(row, 6)?, entry })
}

/// The entity that a row names in its first two columns.
fn entity(row: &SqliteRow, offset: u64) -> Result<EntityId, ReadError> {
    let (kind, key): (i64, &str) = (row.try_get(0).map_err(unavailable)?, row.try_get(1).map_err(unavailable)?);
    record::entity(kind, key, offset)
}

fn number(row: &SqliteRow, column: usize) -> Result<u64, ReadError> {
    row.try_get(column).map(uint).map_err(unavailable)
}

/// A version; one beyond our numbers is as unknown as any other.
fn form_of(row: &SqliteRow, column: usize) -> Result<u32, ReadError> {
    Ok(u32::try_from(number(row, column)?).unwrap_or(u32::MAX))
}

fn bytes(row: &SqliteRow, column: usize) -> Result<&[u8], ReadError> {
    row.try_get(column).map_err(unavailable)
}

fn unavailable(err: sqlx::Error) -> ReadError {
    ReadError::Unavailable(err.to_string())
}
