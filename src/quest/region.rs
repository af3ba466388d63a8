//! A region's aggregate: who is here, and, for the region that is a quest's whole area, what is in stock.
//!
//! A region hears from sessions, which may die and say a thing again; so each command has its own natural key
//! (inside or not, given or not) and a repeat finds nothing to do.
//! Promise: a limited reward is given to at most `of` teams, and to each at most once.

use crate::ids::{EntityId, PlayerId, RegionId, TeamId};
use crate::quest::command::{Command, PlayerCommand, RegionCommand, Sighting, TeamCommand};
use crate::quest::draft::{Evolve, Outcome};
use crate::quest::entry::Outgoing;
use crate::quest::event::{Event, RegionEvent, RunRef};
use crate::quest::evidence::Evidence;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Region {
    /// Who is inside, and since when.
    pub here: BTreeMap<PlayerId, Timestamp>,
    /// How many came in so far.
    pub visits: u64,
    /// Given of each limited reward: to whom, with which number.
    pub stock: BTreeMap<String, BTreeMap<TeamId, u32>>,
}

impl Evolve for Region {
    type Fact = RegionEvent;

    fn evolve(&mut self, fact: &RegionEvent, at: Timestamp) {
        match fact {
            RegionEvent::Entered { player, .. } => {
                self.here.insert(player.clone(), at);
                self.visits += 1;
            }
            RegionEvent::Left { player, .. } => {
                self.here.remove(player);
            }
            RegionEvent::StockGiven { reward, team, number } => {
                self.stock.entry(reward.clone()).or_default().insert(team.clone(), *number);
            }
            RegionEvent::Stayed { .. } | RegionEvent::Walked { .. } | RegionEvent::StockRefused { .. } => {}
        }
    }

    fn event(fact: RegionEvent) -> Event {
        Event::Region(fact)
    }
}

/// Decides a command. On the state as it stands and not on a copy of it: each command is one fact, and a copy of a
/// place with 50,000 visitors takes longer than all the rest.
pub fn decide(state: &Region, region: &RegionId, command: &RegionCommand) -> Outcome {
    let mut outcome = Outcome::default();
    match command {
        RegionCommand::Sight { player, what, why } => sight(state, &mut outcome, region, player, *what, why),
        RegionCommand::Claim { team, run, reward, of } => claim(state, &mut outcome, team, run, *reward, *of),
    }
    outcome
}

fn sight(
    state: &Region,
    outcome: &mut Outcome,
    region: &RegionId,
    player: &PlayerId,
    what: Sighting,
    why: &Evidence,
) {
    let here = state.here.contains_key(player);
    let (player, evidence) = (player.clone(), why.clone());
    let fact = match what {
        Sighting::Entered if here => return,
        Sighting::Entered => RegionEvent::Entered { player: player.clone(), why: evidence },
        Sighting::Left | Sighting::Stayed | Sighting::Walked { .. } if !here => return,
        Sighting::Left => RegionEvent::Left { player: player.clone(), why: evidence },
        Sighting::Stayed => RegionEvent::Stayed { player: player.clone(), why: evidence },
        Sighting::Walked { quarters } => RegionEvent::Walked { player: player.clone(), quarters, why: evidence },
    };
    outcome.events.push(Region::event(fact));
    let sighted = PlayerCommand::Sighted { region: region.clone(), what, why: why.clone() };
    outcome.out.push(Outgoing { to: EntityId::Player(player), command: Command::Player(sighted) });
}

fn claim(state: &Region, outcome: &mut Outcome, team: &TeamId, run: &RunRef, reward: u16, of: u32) {
    // Stock is one for all versions and runs of the quest: publishing a corrected file must not refill it.
    let key = format!("{reward}");
    let given = state.stock.get(&key);
    let count = given.map_or(0, |given| u32::try_from(given.len()).unwrap_or(u32::MAX));
    let number = match given.and_then(|given| given.get(team)) {
        Some(number) => Some(*number),
        None if count < of => {
            let number = count + 1;
            outcome.awards.push(format!("stock:{reward}:{team}"));
            outcome.events.push(Region::event(RegionEvent::StockGiven { reward: key, team: team.clone(), number }));
            Some(number)
        }
        None => {
            outcome.events.push(Region::event(RegionEvent::StockRefused { reward: key, team: team.clone() }));
            None
        }
    };
    let answer = TeamCommand::Stock { run: run.clone(), reward, number };
    outcome.out.push(Outgoing { to: EntityId::Team(team.clone()), command: Command::Team(answer) });
}
