//! Printing: results to standard output, remarks to standard error.
//!
//! Promise: texts from elsewhere cannot command the terminal, and a reader who leaves early (`| head`) is an
//! [`io::Error`] like any other, not a panic.

use crate::config::Terminal;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// Where a command prints.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    terminal: Terminal,
    /// Whether a progress line stands on the terminal, to be wiped before anything else.
    progress: bool,
}

impl Output {
    /// Standard output and error.
    pub fn standard(terminal: Terminal) -> Self {
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), terminal)
    }

    /// Other places.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, terminal: Terminal) -> Self {
        Self { out, err, terminal, progress: false }
    }

    /// What the terminal can show.
    pub fn terminal(&self) -> Terminal {
        self.terminal
    }

    /// A line of the result.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        self.wipe()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// A result as one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        self.line(text)
    }

    /// A remark for people.
    pub fn remark(&mut self, text: impl Display) -> io::Result<()> {
        self.wipe()?;
        writeln!(self.err, "{text}")
    }

    /// What went wrong, for people.
    pub fn error(&mut self, text: impl Display) -> io::Result<()> {
        self.wipe()?;
        let label = if self.terminal.color_err { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        writeln!(self.err, "{label}: {text}")
    }

    /// Names and values in two columns.
    pub fn list(&mut self, rows: &[(&str, String)]) -> io::Result<()> {
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in rows {
            // The pad stands outside the color, whose codes have no width.
            let pad = " ".repeat(width - name.chars().count());
            self.line(format_args!("  {}{pad}  {value}", self.bold(name)))?;
        }
        Ok(())
    }

    /// A line that the next one replaces; only where a person watches.
    pub fn progress(&mut self, text: impl Display) -> io::Result<()> {
        if !self.terminal.interactive {
            return Ok(());
        }
        write!(self.err, "\r\u{1b}[K{text}")?;
        self.progress = true;
        self.err.flush()
    }

    pub(super) fn bold(&self, text: &str) -> String {
        if self.terminal.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn wipe(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.progress) {
            write!(self.err, "\r\u{1b}[K")?;
            self.err.flush()?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

/// A text from elsewhere without what would command the terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
