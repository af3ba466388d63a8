//! What passes between nodes while people walk: by fix, and by transition, which is a fix that changed something.

use super::nodes::{Cluster, NAMES};
use crate::crew;
use crate::drive::{Driver, Timetable};
use crate::fault::Fault;
use crate::fixes::Walker;
use crate::phone::Phone;
use crate::quest;
use crate::report::Report;
use crate::stroll::{CENTRE, Stroller};
use crate::tally::Tally;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Walkers, a quarter of a team each, and its members on different nodes.
const WALKERS: usize = 600;
const MEMBERS: usize = 4;
/// Each sends one a second.
const PERIOD: Duration = Duration::from_secs(1);
/// Entries of regions: one a transition that was brought.
const TRANSITIONS: &str = "SELECT count(*) FROM event WHERE kind = 3";

/// Measures without a quest and with one.
pub async fn run(cluster: &Cluster, span: Duration, seed: u64, report: &mut Report) -> Result<(), Fault> {
    let names = (0..WALKERS).map(|n| (format!("walk-{n}"), n % NAMES.len())).collect();
    let phones = cluster.connect(names).await?;
    report.section(format!("{WALKERS} walkers on three nodes, a fix a second each, no quest"));
    let phones_again = (0..WALKERS).map(|n| (format!("walk-{n}"), n % NAMES.len())).collect();
    stroll(cluster, phones, span / 2, seed, report).await?;
    let phones = cluster.connect(phones_again).await?;
    let teams = crew::team_up(phones, MEMBERS, quest::DEMO_ID).await?;
    report.section(format!("the same in teams of {MEMBERS} that play a quest"));
    stroll(cluster, teams.into_iter().flatten().collect(), span, seed, report).await
}

async fn stroll(
    cluster: &Cluster,
    phones: Vec<Phone>,
    span: Duration,
    seed: u64,
    report: &mut Report,
) -> Result<(), Fault> {
    // What the preparations have set going comes to its end.
    sleep(Duration::from_secs(3)).await;
    let mut conn = cluster.connection().await?;
    let transitions_before: i64 = sqlx::query_scalar(TRANSITIONS).fetch_one(&mut conn).await?;
    let (before, cpu, database) = (cluster.counts().await?, cluster.cpu()?, cluster.database().await?);
    let (first, until) = (Instant::now(), Instant::now() + span);
    let tally = Arc::new(Tally::new(first, until));
    let mut tasks = JoinSet::new();
    for (index, phone) in phones.into_iter().enumerate() {
        let stroller = Stroller::new(CENTRE, seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let walker = Walker(stroller, PERIOD.as_secs_f64());
        let share = PERIOD.mul_f64(index as f64 / WALKERS as f64);
        let times = Timetable { first: first + share, period: PERIOD, until };
        tasks.spawn(Driver::new(phone, index, walker, Arc::clone(&tally)).open_loop(times));
    }
    while tasks.join_next().await.is_some() {}
    let (after, cpu_after, used) =
        (cluster.counts().await?, cluster.cpu()?, database.until(&cluster.database().await?));
    let transitions_after: i64 = sqlx::query_scalar(TRANSITIONS).fetch_one(&mut conn).await?;
    let of = |counts: &BTreeMap<String, f64>, name: &str| counts.get(name).copied().unwrap_or(0.0);
    let grown = |name: &str| of(&after, name) - of(&before, name);
    let (fixes, transitions) = (grown("fixes_total"), (transitions_after - transitions_before) as f64);
    let (calls, notes) = (grown("link_calls_sent_total"), grown("link_notes_sent_total"));
    let (entries, bytes) = (grown("entries_total"), grown("link_bytes_sent_total"));
    report.figure("fixes", fixes, "");
    report.figure("transitions", transitions, "");
    report.figure("journal entries", entries, "");
    let cpu: Duration = cpu_after.iter().sum::<Duration>().saturating_sub(cpu.iter().sum());
    let mut each = |by: &str, pieces: f64| {
        if pieces > 0.0 {
            report.figure(format!("calls between nodes per {by}"), calls / pieces, "");
            report.figure(format!("notes between nodes per {by}"), notes / pieces, "");
            report.figure(format!("bytes between nodes per {by}"), bytes / pieces, "");
            report.figure(format!("entries per {by}"), entries / pieces, "");
            report.figure(format!("CPU of all nodes per {by}"), cpu.as_secs_f64() * 1e6 / pieces, "us");
            if let Some(cpu) = used.cpu {
                report.figure(format!("CPU of Postgres per {by}"), cpu.as_secs_f64() * 1e6 / pieces, "us");
            }
        }
    };
    each("fix", fixes);
    each("transition", transitions);
    report.latency("sent to answer", &tally.latencies().sent);
    report.judge(&tally);
    Ok(())
}
