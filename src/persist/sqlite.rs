//! The journal in SQLite: the store that comes with Waystone and needs nothing installed.
//!
//! One thread writes, with rusqlite; a few connections read, with sqlx; both over one folder that no other process
//! can open. sqlx hops to a thread of its own for each statement, which a batch of many pays many times.
//! Promise: as [`super`] says, by WAL with `synchronous=FULL` and a fence in each transaction.

use super::desk::Desk;
use super::health::{Health, Trouble};
use super::writer::Shared;
use super::{Append, AppendError, Claim, Control, Journal, Loaded, LoadedPage, PublishedSource, ReadError, Stored};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::units::Timestamp;
use backend::SqliteBackend;
use control::SqliteControl;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use line::Line;
use reader::Reader;
use sqlx::{ConnectOptions, Connection};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

mod backend;
mod batch;
mod control;
mod line;
mod reader;
mod schema;
mod sql;
#[cfg(test)]
mod tests;

pub use schema::{DATABASE, LOCK, OpenError};

/// How a journal is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an append, a claim or a publication may wait for its turn before it is called back.
    pub deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5) }
    }
}

/// Brings a folder's schema up to date, making the journal where there is none; answers with its version before and
/// after. Opening a folder does the same.
pub async fn migrate(dir: &Path) -> Result<(i64, i64), OpenError> {
    let _lock = schema::lock(dir)?;
    let store = |err: sqlx::Error| OpenError::Store { dir: dir.to_owned(), reason: err.to_string() };
    let mut conn = schema::preparing(dir).connect().await.map_err(store)?;
    let before = schema::found(&mut conn).await.map_err(store)?;
    schema::prepare(dir, &mut conn).await?;
    conn.close().await.map_err(store)?;
    Ok((before, schema::known()))
}

/// A journal in a folder.
#[derive(Debug)]
pub struct SqliteJournal {
    id: String,
    reader: Reader,
    desk: Desk,
    control: Arc<SqliteControl>,
}

impl SqliteJournal {
    /// Opens a data folder, making it or bringing its schema up to date where needed. No other process can open it
    /// until this one closes the journal or ends.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = schema::lock(dir)?;
        Self::open_locked(dir, options, Some(lock)).await
    }

    async fn open_locked(dir: &Path, options: Options, lock: Option<std::fs::File>) -> Result<Self, OpenError> {
        let store = |reason: String| OpenError::Store { dir: dir.to_owned(), reason };
        let mut conn = schema::preparing(dir).connect().await.map_err(|err| store(err.to_string()))?;
        let id = schema::prepare(dir, &mut conn).await?;
        conn.close().await.map_err(|err| store(err.to_string()))?;
        let conn = schema::connect(dir).map_err(|err| store(err.to_string()))?;
        let shared = Shared::new(Health::default());
        let backend = SqliteBackend::new(Line::new(dir.to_owned(), conn, shared.clone()), shared.clone(), lock);
        let desk = Desk::open(vec![backend], shared, options.deadline);
        let control = Arc::new(SqliteControl::new(schema::preparing(dir)));
        Ok(Self { id, reader: Reader::new(schema::reading(dir)), desk, control })
    }

    /// For tests: a second writer on the same folder, as if the lock had failed. What is left then is the fence.
    #[cfg(any(test, feature = "faults"))]
    pub async fn open_unlocked(dir: &Path) -> Result<Self, OpenError> {
        Self::open_locked(dir, Options::default(), None).await
    }

    /// Opens a data folder for reading, also beside a running server; changes nothing and takes no lock. Whatever
    /// would write answers `Unavailable`. All that is read is of one moment, or who compares one shard with another
    /// would see an effect without its cause.
    pub async fn open_read_only(dir: &Path) -> Result<Self, OpenError> {
        if !dir.join(DATABASE).is_file() {
            return Err(OpenError::Missing { dir: dir.to_owned() });
        }
        let connect = schema::reading(dir);
        let store = |err: sqlx::Error| OpenError::Store { dir: dir.to_owned(), reason: err.to_string() };
        let mut conn = connect.connect().await.map_err(store)?;
        let id = schema::check(dir, &mut conn).await;
        let _ = conn.close().await;
        let control = Arc::new(SqliteControl::new(connect.clone()));
        Ok(Self { id: id?, reader: Reader::of_one_moment(connect), desk: Desk::read_only(), control })
    }
}

/// What keeps SQLite from writing, by its primary result code, the low byte of the extended one.
fn trouble(err: &rusqlite::Error) -> Trouble {
    match err.sqlite_error().map(|err| err.extended_code & 0xff) {
        Some(13) => Trouble::Full,
        Some(10 | 14) => Trouble::Disk,
        Some(5 | 6) => Trouble::Busy,
        Some(8) => Trouble::ReadOnly,
        Some(11 | 26) => Trouble::Damaged,
        _ => Trouble::Other,
    }
}

impl Journal for SqliteJournal {
    fn id(&self) -> &str {
        &self.id
    }

    fn claim(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        self.desk.claim(shards).boxed()
    }

    fn claim_free(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        self.desk.claim_free(shards).boxed()
    }

    fn release(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<(), ReadError>> {
        self.desk.release(shards).boxed()
    }

    fn losses(&self) -> broadcast::Receiver<Shard> {
        self.desk.shared.losses()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        self.desk.append(append).boxed()
    }

    fn append_run(&self, run: Vec<Append>) -> BoxFuture<'_, (Vec<u64>, Option<AppendError>)> {
        self.desk.append_run(run).boxed()
    }

    fn load(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        let entity = entity.clone();
        async move { self.reader.load(&entity, true).await }.boxed()
    }

    fn load_entries(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        let entity = entity.clone();
        async move { self.reader.load(&entity, false).await }.boxed()
    }

    fn load_page(&self, shard: Shard, after: Option<EntityId>, limit: u32) -> BoxFuture<'_, LoadedPage> {
        async move { self.reader.load_page(shard, after.as_ref(), limit).await }.boxed()
    }

    fn save_snapshot(&self, entity: &EntityId, seq: u64, state: Vec<u8>) -> BoxFuture<'_, Result<(), AppendError>> {
        let entity = entity.clone();
        async move { self.desk.save_snapshot(&entity, seq, state).await }.boxed()
    }

    fn delivered(&self, shard: Shard, offset: u64) {
        self.desk.shared.acked.note(shard, offset);
    }

    fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        let after = after.max(self.desk.shared.acked.get(shard));
        self.reader.undelivered(shard, after, limit).boxed()
    }

    fn wakes(&self, shard: Shard) -> BoxFuture<'_, Result<Vec<(EntityId, Timestamp)>, ReadError>> {
        self.reader.wakes(shard).boxed()
    }

    fn scan(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        self.reader.scan(shard, after, limit).boxed()
    }

    fn epoch(&self, shard: Shard) -> BoxFuture<'_, Result<u64, ReadError>> {
        self.reader.epoch(shard).boxed()
    }

    fn publish(&self, source: PublishedSource) -> BoxFuture<'_, Result<(), AppendError>> {
        self.desk.publish(source).boxed()
    }

    fn published(&self) -> BoxFuture<'_, Result<Vec<PublishedSource>, ReadError>> {
        self.reader.published().boxed()
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::<SqliteControl>::clone(&self.control)
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.desk.shared.health.check()
    }

    fn lost(&self) -> BoxFuture<'_, ()> {
        self.desk.shared.lost().boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            self.reader.close().await;
            self.control.close().await;
            self.desk.close().await;
        }
        .boxed()
    }
}
