//! A region's facts, folded a second time: who is there, and what it gave of a limited stock.

use crate::ids::{EntityId, PlayerId, QuestId, TeamId};
use crate::quest::aggregate::State;
use crate::quest::catalog::Catalog;
use crate::quest::definition::QuestRef;
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
                RegionEvent::StockRefused { reward, team } => {
                    let fault = self.refuse(id, catalog, reward, team);
                    fault.into_iter().for_each(|message| verdict.differ(id, entry.seq, "stock", message));
                    true
                }
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

    /// Nobody is refused while there is some.
    fn refuse(&self, id: &EntityId, catalog: &Catalog, reward: &str, team: &TeamId) -> Option<String> {
        let (quest, index) = QuestId::new(id.key()).ok().zip(reward.parse::<u16>().ok())?;
        let given = self.stock.get(reward).map_or(0, BTreeMap::len);
        let least = stocks(catalog, &quest, index).min()?;
        let some_left = u32::try_from(given).is_ok_and(|given| given < least);
        some_left.then(|| format!("{team} is refused reward {reward}, of which {given} of {least} are given"))
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
    stocks(catalog, quest, reward).max().unwrap_or(0)
}

/// The stock that each version of the quest has promised.
fn stocks(catalog: &Catalog, quest: &QuestId, reward: u16) -> impl Iterator<Item = u32> {
    let latest = catalog.latest(quest).map_or(0, |latest| latest.quest.version);
    let versions = (1..=latest).map(|version| QuestRef { id: quest.clone(), version });
    versions.filter_map(move |version| catalog.get(&version)?.rewards.get(usize::from(reward))?.stock)
}
