//! `replay`: a run that is over, shown as if it went on, from its record.

use crate::live::{Live, Mode, Plan, Shot};
use crate::record::{Record, RecordError, Second};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::sleep;

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplayArgs {
    /// The record, or the run's folder
    run: PathBuf,
    /// How many seconds of the run go by in one
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    speed: u32,
    /// A line every five seconds instead of a view that is drawn in place
    #[arg(long)]
    plain: bool,
}

/// Why it was not shown.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The view.
    #[error("the view cannot start: {0}; try --plain")]
    View(#[from] io::Error),
}

/// Shows it; true if it was shown to its end.
pub async fn run(args: &ReplayArgs) -> Result<bool, ReplayError> {
    let record = Record::read(&args.run)?;
    let plan = Plan {
        title: format!("{} (replay)", record.scenario),
        length_s: Some(record.seconds.length_s()),
        cores: record.machine.cores,
    };
    let live = Live::start(plan, Mode::choose(args.plain))?;
    for second in record.seconds.points() {
        live.show(Shot { second: second.clone(), faults: under_way(&record, second) });
        let pause = sleep(Duration::from_secs_f64(second.span_s() / f64::from(args.speed)));
        tokio::select! {
            () = pause => {}
            () = live.interrupted() => return Ok(false),
        }
    }
    live.end().await;
    Ok(true)
}

/// Faults that were not yet recovered from.
fn under_way(record: &Record, second: &Second) -> Vec<String> {
    let at = f64::from(second.t);
    let is_on = |fault: &&crate::record::FaultMark| {
        at >= fault.at_s && at <= fault.recovered_s.or(fault.until_s).unwrap_or(f64::MAX)
    };
    record.faults.iter().filter(is_on).map(|fault| format!("{}: {}", fault.kind, fault.what)).collect()
}
