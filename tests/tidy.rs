//! The house rules that a compiler does not keep: who may import whom, pure rooms stay pure, every file says what it
//! is, nothing grows without bound. Reads the sources as text; needs nothing but std.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom: a room and what it may name of the crate. ARCHITECTURE.md draws the same.
const ROOMS: &[(&str, &[&str])] = &[
    ("faults", &[]),
    ("ids", &[]),
    ("units", &[]),
    ("clock", &["faults", "units"]),
    ("window", &["units"]),
    ("geo", &["ids", "units", "window"]),
    ("quest", &["ids", "units", "window"]),
    ("content", &["ids", "units", "window", "geo", "quest"]),
    ("cluster", &["ids", "units", "quest"]),
    ("links", &["ids", "units", "quest", "cluster"]),
    ("persist", &["faults", "ids", "units", "clock", "quest", "cluster"]),
    ("verify", &["ids", "units", "quest", "content", "cluster", "persist"]),
    ("actors", &["faults", "ids", "units", "clock", "geo", "quest", "content", "cluster", "persist"]),
    ("walk", &["ids", "units"]),
    ("net", &["ids", "units", "clock", "geo", "quest", "actors", "walk"]),
    ("config", &["ids", "units", "geo", "content", "net"]),
    ("telemetry", &["config"]),
    ("keys", &["ids", "net"]),
    ("app", &["faults", "ids", "clock", "quest", "content", "cluster", "links", "persist", "actors", "net", "keys"]),
    (
        "demo",
        &[
            "ids", "units", "clock", "content", "quest", "cluster", "links", "persist", "actors", "walk", "net",
            "config", "keys", "app",
        ],
    ),
    (
        "cli",
        &[
            "ids",
            "units",
            "clock",
            "geo",
            "quest",
            "content",
            "links",
            "persist",
            "verify",
            "walk",
            "net",
            "config",
            "telemetry",
            "keys",
            "app",
            "demo",
        ],
    ),
];

/// Outside crates that belong to one room.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("sqlx", &["persist"]),
    ("rusqlite", &["persist"]),
    ("redis", &["persist"]),
    ("tonic", &["links"]),
    ("prost", &["links", "net"]),
    ("tokio_rustls", &["links", "net"]),
    ("hyper", &["net"]),
    ("ring", &["net"]),
    ("ed25519_dalek", &["net"]),
    ("rcgen", &["links", "net"]),
    ("tokio_tungstenite", &["net"]),
    ("actix_web", &["net"]),
    ("actix_http", &["net"]),
    ("ractor", &["actors"]),
    ("rstar", &["geo", "walk"]),
    ("serde_saphyr", &["content"]),
    ("clap", &["cli", "config"]),
];

/// Words that a pure room has no business with.
const IMPURE: &[&str] = &[
    "async fn",
    "async move",
    ".await",
    "tokio::",
    "tracing::",
    "SystemTime",
    "Instant",
    "rand::",
    "HashMap",
    "std::fs",
];
const PURE_ROOMS: &[&str] = &["window", "geo", "quest", "content"];

/// Lines of a file; a ceiling that may only be lowered.
const LINES_MAX: usize = 400;

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is part of the repository") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                if !path.ends_with("node_modules") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path.strip_prefix(root).expect("below the root").to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources found below {folder}");
    found
}

/// The room of a file: the first name below `src/`.
fn room(path: &Path) -> String {
    let name = path.iter().nth(1).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.trim_end_matches(".rs").to_owned()
}

/// A file's code without comments; tests inside it count too.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_test_file(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.contains("tests") || name.contains("suite") || name.contains("properties")
}

#[test]
fn rooms_import_only_from_rooms_below() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut faults = Vec::new();
    for (path, text) in sources("src") {
        let from = room(&path);
        if matches!(from.as_str(), "lib" | "main") {
            continue;
        }
        let Some(may) = allowed.get(from.as_str()) else {
            faults.push(format!("{}: the room {from} is not in the table", path.display()));
            continue;
        };
        for (line, code) in code(&text) {
            for after in code.split("crate::").skip(1) {
                let to: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if to != from && !may.contains(&to.as_str()) && allowed.contains_key(to.as_str()) {
                    faults.push(format!("{}:{line}: {from} may not know {to}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "imports run upwards:\n{}", faults.join("\n"));
}

#[test]
fn outside_crates_stay_in_their_rooms() {
    let mut faults = Vec::new();
    for (path, text) in sources("src") {
        let from = room(&path);
        for (line, code) in code(&text).filter(|_| !is_test_file(&path)) {
            for (name, rooms) in OWNED_CRATES {
                let named = code.contains(&format!("use {name}::")) || code.contains(&format!(" {name}::"));
                if named && !rooms.contains(&from.as_str()) && from != "main" {
                    faults.push(format!("{}:{line}: {name} belongs to {rooms:?}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pure_rooms_know_no_io_no_clock_and_no_async() {
    let mut faults = Vec::new();
    for (path, text) in sources("src") {
        if !PURE_ROOMS.contains(&room(&path).as_str()) || is_test_file(&path) {
            continue;
        }
        let tests = text.find("#[cfg(test)]").map_or(text.as_str(), |at| &text[..at]);
        for (line, code) in code(tests) {
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                faults.push(format!("{}:{line}: `{word}` in a pure room", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_and_stays_small() {
    let mut faults = Vec::new();
    for folder in ["src", "tests", "loadtest"] {
        for (path, text) in sources(folder) {
            if !text.starts_with("//!") {
                faults.push(format!("{}: does not open with //!", path.display()));
            }
            let lines = text.lines().count();
            if lines > LINES_MAX {
                faults.push(format!("{}: {lines} lines, {LINES_MAX} at most", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_test_is_skipped_and_no_work_is_left_for_someday() {
    let mut faults = Vec::new();
    let banned = ["todo!", "unimplemented!", "TODO", "FIXME", "XXX"];
    for folder in ["src", "tests", "loadtest"] {
        for (path, text) in sources(folder).into_iter().filter(|(path, _)| !path.ends_with("tidy.rs")) {
            for (line, code) in (1..).zip(text.lines()) {
                for word in banned.iter().filter(|word| code.contains(**word)) {
                    faults.push(format!("{}:{line}: `{word}`", path.display()));
                }
                if code.trim() == "#[ignore]" {
                    faults.push(format!("{}:{line}: a skipped test needs a reason", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn decisions_are_numbered_without_gaps_and_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adr");
    let index = fs::read_to_string(root.join("README.md")).expect("docs/adr/README.md lists the decisions");
    let mut names: Vec<String> = fs::read_dir(&root)
        .expect("docs/adr is there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    names.sort();
    for (number, name) in names.iter().enumerate() {
        assert!(name.starts_with(&format!("{number:04}-")), "{name} stands where number {number:04} belongs");
        assert!(index.contains(name.as_str()), "{name} is not in docs/adr/README.md");
    }
}
