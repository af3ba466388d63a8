//! How much memory the process has, and whether that is too much to let more people in.
//!
//! Read when somebody asks, at most four times a second, so a quiet server reads nothing. Promise: once new connections
//! are shed they are until a twentieth of the ceiling is free again, so that the door does not flutter; who is inside is
//! never touched. Where the system does not say how much memory we have, nothing is shed.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How old a reading may be: what comes in between is some 4,000 connections at most, 80 MB.
const READING_AGE: Duration = Duration::from_millis(250);
/// The part of the ceiling below which the door opens again, in percent.
const AGAIN: u64 = 95;
/// The part of what there is that is the ceiling by itself, in percent: the rest is for what comes in between, and for
/// the files that the system keeps for us.
const SHARE: u64 = 80;

/// What a system says of memory, in bytes.
trait Source: Send + Sync {
    fn used(&self) -> Option<u64>;
}

/// The process's resident memory, as Linux has it.
struct Proc;

impl Source for Proc {
    fn used(&self) -> Option<u64> {
        field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
    }
}

/// A line such as `VmRSS:     1234 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The ceiling where none is configured: a share of what the control group or the machine has. `None`: nobody says.
pub fn usual_ceiling() -> Option<u64> {
    let machine = field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let root = PathBuf::from("/sys/fs/cgroup");
    let files =
        [root.join(own).join("memory.max"), root.join("memory.max"), root.join("memory/memory.limit_in_bytes")];
    // "max" is no number: no limit of the group's own.
    let limits = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    Some(share(limits.fold(machine, u64::min)))
}

fn share(bytes: u64) -> u64 {
    bytes / 100 * SHARE
}

/// The ceiling and what was read last.
pub(super) struct Memory {
    max: Option<u64>,
    source: Box<dyn Source>,
    used: AtomicU64,
    shedding: AtomicBool,
    read_at: Mutex<Option<Instant>>,
}

impl Memory {
    /// With a ceiling in bytes, if there is one.
    pub(super) fn new(max: Option<u64>) -> Self {
        Self::of(max, Box::new(Proc))
    }

    fn of(max: Option<u64>, source: Box<dyn Source>) -> Self {
        Self { max, source, used: AtomicU64::new(0), shedding: AtomicBool::new(false), read_at: Mutex::new(None) }
    }

    /// Whether new connections are to be turned away.
    pub(super) fn short(&self, now: Instant) -> bool {
        self.read(now);
        self.shedding.load(Ordering::Relaxed)
    }

    /// What was used at the last reading, and the ceiling; 0 if unknown.
    pub(super) fn figures(&self, now: Instant) -> (u64, u64) {
        self.read(now);
        (self.used.load(Ordering::Relaxed), self.max.unwrap_or(0))
    }

    fn read(&self, now: Instant) {
        // Whoever finds another one reading takes what was read before.
        let Ok(mut read_at) = self.read_at.try_lock() else { return };
        if read_at.is_some_and(|at| now.saturating_duration_since(at) < READING_AGE) {
            return;
        }
        *read_at = Some(now);
        let used = self.source.used().unwrap_or(0);
        self.used.store(used, Ordering::Relaxed);
        let Some(max) = self.max else { return };
        let was = self.shedding.load(Ordering::Relaxed);
        let shed = if was { used >= max / 100 * AGAIN } else { used >= max };
        if shed != was {
            self.shedding.store(shed, Ordering::Relaxed);
            let (used, max) = (used >> 20, max >> 20);
            if shed {
                tracing::warn!(used_mib = used, max_mib = max, "memory is short: new connections are turned away");
            } else {
                tracing::info!(used_mib = used, max_mib = max, "memory is there again: new connections are let in");
            }
        }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("max", &self.max).field("used", &self.used).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    struct Set(Arc<AtomicU64>);

    impl Source for Set {
        fn used(&self) -> Option<u64> {
            Some(self.0.load(Ordering::Relaxed)).filter(|used| *used > 0)
        }
    }

    /// Whether it is short, after each reading of so many bytes.
    fn readings(max: Option<u64>) -> impl FnMut(u64) -> bool {
        let used = Arc::new(AtomicU64::new(0));
        let (memory, mut now) = (Memory::of(max, Box::new(Set(Arc::clone(&used)))), Instant::now());
        move |bytes| {
            used.store(bytes, Ordering::Relaxed);
            now += READING_AGE;
            memory.short(now)
        }
    }

    #[test]
    fn door_shuts_at_the_ceiling_and_opens_well_below_it() {
        let mut short = readings(Some(1_000));
        let seen = [999, 1_000, 960, 950, 949, 999, 1_001].map(&mut short);
        assert_eq!(seen, [false, true, true, true, false, false, true]);
    }

    #[test]
    fn without_ceiling_or_figures_nobody_is_shed() {
        let mut short = readings(None);
        assert!(!short(u64::MAX));
        let mut short = readings(Some(1_000));
        assert!(!short(0), "the system does not say");
    }

    #[test]
    fn readings_are_not_repeated_at_once() {
        let used = Arc::new(AtomicU64::new(5_000));
        let memory = Memory::of(Some(1_000), Box::new(Set(Arc::clone(&used))));
        let now = Instant::now();
        assert!(memory.short(now));
        used.store(1, Ordering::Relaxed);
        assert!(memory.short(now + READING_AGE / 2));
        assert!(!memory.short(now + READING_AGE));
        assert_eq!(memory.figures(now + READING_AGE), (1, 1_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_this_machine_more() {
        let memory = Memory::new(None);
        let (used, _) = memory.figures(Instant::now());
        let ceiling = usual_ceiling().expect("Linux says");
        assert!(used > 1 << 20 && used < ceiling, "{used} {ceiling}");
        assert_eq!(field("VmPeak:\t 7 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!(share(1_000), 800);
    }
}
