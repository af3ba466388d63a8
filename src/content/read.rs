//! From text to [`QuestFile`]: what the YAML reader refuses becomes one fault like any other, at its line and column.
//!
//! JSON is read too, since it is YAML. The reader stops at the first thing that it cannot make sense of, so this is
//! the one stage that reports a single fault.
//! Promise: reading is bounded (aliases, depth, size) by the reader's own budget; no input makes it run away.

use super::code::{self, Code};
use super::file::QuestFile;
use super::names::{did_you_mean, listed};
use super::report::Fault;
use super::spot::Spot;
use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

/// Reads a quest file's form.
pub(super) fn read(source: &str) -> Result<QuestFile, Fault> {
    serde_saphyr::from_str(source).map_err(|error| fault(error.without_snippet(), source))
}

fn fault(error: &Error, source: &str) -> Fault {
    let spot = error.location().map_or(Spot { line: 1, column: 1, length: 0 }, |location| Spot::of(&location));
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            // In compact YAML the reader gives the whole key as its span; the name is what is underlined.
            let help = did_you_mean(field, expected.iter().copied())
                .unwrap_or_else(|| format!("known here: {}", listed(expected.iter().copied())));
            at_name(code::UNKNOWN_KEY, spot, field, format!("there is no key \"{field}\" here")).help(help)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let help = did_you_mean(variant, expected.iter().copied())
                .unwrap_or_else(|| format!("write one of {}", listed(expected.iter().copied())));
            at_name(code::SYNTAX, spot, variant, format!("\"{variant}\" is not one of the choices")).help(help)
        }
        Error::SerdeMissingField { field, .. } => {
            // The reader names the last key of the block; for the file's own block that would be its far end.
            if spot.column == 1 {
                let first = source.lines().position(|line| !line.trim().is_empty() && !line.starts_with('#'));
                let line = u32::try_from(first.unwrap_or(0)).unwrap_or(0).saturating_add(1);
                let message = format!("the file does not have the key \"{field}\"");
                return Fault::new(code::MISSING_KEY, Spot { line, column: 1, length: 0 }, message);
            }
            Fault::new(code::MISSING_KEY, spot, format!("the key \"{field}\" is missing beside this"))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            at_name(code::DUPLICATE_KEY, spot, key, format!("the key \"{key}\" stands here a second time"))
        }
        Error::InvalidScalar { ty, .. } => Fault::new(code::SYNTAX, spot, format!("{} belongs here", kind(ty))),
        other => Fault::new(code::SYNTAX, spot, UserMessageFormatter.format_message(other).into_owned()),
    }
}

/// What the reader's type is to people.
fn kind(ty: &str) -> &str {
    match ty {
        "u16" | "u32" | "u64" => "a whole number, zero or more (and not too large),",
        "f64" => "a number",
        "bool" => "true or false",
        other => other,
    }
}

fn at_name(code: Code, spot: Spot, name: &str, message: String) -> Fault {
    let length = u32::try_from(name.chars().count()).unwrap_or(1);
    Fault::new(code, Spot { length, ..spot }, message)
}
