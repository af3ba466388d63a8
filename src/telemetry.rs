//! What the program says of itself: log lines on standard error, for people on a terminal and as JSON elsewhere.
//!
//! Standard output stays with results. Promise: installed once; a panic is logged like any other line and gives away
//! no user's data, since only texts that stand in the source are repeated.

use crate::config::{Log, LogFormat, Terminal};
use std::panic::PanicHookInfo;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Parts that talk much: an actor's birth and death, each statement, each stranger's malformed request. They come first in the filter, so that one who
/// wants to hear them only has to say so.
const HUSHED: &str = "ractor=warn,sqlx=warn,actix_http=off";

/// Why logging was not set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter cannot be read: {0}; write levels, such as \"info,waystone::net=debug\"")]
    Filter(#[from] ParseError),
    /// It was set up before.
    #[error("logging is set up already; do it once, in main")]
    Twice,
}

/// Sends log lines to standard error, and panics with them.
pub fn install(log: &Log, terminal: Terminal) -> Result<(), TelemetryError> {
    let filter = filter(&log.filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let installed = if is_json(log.format, terminal) {
        registry.with(lines.json().flatten_event(true)).try_init()
    } else {
        registry.with(lines.compact().with_ansi(terminal.color_err)).try_init()
    };
    installed.map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn filter(wanted: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("{HUSHED},{wanted}"))
}

fn is_json(format: LogFormat, terminal: Terminal) -> bool {
    match format {
        LogFormat::Auto => !terminal.terminal_err,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    // A text put together at run time may hold anything, such as a name or a position.
    let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(message withheld)");
    tracing::error!(%place, thread, message, "a task panicked; this is a fault in Waystone, please report the place");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chatty_parts_are_hushed_unless_asked_for() {
        let hushed = filter("debug").expect("sound").to_string();
        assert!(hushed.contains("sqlx=warn") && hushed.contains("ractor=warn"), "{hushed}");
        let asked = filter("info,sqlx=debug").expect("sound").to_string();
        assert!(asked.contains("sqlx=debug") && !asked.contains("sqlx=warn"), "{asked}");
        assert!(filter("net=lots").is_err());
    }

    #[test]
    fn programs_get_json_and_people_do_not() {
        let person = Terminal { terminal_err: true, ..Terminal::default() };
        assert!(!is_json(LogFormat::Auto, person));
        assert!(is_json(LogFormat::Auto, Terminal::default()));
        assert!(is_json(LogFormat::Json, person));
        assert!(!is_json(LogFormat::Pretty, Terminal::default()));
    }
}
