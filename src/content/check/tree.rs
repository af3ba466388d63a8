//! The steps of a file as a flat list in the order of the file, with parents, children and a look-up by id.
//!
//! Promise: parents stand before their children; an id that occurs twice leads to its first step.

use crate::content::file::QuestFile;
use crate::content::step::{Step, Verb};
use std::collections::BTreeMap;

/// A step in its place.
pub(super) struct Node<'a> {
    pub step: &'a Step,
    pub parent: Option<usize>,
    /// Which of its parent's steps it is, from 0.
    pub position: usize,
    /// The first verb, if it has one.
    pub verb: Option<Verb<'a>>,
    pub children: Vec<usize>,
}

impl Node<'_> {
    pub(super) fn id(&self) -> &str {
        &self.step.id.value
    }
}

/// All steps.
pub(super) struct Tree<'a> {
    pub nodes: Vec<Node<'a>>,
    by_id: BTreeMap<&'a str, usize>,
}

impl<'a> Tree<'a> {
    pub(super) fn of(file: &'a QuestFile) -> Self {
        let mut tree = Self { nodes: Vec::new(), by_id: BTreeMap::new() };
        tree.add(&file.steps, None);
        tree
    }

    fn add(&mut self, steps: &'a [Step], parent: Option<usize>) {
        for (position, step) in steps.iter().enumerate() {
            let index = self.nodes.len();
            let verb = step.verbs().first().map(|(_, verb)| *verb);
            self.nodes.push(Node { step, parent, position, verb, children: Vec::new() });
            self.by_id.entry(step.id.value.as_str()).or_insert(index);
            if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
                parent.children.push(index);
            }
            // A step with two verbs is at fault already; all that stands below it is still looked at.
            for (_, verb) in step.verbs() {
                self.add(verb.children(), Some(index));
            }
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &'a str> {
        self.by_id.keys().copied()
    }

    /// The step and all groups around it, from inside out.
    pub(super) fn lineage(&self, index: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(index), |at| self.nodes[*at].parent)
    }

    /// The steps that come before it in its sequence.
    pub(super) fn before(&self, index: usize) -> &[usize] {
        let node = &self.nodes[index];
        match node.parent.map(|parent| &self.nodes[parent]) {
            Some(Node { verb: Some(Verb::Sequence(_)), children, .. }) => {
                &children[..node.position.min(children.len())]
            }
            _ => &[],
        }
    }

    /// The most points that a step itself can give.
    pub(super) fn points(&self, index: usize) -> u64 {
        let node = &self.nodes[index];
        let best = match node.verb {
            Some(Verb::Choose(choose)) => choose.options.iter().map(|option| option.points).max().unwrap_or(0),
            _ => 0,
        };
        u64::from(node.step.points) + u64::from(best)
    }
}
