//! Pages on disk: made of a record, beside an earlier one that was named or is found among its neighbours.

use super::render;
use crate::record::{FILE_NAME, Record, RecordError};
use serde::Deserialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The name of a page in its run's folder.
pub const PAGE_NAME: &str = "report.html";
/// Most neighbours that are looked at for an earlier run, the newest first: records are read whole.
const NEIGHBOURS_MAX: usize = 50;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The page cannot be written.
    #[error("{path}: {source}; choose another place with --out")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Makes the page about a record (a file or a run's folder): beside the record, if no other place is wanted. The earlier run is the
/// one that is named, or the newest older one of the same scenario in the folder of runs. Gives the page's place.
pub fn publish(run: &Path, previous: Option<&Path>, out: Option<&Path>) -> Result<PathBuf, PageError> {
    let now = Record::read(run)?;
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new("")) };
    let before = match previous {
        Some(previous) => Some(Record::read(previous)?),
        None => earlier(folder, &now),
    };
    let path = out.map_or_else(|| folder.join(PAGE_NAME), Path::to_path_buf);
    fs::write(&path, render(&now, before.as_ref())).map_err(|source| PageError::Io { path: path.clone(), source })?;
    Ok(path)
}

/// What tells runs apart; the rest of a record is skipped.
#[derive(Deserialize)]
struct Head {
    scenario: String,
    begun: String,
}

/// The newest older run of the same scenario among the neighbours of a run's folder. What cannot be read is no run.
fn earlier(folder: &Path, now: &Record) -> Option<Record> {
    let folder = folder.canonicalize().ok()?;
    let begun = now.begun.parse::<jiff::Timestamp>().ok()?;
    let mut neighbours: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder.parent()?)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join(FILE_NAME)))
        .filter(|path| path.parent() != Some(folder.as_path()))
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    neighbours.sort_by(|a, b| b.cmp(a));
    let older = neighbours.into_iter().take(NEIGHBOURS_MAX).filter_map(|(_, path)| {
        let head: Head = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        let at = head.begun.parse::<jiff::Timestamp>().ok()?;
        (head.scenario == now.scenario && at < begun).then_some((at, path))
    });
    let (_, path) = older.max_by(|a, b| a.0.cmp(&b.0))?;
    Record::read(&path).ok()
}
