//! How a command ended, for scripts.

use std::process::ExitCode;

/// The codes as `--help` tells them.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  failed, or not allowed
  2  the command line is wrong
  3  what was checked has faults
  4  the server cannot be reached";

/// How a command ended. The numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It could not be done.
    Failed = 1,
    /// The command line is wrong; clap says so itself.
    Usage = 2,
    /// What was checked has faults: a quest file, a configuration, a journal.
    Faults = 3,
    /// The server cannot be reached.
    Unreachable = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
