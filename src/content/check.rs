//! Finds what a schema cannot: names that lead nowhere, steps that wait for each other, windows that never open.
//!
//! A pass for each subject walks the file and notes what it finds; no pass stops another.
//! Promise: a file without errors here resolves; every fault of its meaning is in the one report.

mod conditions;
mod places;
mod quest;
mod reach;
mod steps;
mod texts;
mod tree;

use super::file::QuestFile;
use super::read::read;
use super::report::{Fault, Report};
use tree::Tree;

/// Reads and checks a quest file; the report is empty when there is nothing to say.
pub fn check(source: &str, file_name: &str) -> Report {
    let faults = read(source).map_or_else(|fault| vec![fault], |file| faults_of(&file));
    Report::new(file_name, source, faults)
}

/// All faults of a file whose form is right.
pub(super) fn faults_of(file: &QuestFile) -> Vec<Fault> {
    let tree = Tree::of(file);
    let mut faults = Vec::new();
    quest::check(file, &tree, &mut faults);
    places::check(file, &tree, &mut faults);
    steps::check(file, &tree, &mut faults);
    texts::check(file, &tree, &mut faults);
    reach::check(&tree, &mut faults);
    faults
}
