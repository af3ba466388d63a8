//! Entries as lines for people: what the console's stream says, with the why of the fence engine where there is one.

use crate::actors::cards::Happening;
use crate::ids::{EntityId, PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::persist::Stored;
use crate::quest::catalog::Catalog;
use crate::quest::definition::Give;
use crate::quest::event::{Event, PlayerEvent, RegionEvent, TeamEvent};
use crate::quest::evidence::Evidence;
use crate::units::Timestamp;

/// The lines of one entry; many entries have none.
pub fn of(stored: &Stored, catalog: &Catalog, name: &dyn Fn(&TeamId) -> String) -> Vec<Happening> {
    let at = stored.entry.at;
    stored
        .entry
        .events
        .iter()
        .filter_map(|event| match (event, &stored.entity) {
            (Event::Team(fact), EntityId::Team(team)) => of_team(fact, team, at, catalog, name),
            (Event::Player(fact), EntityId::Player(player)) => of_player(fact, player, at),
            (Event::Region(fact), EntityId::Region(region)) => of_region(fact, region, at, name),
            _ => None,
        })
        .collect()
}

fn line(at: Timestamp, kind: &'static str, text: String) -> Happening {
    Happening { at, kind: kind.into(), text, player: None, team: None, quest: None, step: None, why: None }
}

fn title(catalog: &Catalog, quest: &QuestId, step: &StepId) -> String {
    let step_title =
        catalog.latest(quest).and_then(|quest| quest.steps.get(step)).map(|step| step.title.in_lang("en"));
    step_title.filter(|title| !title.is_empty()).map_or_else(|| step.to_string(), str::to_owned)
}

fn of_team(
    fact: &TeamEvent,
    team: &TeamId,
    at: Timestamp,
    catalog: &Catalog,
    name: &dyn Fn(&TeamId) -> String,
) -> Option<Happening> {
    let who = name(team);
    let with = |mut happening: Happening, quest: Option<&QuestId>, step: Option<&StepId>| {
        happening.team = Some(team.clone());
        happening.quest = quest.cloned();
        happening.step = step.cloned();
        Some(happening)
    };
    match fact {
        TeamEvent::Created { name, .. } => with(line(at, "team", format!("{name} is a team")), None, None),
        TeamEvent::RunStarted { run, .. } => {
            let id = &run.quest.id;
            let title = catalog.get(&run.quest).map_or(id.as_str(), |quest| quest.title.in_lang("en"));
            with(line(at, "started", format!("{who} started {title}")), Some(id), None)
        }
        TeamEvent::StepCompleted { quest, step, points, .. } => {
            let text = format!("{who} completed {} (+{points})", title(catalog, quest, step));
            with(line(at, "step", text), Some(quest), Some(step))
        }
        TeamEvent::Met { quest, step, near, .. } => {
            let far = near.iter().map(|near| near.distance.get()).fold(0.0, f64::max);
            let text =
                format!("{} of {who} met within {far:.0} m for {}", near.len() + 1, title(catalog, quest, step));
            with(line(at, "entered", text), Some(quest), Some(step))
        }
        TeamEvent::HintTaken { quest, step, .. } => {
            let text = format!("{who} bought a hint for {}", title(catalog, quest, step));
            with(line(at, "hint", text), Some(quest), Some(step))
        }
        TeamEvent::RewardGiven { quest, give, number, .. } => {
            let (kind, what) = match (give, number) {
                (Give::Badge(badge), _) => ("badge", format!("the badge {badge}")),
                (Give::Points(points), _) => ("points", format!("{points} points")),
                (Give::CodePool(pool), Some(number)) => ("code", format!("number {number} of {pool}")),
                (Give::CodePool(pool), None) => ("code", pool.clone()),
            };
            with(line(at, kind, format!("{who} got {what}")), Some(quest), None)
        }
        TeamEvent::RewardGone { quest, points, .. } => {
            let text = format!("{who} came too late for a limited reward (+{points} instead)");
            with(line(at, "points", text), Some(quest), None)
        }
        TeamEvent::RunEnded { quest, reason: None } => {
            with(line(at, "finished", format!("{who} finished")), Some(quest), None)
        }
        TeamEvent::RunEnded { quest, reason: Some(_) } => {
            with(line(at, "finished", format!("{who} ended unfinished")), Some(quest), None)
        }
        TeamEvent::MemberJoined { .. }
        | TeamEvent::MemberLeft { .. }
        | TeamEvent::Said { .. }
        | TeamEvent::StepOpened { .. }
        | TeamEvent::StepClosed { .. }
        | TeamEvent::MemberReached { .. }
        | TeamEvent::MemberWentAway { .. }
        | TeamEvent::RewardAsked { .. } => None,
    }
}

fn of_player(fact: &PlayerEvent, player: &PlayerId, at: Timestamp) -> Option<Happening> {
    let (kind, quest, step, text) = match fact {
        PlayerEvent::PhotoSubmitted { quest, step, .. } => {
            ("photo", quest, Some(step), format!("{player} sent a photo for {step}"))
        }
        PlayerEvent::BadgeGiven { quest, badge } => ("badge", quest, None, format!("{player} got the badge {badge}")),
        _ => return None,
    };
    let mut happening = line(at, kind, text);
    happening.player = Some(player.clone());
    happening.quest = Some(quest.clone());
    happening.step = step.cloned();
    Some(happening)
}

fn of_region(
    fact: &RegionEvent,
    region: &RegionId,
    at: Timestamp,
    name: &dyn Fn(&TeamId) -> String,
) -> Option<Happening> {
    let place = region.as_str().rsplit(':').next().unwrap_or(region.as_str());
    let seen = |kind, player: &PlayerId, verb: &str, why: &Evidence| {
        let mut happening = line(at, kind, format!("{player} {verb} {place}"));
        happening.player = Some(player.clone());
        happening.why = Some(why.clone());
        Some(happening)
    };
    match fact {
        RegionEvent::Entered { player, why } => seen("entered", player, "entered", why),
        RegionEvent::Left { player, why } => seen("left", player, "left", why),
        RegionEvent::Stayed { player, why } => seen("entered", player, "stayed long enough at", why),
        RegionEvent::Walked { player, why, .. } => seen("entered", player, "walked a quarter of", why),
        RegionEvent::StockGiven { .. } => None,
        RegionEvent::StockRefused { team, .. } => {
            let mut happening = line(at, "code", format!("{} found a stock empty", name(team)));
            happening.team = Some(team.clone());
            Some(happening)
        }
    }
}
