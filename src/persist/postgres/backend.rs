//! How Postgres writes: a batch is one statement that commits by itself, so no lock outlives an answer.
//!
//! A statement without an answer may be done, or may yet be: the identical one is sent again until there is an answer.
//! That is safe, for it moves a head that was compared in the same statement; whichever of the two comes first is the
//! one that counts, and the other changes nothing.

use super::batch::{Answer, Keys, Round, int, number, shard, uint};
use super::line::{Fault, Line};
use super::sql;
use crate::cluster::shard::Shard;
use crate::persist::health::Trouble;
use crate::persist::job::{Held, Job, Save};
use crate::persist::writer::{Backend, Outcome, Shared, Undone};
use crate::persist::{AppendError, Claim, PublishedSource, record};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// How often an answer is asked for while the database does not give one.
const RESOLVE: Duration = Duration::from_millis(250);
/// How long a claim is tried again while another node serves: its lease, if it has died, and some.
const CLAIM: Duration = Duration::from_millis(crate::persist::members::TTL.as_millis() as u64 + 2_000);

/// The backend of one writer.
#[derive(Debug)]
pub(super) struct PgBackend {
    line: Line,
    shared: Arc<Shared>,
    /// This process, for whom it claims.
    node: Arc<str>,
    /// Whether it also claims what another living node serves.
    seize: bool,
}

/// A batch under way.
struct Course<'j> {
    verdicts: Vec<Option<Result<u64, AppendError>>>,
    heads: HashMap<Shard, Held>,
    lost: HashSet<Shard>,
    moved: HashSet<Shard>,
    /// Jobs to try, last group first.
    stack: Vec<Vec<(usize, &'j Job)>>,
}

impl<'j> Course<'j> {
    fn new(jobs: &'j [Job], held: &HashMap<Shard, Held>) -> Self {
        let mut verdicts = Vec::with_capacity(jobs.len());
        let mut all = Vec::with_capacity(jobs.len());
        for (place, job) in jobs.iter().enumerate() {
            // No stream has such an entry: it would never be asked about.
            let storable = job.seq > 0 && i64::try_from(job.seq).is_ok();
            verdicts.push((!storable).then(|| Err(record::not_next(job.seq, 0))));
            if storable {
                all.push((place, job));
            }
        }
        let heads = jobs.iter().map(|job| (job.shard, held[&job.shard])).collect();
        Self { verdicts, heads, lost: HashSet::new(), moved: HashSet::new(), stack: vec![all] }
    }

    /// Takes in what the database said of a round; what was left alone because of another goes back to the hand.
    fn settle(&mut self, round: &Round<'j>, answer: &Answer, hand: &mut Vec<(usize, &'j Job)>) {
        let mut again = Vec::new();
        for (place, job, offset) in &round.jobs {
            self.verdicts[*place] = match (answer.live.contains(&job.shard), answer.gap(job)) {
                (true, _) => Some(Ok(*offset)),
                (false, Some(end)) => Some(Err(record::not_next(job.seq, end))),
                (false, None) if answer.spared(round, job.shard) => {
                    again.push((*place, *job));
                    None
                }
                (false, None) => Some(Err(AppendError::Lost)),
            };
        }
        for (shard, (held, n)) in &round.shards {
            if answer.live.contains(shard) {
                self.heads.insert(*shard, Held { head: held.head + n, ..*held });
                self.moved.insert(*shard);
            } else if !answer.spared(round, *shard) {
                self.lost.insert(*shard);
            }
        }
        again.append(hand);
        *hand = again;
    }

    /// Everything that has no verdict yet is not done.
    fn give_up(mut self, why: &AppendError) -> Outcome {
        self.stack.clear();
        for verdict in &mut self.verdicts {
            verdict.get_or_insert_with(|| Err(why.clone()));
        }
        self.end()
    }

    fn end(self) -> Outcome {
        let heads = self.moved.iter().map(|shard| (*shard, self.heads[shard].head)).collect();
        let missing = || Err(AppendError::Unavailable("it was not tried".to_owned()));
        let verdicts = self.verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(missing)).collect();
        Outcome { verdicts, heads, lost: self.lost.into_iter().collect() }
    }
}

impl PgBackend {
    pub(super) fn new(line: Line, shared: Arc<Shared>, node: Arc<str>, seize: bool) -> Self {
        Self { line, shared, node, seize }
    }

    /// Tries a round until there is an answer.
    async fn resolve(&mut self, round: &Round<'_>) -> Result<Result<Answer, Fault>, Undone> {
        let mut open = false;
        loop {
            let fault = match self.line.append(round, &self.shared.acked).await {
                Ok(answer) if open => match self.landed(round, answer).await {
                    Ok(answer) => return Ok(Ok(answer)),
                    Err(fault) => fault,
                },
                Ok(answer) => return Ok(Ok(answer)),
                Err(fault @ Fault::Unique(_)) => return Ok(Err(fault)),
                // Nothing was done now, and nothing is open from before.
                Err(fault @ Fault::Refused(_)) if !open => return Ok(Err(fault)),
                Err(fault) => fault,
            };
            open |= matches!(fault, Fault::Unknown(_));
            self.note(&fault);
            if self.shared.closing.load(Ordering::Acquire) {
                tracing::error!("outcome of a commit is not known");
                return Err(Undone::Unknown);
            }
            tokio::time::sleep(RESOLVE).await;
        }
    }

    /// After a second try: shards that did not take it may have taken the first one.
    async fn landed(&mut self, round: &Round<'_>, mut answer: Answer) -> Result<Answer, Fault> {
        let open: Vec<i16> = round.shards.keys().filter(|s| !answer.live.contains(s)).map(|s| number(*s)).collect();
        if open.is_empty() {
            return Ok(answer);
        }
        let query = sqlx::query(sql::SHARDS_NOW).bind(open);
        let rows = self.line.run(async |conn| query.fetch_all(conn).await).await?;
        for row in &rows {
            let Some(shard) = shard(row.try_get(0)?) else { continue };
            let (held, n) = round.shards[&shard];
            // Nobody else writes in our epoch: a head that has moved was moved by the first try.
            if uint(row.try_get(1)?) == held.epoch && uint(row.try_get(2)?) == held.head + n {
                answer.live.insert(shard);
            }
        }
        Ok(answer)
    }

    fn note(&self, fault: &Fault) -> AppendError {
        let (Fault::Refused(trouble) | Fault::Unknown(trouble)) = fault else {
            return AppendError::Unavailable(Trouble::Other.text().to_owned());
        };
        self.shared.health.set(Some(*trouble));
        AppendError::Unavailable(trouble.text().to_owned())
    }

    async fn write_jobs(&mut self, jobs: &[Job], held: &HashMap<Shard, Held>) -> Result<Outcome, Undone> {
        let mut course = Course::new(jobs, held);
        while let Some(mut hand) = course.stack.pop() {
            hand.retain(|(place, job)| {
                let lost = course.lost.contains(&job.shard);
                if lost {
                    course.verdicts[*place] = Some(Err(AppendError::Lost));
                }
                !lost
            });
            if hand.is_empty() {
                continue;
            }
            let round = Round::take(&mut hand, &course.heads);
            match self.resolve(&round).await? {
                Ok(answer) => {
                    course.settle(&round, &answer, &mut hand);
                    course.stack.push(hand);
                }
                Err(Fault::Unique(constraint)) => {
                    course.stack.push(hand);
                    match round.halves() {
                        Some([first, second]) => course.stack.extend([second, first]),
                        None => {
                            let (place, job, _) = round.jobs[0];
                            course.verdicts[place] = Some(Err(guilt(&constraint, job)));
                        }
                    }
                }
                Err(fault) => {
                    let why = self.note(&fault);
                    return Ok(course.give_up(&why));
                }
            }
        }
        Ok(course.end())
    }

    async fn save(&mut self, saves: &[Save]) -> Result<(), Fault> {
        let (mut keys, mut seqs, mut states) = (Keys::default(), Vec::new(), Vec::new());
        for save in saves {
            keys.push(Shard::of(&save.entity), &save.entity);
            seqs.push(int(save.seq));
            states.push(save.state.as_slice());
        }
        let forms = vec![record::SNAPSHOT_FORM; seqs.len()];
        let query = sqlx::query(sql::SNAPSHOTS_SAVE).bind(keys.shard).bind(keys.kind).bind(keys.id);
        let query = query.bind(seqs).bind(forms).bind(states);
        self.line.run(async |conn| query.execute(conn).await).await.map(|_| ())
    }

    /// Columns: shards, the epochs that are held of them, and up to where their messages are delivered.
    fn cursors<'h>(&self, held: impl Iterator<Item = (&'h Shard, &'h Held)>) -> (Vec<i16>, Vec<i64>, Vec<i64>) {
        let (mut shards, mut epochs, mut acked) = (Vec::new(), Vec::new(), Vec::new());
        for (shard, held) in held {
            shards.push(number(*shard));
            epochs.push(int(held.epoch));
            acked.push(int(self.shared.acked.get(*shard)));
        }
        (shards, epochs, acked)
    }

    /// As many of these shards as can be had, until there is an answer: a second try only makes epochs grow twice.
    /// A claim may meet an append of many shards so that each waits for the other; Postgres ends one of the two after a
    /// second, which has then done nothing, and is tried again.
    async fn claim_now(&mut self, wanted: &[Shard]) -> Result<Vec<Claim>, Undone> {
        let begun = Instant::now();
        loop {
            let numbers: Vec<i16> = wanted.iter().copied().map(number).collect();
            let query = sqlx::query(sql::CLAIM).bind(numbers).bind(&*self.node).bind(self.seize);
            let fault = match self.line.run(async |conn| query.fetch_all(conn).await).await {
                Ok(rows) => return claims(&rows),
                Err(fault) => fault,
            };
            let why = self.note(&fault);
            let again = matches!(fault, Fault::Unknown(_) | Fault::Refused(Trouble::Busy));
            if !again || begun.elapsed() > CLAIM || self.shared.closing.load(Ordering::Acquire) {
                return Err(Undone::Failed(why.to_string()));
            }
            tokio::time::sleep(RESOLVE).await;
        }
    }
}

/// What was claimed.
fn claims(rows: &[PgRow]) -> Result<Vec<Claim>, Undone> {
    let claims: Result<Vec<Claim>, sqlx::Error> = rows.iter().filter_map(claim).collect();
    claims.map_err(|err| Undone::Failed(err.to_string()))
}

/// A row of a claim.
fn claim(row: &PgRow) -> Option<Result<Claim, sqlx::Error>> {
    let read = |column| row.try_get::<i64, _>(column).map(uint);
    let of = |shard| Ok(Claim { shard, epoch: read(1)?, head: read(2)?, out_acked: read(3)? });
    match row.try_get(0).map(shard) {
        Ok(shard) => shard.map(of),
        Err(err) => Some(Err(err)),
    }
}

impl Backend for PgBackend {
    async fn write(&mut self, jobs: &[Job], saves: &[Save], held: &HashMap<Shard, Held>) -> Result<Outcome, Undone> {
        let outcome = self.write_jobs(jobs, held).await?;
        if outcome.verdicts.iter().any(Result::is_ok) {
            self.shared.health.set(None);
        }
        if !saves.is_empty()
            && let Err(fault) = self.save(saves).await
        {
            let why = self.note(&fault);
            tracing::debug!(%why, "snapshots were not kept; they are only a cache");
        }
        Ok(outcome)
    }

    async fn claim(&mut self, shards: &[Shard]) -> Result<Vec<Claim>, Undone> {
        let (mut claims, begun, mut wanted) = (Vec::with_capacity(shards.len()), Instant::now(), shards.to_vec());
        loop {
            let free = self.claim_now(&wanted).await?;
            wanted.retain(|shard| free.iter().all(|claim| claim.shard != *shard));
            claims.extend(free);
            if wanted.is_empty() {
                return Ok(claims);
            }
            if begun.elapsed() > CLAIM || self.shared.closing.load(Ordering::Acquire) {
                return Err(Undone::Failed("another Waystone serves this journal; stop that one first".to_owned()));
            }
            tokio::time::sleep(RESOLVE).await;
        }
    }

    async fn claim_free(&mut self, shards: &[Shard], held: &HashMap<Shard, Held>) -> Result<Vec<Claim>, Undone> {
        let numbers: Vec<i16> = shards.iter().copied().map(number).collect();
        let epochs: Vec<i64> = shards.iter().map(|shard| held.get(shard).map_or(0, |held| int(held.epoch))).collect();
        let query = sqlx::query(sql::CLAIM_FREE).bind(numbers).bind(&*self.node).bind(epochs);
        match self.line.run(async |conn| query.fetch_all(conn).await).await {
            Ok(rows) => claims(&rows),
            // If it was done all the same, these shards are ours and not held: the next try claims them anew.
            Err(fault) => Err(Undone::Failed(self.note(&fault).to_string())),
        }
    }

    async fn release(&mut self, shards: &[(Shard, Held)]) -> Result<(), Undone> {
        let (numbers, epochs, acked) = self.cursors(shards.iter().map(|(shard, held)| (shard, held)));
        let query = sqlx::query(sql::RELEASE).bind(numbers).bind(epochs).bind(acked);
        // If it was done all the same, our epoch still writes until somebody claims: it may be asked for again.
        let released = self.line.run(async |conn| query.execute(conn).await).await;
        released.map(drop).map_err(|fault| Undone::Failed(self.note(&fault).to_string()))
    }

    async fn publish(&mut self, source: &PublishedSource) -> Result<bool, Undone> {
        let version = i32::try_from(source.version).unwrap_or(i32::MAX);
        let save = sqlx::query(sql::QUEST_SAVE).bind(source.quest.as_str()).bind(version);
        let save = save.bind(source.source.as_bytes());
        let read = sqlx::query_scalar::<_, Vec<u8>>(sql::QUEST_SOURCE).bind(source.quest.as_str()).bind(version);
        let saved = self.line.run(async |conn| save.execute(conn).await).await;
        let found = match saved {
            Ok(_) => self.line.run(async |conn| read.fetch_one(conn).await).await,
            Err(fault) => Err(fault),
        };
        match found {
            Ok(found) => Ok(found == source.source.as_bytes()),
            // Publishing the same again is no fault, so an unknown outcome does no harm.
            Err(fault) => Err(Undone::Failed(self.note(&fault).to_string())),
        }
    }

    async fn probe(&mut self) {
        match self.line.run(async |conn| sqlx::query(sql::PROBE).execute(conn).await).await {
            Ok(_) => self.shared.health.set(None),
            Err(fault) => drop(self.note(&fault)),
        }
    }

    async fn finish(mut self, held: &HashMap<Shard, Held>) {
        let (shards, epochs, acked) = self.cursors(held.iter());
        let query = sqlx::query(sql::DELIVERED).bind(shards).bind(epochs).bind(acked);
        if self.line.run(async |conn| query.execute(conn).await).await.is_err() {
            tracing::warn!("delivery cursors were not written at the close");
        }
        self.line.close().await;
    }

    #[cfg(test)]
    async fn sql(&mut self, sql: &'static str) -> Result<(), String> {
        let run = self.line.run(async |conn| sqlx::raw_sql(sql).execute(conn).await).await;
        run.map(|_| ()).map_err(|fault| format!("{fault:?}"))
    }
}

/// What stood already, by the key that was violated.
fn guilt(constraint: &str, job: &Job) -> AppendError {
    match constraint {
        "event_cause" => record::cause_stands(job.cause.as_deref().unwrap_or("")),
        "award_pkey" => record::award_stands(&job.awards),
        "event_pkey" => record::not_next(job.seq, job.seq),
        // An offset that stands: somebody writes past the fence.
        other => AppendError::Unavailable(format!("the journal refuses the entry by {other}")),
    }
}
