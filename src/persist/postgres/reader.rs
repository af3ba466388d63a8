//! Reading: a few connections that cannot write, beside the writers.
//!
//! A handle that only reads sees one moment: the heads of all shards, taken in one statement when it was opened, are
//! where everything it reads ends. The journal only grows, so that is a consistent view without any open transaction.

use super::batch::{Keys, int, number, shard, uint};
use super::line::settings;
use super::loads::{Answers, Loads};
use super::sql;
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, QuestId};
use crate::persist::{ESTATE_ENTRIES, Estate, Loaded, PublishedSource, ReadError, Stored, record};
use crate::units::Timestamp;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{PgConnection, Row};
use std::collections::HashMap;
use std::time::Duration;

/// Connections: entities that start, and a long scan beside them; a database has some hundred in all.
const CONNECTIONS: u32 = 4;
/// Those that are kept though nobody reads: whoever takes over a dead node's shards should not have to connect first.
const KEPT: u32 = 2;
/// Longest wait for a connection, and then for an answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest statement.
const STATEMENT: &str = "5s";
/// Entries in one page at most, some 2 MB: who wants more asks again.
const PAGE: u32 = 4096;

/// The pool, and where reading ends.
#[derive(Debug)]
pub(super) struct Reader {
    pool: PgPool,
    loads: Loads,
    cut: Option<HashMap<Shard, Cut>>,
}

/// Where one shard ends for who sees one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    head: i64,
    acked: i64,
    epoch: i64,
}

impl Reader {
    /// Connects when first asked.
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { pool: pool(options), loads: Loads::new(), cut: None }
    }

    /// The same, of one moment.
    pub(super) fn of_one_moment(options: PgConnectOptions, cut: HashMap<Shard, Cut>) -> Self {
        Self { pool: pool(options), loads: Loads::new(), cut: Some(cut) }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    fn head(&self, shard: Shard) -> i64 {
        self.cut.as_ref().map_or(i64::MAX, |cut| cut.get(&shard).map_or(0, |cut| cut.head))
    }

    /// One entity, from its snapshot on; together with others, where many are asked for.
    pub(super) async fn load(&self, entity: &EntityId) -> Result<Loaded, ReadError> {
        let ask = |entities: Vec<EntityId>| async move { in_time(self.load_many(&entities, true)).await };
        in_time(self.loads.one(entity, ask)).await
    }

    /// One entity, from its first entry on.
    pub(super) async fn load_entries(&self, entity: &EntityId) -> Result<Loaded, ReadError> {
        let loaded = in_time(self.load_many(std::slice::from_ref(entity), false)).await?;
        loaded.into_iter().next().unwrap_or_else(|| Ok(Loaded::default()))
    }

    /// A page of a shard's entities, in order.
    pub(super) async fn load_page(
        &self,
        shard: Shard,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Result<Loaded, ReadError>)>, ReadError> {
        let (kind, key) = after.map_or((0, ""), |after| (i16::from(after.kind()), after.key()));
        let read = async {
            let query = sqlx::query(sql::ENTITIES).bind(number(shard)).bind(kind).bind(key);
            let rows = query.bind(i64::from(limit.min(PAGE))).fetch_all(&self.pool).await.map_err(unavailable)?;
            let entities = rows.iter().map(|row| entity(row, 0)).collect::<Result<Vec<_>, _>>()?;
            let loaded = self.load_many(&entities, true).await?;
            Ok(entities.into_iter().zip(loaded).collect())
        };
        in_time(read).await
    }

    /// Many entities in one question.
    async fn load_many(&self, entities: &[EntityId], snapshots: bool) -> Result<Answers, ReadError> {
        let mut keys = Keys::default();
        entities.iter().for_each(|entity| keys.push(Shard::of(entity), entity));
        let cuts: Vec<i64> = entities.iter().map(|entity| self.head(Shard::of(entity))).collect();
        let form = if snapshots { record::SNAPSHOT_FORM } else { 0 };
        let query = sqlx::query(sql::LOAD).bind(keys.shard).bind(keys.kind).bind(keys.id).bind(cuts).bind(form);
        let mut rows = query.fetch(&self.pool);
        let mut found: Answers = entities.iter().map(|_| Ok(Loaded::default())).collect();
        while let Some(row) = rows.try_next().await.map_err(unavailable)? {
            let place = usize::try_from(number_of(&row, 0)?.saturating_sub(1)).unwrap_or(usize::MAX);
            let (Some(entity), Some(slot)) = (entities.get(place), found.get_mut(place)) else { continue };
            if let Ok(loaded) = slot
                && let Err(fault) = take(entity, loaded, &row)
            {
                *slot = Err(fault);
            }
        }
        Ok(found)
    }

    pub(super) async fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        let acked = self.cut.as_ref().map(|cut| cut.get(&shard).map_or(0, |cut| cut.acked));
        let query = sqlx::query(sql::UNDELIVERED).bind(number(shard)).bind(int(after));
        self.page(query.bind(i64::from(limit.min(PAGE))).bind(self.head(shard)).bind(acked)).await
    }

    pub(super) async fn scan(&self, shard: Shard, after: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        let query = sqlx::query(sql::SCAN).bind(number(shard)).bind(int(after));
        self.page(query.bind(i64::from(limit.min(PAGE))).bind(self.head(shard))).await
    }

    /// Entries in order; a page ends before one that cannot be read, unless it is the first.
    async fn page(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> Result<Vec<Stored>, ReadError> {
        let read = async {
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

    /// What is left to do in many shards, in their order, in two questions; `after`: what is known to be delivered.
    pub(super) async fn estates(&self, shards: &[Shard], after: Vec<i64>) -> Result<Vec<Estate>, ReadError> {
        let numbers: Vec<i16> = shards.iter().copied().map(number).collect();
        let read = async {
            let query = sqlx::query(sql::LEFT).bind(numbers).bind(after).bind(i64::from(ESTATE_ENTRIES));
            let rows = query.fetch_all(&self.pool).await.map_err(unavailable)?;
            let mut left: HashMap<Shard, Option<Vec<Stored>>> = HashMap::new();
            for row in &rows {
                let entries = left.entry(Shard::of(&entity(row, 0)?)).or_insert_with(|| Some(Vec::new()));
                match (stored(row), &mut *entries) {
                    (Ok(stored), Some(entries)) => entries.push(stored),
                    // They are read by pages, which name the fault.
                    _ => *entries = None,
                }
            }
            Ok(left)
        };
        let mut left = in_time(read).await?;
        let mut wakes: HashMap<Shard, Vec<(EntityId, Timestamp)>> = HashMap::new();
        for wake in self.wakes(shards).await? {
            wakes.entry(Shard::of(&wake.0)).or_default().push(wake);
        }
        let estate = |&shard| {
            let undelivered = left.remove(&shard).unwrap_or_else(|| Some(Vec::new()));
            let undelivered = undelivered.filter(|entries| entries.len() < ESTATE_ENTRIES as usize);
            Estate { shard, undelivered, wakes: wakes.remove(&shard).unwrap_or_default() }
        };
        Ok(shards.iter().map(estate).collect())
    }

    /// Who of these shards wants to be woken, and when.
    pub(super) async fn wakes(&self, shards: &[Shard]) -> Result<Vec<(EntityId, Timestamp)>, ReadError> {
        let numbers: Vec<i16> = shards.iter().copied().map(number).collect();
        let read = async {
            let query = sqlx::query(sql::WAKES).bind(numbers);
            let rows = query.fetch_all(&self.pool).await.map_err(unavailable)?;
            let wake = |row: &PgRow| {
                let due = row.try_get(2).map_err(unavailable)?;
                Ok((entity(row, 0)?, Timestamp::from_millis(due)))
            };
            rows.iter().map(wake).collect()
        };
        in_time(read).await
    }

    pub(super) async fn epoch(&self, shard: Shard) -> Result<u64, ReadError> {
        if let Some(cut) = &self.cut {
            return Ok(cut.get(&shard).map_or(0, |cut| uint(cut.epoch)));
        }
        let read = async {
            let query = sqlx::query_scalar(sql::EPOCH).bind(number(shard));
            query.fetch_one(&self.pool).await.map(uint).map_err(unavailable)
        };
        in_time(read).await
    }

    pub(super) async fn published(&self) -> Result<Vec<PublishedSource>, ReadError> {
        let read = async {
            let rows = sqlx::query(sql::QUESTS).fetch_all(&self.pool).await.map_err(unavailable)?;
            rows.iter().map(quest).collect()
        };
        in_time(read).await
    }
}

/// Where all shards end at this moment.
pub(super) async fn cut(conn: &mut PgConnection) -> Result<HashMap<Shard, Cut>, sqlx::Error> {
    let rows = sqlx::query(sql::HEADS).fetch_all(conn).await?;
    let mut cuts = HashMap::with_capacity(rows.len());
    for row in &rows {
        if let Some(shard) = shard(row.try_get(0)?) {
            cuts.insert(shard, Cut { head: row.try_get(1)?, acked: row.try_get(2)?, epoch: row.try_get(3)? });
        }
    }
    Ok(cuts)
}

fn pool(options: PgConnectOptions) -> PgPool {
    let options = settings(options, STATEMENT).options([("default_transaction_read_only", "on")]);
    // A connection that was lost is noticed before it is used, and one that is idle costs the database memory.
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .min_connections(KEPT)
        .acquire_timeout(DEADLINE)
        .idle_timeout(Duration::from_secs(60))
        .connect_lazy_with(options)
}

async fn in_time<T>(read: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    let late = |_| Err(ReadError::Unavailable("the database did not answer in time".to_owned()));
    tokio::time::timeout(DEADLINE, read).await.unwrap_or_else(late)
}

/// A row of [`sql::LOAD`].
fn take(entity: &EntityId, loaded: &mut Loaded, row: &PgRow) -> Result<(), ReadError> {
    let snapshot: Option<i64> = row.try_get(1).map_err(unavailable)?;
    let found = row.try_get::<Option<i64>, _>(3).map_err(unavailable)?.map(uint);
    if let (Some(seq), None) = (snapshot, &loaded.snapshot) {
        let state: Option<Vec<u8>> = row.try_get(2).map_err(unavailable)?;
        // It comes with the entry after it; where another comes first, that one is what is missing.
        let state = state.ok_or_else(|| record::missing(entity, uint(seq) + 1, found.unwrap_or(0)))?;
        loaded.snapshot = Some((uint(seq), state));
    }
    let Some(found) = found else { return Ok(()) };
    let last = loaded.tail.last().map(|entry| entry.seq);
    let seq = last.or(loaded.snapshot.as_ref().map(|(seq, _)| *seq)).unwrap_or(0) + 1;
    if found != seq {
        return Err(record::missing(entity, seq, found));
    }
    loaded.tail.push(record::decode(entity, 0, seq, form(row, 4)?, bytes(row, 5)?)?);
    Ok(())
}

fn quest(row: &PgRow) -> Result<PublishedSource, ReadError> {
    let id: String = row.try_get(0).map_err(unavailable)?;
    let fault = |reason: String| record::corrupt(&format_args!("quest/{id:?}"), 0, 0, reason);
    let quest = QuestId::new(&id).map_err(|err| fault(err.to_string()))?;
    let source = String::from_utf8(row.try_get(2).map_err(unavailable)?).map_err(|err| fault(err.to_string()))?;
    Ok(PublishedSource { quest, version: form(row, 1)?, source })
}

/// A row of [`sql::SCAN`] or [`sql::UNDELIVERED`].
fn stored(row: &PgRow) -> Result<Stored, ReadError> {
    let (seq, offset) = (number_of(row, 2)?, number_of(row, 3)?);
    let entity = entity(row, offset)?;
    let entry = record::decode(&entity, offset, seq, form(row, 5)?, bytes(row, 6)?)?;
    Ok(Stored { entity, offset, epoch: number_of(row, 4)?, entry })
}

/// The entity that a row names in its first two columns.
fn entity(row: &PgRow, offset: u64) -> Result<EntityId, ReadError> {
    let (kind, key): (i16, &str) = (row.try_get(0).map_err(unavailable)?, row.try_get(1).map_err(unavailable)?);
    record::entity(i64::from(kind), key, offset)
}

fn number_of(row: &PgRow, column: usize) -> Result<u64, ReadError> {
    row.try_get(column).map(uint).map_err(unavailable)
}

/// A version; one beyond our numbers is as unknown as any other.
fn form(row: &PgRow, column: usize) -> Result<u32, ReadError> {
    let form: i32 = row.try_get(column).map_err(unavailable)?;
    Ok(u32::try_from(form).unwrap_or(u32::MAX))
}

fn bytes(row: &PgRow, column: usize) -> Result<&[u8], ReadError> {
    row.try_get(column).map_err(unavailable)
}

/// A fault of reading. What the database says may quote what players said, so only its code is told on.
fn unavailable(err: sqlx::Error) -> ReadError {
    let code = err.as_database_error().and_then(|fault| fault.code().map(|code| code.into_owned()));
    ReadError::Unavailable(match code {
        Some(code) => format!("the database answers {code} ({})", super::line::trouble(&err).text()),
        None => match err {
            sqlx::Error::PoolTimedOut => "no connection for reading was free in time".to_owned(),
            sqlx::Error::Io(err) => format!("the connection to the database failed: {}", err.kind()),
            sqlx::Error::ColumnDecode { index, .. } => {
                format!("column {index} of the database's answer is not as expected")
            }
            other => super::line::trouble(&other).text().to_owned(),
        },
    })
}
