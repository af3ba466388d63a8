//! `verify`: reads a journal, also beside a running server, and checks what the journal promises.

use super::{Exit, Output, PlaceArgs};
use crate::verify;
use clap::Args;

/// Which journal.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Where it is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Verifies the journal: [`Exit::Faults`] when a promise is broken.
pub async fn run(args: &VerifyArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let journal = args.place.place().open_read_only().await?;
    let verdict = verify::verify(journal.as_ref()).await?;
    if args.json {
        out.json(&verdict)?;
    } else {
        out.line(verdict.render().trim_end())?;
    }
    Ok(if verdict.is_clean() { Exit::Done } else { Exit::Faults })
}
