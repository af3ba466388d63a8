//! Which entity decides what a client asks: the player for their own part of a step, the team for what is the
//! team's. The one place that turns an `Act` into a command.

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
    act: Act,
) -> Result<(EntityId, Command), Refusal> {
    let me = || player.clone();
    let attempt =
        |at: StepRef, with: Attempt| (EntityId::Player(me()), Command::Player(PlayerCommand::Try { at, with }));
    let to_team = |team: TeamId, command: TeamCommand| Ok((EntityId::Team(team), Command::Team(command)));
    match act {
        Act::Answer { at, text } => Ok(attempt(at, Attempt::Answer(text))),
        Act::Scan { at, code } => Ok(attempt(at, Attempt::Scan(code))),
        Act::Choose { at, option } => Ok(attempt(at, Attempt::Choose(option))),
        Act::Photo { at, photo } => Ok(attempt(at, Attempt::Photo(photo))),
        Act::Profile { name, lang } => {
            Ok((EntityId::Player(me()), Command::Player(PlayerCommand::Profile { name, lang })))
        }
        Act::Share { on } => Ok((EntityId::Player(me()), Command::Player(PlayerCommand::Share { on }))),
        Act::Start { quest } => {
            let known = catalog
                .latest(&quest)
                .ok_or_else(|| Refusal::unknown_quest(&format!("no quest \"{quest}\" is published")))?;
            let team = if known.play.is_solo() { team::solo_team(player)? } else { my_team(guidance, cmd)? };
            let finished = known.requires.as_ref().is_none_or(|required| guidance.finished.contains(required));
            to_team(team, TeamCommand::Start { player: me(), quest, finished })
        }
        Act::Abandon { quest } => {
            let played = guidance.played.get(&quest).cloned().filter(|_| cmd.is_some());
            let team = playing(guidance, catalog, &quest).or_else(|not| played.ok_or(not))?;
            to_team(team, TeamCommand::Abandon { player: me(), quest })
        }
        Act::Hint { at, hint } => {
            to_team(playing(guidance, catalog, &at.quest)?, TeamCommand::Hint { player: me(), at, hint })
        }
        Act::CreateTeam { name } => {
            let id = match cmd {
                Some(cmd) => TeamId::new(legible_of(stable_hash(format!("{player} {}", cmd.as_str()).into_bytes()))),
                None => TeamId::new(legible(TEAM_ID_CHARS)),
            };
            let id = id.expect("legible letters make an id");
            no_other_team(guidance, cmd, &id)?;
            let (secret, player_name) = (legible(SECRET_CHARS), guidance.name.clone());
            to_team(id, TeamCommand::Create { name, secret, player: me(), player_name })
        }
        Act::JoinTeam { code } => {
            let (team, secret) = invite(&code)?;
            no_other_team(guidance, cmd, &team)?;
            to_team(team, TeamCommand::Join { player: me(), player_name: guidance.name.clone(), secret })
        }
        Act::LeaveTeam => to_team(my_team(guidance, cmd)?, TeamCommand::Leave { player: me() }),
        Act::Say { text } => to_team(my_team(guidance, cmd)?, TeamCommand::Say { player: me(), text }),
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

/// Refuses whoever is in a team, unless it is the one meant and the command may be a repeat.
fn no_other_team(guidance: &Guidance, cmd: Option<&CommandId>, meant: &TeamId) -> Result<(), Refusal> {
    match &guidance.team {
        Some(team) if cmd.is_none() || team != meant => {
            Err(Refusal::in_team("you are in a team already; leave it first"))
        }
        Some(_) | None => Ok(()),
    }
}

fn playing(guidance: &Guidance, catalog: &Catalog, quest: &QuestId) -> Result<TeamId, Refusal> {
    if let Some(team) = guidance.playing.get(quest) {
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

/// A team's id from a number: 31^8 fit in 64 bits.
fn legible_of(mut number: u64) -> String {
    let letters = LEGIBLE.len() as u64;
    let mut digit = || {
        let place = usize::try_from(number % letters).unwrap_or_default();
        number /= letters;
        char::from(LEGIBLE[place])
    };
    (0..TEAM_ID_CHARS).map(|_| digit()).collect()
}

fn legible(chars: usize) -> String {
    let mut rng = rand::rng();
    (0..chars).map(|_| char::from(LEGIBLE[rng.random_range(0..LEGIBLE.len())])).collect()
}
