//! `verify`: reads a data folder, also beside a running server, and checks what the journal promises.

use super::{Exit, Output};
use crate::persist::sqlite::SqliteJournal;
use crate::verify;
use clap::Args;
use std::path::PathBuf;

/// Which folder.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The data folder
    #[arg(long, default_value = "waystone-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Verifies the folder's journal: [`Exit::Faults`] when a promise is broken.
pub async fn run(args: &VerifyArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let journal = SqliteJournal::open_read_only(&args.data).await?;
    let verdict = verify::verify(&journal).await?;
    if args.json {
        out.json(&verdict)?;
    } else {
        out.line(verdict.render().trim_end())?;
    }
    Ok(if verdict.is_clean() { Exit::Done } else { Exit::Faults })
}
