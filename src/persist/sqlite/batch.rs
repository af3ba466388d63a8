//! What one transaction writes: many appends of many entities and shards, and a few snapshots.
//!
//! Promise: an append goes in whole or is refused alone. The order is: where does each stream end; the fence, which
//! writes each shard's row and so shuts out whoever else would; the rows. Nothing here begins or commits.

use super::sql::{self, Rows, SIZES};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::persist::job::{Acked, Held, Job, Save};
use crate::persist::writer::Outcome;
use crate::persist::{AppendError, record};
use crate::units::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Row, Sqlite};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One row of the fence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fence {
    pub(super) shard: Shard,
    pub(super) held: Held,
    /// How far to move the head on.
    pub(super) n: u64,
    pub(super) acked: u64,
}

type Bound = Query<'static, Sqlite, SqliteArguments>;

/// SQLite's integers are signed; what is beyond them cannot be stored and so matches nothing.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The reverse; the schema keeps no negative numbers where this is used.
pub(super) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Binds what a key of the tables begins with.
fn key(query: Bound, shard: Shard, entity: &EntityId) -> Bound {
    query.bind(shard.number()).bind(entity.kind()).bind(entity.key())
}

/// Runs a statement over many rows, and reads what it answers.
async fn many<T, R>(
    conn: &mut SqliteConnection,
    statement: &Rows,
    rows: &[T],
    bind: impl Fn(Bound, &T) -> Bound,
    read: impl Fn(SqliteRow) -> Result<R, sqlx::Error>,
) -> Result<Vec<R>, sqlx::Error> {
    let (mut rest, mut answers) = (rows, Vec::new());
    while !rest.is_empty() {
        let fits = if statement.padded {
            SIZES.iter().rposition(|size| *size >= rest.len())
        } else {
            SIZES.iter().position(|size| *size <= rest.len())
        };
        let fits = fits.unwrap_or(0);
        let (now, later) = rest.split_at(SIZES[fits].min(rest.len()));
        let query = now.iter().fold(sqlx::query(statement.sql[fits]), &bind);
        let missing = (SIZES[fits] - now.len()) * statement.columns;
        let query = (0..missing).fold(query, |query, _| query.bind(None::<i64>));
        for row in query.fetch_all(&mut *conn).await? {
            answers.push(read(row)?);
        }
        rest = later;
    }
    Ok(answers)
}

/// Is this the fault of rows that stand already?
pub(super) fn unique(err: &sqlx::Error) -> bool {
    err.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Fills a transaction. `one_by_one` after a first try met a row that stood already: each append then has a
/// savepoint of its own, so that only the guilty one is refused.
pub(super) async fn fill(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    saves: &[Save],
    held: &HashMap<Shard, Held>,
    acked: &Acked,
    one_by_one: bool,
) -> Result<Outcome, sqlx::Error> {
    let (mut refused, woken) = positions(conn, jobs).await?;
    let mut fences = fences(jobs, &refused, held, acked);
    if one_by_one {
        fences.values_mut().for_each(|fence| fence.n = 0);
    }
    let wanted: Vec<Fence> = fences.values().copied().collect();
    let live = fence(conn, &wanted).await?;
    let lost: Vec<Shard> = fences.keys().copied().filter(|shard| !live.contains(shard)).collect();
    for (job, refused) in jobs.iter().zip(&mut refused) {
        if refused.is_none() && !live.contains(&job.shard) {
            *refused = Some(AppendError::Lost);
        }
    }
    let mut heads: BTreeMap<Shard, u64> = live.iter().map(|shard| (*shard, fences[shard].held.head)).collect();
    let offsets = if one_by_one {
        let offsets = insert_one_by_one(conn, jobs, &mut refused, &mut heads, held).await?;
        let moved = fences.values().filter(|fence| live.contains(&fence.shard));
        let moved: Vec<Fence> = moved.map(|f| Fence { n: heads[&f.shard] - f.held.head, ..*f }).collect();
        fence(conn, &moved).await?;
        offsets
    } else {
        insert_together(conn, jobs, &refused, &mut heads, held).await?
    };
    set_wakes(conn, jobs, &refused, &woken).await?;
    for save in saves {
        let query = key(sqlx::query(sql::SNAPSHOT_SAVE), Shard::of(&save.entity), &save.entity);
        query.bind(int(save.seq)).bind(save.state.as_slice()).bind(record::SNAPSHOT_FORM).execute(&mut *conn).await?;
    }
    let verdicts =
        refused.into_iter().zip(offsets).map(|(refused, offset)| refused.map_or(Ok(offset), Err)).collect();
    Ok(Outcome { verdicts, heads: heads.into_iter().collect(), lost })
}

/// Which appends are not the next ones of their streams, and which entities have a wake in the store.
async fn positions<'j>(
    conn: &mut SqliteConnection,
    jobs: &'j [Job],
) -> Result<(Vec<Option<AppendError>>, HashSet<&'j EntityId>), sqlx::Error> {
    let mut seen = HashSet::new();
    let first: Vec<&Job> = jobs.iter().filter(|job| seen.insert(&job.entity)).collect();
    let asked: Vec<(i64, &Job)> = (0..).zip(first).collect();
    // A number of 0, before the first, is bound as -1: no stream ends there.
    let bind = |query: Bound, (n, job): &(i64, &Job)| -> Bound {
        key(query, job.shard, &job.entity).bind(int(job.seq) - 1).bind(*n)
    };
    let read = |row: SqliteRow| Ok((row.try_get(0)?, (uint(row.try_get(1)?), row.try_get(2)?)));
    let found: HashMap<i64, (u64, bool)> = many(conn, &sql::ENDS, &asked, bind, read).await?.into_iter().collect();
    let (mut ends, mut woken) = (HashMap::new(), HashSet::new());
    for (n, job) in asked {
        let (end, wakes) = found.get(&n).copied().unwrap_or((job.seq.saturating_sub(1), false));
        ends.insert(&job.entity, end);
        if wakes {
            woken.insert(&job.entity);
        }
    }
    Ok((jobs.iter().map(|job| judge(&mut ends, job)).collect(), woken))
}

/// One append after those before it in the batch.
fn judge<'j>(ends: &mut HashMap<&'j EntityId, u64>, job: &'j Job) -> Option<AppendError> {
    let end = ends.entry(&job.entity).or_insert(0);
    if job.seq == *end + 1 && i64::try_from(job.seq).is_ok() {
        *end += 1;
        return None;
    }
    Some(record::not_next(job.seq, *end))
}

/// What each shard that is written to must still be.
fn fences(
    jobs: &[Job],
    refused: &[Option<AppendError>],
    held: &HashMap<Shard, Held>,
    acked: &Acked,
) -> BTreeMap<Shard, Fence> {
    let mut fences = BTreeMap::new();
    for (job, _) in jobs.iter().zip(refused).filter(|(_, refused)| refused.is_none()) {
        let held = held[&job.shard];
        let fresh = Fence { shard: job.shard, held, n: 0, acked: acked.get(job.shard) };
        fences.entry(job.shard).or_insert(fresh).n += 1;
    }
    fences
}

/// Writes the rows of shards; answers with those still owned.
pub(super) async fn fence(conn: &mut SqliteConnection, fences: &[Fence]) -> Result<HashSet<Shard>, sqlx::Error> {
    let bind = |query: Bound, fence: &Fence| -> Bound {
        let query = query.bind(fence.shard.number()).bind(int(fence.held.epoch)).bind(int(fence.held.head));
        query.bind(int(fence.n)).bind(int(fence.acked))
    };
    let live = many(conn, &sql::FENCE, fences, bind, |row| row.try_get::<u16, _>(0)).await?;
    Ok(live.into_iter().filter_map(Shard::from_number).collect())
}

/// A row of the event table: the append, its offset and its epoch.
type Placed<'j> = (&'j Job, u64, u64);

async fn insert(conn: &mut SqliteConnection, rows: &[Placed<'_>]) -> Result<(), sqlx::Error> {
    let event = |query: Bound, (job, offset, epoch): &Placed<'_>| -> Bound {
        let query = key(query, job.shard, &job.entity).bind(int(job.seq)).bind(int(*offset)).bind(int(*epoch));
        let query = query.bind(record::VERSION).bind(job.cause.as_deref()).bind(int(job.out_n));
        query.bind(job.at.as_millis()).bind(job.payload.as_slice())
    };
    many(conn, &sql::EVENTS, rows, event, |_| Ok(())).await?;
    let awards: Vec<(&Job, &String)> =
        rows.iter().flat_map(|(job, ..)| job.awards.iter().map(move |award| (*job, award))).collect();
    let award = |query: Bound, (job, award): &(&Job, &String)| -> Bound {
        key(query, job.shard, &job.entity).bind(award.as_str()).bind(int(job.seq))
    };
    many(conn, &sql::AWARDS, &awards, award, |_| Ok(())).await?;
    Ok(())
}

async fn insert_together(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    refused: &[Option<AppendError>],
    heads: &mut BTreeMap<Shard, u64>,
    held: &HashMap<Shard, Held>,
) -> Result<Vec<u64>, sqlx::Error> {
    let mut offsets = vec![0; jobs.len()];
    let mut rows = Vec::with_capacity(jobs.len());
    for ((job, refused), offset) in jobs.iter().zip(refused).zip(&mut offsets) {
        if let (None, Some(head)) = (refused, heads.get_mut(&job.shard)) {
            *head += 1;
            *offset = *head;
            rows.push((job, *head, held[&job.shard].epoch));
        }
    }
    insert(conn, &rows).await?;
    Ok(offsets)
}

async fn insert_one_by_one(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    refused: &mut [Option<AppendError>],
    heads: &mut BTreeMap<Shard, u64>,
    held: &HashMap<Shard, Held>,
) -> Result<Vec<u64>, sqlx::Error> {
    let mut offsets = vec![0; jobs.len()];
    let mut ended: HashMap<&EntityId, u64> = HashMap::new();
    for ((job, refused), offset) in jobs.iter().zip(refused).zip(&mut offsets) {
        let Some(head) = heads.get_mut(&job.shard).filter(|_| refused.is_none()) else { continue };
        if let Some(end) = ended.get(&job.entity) {
            *refused = (job.seq != *end + 1).then(|| record::not_next(job.seq, *end));
        }
        if refused.is_some() {
            continue;
        }
        sqlx::query(sql::SAVEPOINT).execute(&mut *conn).await?;
        match insert(conn, &[(job, *head + 1, held[&job.shard].epoch)]).await {
            Ok(()) => {
                *head += 1;
                *offset = *head;
                ended.entry(&job.entity).and_modify(|end| *end = job.seq);
            }
            Err(err) => {
                *refused = Some(guilt(&err, job).ok_or(err)?);
                ended.insert(&job.entity, job.seq - 1);
                sqlx::query(sql::SAVEPOINT_UNDO).execute(&mut *conn).await?;
            }
        }
        sqlx::query(sql::SAVEPOINT_KEEP).execute(&mut *conn).await?;
    }
    Ok(offsets)
}

/// What stood already, by SQLite's words for the key that was violated; `None`: it was not the append's fault.
fn guilt(err: &sqlx::Error, job: &Job) -> Option<AppendError> {
    let message = unique(err).then(|| err.as_database_error().map(sqlx::error::DatabaseError::message))??;
    match message {
        text if text.contains("event.cause") => Some(record::cause_stands(job.cause.as_deref().unwrap_or(""))),
        text if text.contains("award.key") => Some(record::award_stands(&job.awards)),
        text if text.contains("event.seq") => Some(record::not_next(job.seq, job.seq)),
        _ => None,
    }
}

/// Each entity's last append says when it is to be woken.
async fn set_wakes(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    refused: &[Option<AppendError>],
    woken: &HashSet<&EntityId>,
) -> Result<(), sqlx::Error> {
    let accepted = jobs.iter().zip(refused).filter(|(_, refused)| refused.is_none());
    let last: BTreeMap<&EntityId, &Job> = accepted.map(|(job, _)| (&job.entity, job)).collect();
    let (set, clear): (Vec<&Job>, Vec<&Job>) = last.into_values().partition(|job| job.wake.is_some());
    let bind_set = |query: Bound, job: &&Job| -> Bound {
        key(query, job.shard, &job.entity).bind(job.wake.map(Timestamp::as_millis))
    };
    many(conn, &sql::WAKES_SET, &set, bind_set, |_| Ok(())).await?;
    let clear: Vec<&Job> = clear.into_iter().filter(|job| woken.contains(&job.entity)).collect();
    let bind_clear = |query: Bound, job: &&Job| -> Bound { key(query, job.shard, &job.entity) };
    many(conn, &sql::WAKES_CLEAR, &clear, bind_clear, |_| Ok(())).await?;
    Ok(())
}

/// Whether a batch's first accepted entry is in the journal as this batch wrote it.
pub(super) async fn landed(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    outcome: &Outcome,
    held: &HashMap<Shard, Held>,
) -> Result<bool, sqlx::Error> {
    let mut accepted = jobs.iter().zip(&outcome.verdicts);
    let Some((job, offset)) = accepted.find_map(|(job, verdict)| Some((job, *verdict.as_ref().ok()?))) else {
        return Ok(false);
    };
    let query = sqlx::query_scalar::<_, i64>(sql::LANDED).bind(job.shard.number());
    let query = query.bind(job.entity.kind()).bind(job.entity.key()).bind(int(job.seq));
    let found = query.bind(int(held[&job.shard].epoch)).bind(int(offset)).fetch_one(conn).await?;
    Ok(found > 0)
}
