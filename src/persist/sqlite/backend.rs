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
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
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

    async fn transact(
        &mut self,
        jobs: &[Job],
        saves: &[Save],
        held: &HashMap<Shard, Held>,
        one_by_one: bool,
    ) -> Result<Outcome, Undone> {
        let conn = self.line.begin().await?;
        match batch::fill(conn, jobs, saves, held, &self.shared.acked, one_by_one).await {
            Ok(outcome) if saves.is_empty() && outcome.verdicts.iter().all(Result::is_err) => {
                self.line.rollback().await;
                Ok(outcome)
            }
            Ok(outcome) => {
                faults::reach(Point::InBatch);
                self.line.commit(Proof::Batch(jobs, &outcome, held)).await?;
                Ok(outcome)
            }
            Err(err) => Err(self.line.give_up(err).await),
        }
    }

    async fn try_claim(&mut self, shards: &[Shard]) -> Result<Vec<Claim>, Undone> {
        let conn = self.line.begin().await?;
        let claims = match take_over(conn, shards).await {
            Ok(claims) => claims,
            Err(err) => return Err(self.line.give_up(err).await),
        };
        self.line.commit(Proof::Claims(&claims)).await?;
        Ok(claims)
    }

    /// `false`: the version is there with another text.
    async fn try_publish(&mut self, source: &PublishedSource) -> Result<bool, Undone> {
        let conn = self.line.begin().await?;
        match line::published(conn, source).await {
            Ok(None) => {}
            Ok(Some(found)) => {
                self.line.rollback().await;
                return Ok(found == source.source);
            }
            Err(err) => return Err(self.line.give_up(err).await),
        }
        let query = sqlx::query(sql::QUEST_SAVE).bind(source.quest.as_str()).bind(source.version);
        if let Err(err) = query.bind(source.source.as_str()).execute(conn).await {
            return Err(self.line.give_up(err).await);
        }
        self.line.commit(Proof::Quest(source)).await?;
        Ok(true)
    }
}

impl Backend for SqliteBackend {
    async fn write(&mut self, jobs: &[Job], saves: &[Save], held: &HashMap<Shard, Held>) -> Result<Outcome, Told> {
        let mut done = self.transact(jobs, saves, held, false).await;
        if matches!(&done, Err(Undone::Failed(err)) if batch::unique(err)) {
            done = self.transact(jobs, saves, held, true).await;
        }
        done.map_err(Into::into)
    }

    async fn claim(&mut self, shards: &[Shard]) -> Result<Vec<Claim>, Told> {
        self.try_claim(shards).await.map_err(Into::into)
    }

    async fn publish(&mut self, source: &PublishedSource) -> Result<bool, Told> {
        self.try_publish(source).await.map_err(Into::into)
    }

    async fn probe(&mut self) {
        self.line.probe().await;
    }

    async fn finish(mut self, held: &HashMap<Shard, Held>) {
        let acked = |(shard, held): (&Shard, &Held)| Fence {
            shard: *shard,
            held: *held,
            n: 0,
            acked: self.shared.acked.get(*shard),
        };
        let fences: Vec<Fence> = held.iter().map(acked).filter(|fence| fence.acked > 0).collect();
        if let Ok(conn) = self.line.begin().await {
            let written = batch::fence(conn, &fences).await;
            if written.is_err() || self.line.commit_now().await.is_err() {
                self.line.rollback().await;
                tracing::warn!("delivery cursors were not written at the close");
            }
        }
        self.line.close().await;
    }

    #[cfg(test)]
    async fn sql(&mut self, sql: &'static str) -> Result<(), String> {
        self.line.sql(sql).await
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

async fn take_over(conn: &mut SqliteConnection, shards: &[Shard]) -> Result<Vec<Claim>, sqlx::Error> {
    let mut claims = Vec::with_capacity(shards.len());
    for shard in shards {
        let row = sqlx::query(sql::CLAIM).bind(shard.number()).fetch_one(&mut *conn).await?;
        let [epoch, head, out_acked] = [0, 1, 2].map(|column| row.try_get::<i64, _>(column).map(batch::uint));
        claims.push(Claim { shard: *shard, epoch: epoch?, head: head?, out_acked: out_acked? });
    }
    Ok(claims)
}
