//! What a player does: being somewhere, answering, scanning, choosing, sending a photo. Each may complete the
//! player's own part of an open step, which is then reported to the team.

use crate::ids::{EntityId, PlaceId, PlayerId, QuestId, RegionId, StepId};
use crate::quest::act::StepRef;
use crate::quest::catalog::Catalog;
use crate::quest::command::{Attempt, Command, PlayerCommand, Sighting, TeamCommand};
use crate::quest::definition::{Quest, Verb};
use crate::quest::draft::Draft;
use crate::quest::event::PlayerEvent;
use crate::quest::evidence::Evidence;
use crate::quest::notice::What;
use crate::quest::player::{OpenStep, Player, WALKED_WHOLE};
use crate::quest::player_news;
use crate::quest::refusal::Refusal;
use crate::quest::replies::{Answered, Empty, PhotoTaken, Review};
use crate::quest::view;
use crate::units::Timestamp;
use std::time::Duration;

/// A stay may be short by this much: the session's timer and the journal's clock differ by a hop.
const STAY_TOLERANCE: Duration = Duration::from_millis(500);

/// Decides a command. An error refuses it; then nothing of the draft counts.
pub fn decide(
    draft: &mut Draft<'_, Player>,
    me: &PlayerId,
    catalog: &Catalog,
    command: &PlayerCommand,
) -> Result<(), Refusal> {
    match command {
        PlayerCommand::Sighted { region, what, why } => sighted(draft, me, catalog, region, *what, why),
        PlayerCommand::Try { at, with } => attempt(draft, me, catalog, at, with)?,
        PlayerCommand::Review { at, approve, reason } => {
            review(draft, me, catalog, at, *approve, reason.as_deref())?;
        }
        PlayerCommand::Profile { name, lang } => {
            let changed = |new: &Option<String>, old: &Option<String>| new.is_some() && new != old;
            if changed(name, &draft.state.name) || changed(lang, &draft.state.lang) {
                draft.emit(PlayerEvent::ProfileSet { name: name.clone(), lang: lang.clone() });
            }
            draft.reply(Empty {});
        }
        PlayerCommand::Share { on } => {
            if draft.state.share != Some(*on) {
                draft.emit(PlayerEvent::Shared { on: *on });
            }
            draft.reply(Empty {});
        }
        PlayerCommand::News { team, items } => player_news::hear(draft, me, catalog, team, items),
    }
    Ok(())
}

/// The open steps of all runs under way that happen at a region.
pub fn steps_at(player: &Player, catalog: &Catalog, region: &RegionId) -> Vec<(QuestId, StepId)> {
    let mut steps = Vec::new();
    for (id, run) in player.runs.iter().filter(|(_, run)| !run.over) {
        let Some((place, quest)) = region.place_of(id, run.quest().version).zip(catalog.get(run.quest())) else {
            continue;
        };
        let here = |step: &&StepId| quest.steps.get(*step).is_some_and(|step| step.verb.place() == Some(&place));
        steps.extend(run.open.keys().filter(here).map(|step| (id.clone(), step.clone())));
    }
    steps
}

fn sighted(
    draft: &mut Draft<'_, Player>,
    me: &PlayerId,
    catalog: &Catalog,
    region: &RegionId,
    what: Sighting,
    why: &Evidence,
) {
    let inside = draft.state.inside.contains_key(region);
    let mut just_now = false;
    match what {
        Sighting::Entered if !inside => {
            just_now = true;
            let since = draft.now;
            draft.emit(PlayerEvent::Entered { region: region.clone(), since, why: why.clone() });
            tell_crossing(draft, catalog, region, why, true);
        }
        Sighting::Left if inside => {
            tell_crossing(draft, catalog, region, why, false);
            went_away(draft, me, catalog, region);
            draft.emit(PlayerEvent::Left { region: region.clone(), why: why.clone() });
            return;
        }
        Sighting::Walked { quarters } => walked(draft, catalog, region, quarters),
        Sighting::Entered | Sighting::Left | Sighting::Stayed => {}
    }
    for (quest, step) in steps_at(&draft.state, catalog, region) {
        arrive(draft, me, catalog, (&quest, &step), just_now);
    }
}

/// Tells the player of a region entered or left, unless the place is hidden from the team.
fn tell_crossing(draft: &mut Draft<'_, Player>, catalog: &Catalog, region: &RegionId, why: &Evidence, entered: bool) {
    let runs: Vec<_> = draft.state.runs.iter().filter(|(_, run)| !run.over).collect();
    let seen: Vec<(QuestId, PlaceId)> = runs
        .into_iter()
        .filter_map(|(id, run)| {
            let (place, quest) = region.place_of(id, run.quest().version).zip(catalog.get(run.quest()))?;
            view::is_place_visible(quest, run, &place).then(|| (id.clone(), place))
        })
        .collect();
    for (quest, place) in seen {
        let (region, why) = (region.clone(), why.clone());
        draft.notice(if entered {
            What::RegionEntered { quest, place, region, why }
        } else {
            What::RegionLeft { quest, place, region, why }
        });
    }
}

/// Being at the place of an open step: does the own part if being there is all it takes. `just_now`: the player has
/// come this moment, or the step has opened around them; then its content is shown. (The clock cannot tell: a step
/// opens at the team's time and is heard of at the player's.)
pub fn arrive(
    draft: &mut Draft<'_, Player>,
    me: &PlayerId,
    catalog: &Catalog,
    (quest_id, step_id): (&QuestId, &StepId),
    just_now: bool,
) {
    let Some((quest, open)) = open_step(&draft.state, catalog, quest_id, step_id) else { return };
    let Some(step) = quest.steps.get(step_id).filter(|_| !open.reached) else { return };
    let Some(since) = since_inside(&draft.state, quest, &step.verb) else { return };
    let enough = match &step.verb {
        Verb::Visit { stay, .. } => draft.now + STAY_TOLERANCE >= since.max(open.opened) + *stay,
        Verb::Follow { .. } => open.walked == WALKED_WHOLE,
        Verb::Answer { .. } | Verb::Scan { .. } | Verb::Photo { .. } | Verb::Choose { .. } => false,
        Verb::Meet { .. } | Verb::Sequence(_) | Verb::AnyOf { .. } | Verb::AllOf(_) => false,
    };
    if just_now && let Some(content) = step.content.clone() {
        draft.notice(What::Content { quest: quest_id.clone(), step: step_id.clone(), content });
    }
    if enough {
        reach(draft, me, quest_id, step_id, None);
    }
}

fn walked(draft: &mut Draft<'_, Player>, catalog: &Catalog, region: &RegionId, quarters: u8) {
    for (quest_id, step_id) in steps_at(&draft.state, catalog, region) {
        let Some((quest, open)) = open_step(&draft.state, catalog, &quest_id, &step_id) else { continue };
        let follows = quest.steps.get(&step_id).is_some_and(|step| matches!(step.verb, Verb::Follow { .. }));
        let quarters = (open.walked | quarters) & WALKED_WHOLE;
        if follows && !open.reached && quarters != open.walked {
            draft.emit(PlayerEvent::Walked { quest: quest_id, step: step_id, quarters });
        }
    }
}

/// Leaving the place of a step that the team must do together: the own part no longer stands.
fn went_away(draft: &mut Draft<'_, Player>, me: &PlayerId, catalog: &Catalog, region: &RegionId) {
    for (quest_id, step_id) in steps_at(&draft.state, catalog, region) {
        let Some((quest, open)) = open_step(&draft.state, catalog, &quest_id, &step_id) else { continue };
        let together = quest.steps.get(&step_id).is_some_and(|step| match &step.verb {
            Verb::Visit { team, .. } => team.together.is_some(),
            _ => false,
        });
        if together && open.reached {
            let (quest, step) = (quest_id.clone(), step_id.clone());
            draft.emit(PlayerEvent::WentAway { quest, step });
            let at = StepRef { quest: quest_id.clone(), step: step_id };
            report(draft, &quest_id, TeamCommand::WentAway { player: me.clone(), at });
        }
    }
}

/// The own part of a step is done: a fact here, a command to the team.
fn reach(draft: &mut Draft<'_, Player>, me: &PlayerId, quest: &QuestId, step: &StepId, choice: Option<String>) {
    let (quest, step) = (quest.clone(), step.clone());
    draft.emit(PlayerEvent::StepReached { quest: quest.clone(), step: step.clone(), choice: choice.clone() });
    let at = StepRef { quest: quest.clone(), step };
    report(draft, &quest, TeamCommand::Reached { player: me.clone(), at, choice });
}

fn report(draft: &mut Draft<'_, Player>, quest: &QuestId, command: TeamCommand) {
    if let Some(team) = draft.state.runs.get(quest).map(|run| run.team.clone()) {
        draft.send(EntityId::Team(team), Command::Team(command));
    }
}

fn open_step<'a>(
    player: &'a Player,
    catalog: &'a Catalog,
    quest: &QuestId,
    step: &StepId,
) -> Option<(&'a Quest, &'a OpenStep)> {
    let run = player.runs.get(quest).filter(|run| !run.over)?;
    Some((catalog.get(run.quest())?, run.open.get(step)?))
}

/// Since when the player is where a verb happens; `None` when elsewhere. What happens anywhere counts from ever.
fn since_inside(player: &Player, quest: &Quest, verb: &Verb) -> Option<Timestamp> {
    let Some(place) = verb.place() else { return Some(Timestamp::from_millis(0)) };
    let region = RegionId::of_place(&quest.quest.id, quest.quest.version, place).ok()?;
    player.inside.get(&region).copied()
}

/// Looks an open step up for an attempt, with an exact reason when it is not open.
fn attempted<'a>(
    player: &'a Player,
    catalog: &'a Catalog,
    at: &StepRef,
) -> Result<(&'a Quest, &'a Verb, &'a OpenStep), Refusal> {
    let unknown = || Refusal::unknown_quest(&format!("no quest \"{}\" is published", at.quest));
    let Some(run) = player.runs.get(&at.quest) else {
        catalog.latest(&at.quest).ok_or_else(unknown)?;
        return Err(Refusal::not_playing("your team does not play this quest; start it first"));
    };
    let quest = catalog.get(run.quest()).ok_or_else(unknown)?;
    let step = quest
        .steps
        .get(&at.step)
        .ok_or_else(|| Refusal::unknown_step(&format!("the quest has no step \"{}\"", at.step)))?;
    if run.done.contains(&at.step) {
        return Err(Refusal::step_done("your team has done this step"));
    }
    if run.over {
        return Err(Refusal::time_over("the run is over"));
    }
    match run.open.get(&at.step) {
        Some(open) => Ok((quest, &step.verb, open)),
        None => Err(Refusal::step_not_open("this step is not open for your team yet")),
    }
}

fn need_presence(player: &Player, quest: &Quest, verb: &Verb) -> Result<(), Refusal> {
    if since_inside(player, quest, verb).is_some() {
        return Ok(());
    }
    let name = verb.place().and_then(|place| quest.places.get(place)).map_or("", |at| at.name.in_lang(player.lang()));
    let place = if name.is_empty() { "the place" } else { name };
    Err(Refusal::not_there(&format!("you are not at {place} yet; go closer, or wait for a better GPS fix")))
}

fn attempt(
    draft: &mut Draft<'_, Player>,
    me: &PlayerId,
    catalog: &Catalog,
    at: &StepRef,
    with: &Attempt,
) -> Result<(), Refusal> {
    let (quest, verb, open) = attempted(&draft.state, catalog, at)?;
    if open.reached {
        return Err(Refusal::step_done("you have done your part of this step; your team is not there yet"));
    }
    match (verb, with) {
        (Verb::Answer { accept, tries, wait, .. }, Attempt::Answer(answer)) => {
            need_presence(&draft.state, quest, verb)?;
            if let Some(until) = open.wait_until.filter(|until| *until > draft.now) {
                let seconds = until.since(draft.now).as_secs() + 1;
                return Err(Refusal::wait(&format!("too many wrong answers; try again in {seconds} s")));
            }
            if accept.iter().any(|right| fold(right) == fold(answer)) {
                reach(draft, me, &at.quest, &at.step, None);
                draft.reply(Answered::Right { correct: true });
                return Ok(());
            }
            let left = tries.saturating_sub(open.tries + 1);
            let wait_until = (left == 0).then(|| draft.now + *wait);
            let (quest, step) = (at.quest.clone(), at.step.clone());
            draft.emit(PlayerEvent::AnswerFailed { quest, step, wait_until });
            draft.reply(Answered::Wrong { correct: false, tries_left: left, wait_until });
        }
        (Verb::Scan { code, .. }, Attempt::Scan(scanned)) => {
            need_presence(&draft.state, quest, verb)?;
            if fold(code) != fold(scanned) {
                return Err(Refusal::wrong_code("that is not the code that hangs here; scan the sign again"));
            }
            reach(draft, me, &at.quest, &at.step, None);
            draft.reply(Empty {});
        }
        (Verb::Choose { options, .. }, Attempt::Choose(option)) => {
            need_presence(&draft.state, quest, verb)?;
            if !options.iter().any(|known| known.id == *option) {
                let known: Vec<_> = options.iter().map(|option| option.id.as_str()).collect();
                return Err(Refusal::unknown_option(&format!("the options are: {}", known.join(", "))));
            }
            reach(draft, me, &at.quest, &at.step, Some(option.clone()));
            draft.reply(Empty {});
        }
        (Verb::Photo { .. }, Attempt::Photo(photo)) => {
            need_presence(&draft.state, quest, verb)?;
            let (quest, step, photo) = (at.quest.clone(), at.step.clone(), photo.clone());
            draft.emit(PlayerEvent::PhotoSubmitted { quest: quest.clone(), step: step.clone(), photo });
            draft.notice(What::PhotoSubmitted { quest, step });
            draft.reply(PhotoTaken { review: Review::Pending });
        }
        (verb, Attempt::Answer(_) | Attempt::Scan(_) | Attempt::Choose(_) | Attempt::Photo(_)) => {
            return Err(Refusal::wrong_verb(&format!("this step is a \"{}\"", verb.name())));
        }
    }
    Ok(())
}

fn review(
    draft: &mut Draft<'_, Player>,
    me: &PlayerId,
    catalog: &Catalog,
    at: &StepRef,
    approve: bool,
    reason: Option<&str>,
) -> Result<(), Refusal> {
    let (_, _, open) = attempted(&draft.state, catalog, at)?;
    if open.photo.is_none() || open.reached {
        return Err(Refusal::no_photo("no photo of this player waits at this step"));
    }
    if approve {
        reach(draft, me, &at.quest, &at.step, None);
    } else {
        let (quest, step) = (at.quest.clone(), at.step.clone());
        draft.emit(PlayerEvent::PhotoRejected { quest: quest.clone(), step: step.clone() });
        let reason = reason.unwrap_or("the photo does not show the place").to_owned();
        draft.notice(What::PhotoRejected { quest, step, reason });
    }
    draft.reply(Empty {});
    Ok(())
}

/// Answers and codes are compared without case and without regard to spaces.
fn fold(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
