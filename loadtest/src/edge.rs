//! `edge`: what a socket costs, stage by stage, over the same sockets: bytes before it has said who it is (the socket
//! layer), with session and player awake, and after the actors have been let go; connects a second, processor time at rest.

use crate::crew;
use crate::fault::Fault;
use crate::machine::{self, CpuMark, Machine, Memory};
use crate::report::Report;
use crate::tally::Tally;
use crate::target::{Target, TargetArgs};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How long sockets rest before memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct EdgeArgs {
    /// Sockets; a server that runs already waits 5 s for the connect command, so no more than open in 3 s there
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=19_900))]
    sessions: u32,
    /// Processor time at rest is taken over so many seconds: at least two pings
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    rest: u64,
    /// The last look is taken so many seconds after the connects; entities are let go after 135
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    sleep: u64,
    #[command(flatten)]
    target: TargetArgs,
}

/// Runs it.
pub async fn run(args: &EdgeArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    let target = Target::open(&args.target, 1).await?;
    let settings = format!("{} sockets, {} s of rest, asleep after {} s", args.sessions, args.rest, args.sleep);
    let mut report = Report::new("edge", settings, machine, target.own, seed);
    let Some(pid) = target.pid else {
        return Err(Fault::Settings("the server's memory must be seen: give --server-pid".to_owned()));
    };
    let (before, count) = (machine::memory(pid)?, u64::from(args.sessions));
    let opened = crew::open(&target, machine, args.sessions).await?;
    report.figure("sockets opened", f64::from(args.sessions) / opened.cost.wall.as_secs_f64(), "a second");
    report.cpu(&opened.cost, machine.cores, "socket", count);
    sleep(SETTLE).await;
    tell(&mut report, "socket layer", before, machine::memory(pid)?, args.sessions);

    let begun = Instant::now();
    let entered = crew::enter(&target, opened.phones).await?;
    report.figure("connects", f64::from(args.sessions) / entered.cost.wall.as_secs_f64(), "a second");
    report.cpu(&entered.cost, machine.cores, "connect", count);
    let tally = Arc::new(Tally::new(begun, begun));
    let mut tasks = JoinSet::new();
    for mut phone in entered.phones {
        let tally = Arc::clone(&tally);
        tasks.spawn(async move { tally.fault(phone.idle().await) });
    }
    sleep(SETTLE).await;
    tell(&mut report, "awake", before, machine::memory(pid)?, args.sessions);

    let mark = CpuMark::now(Some(pid))?;
    sleep(Duration::from_secs(args.rest)).await;
    let used = mark.until(&CpuMark::now(Some(pid))?);
    if let Some(server) = used.server {
        let each = server.as_secs_f64() * 1e6 / used.wall.as_secs_f64() / f64::from(args.sessions);
        report.figure("server CPU per idle socket", each, "us/s");
    }
    sleep(Duration::from_secs(args.sleep).saturating_sub(begun.elapsed())).await;
    tell(&mut report, "asleep", before, machine::memory(pid)?, args.sessions);
    // Read before the phones go: the end of the run is no fault.
    report.judge(&tally);
    tasks.shutdown().await;
    target.close().await?;
    Ok(report)
}

fn tell(report: &mut Report, when: &str, before: Memory, now: Memory, sessions: u32) {
    let bytes = now.anonymous.saturating_sub(before.anonymous) as f64 * 1_024.0;
    report.figure(format!("bytes a socket, {when}"), bytes / f64::from(sessions), "B");
}
