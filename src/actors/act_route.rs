//! Which entity decides what a client asks: the player for their own part of a step, the team for what is the
//! team's. The one place that turns an `Act` into a command.
//!
//! A command that comes again must find the entity that knows its answer, although the world has gone on: so a team's
//! id is made from the command's, and a run that is over still leads to its team.

use crate::ids::{EntityId, PlayerId, QuestId, TeamId, stable_hash};
use crate::quest::act::{Act, CommandId, StepRef};
use crate::quest::catalog::Catalog;
use crate::quest::command::{Attempt, Command, PlayerCommand, TeamCommand};
use crate::quest::guidance::Guidance;
use crate::quest::refusal::Refusal;
use crate::quest::team;
use rand::Rng;

/// Letters and digits that cannot be mistaken for one another when read aloud or copied by hand.
const LEGIBLE: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";
/// 31^8: a billion teams without a meeting of ids worth fearing; one that meets is refused, not merged.
const TEAM_ID_CHARS: usize = 8;
/// 31^8 secrets behind a rate limit of commands.
const SECRET_CHARS: usize = 8;

/// The entity and the command for an act.
///
/// A command that comes again finds the entity that answered it, though it has changed what the player may do since.
pub fn route(
    player: &PlayerId,
    guidance: &Guidance,
    catalog: &Catalog,
    cmd: Option<&CommandId>,
    act: &Act,
) -> Result<(EntityId, Command), Refusal> {
    let me = || player.clone();
    let attempt = |at: &StepRef, with: Attempt| {
        (EntityId::Player(me()), Command::Player(PlayerCommand::Try { at: at.clone(), with }))
    };
    let to_team = |team: TeamId, command: TeamCommand| Ok((EntityId::Team(team), Command::Team(command)));
    match act {
        Act::Answer { at, text } => Ok(attempt(at, Attempt::Answer(text.clone()))),
        Act::Scan { at, code } => Ok(attempt(at, Attempt::Scan(code.clone()))),
        Act::Choose { at, option } => Ok(attempt(at, Attempt::Choose(option.clone()))),
        Act::Photo { at, photo } => Ok(attempt(at, Attempt::Photo(photo.clone()))),
        Act::Profile { name, lang } => {
            let profile = PlayerCommand::Profile { name: name.clone(), lang: lang.clone() };
            Ok((EntityId::Player(me()), Command::Player(profile)))
        }
        Act::Share { on } => Ok((EntityId::Player(me()), Command::Player(PlayerCommand::Share { on: *on }))),
        Act::Start { quest } => {
            let known = catalog
                .latest(quest)
                .ok_or_else(|| Refusal::unknown_quest(&format!("no quest \"{quest}\" is published")))?;
            let team = if known.play.is_solo() { team::solo_team(player)? } else { my_team(guidance, cmd)? };
            let finished = known.requires.as_ref().is_none_or(|required| guidance.finished.contains(required));
            to_team(team, TeamCommand::Start { player: me(), quest: quest.clone(), finished })
        }
        Act::Abandon { quest } => {
            to_team(playing(guidance, catalog, quest)?, TeamCommand::Abandon { player: me(), quest: quest.clone() })
        }
        Act::Hint { at, hint } => to_team(
            playing(guidance, catalog, &at.quest)?,
            TeamCommand::Hint { player: me(), at: at.clone(), hint: *hint },
        ),
        Act::CreateTeam { name } => {
            let id = cmd.map_or_else(|| legible(TEAM_ID_CHARS), |cmd| made_from(player, cmd));
            let id = TeamId::new(id).expect("legible letters make an id");
            no_other_team(guidance, &id)?;
            let (secret, player_name) = (legible(SECRET_CHARS), guidance.name.clone());
            to_team(id, TeamCommand::Create { name: name.clone(), secret, player: me(), player_name })
        }
        Act::JoinTeam { code } => {
            let (team, secret) = invite(code)?;
            no_other_team(guidance, &team)?;
            to_team(team, TeamCommand::Join { player: me(), player_name: guidance.name.clone(), secret })
        }
        Act::LeaveTeam => to_team(my_team(guidance, cmd)?, TeamCommand::Leave { player: me() }),
        Act::Say { text } => to_team(my_team(guidance, cmd)?, TeamCommand::Say { player: me(), text: text.clone() }),
    }
}

/// The player's team; for what may be a repeat also the one that was left last.
fn my_team(guidance: &Guidance, cmd: Option<&CommandId>) -> Result<TeamId, Refusal> {
    let left = || guidance.left.clone().filter(|_| cmd.is_some());
    guidance
        .team
        .clone()
        .or_else(left)
        .ok_or_else(|| Refusal::no_team("you are in no team; create one, or join one by its code"))
}

/// Who may have heard a command before: the team that was left last, when the command now goes to another. A repeat is
/// answered there; the team of today would take it for a new one.
pub fn heard_before(guidance: &Guidance, to: &EntityId, cmd: Option<&CommandId>) -> Option<EntityId> {
    let (today, left) = (guidance.team.as_ref()?, guidance.left.as_ref()?);
    let goes_to_today = matches!(to, EntityId::Team(team) if team == today);
    (cmd.is_some() && goes_to_today && left != today).then(|| EntityId::Team(left.clone()))
}

fn no_other_team(guidance: &Guidance, wanted: &TeamId) -> Result<(), Refusal> {
    match &guidance.team {
        Some(mine) if mine != wanted => Err(Refusal::in_team("you are in a team already; leave it first")),
        Some(_) | None => Ok(()),
    }
}

fn playing(guidance: &Guidance, catalog: &Catalog, quest: &QuestId) -> Result<TeamId, Refusal> {
    if let Some(team) = guidance.played.get(quest) {
        return Ok(team.clone());
    }
    catalog.latest(quest).ok_or_else(|| Refusal::unknown_quest(&format!("no quest \"{quest}\" is published")))?;
    Err(Refusal::not_playing("your team does not play this quest; start it first"))
}

/// An invite code: the team's id and its secret, case and spaces forgiven.
fn invite(code: &str) -> Result<(TeamId, String), Refusal> {
    let bad = || Refusal::bad_invite("an invite code looks like k3x9p2ab-7qh4m2cd; ask for it again");
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let (team, secret) = code.rsplit_once('-').ok_or_else(bad)?;
    if secret.len() != SECRET_CHARS || team.len() != TEAM_ID_CHARS {
        return Err(bad());
    }
    Ok((TeamId::new(team).map_err(|_| bad())?, secret.to_owned()))
}

/// The id of the team that a command creates. Whoever makes two ids meet is refused by the team that is there.
fn made_from(player: &PlayerId, cmd: &CommandId) -> String {
    let mut hash = stable_hash(player.as_str().bytes().chain([b'/']).chain(cmd.as_str().bytes()));
    let base = u64::try_from(LEGIBLE.len()).expect("31 letters");
    let mut id = String::with_capacity(TEAM_ID_CHARS);
    for _ in 0..TEAM_ID_CHARS {
        id.push(char::from(LEGIBLE[usize::try_from(hash % base).expect("below 31")]));
        hash /= base;
    }
    id
}

fn legible(chars: usize) -> String {
    let mut rng = rand::rng();
    (0..chars).map(|_| char::from(LEGIBLE[rng.random_range(0..LEGIBLE.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(guidance: &Guidance, cmd: &str) -> Result<EntityId, u32> {
        let (player, cmd) = (PlayerId::new("ada").expect("an id"), CommandId::new(cmd).expect("an id"));
        let act = Act::CreateTeam { name: "Owls".to_owned() };
        let routed = route(&player, guidance, &Catalog::default(), Some(&cmd), &act);
        routed.map(|(to, _)| to).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_command_that_comes_again_finds_the_team_that_it_made() {
        let alone = Guidance::default();
        let made = create(&alone, "c1").expect("a team of one's own");
        assert_eq!(create(&alone, "c1"), Ok(made.clone()), "before the news has come");
        assert_ne!(create(&alone, "c2"), Ok(made.clone()), "another command makes another team");
        let EntityId::Team(team) = made.clone() else { panic!("{made} is no team") };
        let member = Guidance { team: Some(team), ..Guidance::default() };
        assert_eq!(create(&member, "c1"), Ok(made), "after the news has come");
        assert_eq!(create(&member, "c2"), Err(1302), "who is in a team cannot found another");
    }
}
