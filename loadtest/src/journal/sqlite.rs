//! SQLite: the journal, then rusqlite by hand, behind a queue and flat out.

use super::drive::drive;
use super::lite::{self, Lite};
use super::{IN_FLIGHT, Plan, real, recover, tell};
use crate::fault::Fault;
use crate::machine;
use crate::report::Report;
use std::path::Path;
use std::sync::Arc;
use waystone::persist::Place;
use waystone::persist::sqlite::DATABASE;

/// Shards that are read at once: as many as the journal has connections to read.
const READERS: usize = 2;

/// Measures all of it.
pub(super) async fn measure(plan: &Plan, report: &mut Report) -> Result<(), Fault> {
    let dir = plan.folder.path().join("real");
    let (journal, claim) = real::open(&Place::Folder(dir.clone())).await?;
    report.section("sqlite");
    report.figure("claim of 256 shards", claim.as_secs_f64() * 1_000.0, "ms");
    let (mut rates, mut events) = (Vec::new(), 0);
    for in_flight in IN_FLIGHT {
        let sink = Arc::new(real::Real::new(&journal, &plan.mix, in_flight)?);
        let written = machine::written()?;
        let run = drive(sink, in_flight, plan.span).await?;
        report.section(format!("sqlite, {in_flight} in flight"));
        tell(report, &run);
        let written = machine::written()?.saturating_sub(written);
        report.figure("written to the disk per event", written as f64 / run.events as f64, "bytes");
        events += run.events;
        rates.push((in_flight, run.rate()));
    }
    journal.close().await;
    report.section("sqlite");
    report.figure("on disk per event, closed", size(&dir)? / events as f64, "bytes");
    if !plan.alone {
        compare(plan, &rates, report).await?;
    }
    if plan.entities > 0 {
        recovery(plan, report).await?;
    }
    Ok(())
}

async fn compare(plan: &Plan, rates: &[(u64, f64)], report: &mut Report) -> Result<(), Fault> {
    let mut ratios = Vec::new();
    for (in_flight, rate) in rates {
        // As many rows as stood in the journal's tables then, or nearly: each gets a folder of its own.
        let dir = fresh(plan, &format!("hand{in_flight}")).await?;
        let (sink, thread) = Lite::open(&dir, &plan.mix, "hand")?;
        let run = drive(Arc::new(sink), *in_flight, plan.span).await?;
        thread.join().map_err(|_| Fault::Store("the writer by hand has panicked".to_owned()))??;
        report.section(format!("sqlite, yardstick: rusqlite by hand, {in_flight} in flight"));
        tell(report, &run);
        let dir = fresh(plan, &format!("flat{in_flight}")).await?;
        let size = (*in_flight).min(512);
        let flat = lite::flat_out(&dir, &plan.mix, size, plan.span)?;
        report.figure(format!("flat out, batches of {size}"), flat, "1/s");
        ratios.push((in_flight, run.rate() / rate, flat / rate));
    }
    report.section("sqlite, ratios");
    for (in_flight, by_hand, flat) in ratios {
        report.figure(format!("rusqlite by hand to journal, {in_flight}"), by_hand, "times");
        report.figure(format!("rusqlite flat out to journal, {in_flight}"), flat, "times");
    }
    Ok(())
}

/// A folder with the journal's schema, its shards at epoch 1, and nobody in it.
async fn fresh(plan: &Plan, name: &str) -> Result<std::path::PathBuf, Fault> {
    let dir = plan.folder.path().join(name);
    let (journal, _) = real::open(&Place::Folder(dir.clone())).await?;
    journal.close().await;
    Ok(dir)
}

async fn recovery(plan: &Plan, report: &mut Report) -> Result<(), Fault> {
    let dir = fresh(plan, "cold").await?;
    recover::fill_sqlite(&dir, &plan.mix, plan.entities)?;
    let (journal, _) = real::open(&Place::Folder(dir)).await?;
    recover::keep(&journal, plan.entities).await?;
    report.section("sqlite, reading back (snapshot and 10 entries after it)");
    for pass in ["first", "second"] {
        let took = recover::read(&journal, plan.entities, READERS).await?;
        report.figure(format!("entities, {pass} pass"), plan.entities as f64 / took.as_secs_f64(), "1/s");
    }
    journal.close().await;
    Ok(())
}

fn size(dir: &Path) -> Result<f64, Fault> {
    let path = dir.join(DATABASE);
    let meta = std::fs::metadata(&path).map_err(|source| Fault::Io { path, source })?;
    Ok(meta.len() as f64)
}
