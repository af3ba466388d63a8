//! How much a node holds, and how much it takes from one player.

use super::keys::Key;
use super::value::{Problem, Value};
use crate::net::budget::Allowance;
use crate::net::{listener, memory};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How much a node holds, and how much it takes from one player.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Players, teams and places awake at most.
    pub entities_max: usize,
    /// Memory from which on nobody else is let in.
    pub memory_max: MemoryMax,
    /// What one player may ask.
    pub allowance: Allowance,
    /// Time between the pings of a socket.
    pub ping: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (memory_max, allowance) = (MemoryMax::Auto, Allowance::default());
        Self { entities_max: 200_000, memory_max, allowance, ping: listener::PING_DEFAULT }
    }
}

/// A ceiling of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryMax {
    /// Four fifths of what the machine, or the control group, has.
    Auto,
    /// None.
    Off,
    /// So many bytes.
    Bytes(u64),
}

impl MemoryMax {
    /// In bytes, if there is one.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Auto => memory::usual_ceiling(),
            Self::Off => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    fn read(value: &Value) -> Result<Self, Problem> {
        let help = "write \"auto\", \"off\", or a size with its unit, such as \"800 MiB\" or \"1.5 GiB\"";
        let text = value.text(help)?;
        let problem = |message: String| Problem { message, help: help.into() };
        let (factor, number) = match text.as_str() {
            "auto" => return Ok(Self::Auto),
            "off" => return Ok(Self::Off),
            size => [("GiB", 1_u32 << 30), ("MiB", 1 << 20)]
                .into_iter()
                .find_map(|(unit, factor)| Some((factor, size.strip_suffix(unit)?.trim_end())))
                .ok_or_else(|| problem(format!("\"{size}\" is not a size of memory")))?,
        };
        let bytes = number.parse::<f64>().ok().map(|number| number * f64::from(factor));
        match bytes {
            // Below it no server starts; above it there are no machines.
            Some(bytes) if (f64::from(MIB_MIN << 20)..=1e15).contains(&bytes) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
                let bytes = bytes as u64;
                Ok(Self::Bytes(bytes))
            }
            Some(_) => Err(problem(format!("{text} is out of range: {MIB_MIN} MiB are the least"))),
            None => Err(problem(format!("\"{text}\" is not a size of memory"))),
        }
    }

    fn show(self) -> String {
        let shown =
            |bytes: Option<u64>| bytes.map_or_else(|| "off".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        match self {
            Self::Auto => format!("auto ({})", shown(self.bytes())),
            Self::Off | Self::Bytes(_) => shown(self.bytes()),
        }
    }
}

/// A server with its quests has some 30 MiB before anybody comes.
const MIB_MIN: u32 = 64;

/// Fewer than a thousand would come and go with each message; a hundred million need more memory than machines have.
const ENTITIES: RangeInclusive<usize> = 1_000..=100_000_000;
/// A second: below it nobody can play, above it a player is a load test.
const RATE: RangeInclusive<usize> = 1..=100_000;
/// A full batch of fixes must fit.
const FIXES_BURST: RangeInclusive<usize> = 100..=1_000_000;
/// What an SDK sends at once when it comes back must fit.
const COMMANDS_BURST: RangeInclusive<usize> = 20..=1_000_000;
/// More often it only wakes radios; less often, and what stands between forgets the connection, and a dead phone's
/// session stays for longer than its team waits for it.
const PINGS: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(300);

fn rate(value: &Value, range: &RangeInclusive<usize>) -> Result<u32, Problem> {
    // The ranges end far below.
    value.count(range).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

/// Its keys.
pub(super) const KEYS: [Key; 7] = [
    Key {
        name: "limits.entities_max",
        set: |config, value| value.count(&ENTITIES).map(|count| config.limits.entities_max = count),
        show: |config| config.limits.entities_max.to_string(),
    },
    Key {
        name: "limits.memory_max",
        set: |config, value| MemoryMax::read(value).map(|max| config.limits.memory_max = max),
        show: |config| config.limits.memory_max.show(),
    },
    Key {
        name: "limits.fixes_per_second",
        set: |config, value| rate(value, &RATE).map(|rate| config.limits.allowance.fixes.0 = rate),
        show: |config| config.limits.allowance.fixes.0.to_string(),
    },
    Key {
        name: "limits.fixes_burst",
        set: |config, value| rate(value, &FIXES_BURST).map(|burst| config.limits.allowance.fixes.1 = burst),
        show: |config| config.limits.allowance.fixes.1.to_string(),
    },
    Key {
        name: "limits.commands_per_second",
        set: |config, value| rate(value, &RATE).map(|rate| config.limits.allowance.commands.0 = rate),
        show: |config| config.limits.allowance.commands.0.to_string(),
    },
    Key {
        name: "limits.commands_burst",
        set: |config, value| rate(value, &COMMANDS_BURST).map(|burst| config.limits.allowance.commands.1 = burst),
        show: |config| config.limits.allowance.commands.1.to_string(),
    },
    Key {
        name: "limits.ping",
        set: |config, value| value.span(&PINGS).map(|span| config.limits.ping = span),
        show: |config| format!("{:?}", config.limits.ping),
    },
];
