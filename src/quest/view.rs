//! What a player may see: steps and places in the player's language, hidden places only when a step there is open
//! or done; and the whole of it for `state.get`.

use crate::ids::{PlaceId, PlayerId, RegionId, StepId, TeamId};
use crate::quest::catalog::Catalog;
use crate::quest::definition::{Quest, Text, Verb};
use crate::quest::notice::{PlaceView, StepView};
use crate::quest::player::{Player, PlayerRun};
use crate::quest::team::Team;
use crate::units::Timestamp;
use serde_json::{Value, json};

/// Whether a place may be told: it is not hidden, or a step there is open or done.
pub fn is_place_visible(quest: &Quest, run: &PlayerRun, place: &PlaceId) -> bool {
    let told = |step: &StepId| quest.steps.get(step).is_some_and(|step| step.verb.place() == Some(place));
    quest.places.get(place).is_some_and(|place| !place.hidden)
        || run.open.keys().any(told)
        || run.done.iter().any(told)
}

/// An open step as a player sees it.
pub fn step(quest: &Quest, id: &StepId, lang: &str, opened: Timestamp) -> Option<StepView> {
    let step = quest.steps.get(id)?;
    let (question, options) = match &step.verb {
        Verb::Answer { question, .. } => (Some(question), &[][..]),
        Verb::Choose { question, options, .. } => (Some(question), options.as_slice()),
        _ => (None, &[][..]),
    };
    let (stay_s, members) = match &step.verb {
        Verb::Visit { stay, team, .. } => {
            ((stay.as_secs() > 0).then_some(stay.as_secs()), (team.members > 1).then_some(team.members))
        }
        Verb::Meet { members, stay, .. } => ((stay.as_secs() > 0).then_some(stay.as_secs()), Some(*members)),
        _ => (None, None),
    };
    let title = step.title.in_lang(lang);
    Some(StepView {
        id: id.clone(),
        title: if title.is_empty() { id.to_string() } else { title.to_owned() },
        verb: step.verb.name().to_owned(),
        points: step.points,
        place: step.verb.place().and_then(|place| place_view(quest, place, lang)),
        question: question.map(|text: &Text| text.in_lang(lang).to_owned()),
        options: options.iter().map(|option| (option.id.clone(), option.label.in_lang(lang).to_owned())).collect(),
        stay_s,
        members,
        within: if let Verb::Meet { within, .. } = step.verb { Some(within) } else { None },
        hints: step.hints.iter().map(|hint| (opened + hint.after, hint.cost)).collect(),
    })
}

fn place_view(quest: &Quest, id: &PlaceId, lang: &str) -> Option<PlaceView> {
    let place = quest.places.get(id)?;
    let name = place.name.in_lang(lang);
    let name = if name.is_empty() { id.to_string() } else { name.to_owned() };
    Some(PlaceView { id: id.clone(), name, outline: place.outline.clone() })
}

/// A quest as an operator sees it: everything but answers and codes.
pub fn quest(quest: &Quest) -> Value {
    let places: Vec<Value> = quest
        .places
        .iter()
        .map(|(id, place)| {
            let name = place.name.in_lang("en");
            let name = if name.is_empty() { id.as_str() } else { name };
            json!({ "id": id, "name": name, "hidden": place.hidden, "outline": place.outline })
        })
        .collect();
    let steps: Vec<Value> = quest
        .steps
        .iter()
        .map(|(id, step)| {
            let title = step.title.in_lang("en");
            let title = if title.is_empty() { id.as_str() } else { title };
            let (verb, place) = (step.verb.name(), step.verb.place());
            json!({ "id": id, "title": title, "verb": verb, "place": place, "points": step.points, "parent": step.parent })
        })
        .collect();
    json!({
        "id": quest.quest.id, "version": quest.quest.version, "title": quest.title.in_lang("en"),
        "play": { "team_size": [quest.play.team_size.0, quest.play.team_size.1] },
        "places": places, "steps": steps,
    })
}

/// A team as its members see it.
pub fn team(team: &Team, id: &TeamId) -> Value {
    let members: Vec<Value> =
        team.members.iter().map(|(player, name)| json!({ "player": player, "name": name })).collect();
    let runs: Vec<Value> = team
        .runs
        .values()
        .map(|run| json!({ "quest": run.run.quest.id, "points": run.points, "over": run.over.is_some() }))
        .collect();
    json!({ "id": id, "name": team.name, "invite": team.invite(id), "members": members, "runs": runs })
}

/// All that a player may know now: the reply of `state.get`.
pub fn state(player: &Player, id: &PlayerId, catalog: &Catalog) -> Value {
    let runs: Vec<Value> = player
        .runs
        .values()
        .filter_map(|run| {
            let quest = catalog.get(run.quest())?;
            let lang = player.lang();
            let open: Vec<_> = run.open.iter().filter_map(|(id, open)| step(quest, id, lang, open.opened)).collect();
            let places: Vec<_> = quest
                .places
                .keys()
                .filter(|place| is_place_visible(quest, run, place))
                .filter_map(|place| place_view(quest, place, lang))
                .collect();
            let reached: Vec<_> = run.open.iter().filter(|(_, open)| open.reached).map(|(id, _)| id).collect();
            let photos: Vec<_> = run.open.iter().filter(|(_, open)| open.photo.is_some()).map(|(id, _)| id).collect();
            Some(json!({
                "quest": run.quest().id, "version": run.quest().version, "title": quest.title.in_lang(lang),
                "team": run.team, "ends_at": run.ends_at, "over": run.over,
                "open": open, "done": run.done, "reached": reached, "in_review": photos, "places": places,
            }))
        })
        .collect();
    let seen = |region: &&RegionId| {
        player.runs.iter().any(|(id, run)| {
            let place = region.place_of(id, run.quest().version).zip(catalog.get(run.quest()));
            place.is_some_and(|(place, quest)| is_place_visible(quest, run, &place))
        })
    };
    let inside: Vec<_> = player.inside.keys().filter(seen).collect();
    json!({
        "player": id, "name": player.display_name(id), "lang": player.lang(),
        "points": player.points, "badges": player.badges.keys().collect::<Vec<_>>(),
        "inside": inside, "runs": runs, "offset": player.offset,
    })
}
