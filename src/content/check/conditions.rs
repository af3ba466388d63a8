//! Checks of the names and numbers in a condition (`after`, `when`), wherever it stands.

use super::tree::Tree;
use crate::content::code;
use crate::content::file::Condition;
use crate::content::names::{did_you_mean, listed};
use crate::content::report::Fault;
use crate::content::spot::{At, Spot};
use crate::content::step::Verb;

/// Every step and option named must exist, every list must hold something.
pub(super) fn check(at: &At<Condition>, tree: &Tree, faults: &mut Vec<Fault>) {
    match &at.value {
        Condition::Done(step) => {
            step_named(step, at.spot, tree, faults);
        }
        Condition::Chose { step, option } => {
            let Some(index) = step_named(step, step.spot, tree, faults) else { return };
            match tree.nodes[index].verb {
                Some(Verb::Choose(choose)) => {
                    let known = || choose.options.iter().map(|option| option.id.value.as_str());
                    if !known().any(|id| id == option.value) {
                        let message = format!("step \"{}\" has no option \"{}\"", step.value, option.value);
                        let help =
                            did_you_mean(option, known()).unwrap_or_else(|| format!("it has {}", listed(known())));
                        faults.push(Fault::new(code::UNKNOWN_OPTION, option.spot, message).help(help));
                    }
                }
                _ => {
                    let message = format!("nothing is chosen in step \"{}\"", step.value);
                    let help = "name a step with the verb choose, or write just the step's id";
                    faults.push(Fault::new(code::NOT_A_CHOICE, step.spot, message).help(help));
                }
            }
        }
        Condition::All(parts) | Condition::Any(parts) if parts.is_empty() => {
            faults.push(Fault::new(code::EMPTY_CONDITION, at.spot, "this list of conditions is empty"));
        }
        Condition::Points(_) | Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {}
    }
    for part in at.parts() {
        check(part, tree, faults);
    }
}

/// Every number of points asked for must be within `most`. What stands under `not` may be out of reach.
pub(super) fn check_points(at: &At<Condition>, most: u64, faults: &mut Vec<Fault>) {
    match &at.value {
        Condition::Points(asked) if u64::from(*asked) > most => {
            let message = format!("asks for {asked} points, but at most {most} can be had before");
            let help = format!("ask for {most} or fewer, or give more points");
            faults.push(Fault::new(code::POINTS_OUT_OF_REACH, at.spot, message).help(help));
        }
        Condition::All(parts) | Condition::Any(parts) => {
            for part in parts {
                check_points(part, most, faults);
            }
        }
        Condition::Done(_) | Condition::Points(_) | Condition::Chose { .. } | Condition::Not(_) => {}
    }
}

fn step_named(step: &str, spot: Spot, tree: &Tree, faults: &mut Vec<Fault>) -> Option<usize> {
    let found = tree.find(step);
    if found.is_none() {
        let message = format!("there is no step \"{step}\"");
        let help = did_you_mean(step, tree.ids()).unwrap_or_else(|| format!("there are {}", listed(tree.ids())));
        faults.push(Fault::new(code::UNKNOWN_STEP, spot, message).help(help));
    }
    found
}
