//! Checks of places: a name, one sound shape that GPS can tell apart, and a step that uses it.

use super::tree::Tree;
use crate::content::code;
use crate::content::fence::Fence;
use crate::content::file::{Place, QuestFile};
use crate::content::report::Fault;
use crate::content::resolve::fence_rules;
use crate::content::resolved::id;
use crate::content::shapes::Outline;
use crate::content::spot::At;
use crate::content::step::Verb;
use crate::geo::region::Region;
use crate::ids::{OfPlace, RegionId};
use std::collections::BTreeSet;

/// In streets phones are often 10 m off, so a smaller place is missed by those who stand in it.
const SIZE_MIN: f64 = 20.0;

pub(super) fn check(file: &QuestFile, tree: &Tree, faults: &mut Vec<Fault>) {
    let used: BTreeSet<&str> =
        tree.nodes.iter().filter_map(|node| node.verb.and_then(Verb::place)).map(|at| at.value.as_str()).collect();
    for (name, place) in &file.places {
        faults.extend(id::<OfPlace>(name).err());
        match Outline::of(name, place) {
            Ok(outline) if outline.size < SIZE_MIN => {
                let spot = place.radius.as_ref().or(place.width.as_ref()).map(|at| at.spot);
                let spot = spot.or(place.polygon.as_ref().map(|at| at.spot));
                let spot = spot.or(place.geojson.as_ref().map(|at| at.spot)).unwrap_or(name.spot);
                let message = format!("place \"{}\" is only {:.0} m, too small for GPS", name.value, outline.size);
                faults.push(Fault::new(code::SMALL_PLACE, spot, message).help("make it 20 m or more; 30 is better"));
            }
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
        faults.extend(fence_fault(file, name, place));
        if !used.contains(name.as_str()) {
            let message = format!("no step happens at \"{}\"", name.value);
            faults.push(Fault::new(code::UNUSED_PLACE, name.spot, message));
        }
    }
}

/// What is wrong with a place's `fence` block.
fn fence_fault(file: &QuestFile, name: &At<String>, place: &Place) -> Option<Fault> {
    let fence = place.fence.as_ref()?;
    if let Some(dwell) = &fence.dwell {
        let message = "a place in a quest has no dwell of its own";
        return Some(
            Fault::new(code::BAD_FENCE, dwell.spot, message).help("write `stay` in the step that visits it"),
        );
    }
    // A shape that is no good is told elsewhere.
    let outline = Outline::of(name, place).ok()?;
    let id = RegionId::new("place").ok()?;
    Fence::applied(fence, Region::new(id, outline.shape), fence_rules(&file.safety), file.available.as_ref()).err()
}
