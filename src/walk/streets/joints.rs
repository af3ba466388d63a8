//! Mends what a simplified map has lost: the junctions in the middle of streets.
//!
//! An extract that was thinned out keeps a street's ends but drops or moves the points between them, so a side street
//! ends a few meters beside the street it once met, and 370 m become 1,600. Promise: only dead ends are joined, each
//! to one street and by no more than [`REACH_M`].

use rstar::primitives::{GeomWithData, Line};
use rstar::{PointDistance, RTree};

/// How far a dead end may lie from the street it is joined to: about what thinning moved on the map that we ship.
pub(super) const REACH_M: f64 = 8.0;

/// The missing pieces: from each dead end to both ends of the street piece nearest to it.
///
/// Both, as the true junction lies between them; the way is a flat triangle, at most [`REACH_M`] off the street.
pub(super) fn missing(flat: &[[f64; 2]], pieces: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let lines = (0..).zip(pieces).map(|(number, (a, b))| {
        let line = Line::new(flat[*a as usize], flat[*b as usize]);
        GeomWithData::<Line<[f64; 2]>, usize>::new(line, number)
    });
    let streets = RTree::bulk_load(lines.collect());
    let mut joints = Vec::new();
    for end in dead_ends(flat.len(), pieces) {
        let at = flat[end as usize];
        let others = streets.locate_within_distance(at, REACH_M * REACH_M).filter(|street| {
            let (a, b) = pieces[street.data];
            a != end && b != end
        });
        let distance = |street: &GeomWithData<Line<[f64; 2]>, usize>| street.geom().distance_2(&at);
        let nearest = others.min_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.data.cmp(&b.data)));
        if let Some(nearest) = nearest {
            let (a, b) = pieces[nearest.data];
            joints.extend([(end, a), (end, b)]);
        }
    }
    joints
}

fn dead_ends(nodes: usize, pieces: &[(u32, u32)]) -> impl Iterator<Item = u32> {
    let mut neighbors = vec![0_u32; nodes];
    for (a, b) in pieces {
        neighbors[*a as usize] += 1;
        neighbors[*b as usize] += 1;
    }
    (0..).zip(neighbors).filter(|(_, count)| *count == 1).map(|(node, _)| node)
}
