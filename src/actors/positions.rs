//! Where live players are, for the operator's map and for team-mates with whom they share. In memory only, gone
//! when the session ends: never logged, never stored. What is shared is told to the other nodes of a cluster
//! (`actors/exchange.rs`).

use crate::actors::cards::PlayerDot;
use crate::geo::position::Fix;
use crate::ids::{PlayerId, TeamId};
use crate::quest::guidance::Guidance;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The last position of each live player.
#[derive(Debug, Default)]
pub struct Positions(Mutex<HashMap<PlayerId, Seen>>);

struct Seen {
    dot: PlayerDot,
    shares: bool,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seen(..)")
    }
}

fn team_of(guidance: &Guidance) -> Option<TeamId> {
    guidance.team.clone().or_else(|| guidance.playing.values().next().cloned())
}

impl Positions {
    /// A player was seen.
    pub fn seen(&self, player: &PlayerId, guidance: &Guidance, fix: &Fix) {
        let team = team_of(guidance);
        let (lon, lat) = (fix.position().lon(), fix.position().lat());
        let dot = PlayerDot { id: player.clone(), team, lon, lat, acc: fix.accuracy().get() };
        self.lock().insert(player.clone(), Seen { dot, shares: guidance.shares });
    }

    /// A player has joined or left, or will not be seen any more: that holds from now on, not from the next fix on.
    pub fn guided(&self, player: &PlayerId, guidance: &Guidance) {
        if let Some(seen) = self.lock().get_mut(player) {
            seen.shares = guidance.shares;
            seen.dot.team = team_of(guidance);
        }
    }

    /// A player's last session has ended; the position goes with it.
    pub fn forget(&self, player: &PlayerId) {
        self.lock().remove(player);
    }

    /// Whether a player's session is here, and has sent a position.
    pub fn is_here(&self, player: &PlayerId) -> bool {
        self.lock().contains_key(player)
    }

    /// Everyone, for the operator.
    pub fn all(&self) -> Vec<PlayerDot> {
        self.lock().values().map(|seen| seen.dot.clone()).collect()
    }

    /// Those who share, by team: one pass for all channels.
    pub fn by_team(&self) -> HashMap<TeamId, Vec<PlayerDot>> {
        let mut teams: HashMap<TeamId, Vec<PlayerDot>> = HashMap::new();
        for seen in self.lock().values().filter(|seen| seen.shares) {
            if let Some(team) = &seen.dot.team {
                teams.entry(team.clone()).or_default().push(seen.dot.clone());
            }
        }
        teams.values_mut().for_each(|dots| dots.sort_by(|a, b| a.id.cmp(&b.id)));
        teams
    }

    /// Those of a team who share, for its members.
    pub fn of_team(&self, team: &TeamId) -> Vec<PlayerDot> {
        let positions = self.lock();
        let shared = positions.values().filter(|seen| seen.shares && seen.dot.team.as_ref() == Some(team));
        let mut dots: Vec<PlayerDot> = shared.map(|seen| seen.dot.clone()).collect();
        dots.sort_by(|a, b| a.id.cmp(&b.id));
        dots
    }

    /// A player's team-mates who share, if the player was seen here.
    pub fn mates_of(&self, player: &PlayerId) -> Vec<PlayerDot> {
        let team = self.lock().get(player).and_then(|seen| seen.dot.team.clone());
        let mut mates = team.map_or_else(Vec::new, |team| self.of_team(&team));
        mates.retain(|mate| mate.id != *player);
        mates
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PlayerId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
