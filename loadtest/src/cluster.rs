//! `cluster`: three nodes and a Postgres on this machine, and what being a cluster costs them.
//!
//! The parts run one after another on the same cluster, so their figures belong to one machine at one time: rest, asking
//! near and far, walking, a planned move, and a node's death. Reading order: `nodes`, then the parts in that order.

mod ask;
mod fall;
mod moved;
mod nodes;
mod walk;

use crate::fault::Fault;
use crate::machine::{CpuMark, Machine};
use crate::report::Report;
use nodes::{Cluster, NAMES};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct ClusterArgs {
    /// Only these parts, in the order given here
    #[arg(long, value_delimiter = ',', default_values = ["rest", "ask", "walk", "move", "fall"])]
    parts: Vec<Part>,
    /// How long is measured at rest, while asking and while walking, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Entities of the whole cluster when a node is killed
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    entities: u32,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Part {
    Rest,
    Ask,
    Walk,
    Move,
    Fall,
}

/// Measures.
pub async fn run(args: &ClusterArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    let mut report = Report::new("cluster", format!("{args:?}"), machine, true, seed);
    report.promise("every question was answered, and every shard found its place again");
    let (mut cluster, span) = (Cluster::start().await?, Duration::from_secs(args.seconds));
    for part in &args.parts {
        let before = CpuMark::now(None)?;
        match part {
            Part::Rest => rest(&cluster, span, &mut report).await?,
            Part::Ask => ask::run(&cluster, span, &mut report).await?,
            Part::Walk => walk::run(&cluster, span, seed, &mut report).await?,
            Part::Move => moved::run(&mut cluster, &mut report).await?,
            Part::Fall => fall::run(&mut cluster, args.entities, &mut report).await?,
        }
        let used = before.until(&CpuMark::now(None)?);
        report.section("beside it");
        report.figure(
            format!("{part:?}: cores that this program used"),
            used.client.as_secs_f64() / used.wall.as_secs_f64(),
            "",
        );
        report.figure(
            format!("{part:?}: cores that all other processes used, the nodes among them"),
            used.others.as_secs_f64() / used.wall.as_secs_f64(),
            "",
        );
    }
    for node in 0..NAMES.len() {
        cluster.drain(node).await?;
    }
    Ok(report)
}

/// Nobody plays.
async fn rest(cluster: &Cluster, span: Duration, report: &mut Report) -> Result<(), Fault> {
    let (before, database, counts) = (cluster.cpu()?, cluster.database().await?, cluster.counts().await?);
    let begun = Instant::now();
    sleep(span).await;
    let (after, used) = (cluster.cpu()?, database.until(&cluster.database().await?));
    let (counts_after, seconds) = (cluster.counts().await?, begun.elapsed().as_secs_f64());
    report.section("at rest");
    for ((name, before), after) in NAMES.iter().zip(before).zip(after) {
        let share = after.saturating_sub(before).as_secs_f64() / seconds;
        report.figure(format!("CPU of node {name}"), share * 100.0, "% of a core");
    }
    if let Some(cpu) = used.cpu {
        report.figure("CPU of Postgres", cpu.as_secs_f64() * 100.0 / seconds, "% of a core");
    }
    report.figure("log of Postgres", used.wal / seconds, "bytes a second");
    for name in ["link_messages_sent_total", "link_bytes_sent_total"] {
        let of = |counts: &std::collections::BTreeMap<String, f64>| counts.get(name).copied().unwrap_or(0.0);
        report.figure(format!("{name} of all nodes"), (of(&counts_after) - of(&counts)) / seconds, "a second");
    }
    Ok(())
}
