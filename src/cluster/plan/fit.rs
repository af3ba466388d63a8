//! Who is fit to own shards: members that can all reach one another. Pure, and the same on every node with one view.

use crate::cluster::member::{NodeId, View};
use std::collections::{BTreeMap, BTreeSet};

/// The members that are fit, those that drain left out: they are on their way out and own nothing much longer, so they
/// shall cost nobody else its place.
///
/// A pair is apart if either says that it has not reached the other for long. While any is, the member that is apart
/// from most others goes (of several the one with the largest id), for without it the most remain: a node that is cut
/// off from all is found by all, whoever it blames.
pub(super) fn fit(view: &View) -> BTreeSet<&NodeId> {
    let mut fit: BTreeSet<&NodeId> =
        view.members.iter().filter(|(_, member)| !member.standing.draining).map(|(node, _)| node).collect();
    let mut apart: BTreeMap<&NodeId, BTreeSet<&NodeId>> = BTreeMap::new();
    for one in &fit {
        for other in &view.members[*one].standing.unreachable {
            // A report on one that is gone, drains, or is the reporter itself says nothing.
            let Some(other) = fit.get(other).filter(|other| *other != one) else { continue };
            apart.entry(*one).or_default().insert(*other);
            apart.entry(*other).or_default().insert(*one);
        }
    }
    while let Some((worst, missed)) =
        apart.iter().max_by_key(|(node, missed)| (missed.len(), **node)).map(|(node, missed)| (*node, missed.clone()))
    {
        apart.remove(worst);
        for other in missed {
            if let Some(left) = apart.get_mut(other) {
                left.remove(worst);
                if left.is_empty() {
                    apart.remove(other);
                }
            }
        }
        fit.remove(worst);
    }
    fit
}
