//! What all actors of a node read: published quests and the regions that they make. One immutable value, replaced
//! whole when something is published; a reader never waits.

use crate::content::Published;
use crate::geo::index::{Change, RegionIndex};
use crate::geo::plausibility::RuleSet;
use crate::geo::region::Region;
use crate::geo::wake::WakeIndex;
use crate::ids::{QuestId, StepId};
use crate::quest::catalog::Catalog;
use crate::quest::definition::{Quest, QuestRef, Verb};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// The content at one moment.
pub struct Content {
    /// Every version of every quest.
    pub catalog: Catalog,
    /// The places of all versions as regions.
    pub index: RegionIndex,
    /// The places of each version, for phones that sleep.
    pub wake: BTreeMap<QuestRef, Arc<WakeIndex>>,
}

/// The current content; cheap to clone.
#[derive(Debug, Clone)]
pub struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    content: ArcSwap<Content>,
    /// Version of the plausibility rules on trial; 0 is none.
    trial: AtomicU16,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("regions", &self.index.len()).finish_non_exhaustive()
    }
}

impl Default for World {
    fn default() -> Self {
        let index = RegionIndex::build(Vec::new());
        let (catalog, wake) = (Catalog::default(), BTreeMap::new());
        let content = ArcSwap::from_pointee(Content { catalog, index, wake });
        Self(Arc::new(Inner { content, trial: AtomicU16::new(0) }))
    }
}

impl World {
    /// The content now.
    pub fn content(&self) -> Arc<Content> {
        self.0.content.load_full()
    }

    /// Lets a plausibility rule set run beside the deciding one in all sessions that begin from now on.
    pub fn try_rules(&self, rules: &'static RuleSet) {
        self.0.trial.store(rules.version, Ordering::Relaxed);
    }

    /// The plausibility rule set on trial, if any.
    pub fn trial(&self) -> Option<&'static RuleSet> {
        RuleSet::of_version(self.0.trial.load(Ordering::Relaxed))
    }

    /// Adds published versions of quests.
    pub fn publish(&self, published: Vec<Published>) {
        let now = self.content();
        let (mut catalog, mut wake, mut changes) = (now.catalog.clone(), now.wake.clone(), Vec::new());
        for quest in published {
            wake.insert(quest.quest.quest.clone(), Arc::new(for_phones(&quest)));
            catalog = catalog.with(quest.quest);
            changes.extend(quest.regions.into_iter().map(Change::Put));
        }
        let index = now.index.with(changes);
        self.0.content.store(Arc::new(Content { catalog, index, wake }));
    }
}

/// The regions of a version with what is hidden among them; a region that is no place of it is hidden for good.
fn for_phones(published: &Published) -> WakeIndex {
    let quest = &published.quest;
    let hidden = |region: &Region| {
        let place = region.id.place_of(&quest.quest.id, quest.quest.version);
        place.and_then(|place| quest.places.get(&place)).is_none_or(|place| place.hidden)
    };
    WakeIndex::build(published.regions.iter().map(|region| (region, hidden(region))))
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
