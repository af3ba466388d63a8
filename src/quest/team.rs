//! A team's aggregate: its members, its runs, its score. It alone decides what is done; see `run` for how steps
//! open and complete, `team_play` for what that sets off.

use crate::ids::{PlayerId, QuestId, TeamId};
use crate::quest::catalog::Catalog;
use crate::quest::command::{News, TeamCommand};
use crate::quest::draft::{Audience, Bulletin, Draft, Evolve};
use crate::quest::event::{Event, RunRef, TeamEvent};
use crate::quest::refusal::Refusal;
use crate::quest::replies::{Empty, Joined, Started};
use crate::quest::run::{Done, Over, Part, RewardState, Run};
use crate::quest::{team_meet, team_play};
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest team: a class or a bus, and the longest list of messages that one decision sends.
pub const MEMBERS_MAX: usize = 60;
/// How team ids of solo players begin.
const SOLO: &str = "solo.";

/// The state. A team that was never created has no name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Team {
    /// Name for people.
    pub name: String,
    /// The second half of the invite code.
    pub secret: String,
    /// Members now, with their names.
    pub members: BTreeMap<PlayerId, String>,
    /// The latest run of each quest.
    pub runs: BTreeMap<QuestId, Run>,
}

impl Evolve for Team {
    type Fact = TeamEvent;

    fn evolve(&mut self, fact: &TeamEvent, at: Timestamp) {
        match fact {
            TeamEvent::Created { name, secret } => {
                self.name.clone_from(name);
                self.secret.clone_from(secret);
            }
            TeamEvent::MemberJoined { player, name } => {
                self.members.insert(player.clone(), name.clone());
            }
            TeamEvent::MemberLeft { player } => {
                self.members.remove(player);
                // Who comes back must do their part again: nobody has watched where they went.
                let parts = self.runs.values_mut().flat_map(|run| run.reached.values_mut());
                parts.for_each(|parts| parts.retain(|member, _| member != player));
            }
            TeamEvent::Said { .. } | TeamEvent::Met { .. } => {}
            TeamEvent::RunStarted { run, ends_at } => {
                self.runs.insert(run.quest.id.clone(), Run::new(run.clone(), *ends_at));
            }
            TeamEvent::StepOpened { quest, .. }
            | TeamEvent::StepClosed { quest, .. }
            | TeamEvent::MemberReached { quest, .. }
            | TeamEvent::MemberWentAway { quest, .. }
            | TeamEvent::StepCompleted { quest, .. }
            | TeamEvent::HintTaken { quest, .. }
            | TeamEvent::RewardAsked { quest, .. }
            | TeamEvent::RewardGiven { quest, .. }
            | TeamEvent::RewardGone { quest, .. }
            | TeamEvent::RunEnded { quest, .. } => {
                if let Some(run) = self.runs.get_mut(quest) {
                    run.evolve(fact, at);
                }
            }
        }
    }

    fn event(fact: TeamEvent) -> Event {
        Event::Team(fact)
    }
}

impl Run {
    /// Takes in a fact of this run.
    fn evolve(&mut self, fact: &TeamEvent, at: Timestamp) {
        match fact {
            TeamEvent::StepOpened { step, .. } => {
                self.open.insert(step.clone(), at);
            }
            TeamEvent::StepClosed { step, .. } => {
                self.open.remove(step);
                self.reached.remove(step);
            }
            TeamEvent::MemberReached { step, player, .. } => {
                self.reached.entry(step.clone()).or_default().insert(player.clone(), Part { at, left: None });
            }
            TeamEvent::MemberWentAway { step, player, .. } => {
                if let Some(part) = self.reached.get_mut(step).and_then(|parts| parts.get_mut(player)) {
                    part.left = Some(at);
                }
            }
            TeamEvent::StepCompleted { step, by, points, choice, .. } => {
                self.open.remove(step);
                self.reached.remove(step);
                let by = by.iter().cloned().collect();
                self.done.insert(step.clone(), Done { at, by, choice: choice.clone() });
                self.points += points;
            }
            TeamEvent::HintTaken { step, hint, cost, .. } => {
                self.hints.entry(step.clone()).or_default().insert(*hint, *cost);
            }
            TeamEvent::RewardAsked { reward, .. } => {
                self.rewards.insert(*reward, RewardState::Asked);
            }
            TeamEvent::RewardGiven { reward, points, .. } | TeamEvent::RewardGone { reward, points, .. } => {
                self.rewards.insert(*reward, RewardState::Settled);
                self.points += points;
            }
            TeamEvent::RunEnded { reason, .. } => {
                self.over = Some(reason.map_or(Over::Finished, Over::Ended));
                self.open.clear();
                self.reached.clear();
            }
            TeamEvent::Created { .. }
            | TeamEvent::MemberJoined { .. }
            | TeamEvent::MemberLeft { .. }
            | TeamEvent::Said { .. }
            | TeamEvent::Met { .. }
            | TeamEvent::RunStarted { .. } => {}
        }
    }
}

/// The team of one in which a player plays solo quests.
pub fn solo_team(player: &PlayerId) -> Result<TeamId, Refusal> {
    TeamId::new(format!("{SOLO}{player}"))
        .map_err(|_| Refusal::bad_request("your player id is too long to play alone"))
}

/// Whether a team is a solo player's.
pub fn is_solo(team: &TeamId) -> bool {
    team.as_str().starts_with(SOLO)
}

impl Team {
    /// Whether it was ever created.
    pub fn exists(&self) -> bool {
        !self.name.is_empty()
    }

    /// What members hand to friends: the team's id and its secret.
    pub fn invite(&self, team: &TeamId) -> String {
        format!("{team}-{}", self.secret)
    }

    /// The next time at which a run changes by itself.
    pub fn due(&self, catalog: &Catalog, now: Timestamp) -> Option<Timestamp> {
        self.runs.values().filter_map(|run| run.due(catalog.get(&run.run.quest)?, now)).min()
    }

    fn member(&self, player: &PlayerId) -> Result<(), Refusal> {
        if self.members.contains_key(player) { Ok(()) } else { Err(Refusal::no_team("you are not in this team")) }
    }
}

/// Decides a command. An error refuses it; then nothing of the draft counts.
pub fn decide(
    draft: &mut Draft<'_, Team>,
    team: &TeamId,
    catalog: &Catalog,
    command: &TeamCommand,
) -> Result<(), Refusal> {
    let mut news = Bulletin::default();
    match command {
        TeamCommand::Create { name, secret, player, player_name } => {
            create(draft, &mut news, team, (name, secret), (player, player_name))?;
        }
        TeamCommand::Join { player, player_name, secret } => {
            if !draft.state.exists() || draft.state.secret != *secret || is_solo(team) {
                return Err(Refusal::bad_invite("no team answers to this code; ask for a new one"));
            }
            join(draft, &mut news, team, player, player_name)?;
        }
        TeamCommand::Leave { player } => {
            draft.state.member(player)?;
            draft.emit(TeamEvent::MemberLeft { player: player.clone() });
            news.tell(Audience::Only(player.clone()), News::Left);
            tell_member(&mut news, player, String::new(), false);
            team_play::member_left(draft, &mut news, catalog);
            draft.reply(Empty {});
        }
        TeamCommand::Say { player, text } => {
            draft.state.member(player)?;
            draft.emit(TeamEvent::Said { player: player.clone(), text: text.clone() });
            news.tell(Audience::All, News::Said { player: player.clone(), text: text.clone() });
            draft.reply(Empty {});
        }
        TeamCommand::Start { player, quest, finished } => {
            start(draft, &mut news, team, catalog, (player, quest, *finished))?;
        }
        TeamCommand::Abandon { player, quest } => {
            draft.state.member(player)?;
            team_play::abandon(draft, &mut news, quest)?;
        }
        TeamCommand::Hint { player, at, hint } => {
            draft.state.member(player)?;
            team_play::hint(draft, &mut news, catalog, player, at, *hint)?;
        }
        TeamCommand::Reached { player, at, choice } => {
            team_play::reached(draft, &mut news, catalog, player, at, choice.clone());
        }
        TeamCommand::WentAway { player, at } => team_play::went_away(draft, player, at),
        TeamCommand::Met { run, at, center, near } => {
            team_meet::met(draft, &mut news, catalog, run, at, (center, near));
        }
        TeamCommand::Stock { run, reward, number } => {
            team_play::stock(draft, &mut news, catalog, run, *reward, *number);
        }
    }
    team_play::claim_rewards(draft, team, catalog);
    let members = draft.state.members.keys().cloned().collect();
    news.send(team, members, draft);
    Ok(())
}

/// Time has come: windows and time limits are looked at again.
pub fn wake(draft: &mut Draft<'_, Team>, team: &TeamId, catalog: &Catalog) {
    let mut news = Bulletin::default();
    team_play::settle_all(draft, &mut news, catalog);
    team_play::claim_rewards(draft, team, catalog);
    let members = draft.state.members.keys().cloned().collect();
    news.send(team, members, draft);
}

fn create(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    team: &TeamId,
    (name, secret): (&str, &str),
    (player, player_name): (&PlayerId, &str),
) -> Result<(), Refusal> {
    if draft.state.exists() {
        return Err(Refusal::team_exists("a team of that id exists; create it under another one"));
    }
    draft.emit(TeamEvent::Created { name: name.to_owned(), secret: secret.to_owned() });
    join(draft, news, team, player, player_name)
}

fn join(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    team: &TeamId,
    player: &PlayerId,
    player_name: &str,
) -> Result<(), Refusal> {
    let name = draft.state.name.clone();
    draft.reply(Joined { team, name: &name, invite: draft.state.invite(team) });
    if draft.state.members.contains_key(player) {
        return Ok(());
    }
    if draft.state.members.len() >= MEMBERS_MAX {
        return Err(Refusal::team_full(&format!("the team has {MEMBERS_MAX} members already")));
    }
    draft.emit(TeamEvent::MemberJoined { player: player.clone(), name: player_name.to_owned() });
    let joined = News::Joined { name: draft.state.name.clone(), invite: draft.state.invite(team) };
    news.tell(Audience::Only(player.clone()), joined);
    tell_member(news, player, player_name.to_owned(), true);
    for run in draft.state.runs.values().filter(|run| run.over.is_none()) {
        news.tell(Audience::Only(player.clone()), run_news(run));
    }
    Ok(())
}

fn tell_member(news: &mut Bulletin, player: &PlayerId, name: String, present: bool) {
    let member = News::Member { player: player.clone(), name, present };
    news.tell(Audience::Except(player.clone()), member);
}

fn run_news(run: &Run) -> News {
    News::Run {
        run: run.run.clone(),
        ends_at: run.ends_at,
        done: run.done.keys().cloned().collect(),
        open: run.open.iter().map(|(step, opened)| (step.clone(), *opened)).collect(),
    }
}

fn start(
    draft: &mut Draft<'_, Team>,
    news: &mut Bulletin,
    team: &TeamId,
    catalog: &Catalog,
    (player, id, finished): (&PlayerId, &QuestId, bool),
) -> Result<(), Refusal> {
    let quest =
        catalog.latest(id).ok_or_else(|| Refusal::unknown_quest(&format!("no quest \"{id}\" is published")))?;
    let solo = is_solo(team);
    if solo && !draft.state.exists() {
        draft.emit(TeamEvent::Created { name: player.to_string(), secret: String::new() });
        draft.emit(TeamEvent::MemberJoined { player: player.clone(), name: player.to_string() });
    }
    draft.state.member(player)?;
    if quest.available.as_ref().is_some_and(|window| !window.is_open(draft.now)) {
        return Err(Refusal::quest_closed("the quest is not open at this time; see its opening hours"));
    }
    if let Some(required) = &quest.requires
        && !finished
    {
        return Err(Refusal::quest_required(&format!("finish the quest \"{required}\" first")));
    }
    let (least, most) = quest.play.team_size;
    let size = draft.state.members.len();
    if size < usize::from(least) || size > usize::from(most) {
        return Err(Refusal::team_size(&format!(
            "this quest is for {least} to {most} players, your team has {size}"
        )));
    }
    let before = draft.state.runs.get(id);
    if before.is_some_and(|run| run.over.is_none() || !quest.play.repeat) {
        return Err(Refusal::already_played("your team plays this quest already, or has played it once"));
    }
    if before.is_some_and(|run| run.rewards.values().any(|reward| *reward == RewardState::Asked)) {
        return Err(Refusal::busy("the last run's reward is being fetched; start again in a moment"));
    }
    let occurrence = before.map_or(1, |run| run.run.run + 1);
    let run = RunRef { quest: quest.quest.clone(), run: occurrence };
    let ends_at = quest.play.time_limit.map(|limit| draft.now + limit);
    draft.emit(TeamEvent::RunStarted { run: run.clone(), ends_at });
    draft.reply(Started { quest: id, version: run.quest.version, ends_at });
    let started = draft.state.runs.get(id).map(run_news);
    news.tell(Audience::All, started.expect("the run has just been started"));
    team_play::settle(draft, news, quest);
    Ok(())
}
