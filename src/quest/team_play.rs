//! What a team's decisions set off while it plays: steps open and complete, groups and runs follow, rewards are
//! claimed. Every function here finds facts in a draft and gathers news; none of them can fail half-way.

use crate::ids::{EntityId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::quest::act::StepRef;
use crate::quest::catalog::Catalog;
use crate::quest::command::{Command, News, RegionCommand};
use crate::quest::definition::{Each, Give, Quest, Reward, Step, TeamRule, Verb};
use crate::quest::draft::{Audience, Bulletin, Draft};
use crate::quest::event::{RunRef, TeamEvent};
use crate::quest::notice::EndReason;
use crate::quest::refusal::Refusal;
use crate::quest::replies::{Empty, HintBought};
use crate::quest::run::{Over, RewardState, Run};
use crate::quest::team::Team;
use std::sync::Arc;

/// The run of a quest under way, and the version of the quest that it plays.
pub(super) fn playing<'a>(draft: &Draft<'_, Team>, catalog: &'a Catalog, quest: &QuestId) -> Option<&'a Arc<Quest>> {
    let run = draft.state.runs.get(quest).filter(|run| run.over.is_none())?;
    catalog.get(&run.run.quest)
}

pub(super) fn run<'a>(draft: &'a Draft<'_, Team>, quest: &Quest) -> Option<&'a Run> {
    draft.state.runs.get(&quest.quest.id).filter(|run| run.over.is_none())
}

/// Looks at every run again, for the clock has moved. Time alone completes no step: parts only ever cease to count.
pub fn settle_all(draft: &mut Draft<'_, Team>, news: &mut Bulletin, catalog: &Catalog) {
    let quests: Vec<QuestId> = draft.state.runs.keys().cloned().collect();
    for id in quests {
        if let Some(quest) = playing(draft, catalog, &id) {
            settle(draft, news, quest);
        }
    }
}

/// A member is gone; those who are left may be enough for a step.
pub fn member_left(draft: &mut Draft<'_, Team>, news: &mut Bulletin, catalog: &Catalog) {
    // The clock first: what has closed or ended by now is not completed any more.
    settle_all(draft, news, catalog);
    let quests: Vec<QuestId> = draft.state.runs.keys().cloned().collect();
    for id in quests {
        let Some(quest) = playing(draft, catalog, &id) else { continue };
        for step in run(draft, quest).map_or_else(Vec::new, |run| run.reached.keys().cloned().collect()) {
            try_complete(draft, news, quest, &step, None);
        }
        settle(draft, news, quest);
    }
}

/// Opens, closes and completes steps until nothing changes, then ends the run if all is done or time is over.
pub fn settle(draft: &mut Draft<'_, Team>, news: &mut Bulletin, quest: &Quest) {
    let id = &quest.quest.id;
    if run(draft, quest).and_then(|run| run.ends_at).is_some_and(|ends_at| ends_at <= draft.now) {
        let (reason, points) = (Some(EndReason::TimeOver), run(draft, quest).map_or(0, |run| run.points));
        draft.emit(TeamEvent::RunEnded { quest: id.clone(), reason });
        news.tell(Audience::All, News::Ended { quest: id.clone(), reason, points });
        return;
    }
    let order = in_file_order(quest);
    // Each pass opens, closes or completes at least one step; steps do not reopen without a change of the clock.
    for _ in 0..=2 * order.len() {
        let facts_before = draft.outcome.events.len();
        for step_id in &order {
            let Some(run) = run(draft, quest) else { return };
            if run.done.contains_key(step_id) {
                continue;
            }
            let (open, available) = (run.open.contains_key(step_id), run.is_available(quest, step_id, draft.now));
            if available && !open {
                draft.emit(TeamEvent::StepOpened { quest: id.clone(), step: step_id.clone() });
                let opened = draft.now;
                news.tell(Audience::All, News::Opened { quest: id.clone(), step: step_id.clone(), opened });
            } else if !available && open {
                draft.emit(TeamEvent::StepClosed { quest: id.clone(), step: step_id.clone() });
                news.tell(Audience::All, News::Closed { quest: id.clone(), step: step_id.clone() });
            } else if let Some(step) = quest.steps.get(step_id)
                && available
                && run.is_group_done(&step.verb)
            {
                complete(draft, news, quest, (step_id, step), Vec::new(), None);
            }
        }
        if draft.outcome.events.len() == facts_before {
            break;
        }
    }
    let all_done = run(draft, quest).is_some_and(|run| quest.roots.iter().all(|step| run.done.contains_key(step)));
    if all_done {
        // Rewards are for a run that is over, but its count of points, told first, includes theirs.
        let mut rewards = Bulletin::default();
        draft.emit(TeamEvent::RunEnded { quest: id.clone(), reason: None });
        give_rewards(draft, &mut rewards, quest);
        let points = draft.state.runs.get(id).map_or(0, |run| run.points);
        news.tell(Audience::All, News::Ended { quest: id.clone(), reason: None, points });
        news.append(rewards);
    }
}

/// Steps as the file has them, each group before its children.
fn in_file_order(quest: &Quest) -> Vec<StepId> {
    let mut order = Vec::with_capacity(quest.steps.len());
    let mut stack: Vec<&StepId> = quest.roots.iter().rev().collect();
    while let Some(id) = stack.pop() {
        order.push(id.clone());
        if let Some(step) = quest.steps.get(id) {
            stack.extend(step.verb.children().iter().rev());
        }
    }
    order
}

pub(super) fn complete(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    quest: &Quest,
    (id, step): (&StepId, &Step),
    by: Vec<PlayerId>,
    choice: Option<String>,
) {
    let Some(run) = run(draft, quest) else { return };
    let extra = match (&step.verb, &choice) {
        (Verb::Choose { options, .. }, Some(chosen)) => {
            options.iter().find(|option| option.id == *chosen).map_or(0, |option| option.points)
        }
        _ => 0,
    };
    let points = i64::from((step.points + extra).saturating_sub(run.hint_cost(id)));
    let key = run.run.award(&format!("step:{id}"));
    let quest = quest.quest.id.clone();
    let fact = TeamEvent::StepCompleted { quest: quest.clone(), step: id.clone(), by: by.clone(), points, choice };
    draft.award(key, fact);
    news.tell(Audience::All, News::Completed { quest, step: id.clone(), by, points });
}

fn team_rule(verb: &Verb) -> TeamRule {
    match verb {
        Verb::Visit { team, .. } => *team,
        _ => TeamRule::ANYONE,
    }
}

/// A member has done their part of a step.
pub fn reached(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    catalog: &Catalog,
    player: &PlayerId,
    at: &StepRef,
    choice: Option<String>,
) {
    let Some(quest) = playing(draft, catalog, &at.quest) else { return };
    // The clock first: the alarm of an end or of hours that are over may be late.
    settle(draft, news, quest);
    let open = run(draft, quest).is_some_and(|run| run.open.contains_key(&at.step));
    // A meeting is no member's own part: `team_meet` takes it whole.
    let own = |step: &Step| step.verb.children().is_empty() && !matches!(step.verb, Verb::Meet { .. });
    if !open || !quest.steps.get(&at.step).is_some_and(own) || !draft.state.members.contains_key(player) {
        return;
    }
    let (quest_id, step, player) = (at.quest.clone(), at.step.clone(), player.clone());
    draft.emit(TeamEvent::MemberReached { quest: quest_id, step, player });
    try_complete(draft, news, quest, &at.step, choice);
    settle(draft, news, quest);
}

/// Completes an open step if enough members have done their part; else tells how many are needed.
fn try_complete(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    quest: &Quest,
    id: &StepId,
    choice: Option<String>,
) {
    let Some((run, step)) = run(draft, quest).zip(quest.steps.get(id)) else { return };
    let rule = team_rule(&step.verb);
    let mut by = run.counted(id, draft.now, rule.together);
    by.retain(|player| draft.state.members.contains_key(player));
    let need = rule.needed(draft.state.members.len());
    if by.is_empty() {
        return;
    }
    if by.len() >= need {
        complete(draft, news, quest, (id, step), by, choice);
        return;
    }
    let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let (have, need) = (count(by.len()), count(need));
    news.tell(Audience::All, News::Progress { quest: quest.quest.id.clone(), step: id.clone(), have, need });
}

/// A member has left the place of a step before the team was done there.
pub fn went_away(draft: &mut Draft<'_, Team>, player: &PlayerId, at: &StepRef) {
    let waits = draft
        .state
        .runs
        .get(&at.quest)
        .and_then(|run| run.reached.get(&at.step))
        .is_some_and(|parts| parts.contains_key(player));
    if waits {
        let (quest, step, player) = (at.quest.clone(), at.step.clone(), player.clone());
        draft.emit(TeamEvent::MemberWentAway { quest, step, player });
    }
}

/// A member gives the run up for all.
pub fn abandon(draft: &mut Draft<'_, Team>, news: &mut Bulletin, quest: &QuestId) -> Result<(), Refusal> {
    let run = draft.state.runs.get(quest).filter(|run| run.over.is_none());
    let points = run.ok_or_else(|| Refusal::not_playing("your team does not play this quest"))?.points;
    let reason = Some(EndReason::Abandoned);
    draft.emit(TeamEvent::RunEnded { quest: quest.clone(), reason });
    news.tell(Audience::All, News::Ended { quest: quest.clone(), reason, points });
    draft.reply(Empty {});
    Ok(())
}

/// A member buys a hint for all.
pub fn hint(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    catalog: &Catalog,
    player: &PlayerId,
    at: &StepRef,
    number: u16,
) -> Result<(), Refusal> {
    let quest = playing(draft, catalog, &at.quest)
        .ok_or_else(|| Refusal::not_playing("your team does not play this quest"))?;
    let step = quest
        .steps
        .get(&at.step)
        .ok_or_else(|| Refusal::unknown_step(&format!("the quest has no step \"{}\"", at.step)))?;
    let run = run(draft, quest).ok_or_else(|| Refusal::not_playing("your team does not play this quest"))?;
    let opened = *run.open.get(&at.step).ok_or_else(|| Refusal::step_not_open("the step is not open"))?;
    let hint = step
        .hints
        .get(usize::from(number))
        .ok_or_else(|| Refusal::no_hint(&format!("the step has {} hints, counted from 0", step.hints.len())))?;
    let from = opened + hint.after;
    if draft.now < from {
        let wait = from.since(draft.now).as_secs() + 1;
        return Err(Refusal::no_hint(&format!("this hint can be had in {wait} s")));
    }
    let known = run.hints.get(&at.step).is_some_and(|hints| hints.contains_key(&number));
    draft.reply(HintBought { cost: if known { 0 } else { hint.cost } });
    if known {
        return Ok(());
    }
    let (quest, step, cost) = (at.quest.clone(), at.step.clone(), hint.cost);
    let fact =
        TeamEvent::HintTaken { quest: quest.clone(), step: step.clone(), hint: number, cost, by: player.clone() };
    draft.emit(fact);
    news.tell(Audience::All, News::Hint { quest, step, hint: number, cost });
    Ok(())
}

/// At the end of a run: what is not limited is given, what is limited is marked to be asked for.
fn give_rewards(draft: &mut Draft<'_, Team>, news: &mut Bulletin, quest: &Quest) {
    for (number, reward) in quest.rewards.iter().enumerate() {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let Some(run) = draft.state.runs.get(&quest.quest.id) else { return };
        if reward.when.as_ref().is_some_and(|when| !run.holds(when)) {
            continue;
        }
        if reward.stock.is_some() {
            draft.emit(TeamEvent::RewardAsked { quest: quest.quest.id.clone(), reward: number });
        } else {
            give(draft, news, quest, (number, reward), None);
        }
    }
}

fn give(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    quest: &Quest,
    (number, reward): (u16, &Reward),
    nth: Option<u32>,
) {
    let Some(run) = draft.state.runs.get(&quest.quest.id) else { return };
    let key = run.run.award(&format!("reward:{number}"));
    let each_player = reward.each == Each::Player;
    let points = match &reward.give {
        Give::Points(points) if !each_player => i64::from(*points),
        Give::Points(_) | Give::Badge(_) | Give::CodePool(_) => 0,
    };
    let id = quest.quest.id.clone();
    let what = reward.give.clone();
    let fact = TeamEvent::RewardGiven { quest: id.clone(), reward: number, give: what.clone(), points, number: nth };
    draft.award(key, fact);
    news.tell(Audience::All, News::Reward { quest: id, reward: number, give: what, each_player, number: nth });
}

/// Asks the quest's area for each limited reward that was marked in this decision.
pub fn claim_rewards(draft: &mut Draft<'_, Team>, team: &TeamId, catalog: &Catalog) {
    let asked: Vec<(QuestId, u16)> = draft
        .outcome
        .events
        .iter()
        .filter_map(|event| match event {
            crate::quest::event::Event::Team(TeamEvent::RewardAsked { quest, reward }) => {
                Some((quest.clone(), *reward))
            }
            _ => None,
        })
        .collect();
    for (id, reward) in asked {
        let Some(run) = draft.state.runs.get(&id).map(|run| run.run.clone()) else { continue };
        let stock = catalog.get(&run.quest).and_then(|quest| quest.rewards.get(usize::from(reward))?.stock);
        let Some(of) = stock else { continue };
        let claim = RegionCommand::Claim { team: team.clone(), run, reward, of };
        draft.send(EntityId::Region(RegionId::of_quest(&id)), Command::Region(claim));
    }
}

/// The quest's area has answered a claim.
pub fn stock(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    catalog: &Catalog,
    run: &RunRef,
    number: u16,
    nth: Option<u32>,
) {
    let asked = draft.state.runs.get(&run.quest.id).is_some_and(|mine| {
        mine.run == *run
            && mine.over == Some(Over::Finished)
            && mine.rewards.get(&number) == Some(&RewardState::Asked)
    });
    let Some(quest) = catalog.get(&run.quest).filter(|_| asked) else { return };
    let Some(reward) = quest.rewards.get(usize::from(number)) else { return };
    if nth.is_some() {
        give(draft, news, quest, (number, reward), nth);
        return;
    }
    let points = match &reward.otherwise {
        Some(Give::Points(points)) => i64::from(*points),
        Some(Give::Badge(_) | Give::CodePool(_)) | None => 0,
    };
    let pool = match &reward.give {
        Give::CodePool(pool) => pool.clone(),
        Give::Badge(badge) => badge.to_string(),
        Give::Points(_) => "points".to_owned(),
    };
    let id = run.quest.id.clone();
    draft.award(
        run.award(&format!("reward:{number}")),
        TeamEvent::RewardGone { quest: id.clone(), reward: number, points },
    );
    news.tell(Audience::All, News::Gone { quest: id.clone(), pool, points });
    if let Some(give @ Give::Badge(_)) = &reward.otherwise {
        let each_player = reward.each == Each::Player;
        news.tell(
            Audience::All,
            News::Reward { quest: id, reward: number, give: give.clone(), each_player, number: None },
        );
    }
}
