//! What one statement writes: many appends of many entities and shards, as arrays, one for each column.
//!
//! Pure: rows in, arrays out; and the answer back in, verdicts out. Nothing here talks to the database.

use super::sql;
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::persist::job::{Acked, Held, Job};
use crate::persist::record;
use crate::units::Timestamp;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Postgres' integers are signed; what is beyond them cannot be stored and so matches nothing.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The reverse; the schema keeps no negative numbers where this is used.
pub(super) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A shard's number as it is stored; there are 256.
pub(super) fn number(shard: Shard) -> i16 {
    i16::try_from(shard.number()).unwrap_or(i16::MAX)
}

/// The reverse.
pub(super) fn shard(number: i16) -> Option<Shard> {
    u16::try_from(number).ok().and_then(Shard::from_number)
}

/// The columns that each table's key begins with.
#[derive(Debug, Default)]
pub(super) struct Keys<'j> {
    pub(super) shard: Vec<i16>,
    pub(super) kind: Vec<i16>,
    pub(super) id: Vec<&'j str>,
}

impl<'j> Keys<'j> {
    pub(super) fn push(&mut self, shard: Shard, entity: &'j EntityId) {
        self.shard.push(number(shard));
        self.kind.push(i16::from(entity.kind()));
        self.id.push(entity.key());
    }
}

/// Some jobs of a batch that are tried together: of each entity a run of consecutive entries.
#[derive(Debug)]
pub(super) struct Round<'j> {
    /// The jobs, with their places in the batch and their offsets.
    pub(super) jobs: Vec<(usize, &'j Job, u64)>,
    /// Of each shard: the head before, and how many entries.
    pub(super) shards: BTreeMap<Shard, (Held, u64)>,
    firsts: HashSet<usize>,
}

/// What the database said of a round.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Shards that took their entries.
    pub(super) live: HashSet<Shard>,
    /// Entities whose stream ends elsewhere: kind, id; and where.
    pub(super) gaps: HashMap<(i16, String), u64>,
}

impl<'j> Round<'j> {
    /// Takes from the jobs in hand all that can be tried together; the others stay, in order.
    pub(super) fn take(hand: &mut Vec<(usize, &'j Job)>, heads: &HashMap<Shard, Held>) -> Self {
        let (mut jobs, mut rest) = (Vec::with_capacity(hand.len()), Vec::new());
        let mut last: HashMap<&EntityId, Option<u64>> = HashMap::new();
        let (mut shards, mut firsts) = (BTreeMap::new(), HashSet::new());
        for (place, job) in hand.drain(..) {
            let end = last.entry(&job.entity).or_insert_with(|| {
                firsts.insert(place);
                Some(job.seq - 1)
            });
            // What does not follow the one before is judged when that one's fate is known.
            if *end != Some(job.seq - 1) {
                *end = None;
                rest.push((place, job));
                continue;
            }
            *end = Some(job.seq);
            let held = heads[&job.shard];
            let (_, n) = shards.entry(job.shard).or_insert((held, 0_u64));
            *n += 1;
            jobs.push((place, job, held.head + *n));
        }
        *hand = rest;
        Self { jobs, shards, firsts }
    }

    /// Two halves, each with whole entities, or of one entity's entries the first and the others; `None`: it is one
    /// job, and guilty.
    pub(super) fn halves(&self) -> Option<[Vec<(usize, &'j Job)>; 2]> {
        let mut entities: Vec<&EntityId> = self.jobs.iter().map(|(_, job, _)| &job.entity).collect();
        entities.sort_unstable();
        entities.dedup();
        let jobs = self.jobs.iter().map(|(place, job, _)| (*place, *job));
        match (entities.len(), self.jobs.len()) {
            (_, 0 | 1) => None,
            (1, _) => {
                let (first, others) = jobs.enumerate().partition::<Vec<_>, _>(|(n, _)| *n == 0);
                let strip = |half: Vec<(usize, (usize, &'j Job))>| half.into_iter().map(|(_, job)| job).collect();
                Some([strip(first), strip(others)])
            }
            (n, _) => {
                let middle = entities[n / 2];
                let (low, high) = jobs.partition(|(_, job)| job.entity < *middle);
                Some([low, high])
            }
        }
    }

    /// The statement with its arrays.
    pub(super) fn bind(&self, acked: &Acked) -> Query<'_, Postgres, PgArguments> {
        let fences = self.shards.iter();
        let mut fence = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (shard, (held, n)) in fences {
            fence.0.push(number(*shard));
            fence.1.push(int(held.epoch));
            fence.2.push(int(held.head));
            fence.3.push(int(*n));
            fence.4.push(int(acked.get(*shard)));
        }
        let query = sqlx::query(sql::APPEND).bind(fence.0).bind(fence.1).bind(fence.2).bind(fence.3).bind(fence.4);
        self.bind_wakes(self.bind_awards(self.bind_events(query)))
    }

    fn bind_events<'q>(&'q self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let jobs = || self.jobs.iter().map(|(_, job, _)| *job);
        let mut keys = Keys::default();
        jobs().for_each(|job| keys.push(job.shard, &job.entity));
        let query = query.bind(keys.shard).bind(keys.kind).bind(keys.id);
        let query = query.bind(jobs().map(|job| int(job.seq)).collect::<Vec<_>>());
        let query = query.bind(self.jobs.iter().map(|(_, _, offset)| int(*offset)).collect::<Vec<_>>());
        let form = i32::try_from(record::VERSION).unwrap_or(i32::MAX);
        let query = query.bind(vec![form; self.jobs.len()]);
        let query = query.bind(jobs().map(|job| job.cause.as_deref()).collect::<Vec<_>>());
        let out = |job: &Job| i32::try_from(job.out_n).unwrap_or(i32::MAX);
        let query = query.bind(jobs().map(out).collect::<Vec<_>>());
        let query = query.bind(jobs().map(|job| job.at.as_millis()).collect::<Vec<_>>());
        let query = query.bind(jobs().map(|job| job.payload.as_slice()).collect::<Vec<_>>());
        query.bind(self.jobs.iter().map(|(place, ..)| self.firsts.contains(place)).collect::<Vec<_>>())
    }

    fn bind_awards<'q>(&'q self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let (mut keys, mut awards, mut seqs) = (Keys::default(), Vec::new(), Vec::new());
        for (_, job, _) in &self.jobs {
            for award in &job.awards {
                keys.push(job.shard, &job.entity);
                awards.push(award.as_str());
                seqs.push(int(job.seq));
            }
        }
        query.bind(keys.shard).bind(keys.kind).bind(keys.id).bind(awards).bind(seqs)
    }

    /// Each entity's last append says when it is to be woken.
    fn bind_wakes<'q>(&'q self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let last: BTreeMap<&EntityId, &Job> = self.jobs.iter().map(|(_, job, _)| (&job.entity, *job)).collect();
        let (mut set, mut due, mut clear) = (Keys::default(), Vec::new(), Keys::default());
        for (entity, job) in last {
            match job.wake.map(Timestamp::as_millis) {
                Some(at) => {
                    set.push(job.shard, entity);
                    due.push(at);
                }
                None => clear.push(job.shard, entity),
            }
        }
        let query = query.bind(set.shard).bind(set.kind).bind(set.id).bind(due);
        query.bind(clear.shard).bind(clear.kind).bind(clear.id)
    }
}

impl Answer {
    /// Whether an entity's stream ends elsewhere than its job thought, and where.
    pub(super) fn gap(&self, job: &Job) -> Option<u64> {
        self.gaps.get(&(i16::from(job.entity.kind()), job.entity.key().to_owned())).copied()
    }

    /// Whether a shard was left alone because of one of its entities.
    pub(super) fn spared(&self, round: &Round<'_>, shard: Shard) -> bool {
        round.jobs.iter().any(|(_, job, _)| job.shard == shard && self.gap(job).is_some())
    }
}
