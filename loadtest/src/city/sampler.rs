//! What the machine gave to whom, second by second: to the server, to the generators, and to everybody else.
//!
//! Promise: a process that ends or begins within a second counts for what was seen of it; nothing is made up for it.

use crate::fault::Fault;
use crate::machine;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// One look's difference to the one before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Processors; absent if no process of the server is seen.
    pub server_cores: Option<f64>,
    /// Resident memory of the server.
    pub server_rss_mb: Option<f64>,
    pub generator_cores: f64,
    pub other_cores: f64,
    /// Faults under way, which whoever makes them knows.
    pub faults: u32,
}

/// Looks again and again.
#[derive(Debug)]
pub struct Sampler {
    at: Instant,
    all: Duration,
    processes: BTreeMap<u32, Duration>,
}

impl Sampler {
    /// Begins with the processes there are.
    pub fn begin(pids: &[u32]) -> Result<Self, Fault> {
        Ok(Self { at: Instant::now(), all: machine::cpu_of_all()?, processes: times(pids) })
    }

    /// What was used since the last look.
    pub fn look(&mut self, servers: &[u32], generators: &[u32]) -> Result<Sample, Fault> {
        let (now, all) = (Instant::now(), machine::cpu_of_all()?);
        let pids: Vec<u32> = servers.iter().chain(generators).chain([&std::process::id()]).copied().collect();
        let processes = times(&pids);
        let wall = (now - self.at).as_secs_f64().max(0.001);
        let used = |pids: &[u32]| {
            let one = |pid: &u32| {
                let after = processes.get(pid).copied().unwrap_or_default();
                after.saturating_sub(self.processes.get(pid).copied().unwrap_or_default())
            };
            pids.iter().map(one).sum::<Duration>()
        };
        let (server, load) = (used(servers), used(generators) + used(&[std::process::id()]));
        let others = all.saturating_sub(self.all + server + load);
        let rss: Vec<u64> = servers.iter().filter_map(|pid| machine::resident(*pid).ok()).collect();
        let sample = Sample {
            server_cores: (!servers.is_empty()).then(|| server.as_secs_f64() / wall),
            server_rss_mb: (!rss.is_empty()).then(|| rss.iter().sum::<u64>() as f64 / 1e6),
            generator_cores: load.as_secs_f64() / wall,
            other_cores: others.as_secs_f64() / wall,
            faults: 0,
        };
        (self.at, self.all, self.processes) = (now, all, processes);
        Ok(sample)
    }
}

/// Processor time of those that are there.
fn times(pids: &[u32]) -> BTreeMap<u32, Duration> {
    pids.iter().filter_map(|pid| Some((*pid, machine::cpu(*pid).ok()?))).collect()
}
