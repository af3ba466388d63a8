//! The published quests as the rules read them: an immutable value, replaced whole when something is published.

use crate::ids::QuestId;
use crate::quest::definition::{Quest, QuestRef};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every version of every quest. Teams under way stay on the version that they began.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    versions: BTreeMap<QuestRef, Arc<Quest>>,
}

impl Catalog {
    /// With one more version.
    #[must_use]
    pub fn with(mut self, quest: Arc<Quest>) -> Self {
        self.versions.insert(quest.quest.clone(), quest);
        self
    }

    /// How many versions of quests there are.
    pub fn versions(&self) -> u64 {
        self.versions.len() as u64
    }

    /// A certain version.
    pub fn get(&self, quest: &QuestRef) -> Option<&Arc<Quest>> {
        self.versions.get(quest)
    }

    /// The newest version of a quest.
    pub fn latest(&self, id: &QuestId) -> Option<&Arc<Quest>> {
        let first = QuestRef { id: id.clone(), version: 0 };
        let last = QuestRef { id: id.clone(), version: u32::MAX };
        self.versions.range(first..=last).next_back().map(|(_, quest)| quest)
    }

    /// The newest version of each quest.
    pub fn all_latest(&self) -> Vec<&Arc<Quest>> {
        let mut latest: BTreeMap<&QuestId, &Arc<Quest>> = BTreeMap::new();
        for (quest, definition) in &self.versions {
            latest.insert(&quest.id, definition);
        }
        latest.into_values().collect()
    }
}
