//! Commands that show runs which are over: as a page, as a table of differences, as if they went on.

use crate::compare;
use crate::page;
use crate::record::Record;
use crate::replay::{self, ReplayArgs};
use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// What can be shown.
#[derive(Debug, clap::Subcommand)]
pub enum Show {
    /// Make the page about a run from its record: pictures, verdict, and the run before it
    Report {
        /// The record, or the run's folder
        run: PathBuf,
        /// The run to compare with; else the newest older one of the same scenario beside this one's folder
        #[arg(long)]
        previous: Option<PathBuf>,
        /// Where the page goes, if not beside the record
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Print how two runs differ, and whether by more than noise
    Compare {
        /// The record of the earlier run, or its folder
        before: PathBuf,
        /// The record of the later run, or its folder
        now: PathBuf,
    },
    /// Show a run that is over as if it went on
    Replay(ReplayArgs),
}

/// Shows it; false if someone did not want to see its end.
pub async fn run(show: &Show) -> Result<bool, Box<dyn Error>> {
    let text = match show {
        Show::Report { run, previous, out } => {
            let page = page::publish(run, previous.as_deref(), out.as_deref())?;
            format!("{}\n", page.display())
        }
        Show::Compare { before, now } => compare::table(&Record::read(now)?, &Record::read(before)?),
        Show::Replay(args) => return Ok(replay::run(args).await?),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(true)
}
