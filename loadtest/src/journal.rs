//! The journal by itself, without a server around it: durable events a second, what each costs, and how fast all comes
//! back; each beside a yardstick that is measured in the same run.
//!
//! Reading order: `mix` (what is written), `drive` (the loop), `real` (the journal), then the yardsticks: `tx`, `group`
//! and `yardsticks` for Postgres, `lite` for SQLite; `recover`. Absolute figures are the machine's; ratios are ours.

mod drive;
mod group;
mod lite;
mod mix;
mod postgres;
mod real;
mod recover;
pub mod server;
mod sqlite;
mod tx;
mod yardsticks;

use crate::fault::Fault;
use crate::machine::Machine;
use crate::report::Report;
use clap::{Args, ValueEnum};
use drive::Run;
use mix::Mix;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Entities that write at once.
const IN_FLIGHT: [u64; 3] = [1, 64, 1_024];

/// What to measure.
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// Which store
    #[arg(long, value_enum, default_value_t = Store::Both)]
    store: Store,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Entities that are read back; 0 leaves that out
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    entities: u64,
    /// Leave out what the journal is compared with
    #[arg(long)]
    alone: bool,
    /// An empty database to use, of a server that runs already; implies --alone and no reading back
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Where the data of SQLite goes, if not in the folder for temporary files
    #[arg(long)]
    data: Option<PathBuf>,
}

/// A store, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Sqlite,
    Postgres,
    Both,
}

/// What all measurements share.
#[derive(Debug)]
struct Plan {
    mix: Arc<Mix>,
    span: Duration,
    entities: u64,
    alone: bool,
    folder: Folder,
}

/// A folder that goes with its owner.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing in it is worth keeping, and there is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures.
pub async fn run(args: &JournalArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    let settings = format!("{args:?}");
    let mut report = Report::new("journal", settings, machine, true, seed);
    report.promise("every entry that was answered for was durable, and all that was read was whole");
    let mix = Arc::new(Mix::new()?);
    let parent = args.data.clone().unwrap_or_else(std::env::temp_dir);
    let folder = parent.join(format!("waystone-journal-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|source| Fault::Io { path: folder.clone(), source })?;
    let (folder, span) = (Folder(folder), Duration::from_secs(args.seconds));
    report.section("what is written, and where");
    report.figure("payload, mean", mix.mean_bytes(), "bytes");
    report.figure("fdatasync of the disk, before", yardsticks::flushes(folder.path(), span / 2)?, "1/s");
    let named = args.postgres.is_some();
    let entities = if named { 0 } else { args.entities };
    let plan = Plan { mix, span, entities, alone: args.alone || named, folder };
    if args.store != Store::Sqlite {
        postgres::measure(&plan, args.postgres.as_deref(), &mut report).await?;
    }
    if args.store != Store::Postgres {
        sqlite::measure(&plan, &mut report).await?;
    }
    report.section("afterwards");
    report.figure("fdatasync of the disk, after", yardsticks::flushes(plan.folder.path(), span / 2)?, "1/s");
    let load = Machine::look()?.load;
    report.remark(format!("load average after: {load}"));
    Ok(report)
}

/// The figures of one run of the loop.
fn tell(report: &mut Report, run: &Run) {
    report.figure("durable events", run.rate(), "1/s");
    for (label, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        report.figure(format!("commit {label}"), run.waits.value_at_quantile(quantile) as f64 / 1_000.0, "ms");
    }
    report.figure("CPU here per event", run.each(run.cpu), "us");
}
