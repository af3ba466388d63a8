//! Signals to processes that tests have started: stand still, go on, die.

use crate::{Result, Trouble};
use std::process::Command;

/// Sends one, by its name: `KILL`, `STOP`, `CONT`, `TERM`.
pub fn send(name: &str, pid: u32) -> Result<()> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -s \"$1\" \"$2\" 2>/dev/null", "sh", name]).arg(pid.to_string());
    let sent = shell.status().map_err(Trouble::of("kill"))?;
    if sent.success() { Ok(()) } else { Err(Trouble::new(format!("process {pid} has ended already"))) }
}
