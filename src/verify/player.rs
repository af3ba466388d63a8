//! A player's facts, folded a second time: what they earned, and by which letter.

use crate::ids::{EntityId, QuestId, RegionId, TeamId};
use crate::quest::aggregate::State;
use crate::quest::entry::{Cause, Entry};
use crate::quest::event::{Event, PlayerEvent, RunRef};
use crate::quest::notice::What;
use crate::verify::letters::{Due, Letters};
use crate::verify::tidings::{facts_of, notices_of};
use crate::verify::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What a player has.
#[derive(Debug, Default)]
pub(super) struct PlayerFold {
    points: i64,
    badges: BTreeSet<String>,
    runs: BTreeMap<QuestId, RunRef>,
    notices: u64,
    inside: BTreeSet<RegionId>,
    team: Option<TeamId>,
    teams: BTreeSet<TeamId>,
}

/// What one entry brought.
pub(super) struct Earned {
    /// Keys that its awards must be.
    pub keys: Vec<String>,
    /// What was taken from the letter that set it off.
    pub got: Vec<Due>,
}

impl PlayerFold {
    /// Takes an entry in. `known` tells award keys of earlier entries.
    pub fn take(
        &mut self,
        id: &EntityId,
        entry: &Entry,
        known: &dyn Fn(&str) -> bool,
        (letters, verdict): (&mut Letters, &mut Verdict),
    ) -> Earned {
        self.notices += entry.notices.len() as u64;
        let (mut keys, mut got) = (Vec::new(), Vec::new());
        for event in &entry.events {
            let Event::Player(event) = event else { continue };
            match event {
                PlayerEvent::RunJoined { run, team, .. } => {
                    self.runs.insert(run.quest.id.clone(), run.clone());
                    letters.joined(id, &run.quest.id, entry.seq, team);
                }
                PlayerEvent::StepCompleted { quest, step, mine, points } => {
                    self.points += points;
                    let key = self.key(quest, &format!("step:{step}"));
                    if !mine && *points != 0 {
                        let message = format!("{points} points for {step}, which others did");
                        verdict.differ(id, entry.seq, "credit", message);
                    }
                    if *mine {
                        if !known(&key) && !keys.contains(&key) {
                            keys.push(key.clone());
                        }
                        got.push(Due { key, points: *points, quest: quest.clone(), badge: None });
                    }
                }
                PlayerEvent::PointsGiven { quest, points } => {
                    self.points += points;
                    // The fact does not name the reward; its key does.
                    let prefix = self.key(quest, "points:");
                    let named = entry.awards.iter().find(|key| key.starts_with(&prefix) && !keys.contains(key));
                    let key = named.cloned().unwrap_or(prefix);
                    keys.push(key.clone());
                    got.push(Due { key, points: *points, quest: quest.clone(), badge: None });
                }
                PlayerEvent::BadgeGiven { quest, badge } => {
                    let key = self.key(quest, &format!("badge:{badge}"));
                    if !self.badges.insert(badge.to_string()) {
                        verdict.differ(id, entry.seq, "badge", format!("a second badge {badge}"));
                    }
                    letters.earned(id, &format!("badge {badge}"), entry.seq);
                    keys.push(key.clone());
                    got.push(Due { key, points: 0, quest: quest.clone(), badge: Some(badge.to_string()) });
                }
                PlayerEvent::Entered { region, .. } if !self.inside.insert(region.clone()) => {
                    verdict.differ(id, entry.seq, "presence", format!("it enters {region}, being there"));
                }
                PlayerEvent::Left { region, .. } if !self.inside.remove(region) => {
                    verdict.differ(id, entry.seq, "presence", format!("it leaves {region}, not being there"));
                }
                PlayerEvent::TeamJoined { team } => {
                    self.teams.insert(team.clone());
                    self.team = Some(team.clone());
                }
                PlayerEvent::TeamLeft { team } if self.team.as_ref() == Some(team) => self.team = None,
                _ => {}
            }
        }
        if notices_of(entry) != facts_of(entry) {
            verdict.differ(id, entry.seq, "notice", "its notices tell of something else than its facts".to_owned());
        }
        self.codes(id, entry, &mut got, verdict);
        for key in &keys {
            letters.earned(id, key, entry.seq);
        }
        let from_team = matches!(&entry.cause, Some(Cause::Message(id)) if matches!(id.sender, EntityId::Team(_)));
        if !got.is_empty() && !from_team {
            verdict.differ(id, entry.seq, "undue", format!("{} comes from no team", got[0].key));
        }
        Earned { keys, got }
    }

    /// Codes that it is told of: like awards, each must come from the team.
    fn codes(&self, id: &EntityId, entry: &Entry, got: &mut Vec<Due>, verdict: &mut Verdict) {
        for notice in &entry.notices {
            let What::CodeGiven { quest, pool, number, code } = &notice.what else { continue };
            if *code != format!("{}-{number:04}", pool.to_uppercase()) {
                verdict.differ(id, entry.seq, "notice", format!("number {number} of {pool} is told as {code}"));
            }
            let key = self.key(quest, &format!("code:{pool}:{number}"));
            got.push(Due { key, points: 0, quest: quest.clone(), badge: None });
        }
    }

    /// Notices so far.
    pub fn notices(&self) -> u64 {
        self.notices
    }

    /// Points so far.
    pub fn points(&self) -> i64 {
        self.points
    }

    /// Badges so far, in order.
    pub fn badges(&self) -> impl Iterator<Item = &str> {
        self.badges.iter().map(String::as_str)
    }

    /// The team now.
    pub fn team(&self) -> Option<&TeamId> {
        self.team.as_ref()
    }

    /// Whether it has been in a team up to now.
    pub fn was_in(&self, team: &TeamId) -> bool {
        self.teams.contains(team)
    }

    fn key(&self, quest: &QuestId, what: &str) -> String {
        self.runs.get(quest).map_or_else(|| format!("{quest}:no run:{what}"), |run| run.award(what))
    }

    /// Compares with the state that `evolve` made.
    pub fn compare(&self, id: &EntityId, state: &State, verdict: &mut Verdict) {
        let State::Player(player) = state else { return };
        if player.points != self.points {
            let message = format!("the state has {} points, its facts make {}", player.points, self.points);
            verdict.differ(id, 0, "points", message);
        }
        let badges: BTreeSet<String> = player.badges.keys().map(ToString::to_string).collect();
        if badges != self.badges {
            let message = format!("the state has badges {badges:?}, its facts {:?}", self.badges);
            verdict.differ(id, 0, "badge", message);
        }
        if player.offset != self.notices {
            let message = format!("the state counts {} notices, there are {}", player.offset, self.notices);
            verdict.differ(id, 0, "notices", message);
        }
    }
}
