//! Entities that panic: how often each has, which of them are parked, and what they were doing.
//!
//! An entity that panics again and again would panic for ever, since a message of another entity comes until it is
//! taken. So it is parked: what is asked of it is turned away at once, and nothing else suffers. After a pause, which
//! grows, it is tried again by itself: most such faults pass (a client gives its command up, a race is not lost twice),
//! and nobody need be awake for those. One that does not pass costs a panic each ten minutes, and stays in sight until
//! an operator has it tried again, or drops the message.
//!
//! Promise: bounded, and nothing here bears what players said or where they were: of a message its name and cause.

use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::quest::aggregate::Message;
use crate::quest::entry::Cause;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{error, warn};

/// Panics within [`WINDOW`] before an entity is parked.
const PANICS_MAX: u32 = 3;
/// Panics that are further apart are not the same trouble.
const WINDOW: Duration = Duration::from_secs(30);
/// The first and the longest pause of a parked entity; it doubles in between.
const PAUSE_MIN: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// How long one that is tried again must be well to count as well: a letter that waits comes within two seconds.
const TRIAL: Duration = Duration::from_secs(30);
/// Entities that are remembered here: 6 MB at the most. Who panics beyond it is not parked, only counted: it fails
/// each time that it is asked.
const KEPT_MAX: usize = 10_000;
/// Entities that an operator is shown: an answer between nodes has room for a megabyte.
const SHOWN_MAX: usize = 1_000;
/// Letters of a panic's message that are kept.
const TEXT_MAX: usize = 200;

/// What an entity was doing when it panicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// The name of the message, like `team.say`; or of what else was asked.
    pub name: String,
    /// What the message is recognised by, if by anything, and its links before.
    pub cause: Option<(Cause, u8)>,
}

impl Poison {
    /// Of a message.
    pub fn of(message: &Message) -> Self {
        let cause = message.cause.clone().map(|cause| (cause, message.hops));
        Self { name: message.command.name(), cause }
    }

    /// Of something that changes nothing.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), cause: None }
    }
}

/// A parked entity as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedCard {
    /// Which, like `team/owls`.
    pub entity: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again by itself.
    pub until: Timestamp,
    /// Whether it is being tried again: it counts as well when it has not panicked for half a minute.
    pub on_trial: bool,
    /// How often it has panicked.
    pub panics: u32,
    /// The name of the message that it panicked at last, like `team.say`.
    pub message: String,
    /// What the message is recognised by; only one that has this can be dropped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// What the panic said, cut short.
    pub panic: String,
}

/// What an operator is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParkedCards {
    /// The longest parked first.
    pub parked: Vec<ParkedCard>,
    /// Parked entities that are not shown.
    pub more: usize,
    /// Panics of entities for which there was no room here.
    pub unkept: u64,
}

impl ParkedCards {
    /// Adds those of another node.
    pub fn add(&mut self, other: Self) {
        self.parked.extend(other.parked);
        self.more += other.more;
        self.unkept += other.unkept;
        self.cut();
    }

    /// The longest parked first, and no more than are shown.
    fn cut(&mut self) {
        self.parked.sort_by(|a, b| (a.since, &a.entity).cmp(&(b.since, &b.entity)));
        self.more += self.parked.len().saturating_sub(SHOWN_MAX);
        self.parked.truncate(SHOWN_MAX);
    }
}

/// What became of an entity that has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is started anew by its next message.
    Again,
    /// It is parked for so long, for the how-manyeth time in a row.
    Parked(Duration, u32),
    /// It should be parked, and there is no room to remember it.
    NoRoom,
}

/// The table of a node.
#[derive(Debug, Default)]
pub struct Parked {
    /// How many are in the table: nearly always none, and then nobody locks it.
    kept: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    ailing: HashMap<EntityId, Ailing>,
    unkept: u64,
}

#[derive(Debug)]
struct Ailing {
    panics: u32,
    /// When the first of these panics was.
    first: Instant,
    poison: Poison,
    text: String,
    /// Once it was parked: since when, until when, and how often in a row.
    parked: Option<(Timestamp, Instant, u32)>,
}

impl Ailing {
    /// Whether it counts as well by now.
    fn is_well(&self, now: Instant) -> bool {
        match self.parked {
            Some((_, until, _)) => now >= until + TRIAL,
            None => now >= self.first + WINDOW,
        }
    }

    fn pause(times: u32) -> Duration {
        PAUSE_MIN.saturating_mul(1 << times.min(16)).min(PAUSE_MAX)
    }
}

impl Parked {
    /// Whether an entity may be asked anything now.
    pub fn admits(&self, entity: &EntityId) -> bool {
        if self.kept.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let table = self.lock();
        let parked = table.ailing.get(entity).and_then(|ailing| ailing.parked);
        parked.is_none_or(|(_, until, _)| Instant::now() >= until)
    }

    /// An entity has panicked: notes it, and says so in the log.
    pub fn report(&self, entity: &EntityId, at: Timestamp, poison: Poison, text: &str) {
        let message = poison.name.clone();
        match self.panicked(entity, at, poison, text) {
            Verdict::Again => {
                error!(%entity, message, text, "an entity has panicked; its next message starts it anew")
            }
            Verdict::Parked(pause, 1) => {
                error!(%entity, message, text, ?pause, "an entity is parked; /v1/operator/parked has it tried again or drops the message");
            }
            Verdict::Parked(pause, _) => warn!(%entity, message, text, ?pause, "a parked entity has panicked again"),
            Verdict::NoRoom => {
                error!(%entity, message, text, "an entity has panicked and cannot be parked: too many are")
            }
        }
    }

    fn panicked(&self, entity: &EntityId, at: Timestamp, poison: Poison, text: &str) -> Verdict {
        let now = Instant::now();
        let mut table = self.lock();
        table.ailing.retain(|_, ailing| !ailing.is_well(now));
        let room = table.ailing.len() < KEPT_MAX;
        let verdict = if room || table.ailing.contains_key(entity) {
            let text: String = text.chars().take(TEXT_MAX).collect();
            let fresh = || Ailing { panics: 0, first: now, poison: poison.clone(), text: text.clone(), parked: None };
            let ailing = table.ailing.entry(entity.clone()).or_insert_with(fresh);
            ailing.panics += 1;
            (ailing.poison, ailing.text) = (poison, text);
            ailing.judge(at, now)
        } else {
            table.unkept += 1;
            Verdict::NoRoom
        };
        self.kept.store(table.ailing.len(), Ordering::Relaxed);
        verdict
    }

    /// What a parked entity panicked at last; `None`: it is not parked.
    pub fn poison(&self, entity: &EntityId) -> Option<Poison> {
        let (table, now) = (self.lock(), Instant::now());
        let parked = |ailing: &&Ailing| ailing.parked.is_some() && !ailing.is_well(now);
        table.ailing.get(entity).filter(parked).map(|ailing| ailing.poison.clone())
    }

    /// Has a parked entity tried again now; `false`: it is not parked. If it panics once more it is parked again.
    pub fn redrive(&self, entity: &EntityId) -> bool {
        let mut table = self.lock();
        let parked = table.ailing.get_mut(entity).and_then(|ailing| ailing.parked.as_mut());
        let now = Instant::now();
        parked.map(|(_, until, _)| *until = now.min(*until)).is_some()
    }

    /// Forgets the entities of a shard, which has left this node.
    pub fn forget(&self, shard: Shard) {
        let mut table = self.lock();
        table.ailing.retain(|entity, _| Shard::of(entity) != shard);
        self.kept.store(table.ailing.len(), Ordering::Relaxed);
    }

    /// How many are parked now, or on trial.
    pub fn count(&self) -> usize {
        if self.kept.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let now = Instant::now();
        self.lock().ailing.values().filter(|ailing| ailing.parked.is_some() && !ailing.is_well(now)).count()
    }

    /// What an operator is shown; `at` is now.
    pub fn cards(&self, at: Timestamp) -> ParkedCards {
        let now = Instant::now();
        let table = self.lock();
        let parked = table.ailing.iter().filter(|(_, ailing)| !ailing.is_well(now));
        let parked = parked.filter_map(|(id, ailing)| ailing.card(id, at, now)).collect();
        let mut cards = ParkedCards { parked, more: 0, unkept: table.unkept };
        cards.cut();
        cards
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ailing {
    fn judge(&mut self, at: Timestamp, now: Instant) -> Verdict {
        match &mut self.parked {
            // Asked before it was parked, and died of it after.
            Some((_, until, times)) if now < *until => Verdict::Parked(*until - now, *times),
            Some((_, until, times)) => {
                let pause = Self::pause(*times);
                *times += 1;
                *until = now + pause;
                Verdict::Parked(pause, *times)
            }
            None if self.panics >= PANICS_MAX => {
                self.parked = Some((at, now + PAUSE_MIN, 1));
                Verdict::Parked(PAUSE_MIN, 1)
            }
            None => Verdict::Again,
        }
    }

    fn card(&self, entity: &EntityId, at: Timestamp, now: Instant) -> Option<ParkedCard> {
        let (since, until, _) = self.parked?;
        let left = until.saturating_duration_since(now);
        Some(ParkedCard {
            entity: entity.to_string(),
            since,
            until: at + left,
            on_trial: left.is_zero(),
            panics: self.panics,
            message: self.poison.name.clone(),
            cause: self.poison.cause.as_ref().map(|(cause, _)| cause.key()),
            panic: self.text.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
