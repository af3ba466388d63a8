//! What is wrong with a quest file, for people and for programs.
//!
//! Promise: faults come in the order of the file, each with the line it is about; the text drawn is the compiler's
//! form that editors and terminals know how to follow (`--> file:line:column`).

use super::code::Code;
use super::spot::Spot;
use serde::Serialize;
use std::fmt::{self, Write as _};

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The quest cannot be published.
    Error,
    /// The quest can be published, but probably not as it was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind; see `docs/quest-format.md`.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Line, from 1.
    pub line: u32,
    /// Column of the first character, from 1.
    pub column: u32,
    /// Column after the last character on that line.
    pub end_column: u32,
}

impl Fault {
    /// A fault of this kind, here.
    pub fn new(code: Code, spot: Spot, message: impl Into<String>) -> Self {
        Self {
            severity: code.severity,
            code: code.name,
            message: message.into(),
            help: None,
            line: spot.line,
            column: spot.column,
            end_column: spot.column.saturating_add(spot.length.max(1)),
        }
    }

    /// With a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a remedy if there is one.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// All that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file's name as given.
    pub file: String,
    /// How many faults are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// The faults, in the order of the file.
    pub faults: Vec<Fault>,
    #[serde(skip)]
    source: String,
}

impl Report {
    /// The report on `source`.
    pub fn new(file: &str, source: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| (fault.line, fault.column, fault.severity));
        faults.dedup();
        // A fault spans no more than its line; what the reader gave as longer is cut at the line's end.
        for fault in &mut faults {
            let line = source.lines().nth(fault.line.saturating_sub(1) as usize).unwrap_or("");
            let end = u32::try_from(line.trim_end().chars().count()).unwrap_or(u32::MAX).saturating_add(1);
            fault.end_column = fault.end_column.min(end).max(fault.column.saturating_add(1));
        }
        let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
        let warnings = faults.len() - errors;
        Self { file: file.to_owned(), errors, warnings, faults, source: source.to_owned() }
    }

    /// Whether the quest cannot be published.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The report as text; `color` for terminals that show it.
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { color };
        let mut out = String::new();
        for fault in &self.faults {
            self.render_fault(&mut out, fault, paint);
            out.push('\n');
        }
        let count = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            _ => format!("{number} {what}s"),
        };
        let _ = writeln!(out, "{}: {}, {}", self.file, count(self.errors, "error"), count(self.warnings, "warning"));
        out
    }

    fn render_fault(&self, out: &mut String, fault: &Fault, paint: Paint) {
        let (name, tint) = match fault.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        let line = fault.line.to_string();
        let gutter = " ".repeat(line.len());
        let text = self.source.lines().nth(fault.line.saturating_sub(1) as usize).unwrap_or("").trim_end();
        // Tabs are kept, so that the mark stands under its word whatever their width is.
        let before = fault.column.saturating_sub(1) as usize;
        let indent: String = text
            .chars()
            .chain(std::iter::repeat(' '))
            .take(before)
            .map(|c| if c == '\t' { c } else { ' ' })
            .collect();
        let mark = "^".repeat(fault.end_column.saturating_sub(fault.column).max(1) as usize);
        let help = fault.help.as_ref().map(|help| format!(" {help}")).unwrap_or_default();

        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "{}: {}",
            paint.on(tint, &format!("{name}[{}]", fault.code)),
            paint.on("1", &fault.message)
        );
        let arrow = paint.on("1;34", &format!("{gutter}-->"));
        let _ = writeln!(out, "{arrow} {}:{}:{}", self.file, fault.line, fault.column);
        let _ = writeln!(out, "{}", paint.on("1;34", &format!("{gutter} |")));
        let _ = writeln!(out, "{} {text}", paint.on("1;34", &format!("{line} |")));
        let bar = paint.on("1;34", &format!("{gutter} |"));
        let _ = writeln!(out, "{bar} {indent}{}", paint.on(tint, &format!("{mark}{help}")));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}

/// Terminal colors, or none.
#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn on(self, tint: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{tint}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
