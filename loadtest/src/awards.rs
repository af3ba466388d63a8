//! `awards`: from a fix that completes a step to the notice on the phone of every member of the team.
//!
//! One of each team goes from place to place and completes a step at each; all others stroll. Everybody sends a fix a
//! second. Each member must see each step completed once: a step that is missing or comes twice is a fault.

use crate::crew;
use crate::drive::{Driver, Role, Timetable};
use crate::fault::Fault;
use crate::machine::{CpuMark, Machine};
use crate::quest;
use crate::report::Report;
use crate::stroll::{FIELD, Stroller};
use crate::tally::Tally;
use crate::target::{Target, TargetArgs};
use crate::wire::{self, Spot};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A fix a second, as phones in a game send.
const TICK: Duration = Duration::from_secs(1);
/// Time between the end of the preparations and the first fix.
const BREATH: Duration = Duration::from_millis(200);

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct AwardsArgs {
    /// Teams
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    teams: u32,
    /// Players in each
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=60))]
    members: u32,
    /// Each team completes a step each so many seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=600))]
    every: u32,
    /// All teams go to the same place at the same time, instead of being spread over the row
    #[arg(long)]
    crowd: bool,
    /// How long is measured, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// How long it goes on before it is measured, in seconds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=600))]
    warmup: u32,
    #[command(flatten)]
    target: TargetArgs,
}

impl AwardsArgs {
    /// Steps that a team completes in all.
    fn steps(&self) -> u32 {
        (self.seconds + self.warmup - 1) / self.every
    }
}

/// When each step's fix was due and sent, by the step's number in the team's order; shared by a team.
type Arrivals = Arc<[OnceLock<(Instant, Instant)>]>;

struct Member {
    index: usize,
    arrivals: Arrivals,
    /// The number of the place before the team's first.
    begins: u32,
    /// Only one of a team has a way to go.
    goes_each: Option<u32>,
    stroller: Stroller,
    seen: Vec<bool>,
    notices: Arc<Tally>,
}

impl Role for Member {
    fn spot(&mut self, tick: u32, due: Instant) -> Spot {
        let Some(every) = self.goes_each else { return self.stroller.walk(TICK.as_secs_f64()) };
        let step = tick / every;
        match self.arrivals.get(step as usize) {
            Some(arrival) if step > 0 && tick.is_multiple_of(every) => {
                // Set once: ticks only rise.
                let _ = arrival.set((due, Instant::now()));
                self.notices.sent();
                quest::at_place(self.begins + step)
            }
            _ => quest::after_place(self.begins + step),
        }
    }

    fn pushed(&mut self, text: &str) -> Result<(), String> {
        if !text.contains("\"step.completed\"") {
            return Ok(());
        }
        let step = wire::notice(text).and_then(|notice| notice.step);
        let place = step.as_deref().and_then(quest::place_of_step).ok_or_else(|| format!("no step in {text}"))?;
        let step = place.saturating_sub(self.begins) as usize;
        let arrival = self.arrivals.get(step).and_then(OnceLock::get);
        let (due, sent) = *arrival.ok_or_else(|| format!("place {place} was completed before anyone was there"))?;
        if std::mem::replace(&mut self.seen[step], true) {
            return Err(format!("place {place} was completed twice"));
        }
        self.notices.answered(self.index, due, sent);
        Ok(())
    }

    fn missing(&self) -> Option<String> {
        let missing = self.seen.iter().skip(1).filter(|seen| !**seen).count();
        (missing > 0).then(|| format!("{missing} of {} steps were never seen completed", self.seen.len() - 1))
    }
}

/// Runs it.
pub async fn run(args: &AwardsArgs, machine: &Machine, seed: u64) -> Result<Report, Fault> {
    let steps = args.steps();
    if steps == 0 || steps > quest::PLACES_MAX / 2 {
        let most = quest::PLACES_MAX / 2;
        return Err(Fault::Settings(format!("a team would complete {steps} steps; let it be 1 to {most}")));
    }
    // Spread over as many places again as a team visits.
    let starts = if args.crowd { 1 } else { steps };
    let target = Target::open(&args.target, steps + starts).await?;
    let (teams, members, every) = (args.teams, args.members, args.every);
    let settings = format!(
        "{teams} teams of {members}{}, a step each {every} s, all at a fix a second, {} s after {} s",
        if args.crowd { " in a crowd" } else { "" },
        args.seconds,
        args.warmup
    );
    let mut report = Report::new("awards", settings, machine, target.own, seed);
    let phones = crew::connect(&target, machine, teams * members).await?.phones;
    let crews = crew::team_up(phones, members as usize, quest::ROW_ID).await?;
    let start = Instant::now() + BREATH;
    let from = start + TICK * args.warmup;
    let until = from + TICK * args.seconds;
    let (fixes, notices) = (Arc::new(Tally::new(from, until)), Arc::new(Tally::new(from, until)));
    let mut tasks = JoinSet::new();
    for (number, team) in crews.into_iter().enumerate() {
        let arrivals: Arrivals = (0..=steps).map(|_| OnceLock::new()).collect();
        // Teams are spread over the time between two steps, members over a second.
        let share = TICK.mul_f64(number as f64 / f64::from(teams));
        for (place, phone) in team.into_iter().enumerate() {
            let index = number * members as usize + place;
            let own_seed = seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let member = Member {
                index,
                arrivals: Arc::clone(&arrivals),
                begins: u32::try_from(number).unwrap_or(0) % starts,
                goes_each: (place == 0).then_some(every),
                stroller: Stroller::new(FIELD, own_seed),
                seen: vec![false; steps as usize + 1],
                notices: Arc::clone(&notices),
            };
            let first = start + (share + TICK.mul_f64(place as f64 / f64::from(members))).min(TICK);
            let times = Timetable { first, period: TICK, until: first + (until - start) };
            tasks.spawn(Driver::new(phone, index, member, Arc::clone(&fixes)).open_loop(times));
        }
    }
    sleep_until(from).await;
    let (before, count_before) = (CpuMark::now(target.pid)?, notices.answers());
    sleep_until(until).await;
    let (after, count) = (CpuMark::now(target.pid)?, notices.answers() - count_before);
    while tasks.join_next().await.is_some() {}
    let used = before.until(&after);
    let awards = count / u64::from(members);
    report.figure("steps completed", awards as f64 / used.wall.as_secs_f64(), "a second");
    report.figure("notices of them", count as f64 / used.wall.as_secs_f64(), "a second");
    report.cpu(&used, machine.cores, "step completed, fixes included", awards);
    let latencies = notices.latencies();
    report.latency("fix due to notice", &latencies.due);
    report.latency("fix sent to notice", &latencies.sent);
    report.latency("fix due to answer", &fixes.latencies().due);
    report.judge(&fixes);
    report.judge(&notices);
    target.close().await?;
    Ok(report)
}
