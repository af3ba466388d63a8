//! What a player may see: steps and places in the player's language, hidden places only when a step there is open
//! or done; and the whole of it for `state.get`.

use crate::ids::{BadgeId, PlaceId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::quest::catalog::Catalog;
use crate::quest::definition::{Quest, Text, Verb};
use crate::quest::notice::{PlaceView, StepView};
use crate::quest::player::{OpenStep, Player, PlayerRun};
use crate::quest::team::Team;
use crate::units::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
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
    json!(TeamView {
        id: id.clone(),
        name: team.name.clone(),
        invite: team.invite(id),
        members: team
            .members
            .iter()
            .map(|(player, name)| MemberView { player: player.clone(), name: name.clone() })
            .collect(),
        runs: team
            .runs
            .values()
            .map(|run| TeamRunView { quest: run.run.quest.id.clone(), points: run.points, over: run.over.is_some() })
            .collect(),
    })
}

/// All that a player may know now, but for the team, which knows itself.
pub fn state(player: &Player, id: &PlayerId, catalog: &Catalog) -> Value {
    let seen = |region: &&RegionId| {
        player.runs.iter().any(|(id, run)| {
            let place = region.place_of(id, run.quest().version).zip(catalog.get(run.quest()));
            place.is_some_and(|(place, quest)| is_place_visible(quest, run, &place))
        })
    };
    json!(StateView {
        player: id.clone(),
        name: player.display_name(id),
        lang: player.lang().to_owned(),
        points: player.points,
        badges: player.badges.keys().cloned().collect(),
        inside: player.inside.keys().filter(seen).cloned().collect(),
        runs: player
            .runs
            .values()
            .filter_map(|run| Some(run_view(run, catalog.get(run.quest())?, player.lang())))
            .collect(),
        team: None,
        offset: player.offset,
    })
}

fn run_view(run: &PlayerRun, quest: &Quest, lang: &str) -> RunView {
    let those = |is: fn(&OpenStep) -> bool| {
        run.open.iter().filter(|(_, open)| is(open)).map(|(id, _)| id.clone()).collect::<Vec<_>>()
    };
    RunView {
        quest: run.quest().id.clone(),
        version: run.quest().version,
        title: quest.title.in_lang(lang).to_owned(),
        team: run.team.clone(),
        ends_at: run.ends_at,
        over: run.over,
        open: run.open.iter().filter_map(|(id, open)| step(quest, id, lang, open.opened)).collect(),
        done: run.done.iter().cloned().collect(),
        reached: those(|open| open.reached),
        in_review: those(|open| open.photo.is_some()),
        places: quest
            .places
            .keys()
            .filter(|place| is_place_visible(quest, run, place))
            .filter_map(|place| place_view(quest, place, lang))
            .collect(),
    }
}

/// All that a player may know now: the reply of `state.get`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StateView {
    /// Whose.
    pub player: PlayerId,
    /// The player's name for people.
    pub name: String,
    /// The language of what the player is told.
    pub lang: String,
    /// Points of all quests.
    pub points: i64,
    /// Badges.
    pub badges: Vec<BadgeId>,
    /// Regions that the player is in, of those that the player may know.
    pub inside: Vec<RegionId>,
    /// Runs of quests, also those that are over.
    pub runs: Vec<RunView>,
    /// The player's team, if any.
    pub team: Option<TeamView>,
    /// The last notice that is contained in this.
    pub offset: u64,
}

/// A run of a quest as its player sees it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunView {
    /// Which quest.
    pub quest: QuestId,
    /// The version that is played.
    pub version: u32,
    /// Its title.
    pub title: String,
    /// Whose run it is.
    pub team: TeamId,
    /// When its time is over, if that is limited.
    pub ends_at: Option<Timestamp>,
    /// Whether it is over.
    pub over: bool,
    /// Steps that can be done now.
    pub open: Vec<StepView>,
    /// Steps that are done.
    pub done: Vec<StepId>,
    /// Open steps whose own part is done; the team needs more.
    pub reached: Vec<StepId>,
    /// Open steps whose photo waits for an operator.
    pub in_review: Vec<StepId>,
    /// Places that the player may know.
    pub places: Vec<PlaceView>,
}

/// A team as its members see it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TeamView {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// What a friend must say to join.
    pub invite: String,
    /// Who is in it.
    pub members: Vec<MemberView>,
    /// What it plays and has played.
    pub runs: Vec<TeamRunView>,
}

/// A member of a team.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MemberView {
    /// Who.
    pub player: PlayerId,
    /// The player's name for people.
    pub name: String,
}

/// A run as its team sees it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TeamRunView {
    /// Which quest.
    pub quest: QuestId,
    /// The team's points in it.
    pub points: i64,
    /// Whether it is over.
    pub over: bool,
}
