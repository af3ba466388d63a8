//! What one transaction writes: many appends of many entities and shards, and a few snapshots.
//!
//! Promise: an append goes in whole or is refused alone. The order is: where does each stream end; the fence, which
//! writes each shard's row and so shuts out whoever else would; the rows. Nothing here begins or commits.

use super::sql;
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::persist::job::{Acked, Held, Job, Save};
use crate::persist::writer::Outcome;
use crate::persist::{AppendError, record};
use crate::units::Timestamp;
use rusqlite::{Connection, Error, ffi, params};
use std::collections::hash_map::Entry;
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

/// SQLite's integers are signed; what is beyond them cannot be stored and so matches nothing.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The reverse; the schema keeps no negative numbers where this is used.
pub(super) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// What a key of the tables begins with.
fn key(shard: Shard, entity: &EntityId) -> (u16, u8, &str) {
    (shard.number(), entity.kind(), entity.key())
}

/// Is this the fault of rows that stand already?
pub(super) fn unique(err: &Error) -> bool {
    let code = err.sqlite_error().map(|err| err.extended_code);
    matches!(code, Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE))
}

/// Fills a transaction. `one_by_one` after a first try met a row that stood already: each append then has a
/// savepoint of its own, so that only the guilty one is refused.
pub(super) fn fill(
    conn: &Connection,
    jobs: &[Job],
    saves: &[Save],
    held: &HashMap<Shard, Held>,
    acked: &Acked,
    one_by_one: bool,
) -> Result<Outcome, Error> {
    let (mut refused, woken) = positions(conn, jobs)?;
    let mut fences = fences(jobs, &refused, held, acked);
    if one_by_one {
        fences.values_mut().for_each(|fence| fence.n = 0);
    }
    let wanted: Vec<Fence> = fences.values().copied().collect();
    let live = fence(conn, &wanted)?;
    let lost: Vec<Shard> = fences.keys().copied().filter(|shard| !live.contains(shard)).collect();
    for (job, refused) in jobs.iter().zip(&mut refused) {
        if refused.is_none() && !live.contains(&job.shard) {
            *refused = Some(AppendError::Lost);
        }
    }
    let mut heads: BTreeMap<Shard, u64> = live.iter().map(|shard| (*shard, fences[shard].held.head)).collect();
    let offsets = if one_by_one {
        let offsets = insert_one_by_one(conn, jobs, &mut refused, &mut heads, held)?;
        let moved = fences.values().filter(|fence| live.contains(&fence.shard));
        let moved: Vec<Fence> = moved.map(|f| Fence { n: heads[&f.shard] - f.held.head, ..*f }).collect();
        fence(conn, &moved)?;
        offsets
    } else {
        insert_together(conn, jobs, &refused, &mut heads, held)?
    };
    set_wakes(conn, jobs, &refused, &woken)?;
    for save in saves {
        let (shard, kind, id) = key(Shard::of(&save.entity), &save.entity);
        let row = params![shard, kind, id, int(save.seq), save.state, record::SNAPSHOT_FORM];
        conn.prepare_cached(sql::SNAPSHOT_SAVE)?.execute(row)?;
    }
    let verdicts =
        refused.into_iter().zip(offsets).map(|(refused, offset)| refused.map_or(Ok(offset), Err)).collect();
    Ok(Outcome { verdicts, heads: heads.into_iter().collect(), lost })
}

/// Which appends are not the next ones of their streams, and which entities have a wake in the store.
fn positions<'j>(
    conn: &Connection,
    jobs: &'j [Job],
) -> Result<(Vec<Option<AppendError>>, HashSet<&'j EntityId>), Error> {
    let (mut ends, mut woken) = (HashMap::new(), HashSet::new());
    let mut ask = conn.prepare_cached(sql::END)?;
    for job in jobs {
        let Entry::Vacant(slot) = ends.entry(&job.entity) else { continue };
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (end, wakes) = ask.query_row(key(job.shard, &job.entity), read)?;
        slot.insert(uint(end));
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
pub(super) fn fence(conn: &Connection, fences: &[Fence]) -> Result<HashSet<Shard>, Error> {
    let (mut update, mut live) = (conn.prepare_cached(sql::FENCE)?, HashSet::with_capacity(fences.len()));
    for Fence { shard, held, n, acked } in fences {
        if update.execute(params![shard.number(), int(held.epoch), int(held.head), int(*n), int(*acked)])? == 1 {
            live.insert(*shard);
        }
    }
    Ok(live)
}

/// A row of the event table: the append, its offset and its epoch.
type Placed<'j> = (&'j Job, u64, u64);

fn insert(conn: &Connection, rows: &[Placed<'_>]) -> Result<(), Error> {
    let (mut event, mut award) = (conn.prepare_cached(sql::EVENT)?, conn.prepare_cached(sql::AWARD)?);
    for (job, offset, epoch) in rows {
        let (shard, kind, id) = key(job.shard, &job.entity);
        let (seq, cause, at) = (int(job.seq), job.cause.as_deref(), job.at.as_millis());
        let (offset, epoch, out_n) = (int(*offset), int(*epoch), int(job.out_n));
        event.execute(params![
            shard,
            kind,
            id,
            seq,
            offset,
            epoch,
            record::VERSION,
            cause,
            out_n,
            at,
            job.payload
        ])?;
        for key in &job.awards {
            award.execute(params![shard, kind, id, key, seq])?;
        }
    }
    Ok(())
}

fn insert_together(
    conn: &Connection,
    jobs: &[Job],
    refused: &[Option<AppendError>],
    heads: &mut BTreeMap<Shard, u64>,
    held: &HashMap<Shard, Held>,
) -> Result<Vec<u64>, Error> {
    let mut offsets = vec![0; jobs.len()];
    let mut rows = Vec::with_capacity(jobs.len());
    for ((job, refused), offset) in jobs.iter().zip(refused).zip(&mut offsets) {
        if let (None, Some(head)) = (refused, heads.get_mut(&job.shard)) {
            *head += 1;
            *offset = *head;
            rows.push((job, *head, held[&job.shard].epoch));
        }
    }
    insert(conn, &rows)?;
    Ok(offsets)
}

fn insert_one_by_one(
    conn: &Connection,
    jobs: &[Job],
    refused: &mut [Option<AppendError>],
    heads: &mut BTreeMap<Shard, u64>,
    held: &HashMap<Shard, Held>,
) -> Result<Vec<u64>, Error> {
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
        conn.prepare_cached(sql::SAVEPOINT)?.execute([])?;
        match insert(conn, &[(job, *head + 1, held[&job.shard].epoch)]) {
            Ok(()) => {
                *head += 1;
                *offset = *head;
                ended.entry(&job.entity).and_modify(|end| *end = job.seq);
            }
            Err(err) => {
                *refused = Some(guilt(&err, job).ok_or(err)?);
                ended.insert(&job.entity, job.seq - 1);
                conn.prepare_cached(sql::SAVEPOINT_UNDO)?.execute([])?;
            }
        }
        conn.prepare_cached(sql::SAVEPOINT_KEEP)?.execute([])?;
    }
    Ok(offsets)
}

/// What stood already, by SQLite's words for the key that was violated; `None`: it was not the append's fault.
fn guilt(err: &Error, job: &Job) -> Option<AppendError> {
    let Error::SqliteFailure(_, Some(message)) = err else { return None };
    match message {
        _ if !unique(err) => None,
        text if text.contains("event.cause") => Some(record::cause_stands(job.cause.as_deref().unwrap_or(""))),
        text if text.contains("award.key") => Some(record::award_stands(&job.awards)),
        text if text.contains("event.seq") => Some(record::not_next(job.seq, job.seq)),
        _ => None,
    }
}

/// Each entity's last append says when it is to be woken.
fn set_wakes(
    conn: &Connection,
    jobs: &[Job],
    refused: &[Option<AppendError>],
    woken: &HashSet<&EntityId>,
) -> Result<(), Error> {
    let accepted = jobs.iter().zip(refused).filter(|(_, refused)| refused.is_none());
    let last: BTreeMap<&EntityId, &Job> = accepted.map(|(job, _)| (&job.entity, job)).collect();
    let (set, clear): (Vec<&Job>, Vec<&Job>) = last.into_values().partition(|job| job.wake.is_some());
    let (mut to_set, mut to_clear) = (conn.prepare_cached(sql::WAKE_SET)?, conn.prepare_cached(sql::WAKE_CLEAR)?);
    for job in set {
        let (shard, kind, id) = key(job.shard, &job.entity);
        to_set.execute(params![shard, kind, id, job.wake.map(Timestamp::as_millis)])?;
    }
    for job in clear.into_iter().filter(|job| woken.contains(&job.entity)) {
        to_clear.execute(key(job.shard, &job.entity))?;
    }
    Ok(())
}

/// Whether a batch's first accepted entry is in the journal as this batch wrote it.
pub(super) fn landed(
    conn: &Connection,
    jobs: &[Job],
    outcome: &Outcome,
    held: &HashMap<Shard, Held>,
) -> Result<bool, Error> {
    let mut accepted = jobs.iter().zip(&outcome.verdicts);
    let Some((job, offset)) = accepted.find_map(|(job, verdict)| Some((job, *verdict.as_ref().ok()?))) else {
        return Ok(false);
    };
    let (shard, kind, id) = key(job.shard, &job.entity);
    let row = params![shard, kind, id, int(job.seq), int(held[&job.shard].epoch), int(offset)];
    conn.query_row(sql::LANDED, row, |row| row.get::<_, i64>(0)).map(|found| found > 0)
}
