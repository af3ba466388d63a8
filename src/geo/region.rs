//! Regions: a named shape on the ground, the rules by which fixes are judged against it, and when it is open.
//!
//! A region may have rings: the same shape, grown by some metres, so that a quest can say "warm" before "there". It is
//! still one region: one id, one place in the index.

use super::rules::FenceRules;
use super::shape::Shape;
use crate::ids::RegionId;
use crate::units::Meters;
use crate::window::Window;
use std::sync::{Arc, LazyLock};

/// Most rings round one region: far, near, and two to spare.
pub const RINGS_MAX: usize = 4;
/// Farthest that a ring may reach.
pub const REACH_MAX: Meters = Meters::lossy(5_000.0);
/// Accuracy in metres up to which a region's size plays no part.
const ACCURACY_ALWAYS: f64 = 100.0;

/// A region as the fence sees it.
#[derive(Clone)]
pub struct Region {
    /// Its name.
    pub id: RegionId,
    /// Where it is.
    pub shape: Shape,
    /// How fixes are judged; shared, since hardly any region has rules of its own.
    pub rules: Arc<FenceRules>,
    /// The same shape grown, the widest first; nearly always none.
    pub rings: Vec<OuterRing>,
    /// When it counts; `None`: always.
    pub hours: Option<Arc<Window>>,
}

/// All places within some metres of a region, under a name of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct OuterRing {
    /// As in `hint` or `near`.
    pub name: String,
    /// Metres from the shape's edge outwards.
    pub reach: Meters,
}

/// Why rings cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a region may have 4 rings, each with its own name and its own reach of 1 m to 5 km")]
pub struct RingsError;

impl Region {
    /// A region with the default rules, always open.
    pub fn new(id: RegionId, shape: Shape) -> Self {
        static DEFAULT: LazyLock<Arc<FenceRules>> = LazyLock::new(Arc::default);
        Self { id, shape, rules: Arc::clone(&DEFAULT), rings: Vec::new(), hours: None }
    }

    /// The same with other rules.
    pub fn with_rules(self, rules: impl Into<Arc<FenceRules>>) -> Self {
        Self { rules: rules.into(), ..self }
    }

    /// The same with rings, in any order.
    pub fn with_rings(self, mut rings: Vec<OuterRing>) -> Result<Self, RingsError> {
        rings.sort_by(|a, b| b.reach.get().total_cmp(&a.reach.get()));
        let within = |ring: &OuterRing| (1.0..=REACH_MAX.get()).contains(&ring.reach.get());
        let named = |(i, ring): (usize, &OuterRing)| {
            !ring.name.is_empty()
                && rings[..i].iter().all(|other| other.name != ring.name && other.reach > ring.reach)
        };
        if rings.len() > RINGS_MAX || !rings.iter().all(within) || !rings.iter().enumerate().all(named) {
            return Err(RingsError);
        }
        Ok(Self { rings, ..self })
    }

    /// The same, counting only while a window is open.
    pub fn with_hours(self, hours: Arc<Window>) -> Self {
        Self { hours: Some(hours), ..self }
    }

    /// Metres from the shape's edge to that of its widest ring; 0 without rings.
    pub fn reach(&self) -> Meters {
        self.rings.first().map_or(Meters::ZERO, |ring| ring.reach)
    }

    /// The worst accuracy with which a fix may decide: `max_accuracy`, but never above both 100 m and the size.
    pub fn accuracy_limit(&self) -> Meters {
        let most = self.rules.max_accuracy.get();
        // The size of a polygon takes a walk over all its edges; hardly any region's rules ask for it.
        if most <= ACCURACY_ALWAYS {
            return self.rules.max_accuracy;
        }
        Meters::lossy(most.min(self.shape.size().get().max(ACCURACY_ALWAYS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::position::Position;

    #[test]
    fn rings_are_sorted_and_bounded() {
        let ring = |name: &str, reach: f64| OuterRing { name: name.to_owned(), reach: Meters::lossy(reach) };
        let center = Position::new(24.94, 60.17).expect("on earth");
        let shape = Shape::circle(center, Meters::lossy(30.0)).expect("in range");
        let region = Region::new(RegionId::new("a").expect("short"), shape);
        let ringed = |rings: Vec<OuterRing>| region.clone().with_rings(rings);
        let sound = ringed(vec![ring("near", 50.0), ring("hint", 200.0)]).expect("in range");
        assert_eq!((sound.reach(), sound.rings[1].name.as_str()), (Meters::lossy(200.0), "near"));
        for rings in [
            vec![ring("a", 0.5)],
            vec![ring("a", 5_001.0)],
            vec![ring("a", 10.0), ring("a", 20.0)],
            vec![ring("a", 10.0), ring("b", 10.0)],
            vec![ring("", 10.0)],
            (1..=5).map(|i| ring(&i.to_string(), f64::from(i))).collect(),
        ] {
            assert!(ringed(rings).is_err());
        }
    }
}
