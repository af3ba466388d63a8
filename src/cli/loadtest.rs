//! `loadtest`: runs the load-test harness, which is a program of its own beside this one.
//!
//! It brings database drivers and a copy of the server to be measured, which nobody needs who serves a quest; so it is
//! not in this binary, and this command only finds it. Promise: its arguments, its output and its exit code are passed
//! on as they are.

use super::Exit;
use anyhow::Context;
use clap::Args;
use std::ffi::OsString;
use std::process::Command;

/// The harness's name, beside this program.
const PROGRAM: &str = "waystone-loadtest";

/// What the harness is told.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct LoadtestArgs {
    /// A scenario and its options, as `waystone-loadtest --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}

/// Runs it to its end.
pub fn run(args: &LoadtestArgs) -> anyhow::Result<Exit> {
    let own = std::env::current_exe().context("this program's own place cannot be found")?;
    let program = own.with_file_name(PROGRAM);
    anyhow::ensure!(
        program.is_file(),
        "there is no {PROGRAM} beside this program: build it in the repository with \
         `cargo build --release -p waystone-loadtest`, or copy it to {}",
        program.display()
    );
    let status = Command::new(&program).args(&args.args).status();
    let status = status.with_context(|| format!("{} cannot be run", program.display()))?;
    Ok(match status.code() {
        Some(0) => Exit::Done,
        Some(2) => Exit::Usage,
        Some(3) => Exit::Faults,
        // A signal ended it, or it says so itself.
        Some(_) | None => Exit::Failed,
    })
}
