//! `idle`: what it costs to connect, and what a session costs that only answers pings.

use crate::crew;
use crate::fault::Fault;
use crate::machine::{self, CpuMark, Machine, Memory};
use crate::report::Report;
use crate::tally::Tally;
use crate::target::{Target, TargetArgs};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How long sessions rest before memory is read.
const SETTLE: Duration = Duration::from_secs(3);

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct IdleArgs {
    /// Sessions
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=19_900))]
    sessions: u32,
    /// Stay connected so long and measure again, in seconds; entities are let go after 135
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    hold: u64,
    #[command(flatten)]
    target: TargetArgs,
}

/// Runs it.
pub async fn run(args: &IdleArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    let target = Target::open(&args.target, 1).await?;
    let settings = format!("{} sessions, held for {} s", args.sessions, args.hold);
    let mut report = Report::new("idle", settings, machine, target.own, seed);
    let before = target.pid.map(machine::memory).transpose()?;
    let crew = crew::connect(&target, machine, args.sessions).await?;
    let rate = f64::from(args.sessions) / crew.cost.wall.as_secs_f64();
    report.figure("connects", rate, "a second");
    report.cpu(&crew.cost, machine.cores, "connect", u64::from(args.sessions));
    let now = Instant::now();
    let tally = std::sync::Arc::new(Tally::new(now, now));
    let mut tasks = JoinSet::new();
    for mut phone in crew.phones {
        let tally = std::sync::Arc::clone(&tally);
        tasks.spawn(async move { tally.fault(phone.idle().await) });
    }
    sleep(SETTLE).await;
    let awake = target.pid.map(machine::memory).transpose()?;
    if let (Some(before), Some(awake)) = (before, awake) {
        tell(&mut report, "awake", before, awake, args.sessions);
    } else {
        report.remark("the server's memory is not known: give --server-pid");
    }
    if args.hold > 0 {
        let mark = CpuMark::now(target.pid)?;
        sleep(Duration::from_secs(args.hold)).await;
        let used = mark.until(&CpuMark::now(target.pid)?);
        if let Some(server) = used.server {
            let each = server.as_secs_f64() * 1e6 / used.wall.as_secs_f64() / f64::from(args.sessions);
            report.figure("server CPU per idle session", each, "us/s");
        }
        if let (Some(before), Some(pid)) = (before, target.pid) {
            tell(&mut report, "after the hold", before, machine::memory(pid)?, args.sessions);
        }
    }
    // Read before the phones go: the end of the run is no fault.
    report.judge(&tally);
    tasks.shutdown().await;
    target.close().await?;
    Ok(report)
}

fn tell(report: &mut Report, when: &str, before: Memory, now: Memory, sessions: u32) {
    let each = |before: u64, now: u64| now.saturating_sub(before) as f64 * 1_024.0 / 1_000.0 / f64::from(sessions);
    report.figure(format!("server RSS before, {when}"), before.resident as f64 / 1_024.0, "MiB");
    report.figure(format!("server RSS, {when}"), now.resident as f64 / 1_024.0, "MiB");
    report.figure(format!("RSS per session, {when}"), each(before.resident, now.resident), "kB");
    report.figure(format!("anonymous per session, {when}"), each(before.anonymous, now.anonymous), "kB");
}
