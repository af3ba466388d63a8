//! What a player's state asks of the session that watches their fixes: which quests' regions matter, where a stay is
//! under way, which corridor is being walked. Derived after every entry, so it is never stored.

use crate::ids::{PlaceId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::quest::catalog::Catalog;
use crate::quest::definition::{Quest, Verb};
use crate::quest::event::RunRef;
use crate::quest::player::{Player, PlayerRun};
use crate::units::{Meters, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a session is to watch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Guidance {
    /// The number of the player's entry that it was derived after; two that crossed are told apart by it.
    pub seq: u64,
    /// Name for people.
    pub name: String,
    /// The team, if any.
    pub team: Option<TeamId>,
    /// Whether team-mates may see the position.
    pub shares: bool,
    /// Quests under way, with the team that plays each: only their regions matter.
    pub playing: BTreeMap<QuestId, TeamId>,
    /// What may be told of the places of each quest under way.
    pub places: BTreeMap<QuestId, Places>,
    /// The team that was left last: repeats of commands are answered there.
    pub left: Option<TeamId>,
    /// Quests ever played, with the team of the last run.
    pub played: BTreeMap<QuestId, TeamId>,
    /// Quests finished.
    pub finished: Vec<QuestId>,
    /// Regions the journal says the player is inside, since when.
    pub inside: BTreeMap<RegionId, Timestamp>,
    /// Stays under way, and when each is long enough.
    pub stays: BTreeMap<RegionId, Timestamp>,
    /// Corridors to be walked: how near, and the quarters walked already.
    pub follows: BTreeMap<RegionId, (Meters, u8)>,
    /// Meetings that could come about.
    pub meets: Vec<Meet>,
}

/// Most meetings that one player is watched for at once; further open ones wait for these.
const MEETS_MAX: usize = 8;

/// An open step for which members of a team must come together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meet {
    /// Which team.
    pub team: TeamId,
    /// In which run.
    pub run: RunRef,
    /// Which step.
    pub step: StepId,
    /// How near the others must be to one of them.
    pub within: Meters,
    /// How many it takes, that one included.
    pub members: u16,
    /// For how long.
    pub stay: Duration,
    /// Fixes less accurate than this do not count.
    pub max_accuracy: Option<Meters>,
    /// Nor do those that are less plausible, 0 to 1.
    #[serde(default)]
    pub min_score: f64,
}

/// The places of one quest as far as the player knows them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Places {
    /// Of which version.
    pub version: u32,
    /// Where the player can do something now.
    pub open: BTreeSet<RegionId>,
    /// Hidden places that may be told: a step there is open or done. The same as `view::is_place_visible` says.
    pub shown: BTreeSet<RegionId>,
}

impl Places {
    fn of(quest: &Quest, run: &PlayerRun) -> Self {
        let place = |step: &StepId| quest.steps.get(step).and_then(|step| step.verb.place());
        let id = |place: &PlaceId| RegionId::of_place(&quest.quest.id, quest.quest.version, place).ok();
        let hidden = |place: &&PlaceId| quest.places.get(*place).is_some_and(|place| place.hidden);
        let open = run.open.iter().filter(|(_, open)| !open.reached).filter_map(|(step, _)| place(step));
        let told = run.open.keys().chain(&run.done).filter_map(place);
        Self {
            version: quest.quest.version,
            open: open.filter_map(id).collect(),
            shown: told.filter(hidden).filter_map(id).collect(),
        }
    }
}

/// Derives it.
pub fn of(player: &Player, id: &PlayerId, seq: u64, catalog: &Catalog) -> Guidance {
    let mut guidance = Guidance {
        seq,
        name: player.display_name(id),
        team: player.team.clone(),
        left: player.left.clone(),
        shares: player.share.unwrap_or(false),
        finished: player.finished.iter().cloned().collect(),
        inside: player.inside.clone(),
        played: player.runs.iter().map(|(quest, run)| (quest.clone(), run.team.clone())).collect(),
        ..Guidance::default()
    };
    for (quest_id, run) in player.runs.iter().filter(|(_, run)| !run.over) {
        let Some(quest) = catalog.get(run.quest()) else { continue };
        guidance.playing.insert(quest_id.clone(), run.team.clone());
        guidance.places.insert(quest_id.clone(), Places::of(quest, run));
        guidance.shares |= player.share.is_none() && quest.safety.show_position_to_team;
        for (step_id, open) in run.open.iter().filter(|(_, open)| !open.reached) {
            let Some(verb) = quest.steps.get(step_id).map(|step| &step.verb) else { continue };
            if let Verb::Meet { within, members, stay } = *verb
                && guidance.meets.len() < MEETS_MAX
            {
                let (team, run, step) = (run.team.clone(), run.run.clone(), step_id.clone());
                let (max_accuracy, min_score) = (quest.safety.min_accuracy, quest.safety.min_score);
                guidance.meets.push(Meet { team, run, step, within, members, stay, max_accuracy, min_score });
            }
            let region = verb.place().and_then(|place| RegionId::of_place(quest_id, run.quest().version, place).ok());
            let Some(region) = region else { continue };
            match verb {
                Verb::Visit { stay, .. } if !stay.is_zero() => {
                    if let Some(since) = player.inside.get(&region) {
                        let until = (*since).max(open.opened) + *stay;
                        // Two steps at one place: the earlier stay is watched first, then guidance is derived again.
                        let first = guidance.stays.get(&region).is_none_or(|known| until < *known);
                        if first {
                            guidance.stays.insert(region, until);
                        }
                    }
                }
                Verb::Follow { within, .. } => {
                    guidance.follows.insert(region, (*within, open.walked));
                }
                _ => {}
            }
        }
    }
    guidance
}
