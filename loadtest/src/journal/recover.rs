//! A cold start in bulk: many entities with a snapshot, old entries before it and a tail after it, read shard by shard.
//!
//! The rows are put there by hand, entry after entry over all entities, so that an entity's entries lie as far apart as
//! in life. Promise: what is read is counted, and a tail or a snapshot that is missing is a fault.

use super::lite;
use super::mix::{Mix, Row, entity};
use crate::fault::Fault;
use rusqlite::params;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use waystone::cluster::shard::Shard;
use waystone::persist::Journal;

/// Entries before and in the snapshot, and after it.
const OLD: u64 = 20;
const TAIL: u64 = 10;
/// Bytes of a snapshot: a player in the middle of a quest.
const SNAPSHOT: usize = 400;
/// Entities in a page.
const PAGE: u32 = 500;
/// Snapshots that are kept at once: below what the journal lets wait, beyond which it drops them.
const SAVERS: u64 = 64;
/// Rows in a statement of the preparation.
const ROWS: usize = 2_000;

const EVENTS: &str = "INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
     SELECT e.shard, 1, e.id, e.seq, e.off, 1, 1, e.cause, e.out_n, 0, e.payload \
     FROM unnest($1::int2[], $2::text[], $3::int8[], $4::int8[], $5::text[], $6::int4[], $7::bytea[]) \
       AS e(shard, id, seq, off, cause, out_n, payload)";
const EVENT: &str = "INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
                     VALUES (?1, 1, ?2, ?3, ?4, 1, 1, ?5, ?6, 0, ?7)";
/// All rows, in the order of their making, each with its offset and with bytes that say its own number.
fn rows(mix: &Mix, entities: u64) -> impl Iterator<Item = Result<(Row, i64, Vec<u8>), Fault>> {
    let mut heads = HashMap::<Shard, i64>::new();
    let places = (1..=OLD + TAIL).flat_map(move |seq| (0..entities).map(move |n| (seq, n)));
    places.map(move |(seq, n)| {
        let id = entity("cold", n)?;
        let payload =
            serde_json::to_vec(&mix.append(&id, n, seq).entry).map_err(|err| Fault::Store(err.to_string()))?;
        let head = heads.entry(Shard::of(&id)).or_insert(0);
        *head += 1;
        Ok((mix.row(&id, n, seq), *head, payload))
    })
}

/// Fills an empty database that has the journal's schema.
pub async fn fill_postgres(url: &str, mix: &Mix, entities: u64) -> Result<(), Fault> {
    let mut conn = PgConnection::connect(url).await?;
    let mut all = rows(mix, entities);
    loop {
        let chunk = all.by_ref().take(ROWS).collect::<Result<Vec<_>, Fault>>()?;
        if chunk.is_empty() {
            break;
        }
        let shard = |row: &Row| i16::try_from(row.shard.number()).unwrap_or(0);
        let query = sqlx::query(EVENTS).bind(chunk.iter().map(|(row, ..)| shard(row)).collect::<Vec<_>>());
        let query = query.bind(chunk.iter().map(|(row, ..)| row.id.as_str()).collect::<Vec<_>>());
        let query = query.bind(chunk.iter().map(|(row, ..)| row.seq).collect::<Vec<_>>());
        let query = query.bind(chunk.iter().map(|(_, off, _)| *off).collect::<Vec<_>>());
        let query = query.bind(chunk.iter().map(|(row, ..)| row.cause.as_deref()).collect::<Vec<_>>());
        let query = query.bind(chunk.iter().map(|(row, ..)| row.out_n).collect::<Vec<_>>());
        query
            .bind(chunk.iter().map(|(.., payload)| payload.as_slice()).collect::<Vec<_>>())
            .execute(&mut conn)
            .await?;
    }
    sqlx::query("ANALYZE").execute(&mut conn).await?;
    Ok(conn.close().await?)
}

/// Fills a folder that has the journal's schema and that nobody has open.
pub fn fill_sqlite(dir: &Path, mix: &Mix, entities: u64) -> Result<(), Fault> {
    let conn = lite::connect(dir)?;
    conn.execute_batch("BEGIN")?;
    {
        let mut insert = conn.prepare(EVENT)?;
        for row in rows(mix, entities) {
            let (row, off, payload) = row?;
            insert.execute(params![row.shard.number(), row.id, row.seq, off, row.cause, row.out_n, payload])?;
        }
    }
    Ok(conn.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?)
}

/// Keeps a snapshot of each, by the journal itself, which alone knows their form.
pub async fn keep(journal: &Arc<dyn Journal>, entities: u64) -> Result<(), Fault> {
    let mut tasks = JoinSet::new();
    for lane in 0..SAVERS {
        let journal = Arc::clone(journal);
        tasks.spawn(async move {
            for n in (lane..entities).step_by(usize::try_from(SAVERS).unwrap_or(1)) {
                let kept = journal.save_snapshot(&entity("cold", n)?, OLD, vec![0x5a; SNAPSHOT]).await;
                kept.map_err(|err| Fault::Store(err.to_string()))?;
            }
            Ok::<(), Fault>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|err| Fault::Store(err.to_string()))??;
    }
    Ok(())
}

/// Reads all of it, `readers` shards at a time; how long it took.
pub async fn read(journal: &Arc<dyn Journal>, entities: u64, readers: usize) -> Result<Duration, Fault> {
    let next = Arc::new(AtomicU64::new(0));
    let (begun, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..readers {
        let (journal, next) = (Arc::clone(journal), Arc::clone(&next));
        tasks.spawn(async move {
            let mut found = 0;
            while let Some(shard) =
                u16::try_from(next.fetch_add(1, Ordering::Relaxed)).ok().and_then(Shard::from_number)
            {
                found += read_shard(&*journal, shard).await?;
            }
            Ok::<u64, Fault>(found)
        });
    }
    let mut found = 0;
    while let Some(done) = tasks.join_next().await {
        found += done.map_err(|err| Fault::Store(err.to_string()))??;
    }
    if found == entities {
        Ok(begun.elapsed())
    } else {
        Err(Fault::Store(format!("{found} of {entities} entities were read")))
    }
}

async fn read_shard(journal: &dyn Journal, shard: Shard) -> Result<u64, Fault> {
    let (mut after, mut found) = (None, 0);
    loop {
        let page = journal.load_page(shard, after, PAGE).await.map_err(|err| Fault::Store(err.to_string()))?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after = Some(last.clone());
        for (entity, loaded) in page {
            let loaded = loaded.map_err(|err| Fault::Store(err.to_string()))?;
            let whole = loaded.snapshot.is_some_and(|(seq, _)| seq == OLD)
                && u64::try_from(loaded.tail.len()).is_ok_and(|n| n == TAIL);
            if !whole {
                return Err(Fault::Store(format!("{entity} came back without its snapshot or tail")));
            }
            found += 1;
        }
    }
}
