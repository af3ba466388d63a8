//! A player's aggregate: where they are, which steps their team has open, what they have earned, and the stream of
//! notices that their phone recovers from.
//!
//! It decides the player's own part of a step (`player_play`); whether the step is done is the team's word.
//! Promise: offsets of notices are dense from 1; points and badges change only by facts under a natural key.

use crate::ids::{BadgeId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::quest::definition::QuestRef;
use crate::quest::draft::Evolve;
use crate::quest::event::{Event, PlayerEvent, RunRef};
use crate::quest::kept::Kept;
use crate::quest::notice::Notice;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Notices kept for recovery: enough for an hour in a tunnel at a busy event; older ones are in `state.get`.
pub const NOTICES_KEPT: usize = 256;
/// All four quarters of a corridor.
pub const WALKED_WHOLE: u8 = 0b1111;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Player {
    /// Name for people.
    pub name: Option<String>,
    /// Language for notices.
    pub lang: Option<String>,
    /// What the player said on position sharing; `None`: as the quest has it.
    pub share: Option<bool>,
    /// The team, if any.
    pub team: Option<TeamId>,
    /// The team that was left last: a repeat of the leaving is answered there.
    #[serde(default)]
    pub left: Option<TeamId>,
    /// Regions the player is inside, since when.
    pub inside: BTreeMap<RegionId, Timestamp>,
    /// The latest run of each quest in which the player took part.
    pub runs: BTreeMap<QuestId, PlayerRun>,
    /// Quests finished at least once.
    pub finished: BTreeSet<QuestId>,
    /// Points of their own.
    pub points: i64,
    /// Badges, and the quest that gave each.
    pub badges: BTreeMap<BadgeId, QuestId>,
    /// The offset of the last notice.
    pub offset: u64,
    /// The latest notices with their offsets.
    pub notices: VecDeque<(u64, Kept)>,
}

/// A run as one of its players knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlayerRun {
    /// Which.
    pub run: RunRef,
    /// Whose.
    pub team: TeamId,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// Steps open for the team.
    pub open: BTreeMap<StepId, OpenStep>,
    /// Steps done by the team.
    pub done: BTreeSet<StepId>,
    /// Whether it is over.
    pub over: bool,
}

/// A player's own doings at an open step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenStep {
    /// Since when it is open.
    pub opened: Timestamp,
    /// Wrong answers since the last wait.
    #[serde(default)]
    pub tries: u16,
    /// No answer is taken before this.
    #[serde(default)]
    pub wait_until: Option<Timestamp>,
    /// Quarters of the corridor walked.
    #[serde(default)]
    pub walked: u8,
    /// A photo that waits for its review.
    #[serde(default)]
    pub photo: Option<String>,
    /// Whether the own part is done.
    #[serde(default)]
    pub reached: bool,
}

impl OpenStep {
    fn new(opened: Timestamp) -> Self {
        Self { opened, tries: 0, wait_until: None, walked: 0, photo: None, reached: false }
    }
}

impl PlayerRun {
    /// The version of the quest that it plays.
    pub fn quest(&self) -> &QuestRef {
        &self.run.quest
    }
}

impl Evolve for Player {
    type Fact = PlayerEvent;

    fn evolve(&mut self, fact: &PlayerEvent, _: Timestamp) {
        match fact {
            PlayerEvent::ProfileSet { name, lang } => {
                self.name = name.clone().or_else(|| self.name.take());
                self.lang = lang.clone().or_else(|| self.lang.take());
            }
            PlayerEvent::Shared { on } => self.share = Some(*on),
            PlayerEvent::Entered { region, since, .. } => {
                self.inside.insert(region.clone(), *since);
            }
            PlayerEvent::Left { region, .. } => {
                self.inside.remove(region);
            }
            PlayerEvent::TeamJoined { team } => self.team = Some(team.clone()),
            PlayerEvent::TeamLeft { team } => {
                if self.team.as_ref() == Some(team) {
                    self.left = self.team.take();
                }
                for run in self.runs.values_mut().filter(|run| run.team == *team) {
                    run.over = true;
                    run.open.clear();
                }
            }
            PlayerEvent::RunJoined { run, team, ends_at, done } => {
                self.runs.insert(
                    run.quest.id.clone(),
                    PlayerRun {
                        run: run.clone(),
                        team: team.clone(),
                        ends_at: *ends_at,
                        open: BTreeMap::new(),
                        done: done.iter().cloned().collect(),
                        over: false,
                    },
                );
            }
            PlayerEvent::PointsGiven { points, .. } => self.points += points,
            PlayerEvent::BadgeGiven { quest, badge } => {
                self.badges.insert(badge.clone(), quest.clone());
            }
            PlayerEvent::StepOpened { quest, .. }
            | PlayerEvent::StepClosed { quest, .. }
            | PlayerEvent::AnswerFailed { quest, .. }
            | PlayerEvent::Walked { quest, .. }
            | PlayerEvent::PhotoSubmitted { quest, .. }
            | PlayerEvent::PhotoRejected { quest, .. }
            | PlayerEvent::StepReached { quest, .. }
            | PlayerEvent::WentAway { quest, .. }
            | PlayerEvent::StepCompleted { quest, .. }
            | PlayerEvent::RunEnded { quest, .. } => self.evolve_run(quest, fact),
        }
    }

    fn event(fact: PlayerEvent) -> Event {
        Event::Player(fact)
    }
}

impl Player {
    fn evolve_run(&mut self, quest: &QuestId, fact: &PlayerEvent) {
        let Some(run) = self.runs.get_mut(quest) else { return };
        match fact {
            PlayerEvent::StepOpened { step, opened, .. } => {
                run.open.insert(step.clone(), OpenStep::new(*opened));
            }
            PlayerEvent::StepClosed { step, .. } => {
                run.open.remove(step);
            }
            PlayerEvent::StepCompleted { step, points, .. } => {
                run.open.remove(step);
                run.done.insert(step.clone());
                self.points += points;
            }
            PlayerEvent::RunEnded { finished, .. } => {
                run.over = true;
                run.open.clear();
                if *finished {
                    self.finished.insert(quest.clone());
                }
            }
            PlayerEvent::AnswerFailed { step, .. }
            | PlayerEvent::Walked { step, .. }
            | PlayerEvent::PhotoSubmitted { step, .. }
            | PlayerEvent::PhotoRejected { step, .. }
            | PlayerEvent::StepReached { step, .. }
            | PlayerEvent::WentAway { step, .. } => {
                if let Some(open) = run.open.get_mut(step) {
                    open.evolve(fact);
                }
            }
            PlayerEvent::ProfileSet { .. }
            | PlayerEvent::Shared { .. }
            | PlayerEvent::Entered { .. }
            | PlayerEvent::Left { .. }
            | PlayerEvent::TeamJoined { .. }
            | PlayerEvent::TeamLeft { .. }
            | PlayerEvent::RunJoined { .. }
            | PlayerEvent::PointsGiven { .. }
            | PlayerEvent::BadgeGiven { .. } => {}
        }
    }

    /// Takes in what the player was told.
    pub fn hear(&mut self, notices: &[Notice]) {
        for notice in notices {
            self.offset += 1;
            self.notices.push_back((self.offset, Kept::new(notice)));
        }
        let surplus = self.notices.len().saturating_sub(NOTICES_KEPT);
        self.notices.drain(..surplus);
    }

    /// The notices after an offset; `None` when some of them are not kept any more, or it was never reached.
    pub fn missed(&self, after: u64) -> Option<Vec<(u64, Arc<Notice>)>> {
        let kept_from = self.offset - self.notices.len() as u64;
        if after > self.offset || after < kept_from {
            return None;
        }
        let missed = self.notices.iter().filter(|(offset, _)| *offset > after);
        Some(missed.map(|(offset, kept)| (*offset, Arc::new(kept.notice()))).collect())
    }

    /// The language that this player is told things in.
    pub fn lang(&self) -> &str {
        self.lang.as_deref().unwrap_or("en")
    }

    /// The name for people.
    pub fn display_name(&self, id: &PlayerId) -> String {
        self.name.clone().unwrap_or_else(|| id.to_string())
    }
}

impl OpenStep {
    fn evolve(&mut self, fact: &PlayerEvent) {
        match fact {
            PlayerEvent::AnswerFailed { wait_until, .. } => {
                self.tries = if wait_until.is_some() { 0 } else { self.tries + 1 };
                self.wait_until = *wait_until;
            }
            PlayerEvent::Walked { quarters, .. } => self.walked = *quarters,
            PlayerEvent::PhotoSubmitted { photo, .. } => self.photo = Some(photo.clone()),
            PlayerEvent::PhotoRejected { .. } => self.photo = None,
            PlayerEvent::StepReached { .. } => self.reached = true,
            PlayerEvent::WentAway { .. } => self.reached = false,
            PlayerEvent::ProfileSet { .. }
            | PlayerEvent::Shared { .. }
            | PlayerEvent::Entered { .. }
            | PlayerEvent::Left { .. }
            | PlayerEvent::TeamJoined { .. }
            | PlayerEvent::TeamLeft { .. }
            | PlayerEvent::RunJoined { .. }
            | PlayerEvent::StepOpened { .. }
            | PlayerEvent::StepClosed { .. }
            | PlayerEvent::StepCompleted { .. }
            | PlayerEvent::PointsGiven { .. }
            | PlayerEvent::BadgeGiven { .. }
            | PlayerEvent::RunEnded { .. } => {}
        }
    }
}
