//! Yardstick: the group commit that the design was measured with, written by hand.
//!
//! One statement a batch (up to 1,000 rows, no timer), a writer a connection, a table with the design's two indexes:
//! no check of positions, no awards, no wakes, and payloads that need no encoding. The journal promises more and must
//! come near.

use super::drive::Sink;
use super::mix::{Mix, Row, entity};
use crate::fault::Fault;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Rows in a statement, as the design measured it.
const BATCH: usize = 1_000;
/// Rows that wait for one writer.
const QUEUE: usize = 4_096;

const SCHEMA: [&str; 5] = [
    "CREATE TABLE shard (shard int2 PRIMARY KEY, owner text NOT NULL, epoch int8 NOT NULL, \
       head int8 NOT NULL DEFAULT 0, until timestamptz NOT NULL) WITH (fillfactor = 20)",
    "CREATE TABLE event (shard int2 NOT NULL, kind int2 NOT NULL, id text COLLATE \"C\" NOT NULL, seq int8 NOT NULL, \
       off int8 NOT NULL, epoch int8 NOT NULL, ver int4 NOT NULL DEFAULT 1, cause text COLLATE \"C\", \
       out_n int4 NOT NULL, at int8 NOT NULL, payload bytea NOT NULL, PRIMARY KEY (shard, kind, id, seq))",
    "CREATE UNIQUE INDEX event_off ON event (shard, off)",
    "CREATE UNIQUE INDEX event_cause ON event (shard, kind, id, cause) WHERE cause IS NOT NULL",
    "INSERT INTO shard (shard, owner, epoch, until) SELECT n, 'me', 1, now() FROM generate_series(0, 255) AS n",
];

const APPEND: &str = "WITH b AS (SELECT * FROM unnest($1::int2[], $2::int8[], $3::int8[]) AS b(shard, head, n)), \
     fence AS (UPDATE shard s SET head = s.head + b.n, until = now() + interval '3 s' \
       FROM b WHERE s.shard = b.shard AND s.owner = 'me' AND s.epoch = 1 AND s.head = b.head \
       RETURNING s.shard, s.epoch), \
     ins AS (INSERT INTO event (shard, kind, id, seq, off, epoch, cause, out_n, at, payload) \
       SELECT e.shard, e.kind, e.id, e.seq, e.off, f.epoch, e.cause, e.out_n, e.at, e.payload \
       FROM unnest($4::int2[], $5::int2[], $6::text[], $7::int8[], $8::int8[], $9::text[], $10::int4[], \
                   $11::int8[], $12::bytea[]) AS e(shard, kind, id, seq, off, cause, out_n, at, payload) \
       JOIN fence f USING (shard) RETURNING 1) \
     SELECT (SELECT count(*) FROM ins), (SELECT count(*) FROM fence)";

type Request = (Row, oneshot::Sender<()>);

/// The writers' queues.
#[derive(Debug)]
pub struct Groups {
    mix: Arc<Mix>,
    name: String,
    lanes: Vec<mpsc::Sender<Request>>,
    _writers: JoinSet<Result<(), Fault>>,
}

/// Makes the tables in an empty database.
pub async fn prepare(url: &str) -> Result<(), Fault> {
    let mut conn = PgConnection::connect(url).await?;
    for sql in SCHEMA {
        sqlx::query(sql).execute(&mut conn).await?;
    }
    Ok(conn.close().await?)
}

impl Groups {
    /// Writers on so many connections; `name` is part of the entities' names, and new to the database.
    pub async fn open(url: &str, mix: &Arc<Mix>, connections: usize, name: &str) -> Result<Self, Fault> {
        let (mut lanes, mut writers) = (Vec::new(), JoinSet::new());
        for lane in 0..connections {
            let mut conn = PgConnection::connect(url).await?;
            let of_lane = move |shard: &i16| usize::try_from(*shard).unwrap_or(0) % connections == lane;
            let heads: Vec<(i16, i64)> = sqlx::query_as("SELECT shard, head FROM shard").fetch_all(&mut conn).await?;
            let heads = heads.into_iter().filter(|(shard, _)| of_lane(shard)).collect();
            let (sender, receiver) = mpsc::channel(QUEUE);
            lanes.push(sender);
            writers.spawn(write(conn, receiver, heads));
        }
        Ok(Self { mix: Arc::clone(mix), name: name.to_owned(), lanes, _writers: writers })
    }
}

impl Sink for Groups {
    async fn write(&self, n: u64, seq: u64) -> Result<(), Fault> {
        let row = self.mix.row(&entity(&self.name, n)?, n, seq);
        let lane = &self.lanes[usize::from(row.shard.number()) % self.lanes.len()];
        let (sender, answer) = oneshot::channel();
        let gone = |_| Fault::Store("a writer by hand has failed".to_owned());
        lane.send((row, sender)).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))
    }
}

async fn write(
    mut conn: PgConnection,
    mut requests: mpsc::Receiver<Request>,
    mut heads: HashMap<i16, i64>,
) -> Result<(), Fault> {
    let mut batch = Vec::with_capacity(BATCH);
    while requests.recv_many(&mut batch, BATCH).await > 0 {
        let (rows, waiting): (Vec<Row>, Vec<_>) = batch.drain(..).unzip();
        insert(&mut conn, &rows, &mut heads).await?;
        for sender in waiting {
            // Who does not wait any more needs no answer.
            let _ = sender.send(());
        }
    }
    Ok(conn.close().await?)
}

async fn insert(conn: &mut PgConnection, rows: &[Row], heads: &mut HashMap<i16, i64>) -> Result<(), Fault> {
    let (mut shards, mut offs) = (BTreeMap::new(), Vec::with_capacity(rows.len()));
    let number = |row: &Row| i16::try_from(row.shard.number()).unwrap_or(0);
    for row in rows {
        let n = shards.entry(number(row)).or_insert(0_i64);
        *n += 1;
        offs.push(heads.get(&number(row)).copied().unwrap_or(0) + *n);
    }
    let before: Vec<i64> = shards.keys().map(|shard| heads.get(shard).copied().unwrap_or(0)).collect();
    let query = sqlx::query_as::<_, (i64, i64)>(APPEND).bind(shards.keys().copied().collect::<Vec<_>>());
    let query = query.bind(before).bind(shards.values().copied().collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(number).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(|row| i16::from(row.kind)).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(|row| row.seq).collect::<Vec<_>>()).bind(offs);
    let query = query.bind(rows.iter().map(|row| row.cause.as_deref()).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(|row| row.out_n).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(|row| row.at).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(|row| &*row.payload).collect::<Vec<_>>());
    let (events, live) = query.fetch_one(conn).await?;
    if usize::try_from(events) != Ok(rows.len()) || usize::try_from(live) != Ok(shards.len()) {
        return Err(Fault::Store(format!("{events} of {} rows were written by hand", rows.len())));
    }
    for (shard, n) in shards {
        *heads.entry(shard).or_insert(0) += n;
    }
    Ok(())
}
