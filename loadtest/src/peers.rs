//! `peers`: the same phones, the same fixes at the same rate, on Waystone and on servers of another make, as ratios.
//!
//! The peers are what people would write by hand: npm's `ws`, and Socket.IO, each checking a token and a fix and answering
//! it (`peers/server.mjs`). They keep nothing and judge nothing, so Waystone does more for each fix; they run on one core
//! each, as Node does by default. All are measured one after another in one run, so that the machine is the same.

mod node;

use crate::crew;
use crate::drive::{Driver, Timetable};
use crate::fault::Fault;
use crate::fixes::Walker;
use crate::machine::{self, CpuMark, Machine};
use crate::report::Report;
use crate::stroll::{FIELD, Stroller};
use crate::tally::Tally;
use crate::target::{Target, TargetArgs};
use node::Node;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How long sockets rest before memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// Time for phones to begin before anything is measured.
const WARMUP: Duration = Duration::from_secs(3);

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct PeersArgs {
    /// Sockets on each
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    sockets: u32,
    /// Fixes a second of all sockets together
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How long is measured, in seconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Only these, beside Waystone
    #[arg(long, value_delimiter = ',', default_values = ["ws", "socket-io"])]
    only: Vec<Peer>,
    /// Where the peers are installed, if not beside this program; npm puts them there at the first use
    #[arg(long)]
    cache: Option<PathBuf>,
}

/// A server of another make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Peer {
    /// npm's ws, by hand
    Ws,
    /// Socket.IO, over WebSockets only
    SocketIo,
}

/// What one server showed.
struct Seen {
    name: &'static str,
    bytes: f64,
    connects: f64,
    connect_us: f64,
    fix_us: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Runs it.
pub async fn run(args: &PeersArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    if args.rate > args.sockets * 18 {
        let why = "a session may send 20 fixes a second: ask for more sockets or a lower rate".to_owned();
        return Err(Fault::Settings(why));
    }
    let (sockets, rate, seconds) = (args.sockets, args.rate, args.seconds);
    let settings = format!("{sockets} sockets on each, {rate} fixes a second, {seconds} s");
    let mut report = Report::new("peers", settings, machine, true, seed);
    let folder = if args.only.is_empty() { None } else { Some(node::install(args.cache.as_deref()).await?) };
    let target = Target::open(&TargetArgs::default(), 1).await?;
    let mut seen = vec![measure("waystone", &target, args, machine, seed, &mut report).await?];
    target.close().await?;
    for peer in &args.only {
        let Some(folder) = &folder else { break };
        let node = Node::start(folder, *peer).await?;
        seen.push(measure(node.name, &node.target, args, machine, seed, &mut report).await?);
        node.close().await?;
    }
    if machine.build == "debug" {
        report.remark("this is a debug build, and the peers are not: the ratios say nothing");
    }
    if let Some((ours, others)) = seen.split_first() {
        others.iter().for_each(|other| ratios(&mut report, ours, other));
    }
    Ok(report)
}

async fn measure(
    name: &'static str,
    target: &Target,
    args: &PeersArgs,
    machine: &Machine,
    seed: u64,
    report: &mut Report,
) -> Result<Seen, Fault> {
    let Some(pid) = target.pid else { return Err(Fault::Server("its process is not known".to_owned())) };
    let (before, count) = (machine::memory(pid)?, f64::from(args.sockets));
    let crew = crew::connect(target, machine, args.sockets).await?;
    sleep(SETTLE).await;
    let bytes = machine::memory(pid)?.anonymous.saturating_sub(before.anonymous) as f64 * 1_024.0 / count;

    let start = Instant::now() + Duration::from_millis(200);
    let (from, period) = (start + WARMUP, Duration::from_secs_f64(count / f64::from(args.rate)));
    let until = from + Duration::from_secs(args.seconds);
    let tally = Arc::new(Tally::new(from, until));
    let mut tasks = JoinSet::new();
    for (index, phone) in crew.phones.into_iter().enumerate() {
        let stroller = Stroller::new(FIELD, seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let walker = Walker(stroller, period.as_secs_f64());
        let times = Timetable { first: start + period.mul_f64(index as f64 / count), period, until };
        tasks.spawn(Driver::new(phone, index, walker, Arc::clone(&tally)).open_loop(times));
    }
    sleep_until(from).await;
    let (mark, answers) = (CpuMark::now(Some(pid))?, tally.answers());
    sleep_until(until).await;
    let (used, answers) = (mark.until(&CpuMark::now(Some(pid))?), tally.answers() - answers);
    while tasks.join_next().await.is_some() {}

    let due = tally.latencies().due;
    let each = |time: Option<Duration>, pieces: f64| time.unwrap_or_default().as_secs_f64() * 1e6 / pieces.max(1.0);
    let seen = Seen {
        name,
        bytes,
        connects: count / crew.cost.wall.as_secs_f64(),
        connect_us: each(crew.cost.server, count),
        fix_us: each(used.server, answers as f64),
        p50_us: due.value_at_quantile(0.5) as f64,
        p99_us: due.value_at_quantile(0.99) as f64,
    };
    report.section(name);
    report.figure(format!("{name}: memory before"), before.anonymous as f64 / 1_024.0, "MiB");
    report.figure(format!("{name}: bytes a socket"), seen.bytes, "B");
    report.figure(format!("{name}: connects"), seen.connects, "a second");
    report.figure(format!("{name}: server CPU per connect"), seen.connect_us, "us");
    report.figure(format!("{name}: fixes answered"), answers as f64 / used.wall.as_secs_f64(), "a second");
    report.cpu(&used, machine.cores, &format!("fix and answer, {name}"), answers);
    report.latency(&format!("{name}: fix due to answer"), &due);
    report.judge(&tally);
    Ok(seen)
}

/// How much more a peer needs: above 1, Waystone needs less.
fn ratios(report: &mut Report, ours: &Seen, other: &Seen) {
    report.section(format!("{} by waystone; above 1: waystone is better", other.name));
    let pairs = [
        ("bytes a socket", other.bytes, ours.bytes),
        ("time of a connect", ours.connects, other.connects),
        ("server CPU per connect", other.connect_us, ours.connect_us),
        ("server CPU per fix and answer", other.fix_us, ours.fix_us),
        ("due to answer p50", other.p50_us, ours.p50_us),
        ("due to answer p99", other.p99_us, ours.p99_us),
    ];
    for (name, more, less) in pairs.into_iter().filter(|(_, _, less)| *less > 0.0) {
        report.figure(format!("{} / waystone: {name}", other.name), more / less, "");
    }
}
