//! What other nodes of the cluster know, as it was read last: teams of boards, and where team-mates are.
//!
//! Promise: asking waits for nothing. What is answered says whether it is stale: not read for `FRESH`, or another
//! node has not told all that it knows. A stale board shows other nodes' teams as they were read last; positions that
//! were not read for so long are not shown.

use crate::actors::cards::{PlayerDot, RedisCounts};
use crate::ids::{QuestId, TeamId};
use crate::persist::commons::{BoardRow, Tally};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For how long what was read holds: it is read each second, so one or two rounds may fail.
const FRESH: Duration = Duration::from_secs(3);

/// What was read of the others; nothing in a cluster without a Redis.
#[derive(Debug, Default)]
pub struct Elsewhere {
    known: Mutex<Known>,
    tally: OnceLock<Arc<Tally>>,
}

#[derive(Default)]
struct Known {
    /// When every other node was last seen to have told all.
    whole: Option<Instant>,
    boards: BTreeMap<QuestId, Read<Vec<BoardRow>>>,
    mates: HashMap<TeamId, Read<Vec<PlayerDot>>>,
}

// Not its content: positions are in it.
impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("whole", &self.whole).finish_non_exhaustive()
    }
}

struct Read<T> {
    at: Instant,
    what: T,
}

/// What is known of something, and whether that is all and of now.
#[derive(Debug, Clone, PartialEq)]
pub struct Told<T> {
    /// What is known.
    pub what: Vec<T>,
    /// Whether there may be more or newer.
    pub stale: bool,
}

impl Elsewhere {
    /// The first teams of a board.
    pub fn board(&self, quest: &QuestId) -> Told<BoardRow> {
        let known = self.lock();
        let read = known.boards.get(quest);
        let stale = !known.is_whole() || read.is_none_or(|read| read.at.elapsed() > FRESH);
        Told { what: read.map_or_else(Vec::new, |read| read.what.clone()), stale }
    }

    /// Where members of a team are who share it and whose sessions are on other nodes.
    pub fn mates(&self, team: &TeamId) -> Told<PlayerDot> {
        let known = self.lock();
        let read = known.mates.get(team).filter(|read| read.at.elapsed() <= FRESH);
        let stale = !known.is_whole() || read.is_none();
        Told { what: read.map_or_else(Vec::new, |read| read.what.clone()), stale }
    }

    /// What is counted of the calls to Redis, if there is one.
    pub fn counts(&self) -> Option<RedisCounts> {
        self.tally.get().map(|tally| RedisCounts {
            calls: tally.calls(),
            failures: tally.failures(),
            opened: tally.opened(),
            open: tally.is_open(),
        })
    }

    /// There is a Redis, and this is counted of it.
    pub(super) fn counted_by(&self, tally: Arc<Tally>) {
        // One that is set already counts the same.
        let _ = self.tally.set(tally);
    }

    /// Takes in what was read of boards: whole, or what there is while some nodes have not told all.
    pub(super) fn read_boards(&self, boards: impl IntoIterator<Item = (QuestId, Vec<BoardRow>)>, whole: bool) {
        let mut known = self.lock();
        for (quest, mut rows) in boards {
            if !whole && let Some(before) = known.boards.remove(&quest) {
                // A Redis that has just been emptied has not everybody's teams yet.
                let read: BTreeSet<TeamId> = rows.iter().map(|row| row.team.clone()).collect();
                let room = before.what.len().saturating_sub(rows.len());
                rows.extend(before.what.into_iter().filter(|row| !read.contains(&row.team)).take(room));
            }
            known.boards.insert(quest, Read { at: Instant::now(), what: rows });
        }
        if whole {
            known.whole = Some(Instant::now());
        }
    }

    /// Takes in what was read of positions.
    pub(super) fn read_mates(&self, teams: impl IntoIterator<Item = (TeamId, Vec<PlayerDot>)>) {
        let at = Instant::now();
        self.lock().mates.extend(teams.into_iter().map(|(team, what)| (team, Read { at, what })));
    }

    /// Forgets what nobody listens to any more, and positions that nobody is shown.
    pub(super) fn keep(&self, boards: &BTreeSet<QuestId>, teams: &BTreeSet<TeamId>) {
        let mut known = self.lock();
        known.boards.retain(|quest, _| boards.contains(quest));
        known.mates.retain(|team, read| teams.contains(team) && read.at.elapsed() <= FRESH);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_whole(&self) -> bool {
        self.whole.is_some_and(|whole| whole.elapsed() <= FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(team: &str, points: i64) -> BoardRow {
        BoardRow { team: TeamId::new(team).expect("an id"), name: team.to_owned(), points }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_stale_after_three_seconds() {
        let elsewhere = Elsewhere::default();
        let quest = || QuestId::new("q").expect("an id");
        let team = || TeamId::new("owls").expect("an id");
        let dot = PlayerDot {
            id: crate::ids::PlayerId::new("ada").expect("an id"),
            team: None,
            lon: 1.0,
            lat: 2.0,
            acc: 3.0,
        };
        assert_eq!(elsewhere.board(&quest()), Told { what: Vec::new(), stale: true }, "nothing was read");
        elsewhere.read_boards([(quest(), vec![row("owls", 3), row("cats", 2)])], true);
        elsewhere.read_mates([(team(), vec![dot.clone()])]);
        tokio::time::advance(FRESH).await;
        assert_eq!(elsewhere.board(&quest()), Told { what: vec![row("owls", 3), row("cats", 2)], stale: false });
        assert_eq!(elsewhere.mates(&team()), Told { what: vec![dot], stale: false });
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(elsewhere.board(&quest()), Told { what: vec![row("owls", 3), row("cats", 2)], stale: true });
        assert_eq!(elsewhere.mates(&team()), Told { what: Vec::new(), stale: true }, "no old position is shown");
        assert!(!format!("{elsewhere:?}").contains("lat"), "{elsewhere:?}");

        // While not everybody has told all, what is missing is as it was.
        elsewhere.read_boards([(quest(), vec![row("cats", 9)])], false);
        assert_eq!(elsewhere.board(&quest()), Told { what: vec![row("cats", 9), row("owls", 3)], stale: true });
        elsewhere.read_boards([(quest(), vec![row("cats", 9)])], true);
        assert_eq!(elsewhere.board(&quest()), Told { what: vec![row("cats", 9)], stale: false });
        // Nobody listens any more.
        elsewhere.keep(&BTreeSet::new(), &BTreeSet::new());
        assert_eq!(elsewhere.board(&quest()), Told { what: Vec::new(), stale: true });
    }
}
