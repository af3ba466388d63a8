//! `why`: what a player was given and where the fences saw them, in order, each with its evidence.
//!
//! Read from the player's own entries in the journal, also beside a running server. Promise: nothing is changed, and
//! no coordinate is printed, since none is kept.

use super::fence::words;
use super::{Exit, Output, PlaceArgs};
use crate::ids::{EntityId, PlayerId, QuestId};
use crate::quest::event::{Event, PlayerEvent};
use crate::quest::evidence::Evidence;
use crate::units::Timestamp;
use clap::Args;
use serde::Serialize;

/// Whose journal, and which player.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The player
    #[arg(value_name = "PLAYER")]
    pub player: PlayerId,
    /// Only what belongs to this quest
    #[arg(long, value_name = "QUEST")]
    pub quest: Option<QuestId>,
    /// Where the journal is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

/// One fact, with what it was decided on where a fence decided.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// The number of the player's entry.
    entry: u64,
    at: Timestamp,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a Evidence>,
}

/// Tells it. [`Exit::Failed`] when the journal knows no such player.
pub async fn run(args: &WhyArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let journal = args.place.place().open_read_only().await?;
    let entity = EntityId::Player(args.player.clone());
    let entries = journal.load_entries(&entity).await?.tail;
    if entries.is_empty() {
        out.error(format_args!("this journal knows no player {}", args.player))?;
        return Ok(Exit::Failed);
    }
    let start = entries.first().map(|entry| entry.at);
    for entry in &entries {
        for event in &entry.events {
            let Event::Player(event) = event else { continue };
            let Some((what, why)) = told(event, args.quest.as_ref()) else { continue };
            if args.json {
                out.json(&Line { entry: entry.seq, at: entry.at, what, why })?;
            } else {
                let clock = words::clock(start, entry.at);
                let why = why.map(|why| format!("  {}", words::of_evidence(why))).unwrap_or_default();
                out.line(format_args!("{clock:>9}  #{:<5} {what:<40}{why}", entry.seq))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// A fact in words, with its evidence; `None` for what is not asked for.
fn told<'e>(event: &'e PlayerEvent, quest: Option<&QuestId>) -> Option<(String, Option<&'e Evidence>)> {
    let here = |region: &crate::ids::RegionId| quest.is_none_or(|quest| region.is_of(quest));
    let of = |id: &QuestId| quest.is_none_or(|quest| quest == id);
    Some(match event {
        PlayerEvent::Entered { region, why, .. } if here(region) => (format!("came to {region}"), Some(why)),
        PlayerEvent::Left { region, why } if here(region) => (format!("left {region}"), Some(why)),
        PlayerEvent::RunJoined { run, team, .. } if of(&run.quest.id) => {
            (format!("began {} with team {team}", run.quest.id), None)
        }
        PlayerEvent::Walked { quest, step, quarters } if of(quest) => {
            (format!("walked {} of 4 quarters for {step}", quarters.count_ones()), None)
        }
        PlayerEvent::StepReached { quest, step, .. } if of(quest) => (format!("did own part of {step}"), None),
        PlayerEvent::WentAway { quest, step } if of(quest) => (format!("left {step} too early"), None),
        PlayerEvent::StepCompleted { quest, step, points, .. } if of(quest) => {
            (format!("team completed {step}, {points} points"), None)
        }
        PlayerEvent::PointsGiven { quest, points } if of(quest) => (format!("got {points} points"), None),
        PlayerEvent::BadgeGiven { quest, badge } if of(quest) => (format!("got the badge {badge}"), None),
        PlayerEvent::RunEnded { quest, finished } if of(quest) => {
            let how = if *finished { "finished" } else { "ended unfinished" };
            (format!("{how} {quest}"), None)
        }
        _ => return None,
    })
}
