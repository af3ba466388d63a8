//! Whether every step can be reached: no circles of waiting, no condition that what came before has made impossible.
//!
//! First a fixed point, the kindest run there is: whatever may be done is done. What it never reaches waits in a
//! circle, directly or behind one; the circles are reported, not what stands behind them. Then, for each step, what
//! must have happened before it is gathered and held against its conditions.
//! Promise: no false alarm. A step reported here cannot be done by any player in any order.

use super::conditions::check_points;
use super::tree::Tree;
use crate::content::code;
use crate::content::file::Condition;
use crate::content::report::Fault;
use crate::content::spot::At;
use crate::content::step::Verb;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(tree: &Tree, faults: &mut Vec<Fault>) {
    let done = kindest_run(tree);
    circles(tree, &done, faults);
    own_groups(tree, &done, faults);
    let pasts: Vec<Past> = (0..tree.nodes.len()).map(|index| Past::of(tree, index)).collect();
    for index in 0..tree.nodes.len() {
        let Some(after) = &tree.nodes[index].step.after else { continue };
        // What waits in a circle has its fault; about its past nothing can be said.
        if !done[index] {
            continue;
        }
        if let Some(reason) = pasts[index].contradiction(tree, after) {
            let message = format!("step \"{}\" can never open: {reason}", tree.nodes[index].id());
            faults.push(Fault::new(code::UNREACHABLE, after.spot, message));
        }
        // Points of steps that themselves wait for this one, or stand in it, come too late.
        let earlier = (0..tree.nodes.len())
            .filter(|other| !tree.lineage(*other).any(|at| at == index) && !pasts[*other].done.contains(&index));
        check_points(after, earlier.map(|other| tree.points(other)).sum(), faults);
    }
}

/// Which steps are done when everything that can be done is.
fn kindest_run(tree: &Tree) -> Vec<bool> {
    let mut done = vec![false; tree.nodes.len()];
    loop {
        let mut changed = false;
        for index in 0..tree.nodes.len() {
            if !done[index] && opens(tree, index, &done) && finishes(tree, index, &done) {
                done[index] = true;
                changed = true;
            }
        }
        if !changed {
            return done;
        }
    }
}

fn opens(tree: &Tree, index: usize, done: &[bool]) -> bool {
    tree.lineage(index).all(|at| {
        let after = tree.nodes[at].step.after.as_ref();
        tree.before(at).iter().all(|before| done[*before]) && after.is_none_or(|after| may_hold(tree, after, done))
    })
}

fn finishes(tree: &Tree, index: usize, done: &[bool]) -> bool {
    let node = &tree.nodes[index];
    let count = node.children.iter().filter(|child| done[**child]).count();
    match node.verb {
        Some(Verb::AnyOf(group)) => {
            let need = group.need.as_ref().map_or(1, |need| usize::from(need.value));
            count >= need.min(node.children.len())
        }
        _ => count == node.children.len(),
    }
}

/// Names that lead nowhere and empty lists have faults of their own and count as fulfilled.
fn may_hold(tree: &Tree, condition: &At<Condition>, done: &[bool]) -> bool {
    let step_done = |step: &str| tree.find(step).is_none_or(|step| done[step]);
    match &condition.value {
        Condition::Done(step) => step_done(step),
        Condition::Chose { step, .. } => step_done(step),
        Condition::All(parts) => parts.iter().all(|part| may_hold(tree, part, done)),
        Condition::Any(parts) => parts.is_empty() || parts.iter().any(|part| may_hold(tree, part, done)),
        Condition::Points(_) | Condition::Not(_) => true,
    }
}

/// What the steps that are not done wait for, followed until it comes round.
fn circles(tree: &Tree, done: &[bool], faults: &mut Vec<Fault>) {
    let mut settled: BTreeSet<usize> = BTreeSet::new();
    for start in (0..tree.nodes.len()).filter(|index| !done[*index]) {
        let mut path: Vec<usize> = Vec::new();
        let mut at = start;
        while !settled.contains(&at) && !path.contains(&at) {
            path.push(at);
            match waits_for(tree, at, done) {
                Some(next) => at = next,
                None => break,
            }
        }
        if let Some(begin) = path.iter().position(|step| *step == at).filter(|_| !settled.contains(&at)) {
            faults.extend(circle_fault(tree, &path[begin..]));
        }
        settled.extend(path);
    }
}

fn circle_fault(tree: &Tree, circle: &[usize]) -> Option<Fault> {
    // Begin with the first in the file that has a condition: there the circle can be cut.
    let first = circle.iter().copied().filter(|at| tree.nodes[*at].step.after.is_some()).min()?;
    let turn = circle.iter().position(|at| *at == first)?;
    let names = circle.iter().cycle().skip(turn).take(circle.len() + 1).map(|at| tree.nodes[*at].id());
    let names: Vec<_> = names.collect();
    let spot = tree.nodes[first].step.after.as_ref()?.spot;
    let message = match names.as_slice() {
        [one, _] => format!("step \"{one}\" waits for itself"),
        _ => "steps wait for each other".to_owned(),
    };
    Some(Fault::new(code::CYCLE, spot, message).help(names.join(" waits for ")))
}

/// A step may not wait for a group that it stands in. Where the group needs only some of its steps the kindest run
/// finishes it without this one; but then there is nothing left to do it for.
fn own_groups(tree: &Tree, done: &[bool], faults: &mut Vec<Fault>) {
    for index in (0..tree.nodes.len()).filter(|index| done[*index]) {
        let Some(after) = &tree.nodes[index].step.after else { continue };
        if let Some(group) = tree.lineage(index).find(|group| asks_for(tree, after, *group)) {
            let message = format!("step \"{}\" waits for a group that it stands in", tree.nodes[index].id());
            let help = format!("it is part of \"{}\"", tree.nodes[group].id());
            faults.push(Fault::new(code::CYCLE, after.spot, message).help(help));
        }
    }
}

fn asks_for(tree: &Tree, condition: &At<Condition>, wanted: usize) -> bool {
    match &condition.value {
        Condition::Done(step) => tree.find(step) == Some(wanted),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(|part| asks_for(tree, part, wanted)),
        Condition::Chose { .. } | Condition::Points(_) | Condition::Not(_) => false,
    }
}

/// One step that is not done and without which this one cannot be done.
fn waits_for(tree: &Tree, index: usize, done: &[bool]) -> Option<usize> {
    let undone = |steps: &[usize]| steps.iter().copied().find(|step| !done[*step]);
    let opening = tree.lineage(index).find_map(|at| {
        let after = tree.nodes[at].step.after.as_ref();
        let own = undone(tree.before(at)).or_else(|| after.and_then(|after| unfulfilled(tree, after, done)));
        // A group that cannot open is what its steps wait for.
        own.map(|own| if at == index { own } else { at })
    });
    opening.or_else(|| undone(&tree.nodes[index].children))
}

fn unfulfilled(tree: &Tree, condition: &At<Condition>, done: &[bool]) -> Option<usize> {
    if may_hold(tree, condition, done) {
        return None;
    }
    match &condition.value {
        Condition::Done(step) => tree.find(step),
        Condition::Chose { step, .. } => tree.find(step),
        _ => condition.parts().iter().find_map(|part| unfulfilled(tree, part, done)),
    }
}

/// What must have happened before a step opens.
#[derive(Default)]
struct Past<'a> {
    done: BTreeSet<usize>,
    chosen: BTreeMap<usize, BTreeSet<&'a str>>,
}

impl<'a> Past<'a> {
    fn of(tree: &Tree<'a>, index: usize) -> Self {
        let mut past = Self::default();
        past.opened(tree, index);
        past
    }

    fn opened(&mut self, tree: &Tree<'a>, index: usize) {
        for at in tree.lineage(index) {
            for before in tree.before(at) {
                self.finished(tree, *before);
            }
            let step = tree.nodes[at].step;
            if let Some(after) = &step.after {
                self.held(tree, after);
            }
        }
    }

    fn finished(&mut self, tree: &Tree<'a>, index: usize) {
        if !self.done.insert(index) {
            return;
        }
        self.opened(tree, index);
        if !matches!(tree.nodes[index].verb, Some(Verb::AnyOf(_))) {
            for child in &tree.nodes[index].children {
                self.finished(tree, *child);
            }
        }
    }

    /// Only what must hold: of `any` nothing must, and what did not hold then may hold now.
    fn held(&mut self, tree: &Tree<'a>, condition: &'a At<Condition>) {
        match &condition.value {
            Condition::Done(step) => {
                if let Some(step) = tree.find(step) {
                    self.finished(tree, step);
                }
            }
            Condition::Chose { step, option } => {
                if let Some(step) = tree.find(step) {
                    self.finished(tree, step);
                    self.chosen.entry(step).or_default().insert(option);
                }
            }
            Condition::All(parts) => {
                for part in parts {
                    self.held(tree, part);
                }
            }
            Condition::Any(_) | Condition::Not(_) | Condition::Points(_) => {}
        }
    }

    /// Why the condition cannot hold after this past, which includes what the condition itself asks for.
    fn contradiction(&self, tree: &Tree, condition: &At<Condition>) -> Option<String> {
        if let Some((step, options)) = self.chosen.iter().find(|(_, options)| options.len() > 1) {
            let options: Vec<_> = options.iter().copied().collect();
            return Some(format!("it takes {} in \"{}\" at once", options.join(" and "), tree.nodes[*step].id()));
        }
        match &condition.value {
            Condition::All(parts) => parts.iter().find_map(|part| self.contradiction(tree, part)),
            Condition::Any(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(|part| self.contradiction(tree, part)).collect();
                all.and_then(|reasons| reasons.into_iter().next())
            }
            Condition::Not(inner) => match &inner.value {
                Condition::Done(step) => {
                    let index = tree.find(step)?;
                    self.done.contains(&index).then(|| format!("\"{step}\" is always done before"))
                }
                Condition::Chose { step, option } => {
                    let index = tree.find(step)?;
                    let chosen = self.chosen.get(&index)?.contains(option.value.as_str());
                    chosen.then(|| format!("\"{}\" was always chosen before", option.value))
                }
                _ => None,
            },
            Condition::Done(_) | Condition::Points(_) | Condition::Chose { .. } => None,
        }
    }
}
