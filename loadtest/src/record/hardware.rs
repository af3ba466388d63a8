//! What a run ran on, in words that mean something on another machine.

use serde::{Deserialize, Serialize};
use std::fs;

/// A machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Processors that we may use.
    pub cores: usize,
    /// Memory.
    pub memory_mb: u64,
    /// System and its version.
    pub os: String,
    /// Kind of processor.
    pub cpu_model: String,
}

impl Hardware {
    /// Looks around; what a system does not tell stays unknown.
    pub fn look() -> Self {
        let line = |path: &str, name: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let found = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|rest| rest.trim_start_matches([' ', '\t', ':', '=']).trim().trim_matches('"').to_owned());
            found.unwrap_or_else(|| "unknown".to_owned())
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let memory = line("/proc/meminfo", "MemTotal:");
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mb: memory.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1_024,
            os: format!("{}, kernel {}", line("/etc/os-release", "PRETTY_NAME"), kernel.trim()),
            cpu_model: line("/proc/cpuinfo", "model name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_processors_and_memory() {
        let hardware = Hardware::look();
        assert!(hardware.cores > 0 && hardware.memory_mb > 0, "{hardware:?}");
    }
}
