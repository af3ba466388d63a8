//! `migrate`: brings a journal's schema up to date, or makes the journal where there is none.

use super::{Exit, Output, PlaceArgs};
use clap::Args;

/// Which journal.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Where it is.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Migrates; safe to run twice, and by two at once.
pub async fn run(args: &MigrateArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let (before, after) = args.place.place().migrate().await?;
    match before {
        0 => out.line(format_args!("made a journal with schema {after}"))?,
        _ if before == after => out.line(format_args!("schema {after} is the newest: nothing to do"))?,
        _ => out.line(format_args!("schema {before} is now {after}"))?,
    }
    Ok(Exit::Done)
}
