//! How SQLite writes: one connection, one transaction a batch.
//!
//! When a commit fails, what became of it is read back before anyone is answered (see [`line`]).

use super::batch::{self, Fence};
use super::line::{self, Line, Proof, Undone};
use super::{sql, trouble};
use crate::cluster::shard::Shard;
use crate::faults::{self, Point};
use crate::persist::job::{Held, Job, Save};
use crate::persist::writer::{Backend, Outcome, Shared, Undone as Told};
use crate::persist::{Claim, PublishedSource};
use rusqlite::{Connection, Error, params};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// The backend.
#[derive(Debug)]
pub(super) struct SqliteBackend {
    line: Line,
    shared: Arc<Shared>,
    /// Kept until the last write is done: while it is open the folder is locked.
    _lock: Option<File>,
}

impl SqliteBackend {
    pub(super) fn new(line: Line, shared: Arc<Shared>, lock: Option<File>) -> Self {
        Self { line, shared, _lock: lock }
    }

    fn transact(
        &mut self,
        jobs: &[Job],
        saves: &[Save],
        held: &HashMap<Shard, Held>,
        one_by_one: bool,
    ) -> Result<Outcome, Undone> {
        let conn = self.line.begin()?;
        match batch::fill(conn, jobs, saves, held, &self.shared.acked, one_by_one) {
            Ok(outcome) if saves.is_empty() && outcome.verdicts.iter().all(Result::is_err) => {
                self.line.rollback();
                Ok(outcome)
            }
            Ok(outcome) => {
                faults::reach(Point::InBatch);
                self.line.commit(Proof::Batch(jobs, &outcome, held))?;
                Ok(outcome)
            }
            Err(err) => Err(self.line.give_up(err)),
        }
    }

    fn try_claim(&mut self, shards: &[Shard]) -> Result<Vec<Claim>, Undone> {
        let conn = self.line.begin()?;
        let claims = match take_over(conn, shards) {
            Ok(claims) => claims,
            Err(err) => return Err(self.line.give_up(err)),
        };
        self.line.commit(Proof::Claims(&claims))?;
        Ok(claims)
    }

    /// How far the messages of shards are delivered. May be written twice, so there is nothing to find out after a
    /// fault.
    fn write_cursors<'h>(&mut self, held: impl Iterator<Item = (&'h Shard, &'h Held)>) -> Result<(), Undone> {
        let acked = &self.shared.acked;
        let fence =
            |(shard, held): (&Shard, &Held)| Fence { shard: *shard, held: *held, n: 0, acked: acked.get(*shard) };
        let fences: Vec<Fence> = held.map(fence).filter(|fence| fence.acked > 0).collect();
        if fences.is_empty() {
            return Ok(());
        }
        let written = batch::fence(self.line.begin()?, &fences);
        let written = written.and_then(|_| self.line.commit_now());
        written.map_err(|err| self.line.give_up(err))
    }

    /// `false`: the version is there with another text.
    fn try_publish(&mut self, source: &PublishedSource) -> Result<bool, Undone> {
        let conn = self.line.begin()?;
        match line::published(conn, source) {
            Ok(None) => {}
            Ok(Some(found)) => {
                self.line.rollback();
                return Ok(found == source.source);
            }
            Err(err) => return Err(self.line.give_up(err)),
        }
        let row = params![source.quest.as_str(), source.version, source.source];
        if let Err(err) = conn.execute(sql::QUEST_SAVE, row) {
            return Err(self.line.give_up(err));
        }
        self.line.commit(Proof::Quest(source))?;
        Ok(true)
    }
}

impl Backend for SqliteBackend {
    const BLOCKS: bool = true;

    async fn write(&mut self, jobs: &[Job], saves: &[Save], held: &HashMap<Shard, Held>) -> Result<Outcome, Told> {
        let mut done = self.transact(jobs, saves, held, false);
        if matches!(&done, Err(Undone::Failed(err)) if batch::unique(err)) {
            done = self.transact(jobs, saves, held, true);
        }
        done.map_err(Into::into)
    }

    async fn claim(&mut self, shards: &[Shard]) -> Result<Vec<Claim>, Told> {
        self.try_claim(shards).map_err(Into::into)
    }

    /// The folder is this process's own: whatever it does not hold is free.
    async fn claim_free(&mut self, shards: &[Shard], held: &HashMap<Shard, Held>) -> Result<Vec<Claim>, Told> {
        let free: Vec<Shard> = shards.iter().filter(|shard| !held.contains_key(shard)).copied().collect();
        if free.is_empty() { Ok(Vec::new()) } else { self.try_claim(&free).map_err(Into::into) }
    }

    async fn release(&mut self, shards: &[(Shard, Held)]) -> Result<(), Told> {
        self.write_cursors(shards.iter().map(|(shard, held)| (shard, held))).map_err(Into::into)
    }

    async fn publish(&mut self, source: &PublishedSource) -> Result<bool, Told> {
        self.try_publish(source).map_err(Into::into)
    }

    async fn probe(&mut self) {
        self.line.probe();
    }

    async fn finish(mut self, held: &HashMap<Shard, Held>) {
        if self.write_cursors(held.iter()).is_err() {
            tracing::warn!("delivery cursors were not written at the close");
        }
        self.line.close();
    }

    #[cfg(test)]
    async fn sql(&mut self, sql: &'static str) -> Result<(), String> {
        self.line.sql(sql)
    }
}

impl From<Undone> for Told {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Failed(err) => Self::Failed(trouble(&err).text().to_owned()),
            Undone::Unknown => Self::Unknown,
        }
    }
}

fn take_over(conn: &Connection, shards: &[Shard]) -> Result<Vec<Claim>, Error> {
    let mut claim = conn.prepare_cached(sql::CLAIM)?;
    let mut take = |shard: &Shard| {
        claim.query_row([shard.number()], |row| {
            let [epoch, head, out_acked] = [0, 1, 2].map(|column| row.get::<_, i64>(column).map(batch::uint));
            Ok(Claim { shard: *shard, epoch: epoch?, head: head?, out_acked: out_acked? })
        })
    };
    shards.iter().map(&mut take).collect()
}
