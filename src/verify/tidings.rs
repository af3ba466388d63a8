//! What a player's facts say and what its notices tell: the same, entry by entry.

use crate::ids::{BadgeId, QuestId, StepId, TeamId};
use crate::quest::entry::Entry;
use crate::quest::event::{Event, PlayerEvent};
use crate::quest::notice::What;

/// Something that happened to a player, as a fact has it and as a notice does.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tiding<'a> {
    Joined(&'a TeamId),
    Left(&'a TeamId),
    Started(&'a QuestId, u32),
    Ended(&'a QuestId, bool),
    Opened(&'a QuestId, &'a StepId),
    Closed(&'a QuestId, &'a StepId),
    Completed(&'a QuestId, &'a StepId, bool, i64),
    Points(&'a QuestId, i64),
    Badge(&'a QuestId, &'a BadgeId),
    Sent(&'a QuestId, &'a StepId),
    Rejected(&'a QuestId, &'a StepId),
}

/// What the facts say, in order.
pub(super) fn facts_of(entry: &Entry) -> Vec<Tiding<'_>> {
    sorted(entry.events.iter().filter_map(|event| match event {
        Event::Player(fact) => of_fact(fact),
        Event::Team(_) | Event::Region(_) => None,
    }))
}

/// What the notices tell, in order.
pub(super) fn notices_of(entry: &Entry) -> Vec<Tiding<'_>> {
    sorted(entry.notices.iter().filter_map(|notice| of_notice(&notice.what)))
}

fn of_fact(fact: &PlayerEvent) -> Option<Tiding<'_>> {
    Some(match fact {
        PlayerEvent::TeamJoined { team } => Tiding::Joined(team),
        PlayerEvent::TeamLeft { team } => Tiding::Left(team),
        PlayerEvent::RunJoined { run, .. } => Tiding::Started(&run.quest.id, run.quest.version),
        PlayerEvent::RunEnded { quest, finished } => Tiding::Ended(quest, *finished),
        PlayerEvent::StepOpened { quest, step, .. } => Tiding::Opened(quest, step),
        PlayerEvent::StepClosed { quest, step } => Tiding::Closed(quest, step),
        PlayerEvent::StepCompleted { quest, step, mine, points } => Tiding::Completed(quest, step, *mine, *points),
        PlayerEvent::PointsGiven { quest, points } => Tiding::Points(quest, *points),
        PlayerEvent::BadgeGiven { quest, badge } => Tiding::Badge(quest, badge),
        PlayerEvent::PhotoSubmitted { quest, step, .. } => Tiding::Sent(quest, step),
        PlayerEvent::PhotoRejected { quest, step } => Tiding::Rejected(quest, step),
        // Of these a player is told nothing, or by way of the team.
        PlayerEvent::ProfileSet { .. }
        | PlayerEvent::Shared { .. }
        | PlayerEvent::Entered { .. }
        | PlayerEvent::Left { .. }
        | PlayerEvent::AnswerFailed { .. }
        | PlayerEvent::Walked { .. }
        | PlayerEvent::StepReached { .. }
        | PlayerEvent::WentAway { .. } => return None,
    })
}

fn of_notice(what: &What) -> Option<Tiding<'_>> {
    Some(match what {
        What::TeamJoined { team, .. } => Tiding::Joined(team),
        What::TeamLeft { team } => Tiding::Left(team),
        What::QuestStarted { quest, version, .. } => Tiding::Started(quest, *version),
        What::QuestFinished { quest, .. } => Tiding::Ended(quest, true),
        What::QuestEnded { quest, .. } => Tiding::Ended(quest, false),
        What::StepOpened { quest, step } => Tiding::Opened(quest, &step.id),
        What::StepClosed { quest, step } => Tiding::Closed(quest, step),
        What::StepCompleted { quest, step, mine, points, .. } => Tiding::Completed(quest, step, *mine, *points),
        What::PointsGiven { quest, points, team: false } => Tiding::Points(quest, *points),
        What::BadgeGiven { quest, badge } => Tiding::Badge(quest, badge),
        What::PhotoSubmitted { quest, step } => Tiding::Sent(quest, step),
        What::PhotoRejected { quest, step, .. } => Tiding::Rejected(quest, step),
        // These tell of others' facts, or of no fact.
        What::TeamMember { .. }
        | What::TeamSaid { .. }
        | What::StepReached { .. }
        | What::RegionEntered { .. }
        | What::RegionLeft { .. }
        | What::Content { .. }
        | What::HintGiven { .. }
        | What::PointsGiven { .. }
        | What::CodeGiven { .. }
        | What::RewardGone { .. } => return None,
    })
}

fn sorted<'a>(tidings: impl Iterator<Item = Tiding<'a>>) -> Vec<Tiding<'a>> {
    let mut tidings: Vec<_> = tidings.collect();
    tidings.sort();
    tidings
}
