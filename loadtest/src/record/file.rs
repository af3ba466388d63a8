//! Records on disk: read with bounds and a check of the form, written whole or not at all.

use super::{FORM, MapError, Record};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use waystone::clock::Clock;

/// The name of a record in its run's folder.
pub const FILE_NAME: &str = "run.json";
/// Largest file that is read: the longest timeline and the largest map take 10 MB.
const BYTES_MAX: u64 = 64 << 20;

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is too large to be one.
    #[error("{path} has more than {BYTES_MAX} bytes, more than any record: give the {FILE_NAME} of a run's folder")]
    Large {
        /// Which.
        path: PathBuf,
    },
    /// The text.
    #[error("{path} is no record of a run: {source}; give the {FILE_NAME} of a run's folder")]
    Text {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A later program wrote it.
    #[error("{path} has form {form}, this program reads up to {FORM}: use the program of the commit that wrote it")]
    Form {
        /// Which.
        path: PathBuf,
        /// Its form.
        form: u32,
    },
    /// The map is too large.
    #[error(transparent)]
    Map(#[from] MapError),
}

impl Record {
    /// Reads one, from a file or from a run's folder.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let path = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
        let fault = |source| RecordError::Io { path: path.clone(), source };
        let mut bytes = Vec::new();
        File::open(&path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(fault)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(RecordError::Large { path });
        }
        let text = |source| RecordError::Text { path: path.clone(), source };
        // The form first: a later one need not have the fields of ours.
        let Form { form } = serde_json::from_slice(&bytes).map_err(text)?;
        if form > FORM {
            return Err(RecordError::Form { path, form });
        }
        let record: Self = serde_json::from_slice(&bytes).map_err(text)?;
        record.map.as_ref().map_or(Ok(()), super::Map::check)?;
        Ok(record)
    }

    /// Writes it into a run's folder; a reader sees the old one or the new one. Gives the file.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, RecordError> {
        self.map.as_ref().map_or(Ok(()), super::Map::check)?;
        let (path, fresh) = (folder.join(FILE_NAME), folder.join(format!("{FILE_NAME}.new")));
        let fault = |source| RecordError::Io { path: path.clone(), source };
        let bytes = serde_json::to_vec(self).map_err(|source| RecordError::Text { path: path.clone(), source })?;
        fs::create_dir_all(folder).and_then(|()| fs::write(&fresh, bytes)).map_err(fault)?;
        fs::rename(&fresh, &path).map_err(fault)?;
        Ok(path)
    }
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

/// Now, as a record says it.
pub fn begun_now() -> String {
    let now = jiff::Timestamp::from_millisecond(Clock::system().now().as_millis());
    now.map_or_else(|_| "unknown".to_owned(), |now| now.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("waystone-record-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (folder, record) = (folder("back"), samples::full(120));
        let path = record.write(&folder).unwrap();
        let (by_file, by_folder) = (Record::read(&path).unwrap(), Record::read(&folder).unwrap());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(by_file, record);
        assert_eq!(by_folder, record);
    }

    #[test]
    fn strange_files_are_refused_with_a_remedy() {
        let folder = folder("strange");
        let path = folder.join(FILE_NAME);
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            Record::read(&path).unwrap_err().to_string()
        };
        let (later, other, histogram) =
            (refused("{\"form\":2}"), refused("{\"version\":1}"), refused(&broken_histogram()));
        fs::remove_dir_all(&folder).unwrap();
        assert!(later.contains("reads up to 1"), "{later}");
        assert!(other.contains("no record of a run"), "{other}");
        assert!(histogram.contains("no histogram"), "{histogram}");
    }

    #[test]
    fn least_record_is_enough() {
        let text = serde_json::to_value(samples::empty()).unwrap();
        let mut least = text.clone();
        for name in
            ["seconds", "latencies", "faults", "map", "generators", "totals", "budget", "verdict", "not_covered"]
        {
            least.as_object_mut().unwrap().remove(name).expect(name);
        }
        let read: Record = serde_json::from_value(least).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), text);
    }

    #[test]
    fn begin_is_a_date() {
        assert!(begun_now().parse::<jiff::Timestamp>().is_ok());
    }

    fn broken_histogram() -> String {
        let mut value = serde_json::to_value(samples::full(3)).unwrap();
        value["latencies"]["fix_ack"]["hdr"] = "AAAA".into();
        value.to_string()
    }
}
