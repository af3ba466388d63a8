//! `quest check`, `quest places` and `quest schema`.

use super::{Exit, Output};
use crate::content::{self, Report};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest quest file read; the demo's has 10 kB.
const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The largest GeoJSON file read.
const GEOJSON_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Quest files.
#[derive(Debug, Subcommand)]
pub enum QuestCommand {
    /// Say what would not work, line by line
    Check(CheckArgs),
    /// Print the places block for a GeoJSON file, as drawn in a map editor
    Places {
        /// GeoJSON file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON Schema, for editors
    Schema,
}

/// Which files.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Quest files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What was found, for programs.
#[derive(Debug, Serialize)]
struct Findings {
    errors: usize,
    warnings: usize,
    files: Vec<Report>,
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    file: String,
    reason: String,
}

/// Does what `quest` was told.
pub fn run(command: &QuestCommand, out: &mut Output) -> anyhow::Result<Exit> {
    match command {
        QuestCommand::Check(args) => check(args, out),
        QuestCommand::Places { file } => places(file, out),
        QuestCommand::Schema => {
            out.line(serde_json::to_string_pretty(&content::schema())?)?;
            Ok(Exit::Done)
        }
    }
}

fn check(args: &CheckArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    for path in &args.files {
        let file = path.display().to_string();
        match read(path, BYTES_MAX) {
            Ok(text) => files.push(content::check(&text, &file)),
            Err(error) => unreadable.push(Unreadable { file, reason: format!("{error:#}") }),
        }
    }
    let errors = files.iter().map(|report| report.errors).sum();
    let warnings = files.iter().map(|report| report.warnings).sum();
    let findings = Findings { errors, warnings, files, unreadable };
    if args.json {
        out.json(&findings)?;
    } else {
        print(&findings, out)?;
    }
    Ok(match findings {
        // A file that could not be read was not checked: "no faults" would be a lie, and so would "faults".
        Findings { unreadable, .. } if !unreadable.is_empty() => Exit::Failed,
        Findings { errors: 0, .. } => Exit::Done,
        Findings { .. } => Exit::Faults,
    })
}

fn places(path: &Path, out: &mut Output) -> anyhow::Result<Exit> {
    let text = read(path, GEOJSON_BYTES_MAX).with_context(|| path.display().to_string())?;
    match content::places(&text) {
        Ok(block) => out.line(block.trim_end())?,
        Err(faults) => {
            for fault in faults {
                out.error(format_args!("{}: {fault}", path.display()))?;
            }
            return Ok(Exit::Faults);
        }
    }
    Ok(Exit::Done)
}

fn print(findings: &Findings, out: &mut Output) -> std::io::Result<()> {
    for report in &findings.files {
        out.line(report.render(out.terminal().color).trim_end())?;
    }
    for Unreadable { file, reason } in &findings.unreadable {
        out.error(format_args!("{file}: {reason}"))?;
    }
    if findings.files.len() > 1 {
        let Findings { errors, warnings, files, .. } = findings;
        let faulty = files.iter().filter(|report| report.has_errors()).count();
        out.line(format_args!(
            "{} files checked, {faulty} with errors: errors {errors}, warnings {warnings}",
            files.len()
        ))?;
    }
    Ok(())
}

fn read(path: &Path, bytes_max: u64) -> anyhow::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).context("cannot be read")?;
    let bytes = file.take(bytes_max + 1).read_to_string(&mut text).context("cannot be read")?;
    anyhow::ensure!(bytes as u64 <= bytes_max, "has more than {bytes_max} bytes; is this the right file?");
    Ok(text)
}
