//! Yardstick: SQLite written by hand with rusqlite, on the journal's own tables and indexes.
//!
//! One thread, cached statements, a transaction a batch: the fence of each shard, then each row. Twice: behind a queue,
//! with who asks waiting for the commit as the journal's actors do; and with nobody waiting, full batches at once. No
//! check of positions and no JSON to make.

use super::drive::Sink;
use super::mix::{Mix, Row, entity};
use crate::fault::Fault;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use waystone::persist::sqlite::DATABASE;

/// Rows in a transaction at most, as in the journal.
const BATCH: usize = 512;
/// As the journal sets them.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; \
                       PRAGMA wal_autocheckpoint = 4000; PRAGMA foreign_keys = OFF;";
const FENCE: &str = "UPDATE shard SET head = head + ?1 WHERE shard = ?2 AND epoch = ?3 RETURNING head";
const EVENT: &str = "INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10)";
const AWARD: &str = "INSERT INTO award (shard, kind, id, key, seq) VALUES (?1, ?2, ?3, ?4, ?5)";
const WAKE: &str = "INSERT INTO wake (shard, kind, id, due) VALUES (?1, ?2, ?3, ?4) \
                    ON CONFLICT (shard, kind, id) DO UPDATE SET due = excluded.due";

type Request = (Row, oneshot::Sender<()>);

/// Connects to a journal's file that nobody else has open.
pub fn connect(dir: &Path) -> Result<Connection, Fault> {
    let conn = Connection::open(dir.join(DATABASE))?;
    conn.execute_batch(PRAGMAS)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// The thread's queue.
#[derive(Debug)]
pub struct Lite {
    mix: Arc<Mix>,
    name: String,
    queue: mpsc::Sender<Request>,
}

impl Lite {
    /// Starts the thread. It ends when the queue is dropped.
    pub fn open(dir: &Path, mix: &Arc<Mix>, name: &str) -> Result<(Self, JoinHandle<Result<(), Fault>>), Fault> {
        let mut conn = connect(dir)?;
        let (queue, mut requests) = mpsc::channel::<Request>(2 * BATCH);
        let thread = std::thread::spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            while requests.blocking_recv_many(&mut batch, BATCH) > 0 {
                let (rows, waiting): (Vec<Row>, Vec<_>) = batch.drain(..).unzip();
                write(&mut conn, &rows)?;
                for sender in waiting {
                    // Who does not wait any more needs no answer.
                    let _ = sender.send(());
                }
            }
            Ok(())
        });
        Ok((Self { mix: Arc::clone(mix), name: name.to_owned(), queue }, thread))
    }
}

impl Sink for Lite {
    async fn write(&self, n: u64, seq: u64) -> Result<(), Fault> {
        let row = self.mix.row(&entity(&self.name, n)?, n, seq);
        let (sender, answer) = oneshot::channel();
        let gone = |()| Fault::Store("the writer by hand has failed".to_owned());
        self.queue.send((row, sender)).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))
    }
}

/// Rows a second with nobody waiting, in batches of `size`, an entry each of as many entities.
pub fn flat_out(dir: &Path, mix: &Mix, size: u64, span: Duration) -> Result<f64, Fault> {
    let mut conn = connect(dir)?;
    let (begun, mut seq) = (Instant::now(), 0);
    while begun.elapsed() < span {
        seq += 1;
        let row = |n| Ok(mix.row(&entity(&format!("flat{size}"), n)?, n, seq));
        let rows = (0..size).map(row).collect::<Result<Vec<_>, Fault>>()?;
        write(&mut conn, &rows)?;
    }
    Ok((seq * size) as f64 / begun.elapsed().as_secs_f64())
}

fn write(conn: &mut Connection, rows: &[Row]) -> Result<(), Fault> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut shards = BTreeMap::<u16, i64>::new();
        for row in rows {
            *shards.entry(row.shard.number()).or_insert(0) += 1;
        }
        let mut fence = tx.prepare_cached(FENCE)?;
        for (shard, n) in &mut shards {
            let head: i64 = fence.query_row(params![*n, *shard, 1], |row| row.get(0))?;
            *n = head - *n;
        }
        let (mut event, mut award) = (tx.prepare_cached(EVENT)?, tx.prepare_cached(AWARD)?);
        let mut wake = tx.prepare_cached(WAKE)?;
        for row in rows {
            let shard = row.shard.number();
            let head = shards.entry(shard).or_insert(0);
            *head += 1;
            let cause = row.cause.as_deref();
            event.execute(params![
                shard,
                row.kind,
                row.id,
                row.seq,
                *head,
                1,
                cause,
                row.out_n,
                row.at,
                &*row.payload
            ])?;
            for key in &row.awards {
                award.execute(params![shard, row.kind, row.id, key, row.seq])?;
            }
            if let Some(due) = row.wake {
                wake.execute(params![shard, row.kind, row.id, due])?;
            }
        }
    }
    Ok(tx.commit()?)
}
