//! Checks of what stands at the top of a quest file: its name, players, window, rewards and limits.

use super::conditions;
use super::tree::Tree;
use crate::content::code;
use crate::content::file::{Each, Extensions, Give, Mode, QuestFile, Reward, Safety};
use crate::content::report::Fault;
use crate::content::resolved::{id, window};
use crate::ids::{OfBadge, OfQuest};
use std::collections::BTreeSet;

/// The format that this version reads.
const SCHEMA: &str = "quest/v1";

pub(super) fn check(file: &QuestFile, tree: &Tree, faults: &mut Vec<Fault>) {
    if file.schema.value != SCHEMA {
        let message = format!("this server does not read the format \"{}\"", file.schema.value);
        faults.push(Fault::new(code::UNKNOWN_SCHEMA, file.schema.spot, message).help("write schema: quest/v1"));
    }
    faults.extend(id::<OfQuest>(&file.id).err());
    if let Some(requires) = &file.requires {
        faults.extend(id::<OfQuest>(&requires.quest).err());
        if requires.quest == file.id {
            faults.push(Fault::new(code::REQUIRES_ITSELF, requires.quest.spot, "the quest requires itself"));
        }
    }
    if file.steps.is_empty() {
        faults.push(Fault::new(code::NO_STEPS, file.id.spot, "the quest has no steps"));
    }
    languages(file, faults);
    play(file, faults);
    if let Some(available) = &file.available {
        match window(available, None) {
            Ok(window) if window.never_opens() => {
                faults.push(Fault::new(code::NEVER_OPEN, available.spot, "the quest is never open"));
            }
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    for reward in &file.rewards {
        check_reward(reward, tree, faults);
    }
    safety(&file.safety, faults);
    extensions(&file.extensions, faults);
}

/// Keys of one's own start with `x-`, so that no later version of the format can clash with them.
pub(super) fn extensions(extensions: &Extensions, faults: &mut Vec<Fault>) {
    for key in extensions.keys().filter(|key| !key.starts_with("x-")) {
        let message = format!("the extension \"{}\" does not start with x-", key.value);
        faults.push(Fault::new(code::EXTENSION_NAME, key.spot, message).help(format!("write x-{}", key.value)));
    }
}

fn languages(file: &QuestFile, faults: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for tag in &file.languages {
        let mut parts = tag.split('-');
        let first = parts.next().unwrap_or("");
        let sound = (2..=3).contains(&first.len())
            && first.bytes().all(|b| b.is_ascii_lowercase())
            && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
        if !sound {
            let message = format!("\"{}\" is not a language tag", tag.value);
            faults.push(Fault::new(code::BAD_LANGUAGE, tag.spot, message).help("write en, fi or pt-BR"));
        } else if !seen.insert(tag.as_str()) {
            let message = format!("the language \"{}\" is listed twice", tag.value);
            faults.push(Fault::new(code::BAD_LANGUAGE, tag.spot, message).help("remove one"));
        }
    }
}

fn play(file: &QuestFile, faults: &mut Vec<Fault>) {
    let play = &file.play;
    let complaint = match (play.mode, play.team_size.as_ref().map(|size| size.value)) {
        (Mode::Team, None) => Some("a quest for teams says how large they are"),
        (Mode::Team, Some([least, most])) if least == 0 || most < least => {
            Some("the smallest team has at least one member and is not larger than the largest")
        }
        (Mode::Team, Some([_, 1])) => Some("teams of one play alone"),
        (Mode::Solo, Some(size)) if size != [1, 1] => Some("a quest for single players has no team size"),
        _ => None,
    };
    if let Some(message) = complaint {
        let help = match (play.mode, &play.team_size) {
            (Mode::Solo, _) => "set mode: team, or remove team_size",
            (Mode::Team, Some(size)) if size.value[1] == 1 => "set mode: solo and remove team_size",
            (Mode::Team, _) => "write team_size: [2, 5]",
        };
        let spot = play.team_size.as_ref().map_or(file.id.spot, |size| size.spot);
        faults.push(Fault::new(code::BAD_TEAM_SIZE, spot, message).help(help));
    }
    if let Some(limit) = play.time_limit.as_ref().filter(|limit| limit.value.0.is_zero()) {
        let help = "leave time_limit out if there is none";
        faults.push(Fault::new(code::NO_TIME, limit.spot, "a run of no time cannot be played").help(help));
    }
}

fn check_reward(reward: &Reward, tree: &Tree, faults: &mut Vec<Fault>) {
    for give in std::iter::once(&reward.give).chain(&reward.otherwise) {
        match &give.value {
            Give::Badge(name) | Give::CodePool(name) => faults.extend(id::<OfBadge>(name).err()),
            Give::Points(_) => {}
        }
    }
    match &reward.stock {
        Some(stock) if stock.value == 0 => {
            let who = match reward.each.value {
                Each::Player => "player",
                Each::Team => "team",
            };
            let message = format!("with a stock of 0 no {who} ever gets this");
            faults.push(Fault::new(code::STOCK_EMPTY, stock.spot, message).help("set it to 1 or more"));
        }
        None if matches!(reward.give.value, Give::CodePool(_)) => {
            let message = "nobody says how many codes there are, so it may run dry unseen";
            let help = "add a stock, and with otherwise what the others get";
            faults.push(Fault::new(code::POOL_WITHOUT_STOCK, reward.give.spot, message).help(help));
        }
        _ => {}
    }
    if let (Some(otherwise), None) = (&reward.otherwise, &reward.stock) {
        let message = "this is never given: without a stock nothing runs out";
        faults.push(Fault::new(code::OTHERWISE_UNUSED, otherwise.spot, message).help("add a stock"));
    }
    if let Some(when) = &reward.when {
        conditions::check(when, tree, faults);
        let most = (0..tree.nodes.len()).map(|index| tree.points(index)).sum();
        conditions::check_points(when, most, faults);
    }
}

fn safety(safety: &Safety, faults: &mut Vec<Fault>) {
    if let Some(speed) = safety.max_speed.as_ref().filter(|speed| !(speed.value > 0.0 && speed.value.is_finite())) {
        let help = "metres per second: walking is 1.5, running 5, cycling 8";
        faults.push(Fault::new(code::BAD_LIMIT, speed.spot, "nobody moves at that speed").help(help));
    }
    if let Some(accuracy) = safety.min_accuracy.as_ref().filter(|accuracy| accuracy.value.0 <= 0.0) {
        let help = "metres: 50 suits most places";
        faults.push(Fault::new(code::BAD_LIMIT, accuracy.spot, "no phone is that accurate").help(help));
    }
    if let Some(score) = safety.min_score.as_ref().filter(|score| !(0.0..=1.0).contains(&score.value)) {
        let help = "0 to 1: 0.5 leaves out what a phone itself calls made up";
        faults.push(Fault::new(code::BAD_LIMIT, score.spot, "no position scores that").help(help));
    }
}
