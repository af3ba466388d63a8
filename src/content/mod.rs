//! Quest files: read, checked with every fault in one report, and resolved into what rules and fences read.
//!
//! A file goes one way: text -> [`file::QuestFile`] (its form is right) -> [`check()`] (its meaning is right) ->
//! [`publish`] (a [`crate::quest::definition::Quest`] and its regions).
//! Promise: what `publish` returns keeps every promise that `quest::definition` makes; what it refuses is refused
//! with all its faults at once, each with line, column and remedy.

pub mod check;
pub mod code;
mod condition;
pub mod fence;
pub mod file;
pub(crate) mod names;
mod places;
mod read;
pub mod report;
mod resolve;
mod resolved;
mod shapes;
pub mod spot;
mod step;
pub mod values;

pub use check::check;
pub use places::places;
pub use report::{Fault, Report, Severity};
pub use resolve::{Published, publish};

/// The JSON Schema of quest files, from which editors complete and check while one types.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(file::QuestFile)
}
