//! What the journal is given to write: the entries of one step of a team of four, over and over.
//!
//! `data/step.jsonl` has them as a run of `awards` left them: a region sees a player come, the player reaches a step,
//! the team completes it, four members hear of it (one is given points), and the player leaves again. Each entity here
//! goes through all nine, with causes and awards of its own; now and then one asks to be woken, and takes that back
//! with the next. So bytes, messages, causes and awards an entry are those of the real game.

use crate::fault::Fault;
use std::sync::Arc;
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, PlayerId};
use waystone::persist::Append;
use waystone::quest::entry::{Cause, Entry};
use waystone::units::Timestamp;

const STEP: &str = include_str!("../../data/step.jsonl");
/// One entry in so many asks for a wake: stays and hints that come later are rare beside sightings.
const WAKE_EVERY: u64 = 25;
/// When all this happens.
const AT: i64 = 1_795_898_884_476;

/// The entries that all others are made of.
#[derive(Debug)]
pub struct Mix {
    entries: Vec<Entry>,
    payloads: Vec<Arc<[u8]>>,
}

/// An entry as a row of the tables, for who writes them by hand.
#[derive(Debug, Clone)]
pub struct Row {
    pub shard: Shard,
    pub kind: u8,
    pub id: String,
    pub seq: i64,
    pub cause: Option<String>,
    pub out_n: i32,
    pub at: i64,
    pub payload: Arc<[u8]>,
    pub awards: Vec<String>,
    pub wake: Option<i64>,
}

impl Mix {
    /// Reads the data.
    pub fn new() -> Result<Self, Fault> {
        let entries: Result<Vec<Entry>, _> = STEP.lines().map(serde_json::from_str).collect();
        let entries = entries.map_err(|err| Fault::Settings(format!("data/step.jsonl: {err}")))?;
        let payloads = STEP.lines().map(|line| line.as_bytes().into()).collect();
        Ok(Self { entries, payloads })
    }

    /// Bytes of an entry on average.
    pub fn mean_bytes(&self) -> f64 {
        self.payloads.iter().map(|payload| payload.len()).sum::<usize>() as f64 / self.payloads.len() as f64
    }

    fn place(&self, n: u64, seq: u64) -> usize {
        usize::try_from(n + seq).unwrap_or(0) % self.entries.len()
    }

    fn wake(seq: u64) -> Option<Timestamp> {
        (seq.is_multiple_of(WAKE_EVERY)).then(|| Timestamp::from_millis(AT + 60_000))
    }

    /// The next append of an entity.
    pub fn append(&self, entity: &EntityId, n: u64, seq: u64) -> Append {
        let mut entry = self.entries[self.place(n, seq)].clone();
        entry.seq = seq;
        if let Some(Cause::Message(id)) = &mut entry.cause {
            id.seq = seq;
        }
        for award in &mut entry.awards {
            *award = format!("load-row@1#1:step:s{seq}");
        }
        Append { entity: entity.clone(), entry, wake: Self::wake(seq) }
    }

    /// The same as a row. Its bytes are made beforehand: who writes by hand has nothing to encode.
    pub fn row(&self, entity: &EntityId, n: u64, seq: u64) -> Row {
        let place = self.place(n, seq);
        let entry = &self.entries[place];
        let cause = entry.cause.as_ref().map(|cause| match cause {
            Cause::Message(id) => format!("m {} {seq} {}", id.sender, id.n),
            client @ Cause::Client { .. } => client.key(),
        });
        Row {
            shard: Shard::of(entity),
            kind: entity.kind(),
            id: entity.key().to_owned(),
            seq: i64::try_from(seq).unwrap_or(i64::MAX),
            cause,
            out_n: i32::try_from(entry.out.len()).unwrap_or(i32::MAX),
            at: AT,
            payload: Arc::clone(&self.payloads[place]),
            awards: entry.awards.iter().map(|_| format!("load-row@1#1:step:s{seq}")).collect(),
            wake: Self::wake(seq).map(Timestamp::as_millis),
        }
    }
}

/// An entity of a run.
pub fn entity(run: &str, n: u64) -> Result<EntityId, Fault> {
    let id = PlayerId::new(format!("{run}-{n}")).map_err(|err| Fault::Settings(err.to_string()))?;
    Ok(EntityId::Player(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_what_the_journal_would_write() {
        let mix = Mix::new().expect("valid");
        let entity = entity("p", 3).expect("valid");
        for seq in 1..=50 {
            let (append, row) = (mix.append(&entity, 3, seq), mix.row(&entity, 3, seq));
            assert_eq!(row.cause, append.entry.cause.as_ref().map(Cause::key));
            assert_eq!((row.awards, row.wake), (append.entry.awards, append.wake.map(Timestamp::as_millis)));
        }
    }
}
