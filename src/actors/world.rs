//! What all actors of a node read: published quests and the regions that they make. One immutable value, replaced
//! whole when something is published; a reader never waits.

use crate::content::Published;
use crate::geo::index::RegionIndex;
use crate::geo::region::Region;
use crate::ids::{QuestId, RegionId, StepId};
use crate::quest::catalog::Catalog;
use crate::quest::definition::{Quest, Verb};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The content at one moment.
pub struct Content {
    /// Every version of every quest.
    pub catalog: Catalog,
    /// The places of all versions as regions.
    pub index: RegionIndex,
    regions: BTreeMap<RegionId, Region>,
}

/// The current content; cheap to clone.
#[derive(Debug, Clone)]
pub struct World(Arc<ArcSwap<Content>>);

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("regions", &self.regions.len()).finish_non_exhaustive()
    }
}

impl Default for World {
    fn default() -> Self {
        let (catalog, index, regions) = (Catalog::default(), RegionIndex::build(Vec::new()), BTreeMap::new());
        Self(Arc::new(ArcSwap::from_pointee(Content { catalog, index, regions })))
    }
}

impl World {
    /// The content now.
    pub fn content(&self) -> Arc<Content> {
        self.0.load_full()
    }

    /// Adds published versions of quests.
    pub fn publish(&self, published: Vec<Published>) {
        let now = self.content();
        let (mut catalog, mut regions) = (now.catalog.clone(), now.regions.clone());
        for quest in published {
            catalog = catalog.with(quest.quest);
            regions.extend(quest.regions.into_iter().map(|region| (region.id.clone(), region)));
        }
        let index = RegionIndex::build(regions.values().cloned().collect());
        self.0.store(Arc::new(Content { catalog, index, regions }));
    }
}

impl Content {
    /// The codes that hang at a quest's scan steps.
    pub fn scan_codes(&self, quest: &QuestId) -> Option<Vec<(StepId, String)>> {
        let quest: &Quest = self.catalog.latest(quest)?;
        let code = |(id, step): (&StepId, &crate::quest::definition::Step)| match &step.verb {
            Verb::Scan { code, .. } => Some((id.clone(), code.clone())),
            _ => None,
        };
        Some(quest.steps.iter().filter_map(code).collect())
    }
}
