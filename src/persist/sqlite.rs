//! The journal in SQLite: the store that comes with Waystone and needs nothing installed.
//!
//! One task writes ([`writer`](self)), a few connections read, both over one folder that no other process can open.
//! Promise: as [`super`] says, by WAL with `synchronous=FULL` and a fence in each transaction.

use super::job::{Acked, Job, Save};
use super::ticket::{self, Missed};
use super::{Append, AppendError, Claim, Journal, Loaded, PublishedSource, ReadError, Stored};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::units::Timestamp;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use health::{Health, Trouble};
use line::Line;
use reader::Reader;
use sqlx::{ConnectOptions, Connection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use writer::{Keep, Request, Shared, Writer};

mod batch;
mod health;
mod line;
mod reader;
mod schema;
mod sql;
#[cfg(test)]
mod tests;
mod writer;

pub use schema::{DATABASE, LOCK, OpenError};

/// Requests that wait for the writer: two batches, tens of milliseconds of work; beyond it who asks waits here.
const QUEUE: usize = 1024;
/// Snapshots that wait: a cache is not worth more memory.
const SNAPSHOTS: usize = 256;
/// Longest wait for the writer to finish at the close: a commit, a checkpoint, and some for a slow disk.
const CLOSE: Duration = Duration::from_secs(30);

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

/// A journal in a folder.
#[derive(Debug)]
pub struct SqliteJournal {
    id: String,
    options: Options,
    reader: Reader,
    shared: Arc<Shared>,
    /// `None`: opened for reading only.
    queues: Option<Queues>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Queues {
    requests: mpsc::Sender<Request>,
    keeps: mpsc::Sender<Keep>,
}

impl SqliteJournal {
    /// Opens a data folder, making it or bringing its schema up to date where needed. No other process can open it
    /// until this one closes the journal or ends.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = schema::lock(dir)?;
        Self::open_locked(dir, options, Some(lock)).await
    }

    async fn open_locked(dir: &Path, options: Options, lock: Option<std::fs::File>) -> Result<Self, OpenError> {
        let connect = schema::writing(dir);
        let store = |err: sqlx::Error| OpenError::Store { dir: dir.to_owned(), reason: err.to_string() };
        let mut conn = connect.connect().await.map_err(store)?;
        let id = schema::prepare(dir, &mut conn).await?;
        let (requests, to_do) = mpsc::channel(QUEUE);
        let (keeps, to_keep) = mpsc::channel(SNAPSHOTS);
        let shared = Self::shared(Health::default());
        let writer = Writer::new(Line::new(connect, conn, shared.clone()), to_do, to_keep, shared.clone(), lock);
        #[expect(clippy::disallowed_methods, reason = "the journal owns the task and waits for it in close()")]
        let task = Mutex::new(Some(tokio::spawn(writer.run())));
        let queues = Some(Queues { requests, keeps });
        Ok(Self { id, options, reader: Reader::new(schema::reading(dir)), shared, queues, task })
    }

    /// For tests: a second writer on the same folder, as if the lock had failed.
    #[cfg(test)]
    pub(super) async fn open_unlocked(dir: &Path) -> Self {
        Self::open_locked(dir, Options::default(), None).await.expect("the database is there")
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
        let shared = Self::shared(Health::read_only());
        let (reader, task) = (Reader::of_one_moment(connect), Mutex::new(None));
        Ok(Self { id: id?, options: Options::default(), reader, shared, queues: None, task })
    }

    fn shared(health: Health) -> Arc<Shared> {
        Arc::new(Shared {
            health,
            acked: Acked::new(),
            closing: AtomicBool::new(false),
            #[cfg(test)]
            sabotage: std::sync::atomic::AtomicU8::new(0),
        })
    }

    /// Asks the writer; `Err` is what kept it from answering.
    async fn ask<T>(&self, request: impl FnOnce(ticket::Ticket<T>) -> Request) -> Result<T, AppendError> {
        let Some(queues) = &self.queues else { return Err(unavailable(Trouble::ReadOnly.text())) };
        ticket::ask(&queues.requests, self.options.deadline, request).await.map_err(|missed| self.missed(missed))
    }

    fn missed(&self, missed: Missed) -> AppendError {
        match missed {
            Missed::NotDone => {
                unavailable(self.shared.health.check().err().unwrap_or("its turn did not come in time"))
            }
            Missed::Closed => unavailable(Trouble::Closed.text()),
            Missed::Unknown => AppendError::Lost,
        }
    }
}

fn unavailable(reason: &str) -> AppendError {
    AppendError::Unavailable(reason.to_owned())
}

impl Journal for SqliteJournal {
    fn id(&self) -> &str {
        &self.id
    }

    fn claim(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        async {
            let claims = self.ask(|ticket| Request::Claim(shards, ticket)).await;
            claims.unwrap_or_else(|missed| Err(ReadError::Unavailable(missed.to_string())))
        }
        .boxed()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        async {
            let job = Box::new(Job::new(append));
            self.ask(|ticket| Request::Append(job, ticket)).await?
        }
        .boxed()
    }

    fn load(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        let entity = entity.clone();
        async move { self.reader.load(&entity).await }.boxed()
    }

    fn save_snapshot(&self, entity: &EntityId, seq: u64, state: Vec<u8>) -> BoxFuture<'_, Result<(), AppendError>> {
        let save = Save { entity: entity.clone(), seq, state };
        async {
            let Some(queues) = &self.queues else { return Err(unavailable(Trouble::ReadOnly.text())) };
            if queues.keeps.capacity() == 0 {
                tracing::debug!("snapshot dropped, too many wait");
                return Ok(());
            }
            let kept = ticket::ask(&queues.keeps, self.options.deadline, |ticket| (save, ticket)).await;
            kept.map_err(|missed| self.missed(missed))?
        }
        .boxed()
    }

    fn delivered(&self, shard: Shard, offset: u64) {
        self.shared.acked.note(shard, offset);
    }

    fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        let after = after.max(self.shared.acked.get(shard));
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
        async { self.ask(|ticket| Request::Publish(source, ticket)).await? }.boxed()
    }

    fn published(&self) -> BoxFuture<'_, Result<Vec<PublishedSource>, ReadError>> {
        self.reader.published().boxed()
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.shared.health.check()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            let mut task = self.task.lock().await;
            self.shared.closing.store(true, Ordering::Release);
            self.reader.close().await;
            let (Some(queues), Some(running)) = (&self.queues, task.as_mut()) else { return };
            let ended = async {
                // An error means that it has ended already.
                let _ = queues.requests.send(Request::Close).await;
                running.await
            };
            match tokio::time::timeout(CLOSE, ended).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => tracing::error!("the journal's writer has failed"),
                Err(_) => tracing::error!("journal did not close in time"),
            }
            *task = None;
        }
        .boxed()
    }
}
