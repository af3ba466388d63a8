//! What the machine says about itself and about a process: cores, load, descriptors, processor time, memory.
//!
//! All of it is read from `/proc`, so the harness runs on Linux. Promise: a figure that cannot be read is an error or
//! `None`, never a zero that looks like a good result.

use crate::fault::Fault;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Ticks a second in `/proc/<pid>/stat`: `USER_HZ`, which Linux holds at 100 on every platform we run on.
const USER_HZ: u64 = 100;

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident, files included.
    pub resident: u64,
    /// Of that, not backed by a file: heap, stacks and buffers; what sessions add.
    pub anonymous: u64,
}

/// The state of the machine before a run.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Processors that we may use.
    pub cores: usize,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: String,
    /// Commit of the working directory, if it is a repository.
    pub commit: String,
    /// How this program, and so its own server, was built.
    pub build: &'static str,
    /// Descriptors that a process may have.
    pub descriptors: u64,
}

impl Machine {
    /// Looks around.
    pub fn look() -> Result<Self, Fault> {
        let load = read("/proc/loadavg")?;
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            commit: commit(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            descriptors: descriptors()?,
        })
    }
}

fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=9"]).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    text.map_or_else(|| "unknown".to_owned(), |text| String::from_utf8_lossy(&text).trim().to_owned())
}

fn descriptors() -> Result<u64, Fault> {
    let limits = read("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.ok_or_else(|| Fault::Proc { path: "/proc/self/limits".to_owned() })
}

/// Processor time that a process has used, in user and kernel mode.
pub fn cpu(pid: u32) -> Result<Duration, Fault> {
    let path = format!("/proc/{pid}/stat");
    let stat = read(&path)?;
    // The name stands in parentheses and may hold anything; fields 14 and 15 are the 12th and 13th after it.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 1_000 / USER_HZ)),
        _ => Err(Fault::Proc { path }),
    }
}

/// Memory that a process has now.
pub fn memory(pid: u32) -> Result<Memory, Fault> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = read(&path)?;
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
    };
    match (kib("Rss:"), kib("Anonymous:")) {
        (Some(resident), Some(anonymous)) => Ok(Memory { resident, anonymous }),
        _ => Err(Fault::Proc { path }),
    }
}

/// Resident memory that a process has now, in bytes; cheaper to ask for than [`memory`], which walks its pages.
pub fn resident(pid: u32) -> Result<u64, Fault> {
    /// Of a page, on every platform that we run on.
    const PAGE: u64 = 4_096;
    let path = format!("/proc/{pid}/statm");
    let pages = read(&path)?.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map(|pages| pages * PAGE).ok_or(Fault::Proc { path })
}

/// Bytes that this process has had written to a disk.
pub fn written() -> Result<u64, Fault> {
    let path = "/proc/self/io";
    let text = read(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).ok_or_else(|| Fault::Proc { path: path.to_owned() })
}

fn read(path: &str) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|_| Fault::Proc { path: path.to_owned() })
}

/// Processor time that the whole machine has used, whoever used it.
pub fn cpu_of_all() -> Result<Duration, Fault> {
    let path = "/proc/stat";
    let text = read(path)?;
    let line = text.lines().next().and_then(|line| line.strip_prefix("cpu "));
    // user nice system idle iowait irq softirq steal; what follows is contained in them.
    let ticks: Option<Vec<u64>> =
        line.map(|line| line.split_whitespace().take(8).filter_map(|field| field.parse().ok()).collect());
    match ticks.as_deref() {
        Some([user, nice, system, _, _, irq, softirq, steal]) => {
            let busy = user + nice + system + irq + softirq + steal;
            Ok(Duration::from_millis(busy * 1_000 / USER_HZ))
        }
        _ => Err(Fault::Proc { path: path.to_owned() }),
    }
}

/// Processor time of two processes, and of everybody else, at a moment.
#[derive(Debug, Clone, Copy)]
pub struct CpuMark {
    server: Option<Duration>,
    client: Duration,
    all: Duration,
    at: tokio::time::Instant,
}

/// What two processes used between two marks.
#[derive(Debug, Clone, Copy)]
pub struct CpuUsed {
    /// The server, if it is one whose process we see.
    pub server: Option<Duration>,
    /// This program.
    pub client: Duration,
    /// All other processes, the server among them if its process is not known.
    pub others: Duration,
    /// How long it was.
    pub wall: Duration,
}

impl CpuUsed {
    /// Both together.
    pub fn and(self, more: Self) -> Self {
        Self {
            server: self.server.zip(more.server).map(|(one, other)| one + other),
            client: self.client + more.client,
            others: self.others + more.others,
            wall: self.wall + more.wall,
        }
    }
}

impl CpuMark {
    /// Now.
    pub fn now(server: Option<u32>) -> Result<Self, Fault> {
        let server = server.map(cpu).transpose()?;
        let (client, all) = (cpu(std::process::id())?, cpu_of_all()?);
        Ok(Self { server, client, all, at: tokio::time::Instant::now() })
    }

    /// What was used up to a later mark.
    pub fn until(&self, later: &Self) -> CpuUsed {
        let server = self.server.zip(later.server).map(|(before, after)| after.saturating_sub(before));
        let client = later.client.saturating_sub(self.client);
        let others = later.all.saturating_sub(self.all + client + server.unwrap_or_default());
        CpuUsed { server, client, others, wall: later.at - self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_descriptors_and_a_time() {
        let me = std::process::id();
        let memory = memory(me).expect("readable");
        assert!(resident(me).expect("readable") > 1_000_000, "a program has a megabyte at least");
        assert!(memory.anonymous > 0 && memory.resident >= memory.anonymous);
        assert!(descriptors().expect("readable") > 0);
        cpu(me).expect("readable");
        assert!(cpu(0).is_err(), "no process has the number 0");
    }
}
