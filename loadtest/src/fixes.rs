//! `fixes` and `max`: what a fix and its answer cost the server, at a given rate and at as many as it takes.
//!
//! Players are in teams that play the demo's quest and stroll about among its places, so each fix is judged against
//! real fences; a few lead to transitions, and those cost what they cost.

use crate::crew;
use crate::drive::{Driver, Role, Timetable};
use crate::fault::Fault;
use crate::machine::{CpuMark, Machine};
use crate::quest;
use crate::report::Report;
use crate::stroll::{CENTRE, Stroller};
use crate::tally::Tally;
use crate::target::{Target, TargetArgs};
use crate::wire::Spot;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Time between the end of the preparations and the first fix.
const BREATH: Duration = Duration::from_millis(200);

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct FixesArgs {
    /// Sessions
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=19_900))]
    sessions: u32,
    /// Fixes a second, of all together; at most 18 for each session
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    rate: u32,
    #[command(flatten)]
    common: Common,
}

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct MaxArgs {
    /// Sessions, each with one fix under way; the server takes 20 fixes a second of each
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=19_900))]
    sessions: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, clap::Args)]
struct Common {
    /// How long is measured, in seconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// How long it goes on before it is measured, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(0..=600))]
    warmup: u64,
    /// Players in a team; 0: nobody plays, and no fence is judged
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=5))]
    members: u16,
    #[command(flatten)]
    target: TargetArgs,
}

/// Someone who strolls, so many seconds from fix to fix.
pub struct Walker(pub Stroller, pub f64);

impl Role for Walker {
    fn spot(&mut self, _: u32, _: Instant) -> Spot {
        self.0.walk(self.1)
    }

    fn pushed(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn missing(&self) -> Option<String> {
        None
    }
}

/// At a rate.
pub async fn run(args: &FixesArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    if args.rate > args.sessions * 18 {
        let why = "a session may send 20 fixes a second: ask for more sessions or a lower rate".to_owned();
        return Err(Fault::Settings(why));
    }
    let settings = format!("{} sessions, {} fixes a second, {}", args.sessions, args.rate, spoken(&args.common));
    measure("fixes", settings, args.sessions, Some(args.rate), &args.common, (machine, seed)).await
}

/// As many as can be.
pub async fn run_max(args: &MaxArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    let settings = format!("{} sessions, one fix under way each, {}", args.sessions, spoken(&args.common));
    measure("max", settings, args.sessions, None, &args.common, (machine, seed)).await
}

fn spoken(common: &Common) -> String {
    format!("teams of {}, {} s after {} s", common.members, common.seconds, common.warmup)
}

async fn measure(
    scenario: &str,
    settings: String,
    sessions: u32,
    rate: Option<u32>,
    common: &Common,
    (machine, seed): (&Machine, u64),
) -> Result<Report, Fault> {
    let target = Target::open(&common.target, 1).await?;
    let mut report = Report::new(scenario, settings, machine, target.own, seed);
    let phones = crew::connect(&target, machine, sessions).await?.phones;
    let phones = match common.members {
        0 => phones,
        // The demo's quest asks for two at least.
        members => {
            let teams = crew::team_up(phones, usize::from(members).max(2), quest::DEMO_ID).await?;
            teams.into_iter().flatten().collect()
        }
    };
    let start = Instant::now() + BREATH;
    let from = start + Duration::from_secs(common.warmup);
    let until = from + Duration::from_secs(common.seconds);
    let tally = Arc::new(Tally::new(from, until));
    let period = rate.map(|rate| Duration::from_secs_f64(f64::from(sessions) / f64::from(rate)));
    let mut tasks = JoinSet::new();
    for (index, phone) in phones.into_iter().enumerate() {
        let stroller = Stroller::new(CENTRE, seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // In the closed loop the pace does not matter; a step is what a tenth of a second brings.
        let walker = Walker(stroller, period.map_or(0.1, |period| period.as_secs_f64()));
        let driver = Driver::new(phone, index, walker, Arc::clone(&tally));
        // In the closed loop players come in over the warm-up, as they would; in the open one they take their turns.
        let share = period.unwrap_or(from - start).mul_f64(index as f64 / f64::from(sessions));
        let times = Timetable { first: start + share, period: period.unwrap_or_default(), until };
        match period {
            Some(_) => tasks.spawn(driver.open_loop(times)),
            None => tasks.spawn(driver.closed_loop(times)),
        };
    }
    sleep_until(from).await;
    let (before, answers_before) = (CpuMark::now(target.pid)?, tally.answers());
    let pushes_before = tally.pushes.load(Ordering::Relaxed);
    sleep_until(until).await;
    let (after, answers) = (CpuMark::now(target.pid)?, tally.answers() - answers_before);
    let pushes = tally.pushes.load(Ordering::Relaxed) - pushes_before;
    while tasks.join_next().await.is_some() {}
    let used = before.until(&after);
    let seconds = used.wall.as_secs_f64();
    report.figure("fixes answered", answers as f64 / seconds, "a second");
    report.figure("notices beside them", pushes as f64 / seconds, "a second");
    report.cpu(&used, machine.cores, "fix and answer", answers);
    let latencies = tally.latencies();
    report.latency("due to answer", &latencies.due);
    report.latency("sent to answer", &latencies.sent);
    report.judge(&tally);
    target.close().await?;
    Ok(report)
}
