//! Postgres: the journal, then a transaction an event, the design's group commit by hand, and `pgbench`.

use super::drive::{Run, drive};
use super::group::{self, Groups};
use super::server::Server;
use super::tx::Transactions;
use super::{IN_FLIGHT, Plan, real, recover, tell, yardsticks};
use crate::fault::Fault;
use crate::report::Report;
use std::sync::Arc;
use waystone::persist::Place;

/// Entities in flight where a transaction an event is measured; more make it no faster.
const TX_IN_FLIGHT: u64 = 64;
/// Shards that are read at once: as many as the journal has connections to read.
const READERS: usize = 4;

/// Measures all of it.
pub(super) async fn measure(plan: &Plan, named: Option<&str>, report: &mut Report) -> Result<(), Fault> {
    let server = Server::start(named)?;
    let url = server.database()?;
    let (journal, claim) = real::open(&Place::Database(url.clone())).await?;
    report.section("postgres");
    report.figure("claim of 256 shards", claim.as_secs_f64() * 1_000.0, "ms");
    let mut runs = Vec::new();
    for in_flight in IN_FLIGHT {
        let sink = Arc::new(real::Real::new(&journal, &plan.mix, in_flight)?);
        let before = server.mark(&url).await?;
        let run = drive(sink, in_flight, plan.span).await?;
        let used = before.until(&server.mark(&url).await?);
        report.section(format!("postgres, {in_flight} in flight"));
        tell(report, &run);
        if let Some(cpu) = used.cpu {
            report.figure("CPU of Postgres per event", run.each(cpu), "us");
        }
        report.figure("on disk per event", used.bytes / run.events as f64, "bytes");
        report.figure("log per event", used.wal / run.events as f64, "bytes");
        runs.push((in_flight, run));
    }
    journal.close().await;
    if !plan.alone {
        compare(plan, &server, &runs, report).await?;
    }
    if plan.entities > 0 {
        recovery(plan, &server, report).await?;
    }
    if !server.is_own() {
        report.remark("the server is not ours: its processor time is not known");
    }
    Ok(())
}

async fn compare(plan: &Plan, server: &Server, runs: &[(u64, Run)], report: &mut Report) -> Result<(), Fault> {
    let url = server.database()?;
    Place::Database(url.clone()).migrate().await.map_err(|err| Fault::Store(err.to_string()))?;
    let before = server.mark(&url).await?;
    let sink = Arc::new(Transactions::open(&url, &plan.mix).await?);
    let single = drive(Arc::clone(&sink), TX_IN_FLIGHT, plan.span).await?;
    sink.close().await;
    let used = before.until(&server.mark(&url).await?);
    report.section(format!("postgres, yardstick: a transaction an event, 16 connections, {TX_IN_FLIGHT} in flight"));
    tell(report, &single);
    if let Some(cpu) = used.cpu {
        report.figure("CPU of Postgres per event", single.each(cpu), "us");
    }
    let by_hand = by_hand(plan, server, report).await?;
    let url = server.database()?;
    Place::Database(url.clone()).migrate().await.map_err(|err| Fault::Store(err.to_string()))?;
    report.section("postgres, yardstick: pgbench");
    let bytes = plan.mix.mean_bytes() as u64;
    for (clients, batched) in [(1, false), (16, false), (64, false), (1, true), (2, true)] {
        let how = if batched { "1,000 rows a statement, made by the server" } else { "a row a transaction" };
        let rate = yardsticks::pgbench(&url, clients, batched, bytes, plan.span)?;
        report.figure(format!("{how}, {clients} clients"), rate, "1/s");
    }
    report.section("postgres, ratios");
    for (in_flight, run) in runs.iter().filter(|(in_flight, _)| *in_flight > 1) {
        report.figure(format!("journal to a transaction an event, {in_flight}"), run.rate() / single.rate(), "times");
        for (connections, _, rate) in by_hand.iter().filter(|(_, of, _)| of == in_flight) {
            report.figure(
                format!("group by hand ({connections} connections) to journal, {in_flight}"),
                rate / run.rate(),
                "times",
            );
        }
    }
    Ok(())
}

/// The design's statement: connections, in flight, and its rate.
async fn by_hand(plan: &Plan, server: &Server, report: &mut Report) -> Result<Vec<(usize, u64, f64)>, Fault> {
    let url = server.database()?;
    group::prepare(&url).await?;
    let mut rates = Vec::new();
    for connections in [1, 2] {
        for in_flight in IN_FLIGHT.into_iter().filter(|in_flight| *in_flight > 1) {
            let name = format!("hand{connections}x{in_flight}");
            let before = server.mark(&url).await?;
            let groups = Groups::open(&url, &plan.mix, connections, &name).await?;
            let run = drive(Arc::new(groups), in_flight, plan.span).await?;
            let used = before.until(&server.mark(&url).await?);
            report.section(format!(
                "postgres, yardstick: the design's group commit by hand, {connections} connections, {in_flight} in flight"
            ));
            tell(report, &run);
            if let Some(cpu) = used.cpu {
                report.figure("CPU of Postgres per event", run.each(cpu), "us");
            }
            report.figure("log per event", used.wal / run.events as f64, "bytes");
            rates.push((connections, in_flight, run.rate()));
        }
    }
    Ok(rates)
}

async fn recovery(plan: &Plan, server: &Server, report: &mut Report) -> Result<(), Fault> {
    let url = server.database()?;
    let (journal, _) = real::open(&Place::Database(url.clone())).await?;
    recover::fill_postgres(&url, &plan.mix, plan.entities).await?;
    recover::keep(&journal, plan.entities).await?;
    report.section("postgres, reading back (snapshot and 10 entries after it)");
    for pass in ["first", "second"] {
        let before = server.mark(&url).await?;
        let took = recover::read(&journal, plan.entities, READERS).await?;
        let used = before.until(&server.mark(&url).await?);
        report.figure(format!("entities, {pass} pass"), plan.entities as f64 / took.as_secs_f64(), "1/s");
        if let Some(cpu) = used.cpu {
            let each = cpu.as_secs_f64() * 1e6 / plan.entities as f64;
            report.figure(format!("CPU of Postgres per entity, {pass} pass"), each, "us");
        }
    }
    journal.close().await;
    Ok(())
}
