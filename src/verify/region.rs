//! A region's facts, folded a second time: who is there, and what it gave of a limited stock.

use crate::ids::{EntityId, PlayerId, QuestId, TeamId};
use crate::quest::aggregate::State;
use crate::quest::catalog::Catalog;
use crate::quest::entry::Entry;
use crate::quest::event::{Event, RegionEvent};
use crate::verify::letters::Letters;
use crate::verify::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What a region knows.
#[derive(Debug, Default)]
pub(super) struct RegionFold {
    here: BTreeSet<PlayerId>,
    stock: BTreeMap<String, BTreeMap<TeamId, u32>>,
}

impl RegionFold {
    /// Takes an entry in; gives the keys that its awards must be.
    pub fn take(
        &mut self,
        id: &EntityId,
        entry: &Entry,
        catalog: &Catalog,
        (letters, verdict): (&mut Letters, &mut Verdict),
    ) -> Vec<String> {
        let mut keys = Vec::new();
        for event in &entry.events {
            let Event::Region(event) = event else { continue };
            let sane = match event {
                RegionEvent::Entered { player, .. } => self.here.insert(player.clone()),
                RegionEvent::Left { player, .. } => self.here.remove(player),
                RegionEvent::Stayed { player, .. } | RegionEvent::Walked { player, .. } => self.here.contains(player),
                RegionEvent::StockGiven { reward, team, number } => {
                    keys.push(format!("stock:{reward}:{team}"));
                    let fault = self.give(id, catalog, (reward, team, *number), letters);
                    fault.into_iter().for_each(|message| verdict.differ(id, entry.seq, "stock", message));
                    true
                }
                RegionEvent::StockRefused { .. } => true,
            };
            if !sane {
                let message = "someone enters who is there, or leaves who is not".to_owned();
                verdict.differ(id, entry.seq, "presence", message);
            }
        }
        keys
    }

    fn give(
        &mut self,
        id: &EntityId,
        catalog: &Catalog,
        (reward, team, number): (&str, &TeamId, u32),
        letters: &mut Letters,
    ) -> Option<String> {
        let given = self.stock.entry(reward.to_owned()).or_default();
        let expected = u32::try_from(given.len()).unwrap_or(u32::MAX).saturating_add(1);
        let twin = given.insert(team.clone(), number).is_some();
        let (Ok(quest), Ok(index)) = (QuestId::new(id.key()), reward.parse::<u16>()) else {
            return Some(format!("\"{reward}\" is no reward of a quest"));
        };
        letters.given.insert((quest.clone(), index, team.clone()), number);
        let of = stock_of(catalog, &quest, index);
        if twin {
            return Some(format!("{team} is given of reward {reward} twice"));
        }
        if number != expected {
            return Some(format!("{team} is given number {number} of reward {reward}, the next was {expected}"));
        }
        (number > of).then(|| format!("number {number} of reward {reward} is given, of {of}"))
    }

    /// Compares with the state that `evolve` made.
    pub fn compare(&self, id: &EntityId, state: &State, verdict: &mut Verdict) {
        let State::Region(region) = state else { return };
        if region.stock != self.stock {
            verdict.differ(id, 0, "stock", "the state's stock is not what its facts gave".to_owned());
        }
        if !region.here.keys().eq(&self.here) {
            verdict.differ(id, 0, "presence", "the state has others here than its facts".to_owned());
        }
    }
}

/// The largest stock that any version of the quest has promised: a later version may not refill but may raise it.
fn stock_of(catalog: &Catalog, quest: &QuestId, reward: u16) -> u32 {
    let latest = catalog.latest(quest).map_or(0, |latest| latest.quest.version);
    let versions = (1..=latest).map(|version| crate::quest::definition::QuestRef { id: quest.clone(), version });
    let stocks = versions.filter_map(|version| catalog.get(&version)?.rewards.get(usize::from(reward))?.stock);
    stocks.max().unwrap_or(0)
}
