//! How much one player may ask of this node, over all ways together: sockets and posts of phone apps spend from the same
//! buckets, so a second way in is no second helping.
//!
//! Promises: who has just connected anew has no more than before; whoever was quiet long enough to have all saved up is
//! forgotten, so what is kept is bounded by how many asked lately; and when even that is full, new players are told to
//! come later while those who are known play on.

use super::limits::Bucket;
use crate::ids::PlayerId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Players whose spending is remembered: five times the sockets of a node; some 200 bytes each.
const PLAYERS_MAX: usize = 100_000;
/// Fewer are not worth looking through.
const SWEEP_MIN: usize = 1_024;

/// What a player may ask: a second, and saved up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Fixes; each of a batch or a post counts.
    pub fixes: (u32, u32),
    /// Other commands, and posts.
    pub commands: (u32, u32),
}

impl Default for Allowance {
    /// Fixes: a phone takes one a second; saved up what the largest post of a phone app bears. Commands: more than thumbs
    /// can do.
    fn default() -> Self {
        Self { fixes: (20, 1_000), commands: (20, 50) }
    }
}

/// What one player has left.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Buckets>);

#[derive(Debug)]
struct Buckets {
    fixes: Bucket,
    commands: Bucket,
}

impl Budget {
    /// Pays for `n` fixes, or says how long they must wait.
    pub(super) fn fixes(&self, n: u32, now: Instant) -> Result<(), Duration> {
        take(&mut self.lock().fixes, n, now)
    }

    /// Pays for a command, or says how long it must wait.
    pub(super) fn command(&self, now: Instant) -> Result<(), Duration> {
        take(&mut self.lock().commands, 1, now)
    }

    fn full(&self, now: Instant) -> bool {
        let buckets = self.lock();
        buckets.fixes.full(now) && buckets.commands.full(now)
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(bucket: &mut Bucket, n: u32, now: Instant) -> Result<(), Duration> {
    if bucket.take(n, now) { Ok(()) } else { Err(bucket.wait(n).max(Duration::from_millis(1))) }
}

/// The budgets of all players who asked lately.
#[derive(Debug)]
pub(super) struct Budgets {
    allowance: Allowance,
    players: Mutex<Players>,
}

#[derive(Debug)]
struct Players {
    known: HashMap<PlayerId, Arc<Budget>>,
    max: usize,
    /// How many there may be before they are looked through.
    sweep_at: usize,
}

impl Budgets {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self::bounded(allowance, PLAYERS_MAX)
    }

    fn bounded(allowance: Allowance, max: usize) -> Self {
        let players = Players { known: HashMap::new(), max, sweep_at: SWEEP_MIN.min(max) };
        Self { allowance, players: Mutex::new(players) }
    }

    /// What a player may ask.
    pub(super) fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// A player's budget; `None`: too many others asked lately.
    pub(super) fn of(&self, player: &PlayerId, now: Instant) -> Option<Arc<Budget>> {
        let mut players = self.players.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = players.known.get(player) {
            return Some(Arc::clone(budget));
        }
        if players.known.len() >= players.sweep_at {
            // Whoever is connected holds it too.
            players.known.retain(|_, budget| Arc::strong_count(budget) > 1 || !budget.full(now));
            players.sweep_at = (players.known.len() * 2).clamp(SWEEP_MIN.min(players.max), players.max);
        }
        if players.known.len() >= players.max {
            return None;
        }
        let buckets = Buckets {
            fixes: Bucket::new(self.allowance.fixes, now),
            commands: Bucket::new(self.allowance.commands, now),
        };
        let budget = Arc::new(Budget(Mutex::new(buckets)));
        players.known.insert(player.clone(), Arc::clone(&budget));
        Some(budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player(n: usize) -> PlayerId {
        PlayerId::new(format!("p{n}")).expect("an id")
    }

    #[test]
    fn all_ways_of_one_player_spend_from_one_budget() {
        let (budgets, now) = (Budgets::new(Allowance::default()), Instant::now());
        let (socket, post) = (budgets.of(&player(1), now).expect("room"), budgets.of(&player(1), now).expect("room"));
        assert_eq!(socket.fixes(900, now), Ok(()));
        assert_eq!(post.fixes(200, now), Err(Duration::from_secs(5)), "a hundred are left, twenty come each second");
        assert_eq!(post.fixes(100, now), Ok(()));
        drop((socket, post));
        let again = budgets.of(&player(1), now).expect("known");
        assert!(again.fixes(1, now).is_err(), "to come back changes nothing");
        assert_eq!(again.command(now), Ok(()), "commands are counted apart");
        assert_eq!(budgets.of(&player(2), now).expect("room").fixes(1_000, now), Ok(()), "others are others");
    }

    #[test]
    fn who_was_quiet_is_forgotten_and_who_is_here_is_not() {
        let (budgets, now) = (Budgets::bounded(Allowance::default(), 4), Instant::now());
        let here = budgets.of(&player(0), now).expect("room");
        for n in 1..4 {
            let budget = budgets.of(&player(n), now).expect("room");
            budget.fixes(n as u32 * 100, now).expect("enough");
        }
        assert!(budgets.of(&player(9), now).is_none(), "four have asked lately");
        assert!(budgets.of(&player(3), now).is_some(), "they play on");
        let later = now + Duration::from_secs(11);
        assert!(budgets.of(&player(9), later).is_some());
        let known = |n| budgets.players.lock().expect("unpoisoned").known.contains_key(&player(n));
        assert_eq!([0, 1, 2, 3].map(known), [true, false, false, true], "5 and 10 seconds, not 15");
        drop(here);
    }
}
