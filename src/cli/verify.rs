//! `verify`: reads a journal, also beside a running server, and checks what the journal promises; and, if clients
//! wrote down what they were told, that it stands in the journal.

use super::{Exit, Output, PlaceArgs};
use crate::verify::{self, History};
use anyhow::Context;
use clap::Args;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

/// Which journal.
#[derive(Debug, Args)]
#[command(after_long_help = LONG_HELP)]
pub struct VerifyArgs {
    /// Where it is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What clients asked and were told, as JSON lines; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub history: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `--help` says below the options.
const LONG_HELP: &str = "\
Reads the journal of one moment and derives from its facts, by other code than the server's, who earned what: points,
badges, codes of a limited stock, the progress of teams. Whatever does not agree is printed as a difference, with the
entity and the entry to look at and the word of the check that found it.

A history (--history) is written by clients, such as the load test: what they asked, were answered, were told and saw.
It is held against the journal: nothing that was acknowledged may be missing, nothing that was told may be invented,
nothing that was refused may have been done. It must be of this journal, and is read before the journal is.

Nothing is changed. Exit code 0: all agrees; 1: something cannot be read; 3: there are differences.
docs/verify.md explains every check.";

/// Verifies the journal: [`Exit::Faults`] when a promise is broken.
pub async fn run(args: &VerifyArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let history = read(&args.history)?;
    // Opened after the history was read: what is told from now on is in neither, or in the journal only.
    let journal = args.place.place().open_read_only().await?;
    let verdict = verify::verify_with(journal.as_ref(), history.as_ref()).await?;
    if args.json {
        out.json(&verdict)?;
    } else {
        out.line(verdict.render().trim_end())?;
    }
    Ok(if verdict.is_clean() { Exit::Done } else { Exit::Faults })
}

fn read(files: &[PathBuf]) -> anyhow::Result<Option<History>> {
    let mut history = History::default();
    for path in files {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("{name} cannot be opened"))?;
        history.take_in(&name, BufReader::new(file))?;
    }
    Ok((!files.is_empty()).then_some(history))
}
