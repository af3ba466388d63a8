//! Checks of single steps: one verb each, and what that verb needs.

use super::conditions;
use super::quest::extensions;
use super::tree::{Node, Tree};
use crate::content::code;
use crate::content::file::{Mode, QuestFile};
use crate::content::names::{did_you_mean, listed};
use crate::content::report::Fault;
use crate::content::resolved::{id, window};
use crate::content::shapes::{Outline, position};
use crate::content::spot::{At, Spot};
use crate::content::step::{Answer, AnyOf, Choose, Follow, Meet, Step, Verb, Visit};
use crate::content::values::Span;
use crate::ids::OfStep;
use std::collections::BTreeMap;

const VERBS: &str = "visit, answer, scan, photo, follow, choose, meet, sequence, any_of or all_of";

pub(super) fn check(file: &QuestFile, tree: &Tree, faults: &mut Vec<Fault>) {
    let mut first: BTreeMap<&str, Spot> = BTreeMap::new();
    for (index, node) in tree.nodes.iter().enumerate() {
        let step = node.step;
        faults.extend(id::<OfStep>(&step.id).err());
        if let Some(earlier) = first.get(node.id()) {
            let message = format!("a second step is called \"{}\"", node.id());
            let help = format!("the first is in line {}", earlier.line);
            faults.push(Fault::new(code::DUPLICATE_ID, step.id.spot, message).help(help));
        } else {
            first.insert(node.id(), step.id.spot);
        }
        verb_count(step, faults);
        if let Some(after) = &step.after {
            conditions::check(after, tree, faults);
        }
        if let Some(place) = node.verb.and_then(Verb::place) {
            place_named(file, node, place, faults);
        }
        match node.verb {
            Some(Verb::Visit(visit)) => check_visit(file, node, visit, faults),
            Some(Verb::Answer(answer)) => check_answer(node, answer, faults),
            Some(Verb::Choose(choose)) => check_choose(node, choose, faults),
            Some(Verb::Follow(follow)) => check_follow(file, follow, faults),
            Some(Verb::Meet(meet)) => check_meet(file, node, meet, faults),
            Some(Verb::Scan(scan)) => {
                if let Some(code) = scan.code.as_ref().filter(|code| code.trim().is_empty()) {
                    faults.push(Fault::new(code::EMPTY_CODE, code.spot, "this code has no text"));
                }
            }
            Some(Verb::AnyOf(group)) => check_any_of(node, group, faults),
            Some(Verb::Sequence(_) | Verb::AllOf(_)) => check_group(node, faults),
            Some(Verb::Photo(_)) | None => {}
        }
        windows(file, tree, index, faults);
        hints(file, node, faults);
        anchor(step, faults);
        extensions(&step.extensions, faults);
    }
}

fn verb_count(step: &Step, faults: &mut Vec<Fault>) {
    match step.verbs().as_slice() {
        [] => {
            let message = format!("step \"{}\" says nothing to do", step.id.value);
            faults.push(Fault::new(code::NO_VERB, step.id.spot, message).help(format!("add one of {VERBS}")));
        }
        [_] => {}
        [_, (second, _), ..] => {
            let message = format!("step \"{}\" has a second verb", step.id.value);
            faults.push(Fault::new(code::TWO_VERBS, *second, message).help("make two steps of it"));
        }
    }
}

fn place_named(file: &QuestFile, node: &Node, place: &At<String>, faults: &mut Vec<Fault>) {
    if file.places.contains_key(place.as_str()) {
        return;
    }
    let doing = match node.verb {
        Some(Verb::Visit(_)) => "visits",
        Some(Verb::Follow(_)) => "follows",
        _ => "is at",
    };
    let message = format!("step \"{}\" {doing} a place that does not exist: \"{}\"", node.id(), place.value);
    let known = || file.places.keys().map(|name| name.value.as_str());
    let help = did_you_mean(place, known()).unwrap_or_else(|| match file.places.is_empty() {
        true => "add it under places".to_owned(),
        false => format!("there are {}", listed(known())),
    });
    faults.push(Fault::new(code::UNKNOWN_PLACE, place.spot, message).help(help));
}

fn check_visit(file: &QuestFile, node: &Node, visit: &Visit, faults: &mut Vec<Fault>) {
    check_stay(file, node, visit.stay.as_ref(), faults);
    let Some(team) = &visit.team else { return };
    if file.play.mode == Mode::Solo {
        let message = "this quest is played alone, so the team rule has no effect";
        faults.push(Fault::new(code::TEAM_IN_SOLO, team.spot, message).help("set play: { mode: team, ... }"));
    }
    if let Some(share) = team.share.as_ref().filter(|share| !(share.value > 0.0 && share.value <= 1.0)) {
        let message = format!("{} is no share of a team", share.value);
        faults.push(Fault::new(code::BAD_SHARE, share.spot, message).help("0.5 is half, 1.0 everyone"));
    }
    if let (Some(members), Mode::Team, Some(size)) = (&team.members, file.play.mode, &file.play.team_size)
        && members.value > size.value[1]
    {
        let message = format!("step \"{}\" needs {} members", node.id(), members.value);
        let help = format!("the largest team has {}", size.value[1]);
        faults.push(Fault::new(code::TOO_MANY_MEMBERS, members.spot, message).help(help));
    }
}

fn check_stay(file: &QuestFile, node: &Node, stay: Option<&At<Span>>, faults: &mut Vec<Fault>) {
    if let (Some(stay), Some(limit)) = (stay, &file.play.time_limit)
        && stay.value > limit.value
    {
        let message = format!("step \"{}\" lasts {}, longer than the whole run", node.id(), stay.value);
        let help = format!("the time limit is {}", limit.value);
        faults.push(Fault::new(code::STAY_TOO_LONG, stay.spot, message).help(help));
    }
}

fn check_meet(file: &QuestFile, node: &Node, meet: &Meet, faults: &mut Vec<Fault>) {
    check_stay(file, node, meet.stay.as_ref(), faults);
    if !(10.0..=1_000.0).contains(&meet.within.value.0) {
        let message = format!("the members of \"{}\" cannot meet at that distance", node.id());
        faults.push(Fault::new(code::MEET_DISTANCE, meet.within.spot, message).help("write 10 m to 1 km"));
    }
    let members = meet.members.as_ref().map_or(2, |members| members.value);
    let spot = meet.members.as_ref().map_or(meet.within.spot, |members| members.spot);
    let smallest = match (file.play.mode, &file.play.team_size) {
        (Mode::Team, Some(size)) => size.value[0],
        (Mode::Team, None) => return,
        (Mode::Solo, _) => 1,
    };
    if members < 2 || members > smallest {
        let message = format!("step \"{}\" needs {members} members to meet", node.id());
        let help = match file.play.mode {
            Mode::Solo => "this quest is played alone: set play: { mode: team, ... }".to_owned(),
            Mode::Team => format!("the smallest team that may start has {smallest}, and it takes two to meet"),
        };
        faults.push(Fault::new(code::MEET_NEEDS_TEAM, spot, message).help(help));
    }
}

fn check_answer(node: &Node, answer: &Answer, faults: &mut Vec<Fault>) {
    if !answer.accept.iter().any(|text| !text.trim().is_empty()) {
        let message = format!("no answer to the question of \"{}\" is right", node.id());
        faults.push(Fault::new(code::NO_ANSWER, answer.accept.spot, message).help("list every right answer"));
    }
    if let Some(tries) = answer.tries.as_ref().filter(|tries| tries.value == 0) {
        let help = "leave tries out if any number is fine";
        faults.push(Fault::new(code::TRIES_ZERO, tries.spot, "nobody can answer with no tries").help(help));
    }
}

fn check_choose(node: &Node, choose: &Choose, faults: &mut Vec<Fault>) {
    if choose.options.len() < 2 {
        let message = format!("\"{}\" leaves nothing to choose", node.id());
        faults.push(Fault::new(code::FEW_OPTIONS, choose.options.spot, message).help("offer at least two options"));
    }
    for (index, option) in choose.options.iter().enumerate() {
        faults.extend(id::<OfStep>(&option.id).err());
        if choose.options.iter().take(index).any(|other| other.id == option.id) {
            let message = format!("\"{}\" has a second option \"{}\"", node.id(), option.id.value);
            faults.push(Fault::new(code::DUPLICATE_OPTION, option.id.spot, message));
        }
    }
}

fn check_follow(file: &QuestFile, follow: &Follow, faults: &mut Vec<Fault>) {
    let Some((name, place)) = file.places.get_key_value(follow.along.as_str()) else { return };
    // A place whose shape is at fault has its own fault.
    let Ok(outline) = Outline::of(name, place) else { return };
    match (outline.reach, &follow.within) {
        (None, _) => {
            let message = format!("\"{}\" is no way that one can follow", name.value);
            let help = "follow a place with line and width, or use visit";
            faults.push(Fault::new(code::FOLLOW_NEEDS_LINE, follow.along.spot, message).help(help));
        }
        (Some(reach), Some(within)) if within.value.0 > reach => {
            let message = format!("\"{}\" reaches only {reach} m from its line", name.value);
            let help = format!("write {reach}m or less, or widen the place");
            faults.push(Fault::new(code::WITHIN_TOO_WIDE, within.spot, message).help(help));
        }
        (Some(_), Some(within)) if within.value.0 <= 0.0 => {
            faults.push(Fault::new(code::BAD_LENGTH, within.spot, "nobody walks that close to a line"));
        }
        _ => {}
    }
}

fn check_any_of(node: &Node, group: &AnyOf, faults: &mut Vec<Fault>) {
    check_group(node, faults);
    let Some(need) = &group.need else { return };
    if need.value == 0 {
        faults.push(Fault::new(code::NEED_ZERO, need.spot, format!("\"{}\" needs none of its steps", node.id())));
    } else if usize::from(need.value) > group.steps.len() && !group.steps.is_empty() {
        let message =
            format!("\"{}\" needs {} of its steps but has only {}", node.id(), need.value, group.steps.len());
        faults.push(Fault::new(code::NEED_TOO_HIGH, need.spot, message));
    }
}

fn check_group(node: &Node, faults: &mut Vec<Fault>) {
    if node.children.is_empty() {
        let message = format!("the group \"{}\" has no steps", node.id());
        faults.push(Fault::new(code::EMPTY_GROUP, node.step.id.spot, message));
    }
}

/// A step's window must open at all, and at some time when the quest and the groups around it are open too.
fn windows(file: &QuestFile, tree: &Tree, index: usize, faults: &mut Vec<Fault>) {
    let Some(available) = &tree.nodes[index].step.available else { return };
    let id = tree.nodes[index].id();
    let own = match window(available, file.available.as_ref()) {
        Ok(own) => own,
        Err(fault) => return faults.push(fault),
    };
    if own.never_opens() {
        let message = format!("step \"{id}\" is never open");
        return faults.push(Fault::new(code::NEVER_OPEN, available.spot, message));
    }
    let groups = tree.lineage(index).skip(1).filter_map(|group| {
        let group = &tree.nodes[group];
        Some((format!("group \"{}\"", group.id()), group.step.available.as_ref()?))
    });
    let quest = file.available.iter().map(|available| ("quest".to_owned(), available));
    for (name, outer) in groups.chain(quest) {
        // One that cannot be read or never opens has its own fault.
        let Ok(outer) = window(outer, file.available.as_ref()) else { continue };
        if !outer.never_opens() && own.never_meets(&outer) {
            let message = format!("step \"{id}\" is never open while its {name} is");
            faults.push(Fault::new(code::NEVER_OPEN, available.spot, message).help("let the two windows overlap"));
        }
    }
}

fn hints(file: &QuestFile, node: &Node, faults: &mut Vec<Fault>) {
    for hint in &node.step.hints {
        if let (Some(after), Some(limit)) = (&hint.after, &file.play.time_limit)
            && after.value >= limit.value
        {
            let message = format!("this hint comes after {}, when the run is over", after.value);
            let help = format!("the time limit is {}", limit.value);
            faults.push(Fault::new(code::HINT_TOO_LATE, after.spot, message).help(help));
        }
        if let Some(cost) = hint.cost.as_ref().filter(|cost| cost.value > node.step.points) {
            let message = format!("this hint costs {}, but the step gives only {}", cost.value, node.step.points);
            faults.push(Fault::new(code::HINT_TOO_DEAR, cost.spot, message));
        }
    }
}

fn anchor(step: &Step, faults: &mut Vec<Fault>) {
    let Some(at) = step.ar.as_ref().map(|ar| &ar.anchor.at) else { return };
    match at.as_slice() {
        [lon, lat] | [lon, lat, _] => faults.extend(position(&At { value: [*lon, *lat], spot: at.spot }).err()),
        _ => {
            let help = "write [longitude, latitude] or [longitude, latitude, altitude]";
            faults.push(Fault::new(code::BAD_POSITION, at.spot, "this is not a position").help(help));
        }
    }
}
