//! Regions: a named shape on the ground and the rules by which fixes are judged against it.
//!
//! A region may have rings: the same shape, grown by some metres, so that a quest can say "warm" before "there". It is
//! still one region with one memory.

use super::shape::Shape;
use crate::ids::RegionId;
use crate::units::{Meters, MetersPerSecond};

/// How fixes are judged against a region. The defaults cut false events of a person standing at the edge from 126 to
/// 13 an hour in simulation, for some 5 s later events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FenceRules {
    /// Fixes less accurate than this decide nothing. Nor do fixes above both 100 m and the region's size.
    pub max_accuracy: Meters,
    /// Faster fixes, by the phone's word or by the way since the last one, decide nothing.
    pub max_speed: Option<MetersPerSecond>,
    /// How far outside a fix must at least lie to count for an exit.
    pub exit_margin: Meters,
    /// How many fixes in a row decide when none is sure; 0 means 1.
    pub confirm: u8,
    /// Probability of being inside from which a fix counts for an enter.
    pub enter_at: f64,
    /// Probability from which one fix is enough to enter.
    pub enter_sure: f64,
    /// Probability up to which a fix counts for an exit.
    pub exit_at: f64,
    /// Probability up to which one fix is enough to exit.
    pub exit_sure: f64,
}

impl Default for FenceRules {
    fn default() -> Self {
        Self {
            max_accuracy: Meters::lossy(100.0),
            max_speed: None,
            exit_margin: Meters::lossy(5.0),
            confirm: 2,
            enter_at: 0.75,
            enter_sure: 0.95,
            exit_at: 0.25,
            exit_sure: 0.02,
        }
    }
}

/// A region as the fence sees it.
#[derive(Clone)]
pub struct Region {
    /// Its name.
    pub id: RegionId,
    /// Where it is.
    pub shape: Shape,
    /// How fixes are judged.
    pub rules: FenceRules,
    /// The same shape grown, the widest first; nearly always none.
    pub rings: Vec<OuterRing>,
}

/// All places within some metres of a region, under a name of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct OuterRing {
    /// As in `hint` or `near`.
    pub name: String,
    /// Metres from the shape's edge outwards.
    pub reach: Meters,
}

impl Region {
    /// A region with the default rules.
    pub fn new(id: RegionId, shape: Shape) -> Self {
        Self { id, shape, rules: FenceRules::default(), rings: Vec::new() }
    }

    /// The same with other rules.
    pub fn with_rules(self, rules: FenceRules) -> Self {
        Self { rules, ..self }
    }

    /// Metres from the shape's edge to that of its widest ring; 0 without rings.
    pub fn reach(&self) -> Meters {
        self.rings.first().map_or(Meters::ZERO, |ring| ring.reach)
    }

    /// The worst accuracy with which a fix may decide: `max_accuracy`, but never above both 100 m and the size.
    pub fn accuracy_limit(&self) -> Meters {
        let by_size = self.shape.size().get().max(100.0);
        Meters::lossy(self.rules.max_accuracy.get().min(by_size))
    }
}
