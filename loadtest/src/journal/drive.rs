//! So many entities at once, each writing its next entry when the one before is durable: a closed loop, as actors are.
//!
//! The same loop drives the journal and whatever is measured beside it.

use crate::fault::Fault;
use crate::machine;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Finest and longest wait in microseconds, as elsewhere in this program.
const LONGEST_US: u64 = 60_000_000;

/// What came of it.
#[derive(Debug)]
pub struct Run {
    pub events: u64,
    pub wall: Duration,
    /// From asking to the answer that it is durable, in microseconds.
    pub waits: Histogram<u64>,
    /// Processor time of this process: the writers here, and who asks them.
    pub cpu: Duration,
}

impl Run {
    /// Durable events a second.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.wall.as_secs_f64()
    }

    /// Microseconds an event of some processor time.
    pub fn each(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.events.max(1) as f64
    }
}

/// Whatever takes entry `seq` of entity `n` and answers when it is durable.
pub trait Sink: Send + Sync + 'static {
    /// Writes one.
    fn write(&self, n: u64, seq: u64) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Drives a sink.
pub async fn drive<S: Sink>(sink: Arc<S>, in_flight: u64, span: Duration) -> Result<Run, Fault> {
    let (begun, cpu) = (Instant::now(), machine::cpu(std::process::id())?);
    let mut tasks = JoinSet::new();
    for n in 0..in_flight {
        let sink = Arc::clone(&sink);
        tasks.spawn(async move {
            let (mut waits, mut seq) = (histogram(), 0);
            while begun.elapsed() < span {
                seq += 1;
                let asked = Instant::now();
                sink.write(n, seq).await?;
                waits.saturating_record(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX).max(1));
            }
            Ok::<_, Fault>(waits)
        });
    }
    let mut waits = histogram();
    while let Some(done) = tasks.join_next().await {
        let theirs = done.map_err(|err| Fault::Settings(err.to_string()))??;
        waits.add(theirs).map_err(|err| Fault::Settings(err.to_string()))?;
    }
    let cpu = machine::cpu(std::process::id())?.saturating_sub(cpu);
    Ok(Run { events: waits.len(), wall: begun.elapsed(), waits, cpu })
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).expect("the bounds are in order")
}
