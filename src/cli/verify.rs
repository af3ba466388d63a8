//! `verify`: reads a data folder, also beside a running server, and checks what the journal promises.

use super::{Exit, Output};
use crate::persist::sqlite::SqliteJournal;
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
pub async fn run(args: &VerifyArgs, _out: &mut Output) -> anyhow::Result<Exit> {
    let _journal = SqliteJournal::open_read_only(&args.data).await?;
    // The verdict comes here: `verify::verify(&journal) -> Verdict`, printed by `out.json` or `out.list`.
    anyhow::bail!("`waystone verify` is not built yet; the journal can be opened, and that is all that is known")
}
