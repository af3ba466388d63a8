//! Members of a team come together: what a session has seen becomes a step that is done.
//!
//! Sessions say it again and again while it is so, and more than one of them says it. Promise: it counts once, for the
//! run and the step that it was seen for, and only for those who are members at that moment.

use crate::ids::PlayerId;
use crate::quest::act::StepRef;
use crate::quest::catalog::Catalog;
use crate::quest::definition::Verb;
use crate::quest::draft::{Bulletin, Draft};
use crate::quest::event::{RunRef, TeamEvent};
use crate::quest::evidence::Nearness;
use crate::quest::team::Team;
use crate::quest::team_play::{complete, playing, run, settle};

/// A session has seen members together: one of them, the centre, and who is near it.
pub fn met(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    catalog: &Catalog,
    of: &RunRef,
    at: &StepRef,
    (center, near): (&PlayerId, &[Nearness]),
) {
    let Some(quest) = playing(draft, catalog, &at.quest).filter(|quest| quest.quest == of.quest) else { return };
    // The clock first: the alarm of an end or of hours that are over may be late.
    settle(draft, news, quest);
    let Some(step) = quest.steps.get(&at.step) else { return };
    let Verb::Meet { members, .. } = step.verb else { return };
    let open = run(draft, quest).is_some_and(|run| run.run == *of && run.open.contains_key(&at.step));
    let is_member = |player: &PlayerId| draft.state.members.contains_key(player);
    let mut near: Vec<Nearness> =
        near.iter().filter(|near| near.player != *center && is_member(&near.player)).cloned().collect();
    near.sort_by(|a, b| a.player.cmp(&b.player));
    near.dedup_by(|a, b| a.player == b.player);
    if !open || !is_member(center) || near.len() + 1 < usize::from(members) {
        return;
    }
    let mut by: Vec<PlayerId> = near.iter().map(|near| near.player.clone()).chain([center.clone()]).collect();
    by.sort();
    let (quest_id, step_id, center) = (at.quest.clone(), at.step.clone(), center.clone());
    draft.emit(TeamEvent::Met { quest: quest_id, step: step_id, center, near });
    complete(draft, news, quest, (&at.step, step), by, None);
    settle(draft, news, quest);
}
