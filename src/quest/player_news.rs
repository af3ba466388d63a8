//! How a player takes what the team says: facts of their own, and notices in their language.

use crate::ids::{EntityId, PlayerId, QuestId, RegionId, TeamId};
use crate::quest::catalog::Catalog;
use crate::quest::command::{Command, News, TeamCommand};
use crate::quest::definition::{Give, Quest};
use crate::quest::draft::Draft;
use crate::quest::event::PlayerEvent;
use crate::quest::notice::What;
use crate::quest::player::Player;
use crate::quest::player_play;
use crate::quest::view;
use std::sync::Arc;

/// Takes in what a team says, line by line.
pub fn hear(draft: &mut Draft<'_, Player>, me: &PlayerId, catalog: &Catalog, from: &TeamId, items: &[News]) {
    for news in items {
        match news {
            News::Joined { .. } | News::Left | News::Member { .. } | News::Said { .. } => {
                of_membership(draft, me, from, news);
            }
            News::Run { .. } | News::Ended { .. } => of_run(draft, me, catalog, from, news),
            News::Opened { .. }
            | News::Closed { .. }
            | News::Progress { .. }
            | News::Completed { .. }
            | News::Hint { .. } => of_step(draft, me, catalog, from, news),
            News::Reward { .. } | News::Gone { .. } => of_reward(draft, from, news),
        }
    }
}

fn of_membership(draft: &mut Draft<'_, Player>, me: &PlayerId, from: &TeamId, news: &News) {
    let team = from.clone();
    match news {
        News::Joined { name, invite } => {
            // A player is in one team. Two joins that crossed are settled by leaving the earlier.
            if let Some(earlier) = draft.state.team.clone().filter(|earlier| earlier != from) {
                draft.emit(PlayerEvent::TeamLeft { team: earlier.clone() });
                draft.notice(What::TeamLeft { team: earlier.clone() });
                let leave = TeamCommand::Leave { player: me.clone() };
                draft.send(EntityId::Team(earlier), Command::Team(leave));
            }
            draft.emit(PlayerEvent::TeamJoined { team: team.clone() });
            draft.notice(What::TeamJoined { team, name: name.clone(), invite: invite.clone() });
        }
        News::Left if draft.state.team.as_ref() == Some(from) => {
            draft.emit(PlayerEvent::TeamLeft { team: team.clone() });
            draft.notice(What::TeamLeft { team });
        }
        News::Member { player, name, present } => {
            draft.notice(What::TeamMember { team, player: player.clone(), name: name.clone(), present: *present });
        }
        News::Said { player, text } => {
            draft.notice(What::TeamSaid { team, player: player.clone(), text: text.clone() });
        }
        _ => {}
    }
}

/// The quest of a run that this team and this player have under way.
fn quest_of(draft: &Draft<'_, Player>, catalog: &Catalog, from: &TeamId, id: &QuestId) -> Option<Arc<Quest>> {
    let run = draft.state.runs.get(id).filter(|run| run.team == *from)?;
    catalog.get(run.quest()).cloned()
}

fn of_run(draft: &mut Draft<'_, Player>, me: &PlayerId, catalog: &Catalog, from: &TeamId, news: &News) {
    match news {
        News::Run { run, ends_at, done, open } => {
            let id = run.quest.id.clone();
            let (run, team, done) = (run.clone(), from.clone(), done.clone());
            let version = run.quest.version;
            draft.emit(PlayerEvent::RunJoined { run, team, ends_at: *ends_at, done });
            let Some(quest) = quest_of(draft, catalog, from, &id) else { return };
            let title = quest.title.in_lang(draft.state.lang()).to_owned();
            draft.notice(What::QuestStarted { quest: id.clone(), version, title, ends_at: *ends_at });
            for (step, opened) in open {
                let opened = News::Opened { quest: id.clone(), step: step.clone(), opened: *opened };
                of_step(draft, me, catalog, from, &opened);
            }
        }
        News::Ended { quest, reason, points } => {
            if quest_of(draft, catalog, from, quest).is_none() {
                return;
            }
            draft.emit(PlayerEvent::RunEnded { quest: quest.clone(), finished: reason.is_none() });
            draft.notice(match reason {
                None => What::QuestFinished { quest: quest.clone(), points: *points },
                Some(reason) => What::QuestEnded { quest: quest.clone(), reason: *reason },
            });
        }
        _ => {}
    }
}

fn of_step(draft: &mut Draft<'_, Player>, me: &PlayerId, catalog: &Catalog, from: &TeamId, news: &News) {
    match news {
        News::Opened { quest: id, step, opened } => {
            let Some(quest) = quest_of(draft, catalog, from, id) else { return };
            draft.emit(PlayerEvent::StepOpened { quest: id.clone(), step: step.clone(), opened: *opened });
            if let Some(view) = view::step(&quest, step, draft.state.lang(), *opened) {
                draft.notice(What::StepOpened { quest: id.clone(), step: view });
            }
            let place = quest.steps.get(step).and_then(|step| step.verb.place());
            let inside = place
                .and_then(|place| RegionId::of_place(id, quest.quest.version, place).ok())
                .is_some_and(|region| draft.state.inside.contains_key(&region));
            if inside {
                player_play::arrive(draft, me, catalog, (id, step), true);
            }
        }
        News::Closed { quest: id, step } if quest_of(draft, catalog, from, id).is_some() => {
            let (quest, step) = (id.clone(), step.clone());
            draft.emit(PlayerEvent::StepClosed { quest: quest.clone(), step: step.clone() });
            draft.notice(What::StepClosed { quest, step });
        }
        News::Progress { quest, step, have, need } => {
            let (quest, step) = (quest.clone(), step.clone());
            draft.notice(What::StepReached { quest, step, have: *have, need: *need });
        }
        News::Completed { quest, step, by, points } => {
            let Some(run) = draft.state.runs.get(quest).filter(|run| run.team == *from) else { return };
            let mine = by.contains(me);
            let key = run.run.award(&format!("step:{step}"));
            let first = !draft.is_awarded(&key);
            let points = if mine && first { *points } else { 0 };
            let fact = PlayerEvent::StepCompleted { quest: quest.clone(), step: step.clone(), mine, points };
            if mine && first {
                draft.award(key, fact)
            } else {
                draft.emit(fact)
            }
            let (quest, step, by) = (quest.clone(), step.clone(), by.clone());
            draft.notice(What::StepCompleted { quest, step, by, points, mine });
        }
        News::Hint { quest: id, step, hint, cost } => {
            let Some(quest) = quest_of(draft, catalog, from, id) else { return };
            let text = quest.steps.get(step).and_then(|step| step.hints.get(usize::from(*hint)));
            let text = text.map_or("", |hint| hint.text.in_lang(draft.state.lang())).to_owned();
            let (quest, step) = (id.clone(), step.clone());
            draft.notice(What::HintGiven { quest, step, hint: *hint, text, cost: *cost });
        }
        _ => {}
    }
}

fn of_reward(draft: &mut Draft<'_, Player>, from: &TeamId, news: &News) {
    match news {
        News::Reward { quest, reward, give, each_player, number } => {
            let Some(run) = draft.state.runs.get(quest).filter(|run| run.team == *from) else { return };
            let run = run.run.clone();
            match give {
                Give::Badge(badge) => {
                    let key = run.award(&format!("badge:{badge}"));
                    if !draft.state.badges.contains_key(badge) && !draft.is_awarded(&key) {
                        let fact = PlayerEvent::BadgeGiven { quest: quest.clone(), badge: badge.clone() };
                        draft.award(key, fact);
                        draft.notice(What::BadgeGiven { quest: quest.clone(), badge: badge.clone() });
                    }
                }
                Give::Points(points) => {
                    let points = i64::from(*points);
                    let key = run.award(&format!("points:{reward}"));
                    if *each_player {
                        if draft.is_awarded(&key) {
                            return;
                        }
                        draft.award(key, PlayerEvent::PointsGiven { quest: quest.clone(), points });
                    }
                    draft.notice(What::PointsGiven { quest: quest.clone(), points, team: !each_player });
                }
                Give::CodePool(pool) => {
                    let number = number.unwrap_or(0);
                    let code = format!("{}-{number:04}", pool.to_uppercase());
                    draft.notice(What::CodeGiven { quest: quest.clone(), pool: pool.clone(), number, code });
                }
            }
        }
        News::Gone { quest, pool, points } => {
            draft.notice(What::RewardGone { quest: quest.clone(), pool: pool.clone() });
            if *points != 0 {
                draft.notice(What::PointsGiven { quest: quest.clone(), points: *points, team: true });
            }
        }
        _ => {}
    }
}
