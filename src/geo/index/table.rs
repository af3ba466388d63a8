//! A persistent hash table: an edit makes a new table that shares all but the touched shards with the old one.
//!
//! Two steps of 64 lead to 4,096 shards; a shard is one slice with open addressing, never changed once made. An edit
//! copies two lists of 64 pointers and one shard for each touched shard: some microseconds at a million entries.
//! Promise: what is reachable from one table never changes.

use std::sync::Arc;

/// Entries on each of the two steps.
const FAN: usize = 64;

/// What a table keeps: an entry that names itself.
pub(super) trait Entry: Clone {
    /// Its name.
    type Key: Eq;
    /// Spreads names evenly over all 64 bits.
    fn hash(key: &Self::Key) -> u64;
    /// The entry's name.
    fn key(&self) -> &Self::Key;
}

type Shard<E> = Arc<[Option<E>]>;
type Middle<E> = Arc<[Option<Shard<E>>]>;

/// An immutable table; cheap to clone.
#[derive(Clone)]
pub(super) struct Table<E> {
    root: Arc<[Option<Middle<E>>]>,
    len: usize,
}

/// What becomes of the entry of one name: replaced, or gone.
pub(super) struct Edit<E: Entry> {
    pub(super) key: E::Key,
    pub(super) entry: Option<E>,
}

fn root_of(hash: u64) -> usize {
    (hash >> 58) as usize
}

fn middle_of(hash: u64) -> usize {
    (hash >> 52) as usize % FAN
}

impl<E: Entry> Table<E> {
    /// A table of nothing.
    pub(super) fn empty() -> Self {
        Self { root: (0..FAN).map(|_| None).collect(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The entry of that name.
    #[inline]
    pub(super) fn get(&self, key: &E::Key) -> Option<&E> {
        let hash = E::hash(key);
        let middle = self.root[root_of(hash)].as_ref()?;
        let shard = middle[middle_of(hash)].as_ref()?;
        let mask = shard.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(entry) = &shard[at] {
            if entry.key() == key {
                return Some(entry);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// All entries, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        let shards = self.root.iter().flatten().flat_map(|middle| middle.iter().flatten());
        shards.flat_map(|shard| shard.iter().flatten())
    }

    /// The table after some edits, at most one for each name.
    pub(super) fn edited(&self, edits: Vec<Edit<E>>) -> Self {
        if edits.is_empty() {
            return self.clone();
        }
        let mut edits: Vec<(u64, Edit<E>)> = edits.into_iter().map(|edit| (E::hash(&edit.key), edit)).collect();
        // Shards are named by the highest bits, so that this brings those of one shard together.
        edits.sort_unstable_by_key(|(hash, _)| *hash);
        let mut root: Vec<Option<Middle<E>>> = self.root.to_vec();
        let mut len = self.len;
        let mut edits = edits.into_iter().peekable();
        while let Some(&(hash, _)) = edits.peek() {
            let at = root_of(hash);
            let mut middle = root[at].as_ref().map_or_else(|| (0..FAN).map(|_| None).collect(), |m| m.to_vec());
            while let Some(&(hash, _)) = edits.peek().filter(|(hash, _)| root_of(*hash) == at) {
                let place = middle_of(hash);
                let here = |hash: u64| root_of(hash) == at && middle_of(hash) == place;
                let of_shard = std::iter::from_fn(|| edits.next_if(|(hash, _)| here(*hash))).map(|(_, edit)| edit);
                let old: Option<Shard<E>> = middle[place].take();
                len -= count(old.as_ref());
                middle[place] = shard(old.as_ref(), of_shard.collect());
                len += count(middle[place].as_ref());
            }
            root[at] = middle.iter().any(Option::is_some).then(|| middle.into());
        }
        Self { root: root.into(), len }
    }
}

fn count<E>(shard: Option<&Shard<E>>) -> usize {
    shard.map_or(0, |shard| shard.iter().flatten().count())
}

/// A shard after its edits; `None` when nothing is left.
fn shard<E: Entry>(old: Option<&Shard<E>>, edits: Vec<Edit<E>>) -> Option<Shard<E>> {
    let kept = old.into_iter().flat_map(|shard| shard.iter().flatten());
    let kept = kept.filter(|entry| !edits.iter().any(|edit| edit.key == *entry.key())).cloned();
    let mut entries: Vec<E> = kept.collect();
    entries.extend(edits.into_iter().filter_map(|edit| edit.entry));
    if entries.is_empty() {
        return None;
    }
    // At least a fifth stays empty, which ends each search.
    let size = (entries.len() * 5 / 4 + 1).next_power_of_two();
    let mut slots: Vec<Option<E>> = (0..size).map(|_| None).collect();
    for entry in entries {
        let mut at = E::hash(entry.key()) as usize & (size - 1);
        while slots[at].is_some() {
            at = (at + 1) & (size - 1);
        }
        slots[at] = Some(entry);
    }
    Some(slots.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Clone)]
    struct Pair(u64, u32);

    impl Entry for Pair {
        type Key = u64;
        fn hash(key: &u64) -> u64 {
            // Few shards and many collisions.
            (key % 5) << 52
        }
        fn key(&self) -> &u64 {
            &self.0
        }
    }

    #[test]
    fn edits_leave_older_tables_as_they_were() {
        let mut tables = vec![(Table::<Pair>::empty(), BTreeMap::<u64, u32>::new())];
        for round in 0..60_u32 {
            let (table, model) = tables.last().expect("never empty");
            let (mut model, mut edits) = (model.clone(), Vec::new());
            for i in 0..u64::from(round % 7) {
                let key = (u64::from(round) * 11 + i * 3) % 40;
                let keep = !(round + i as u32).is_multiple_of(3);
                edits.push(Edit { key, entry: keep.then_some(Pair(key, round)) });
                if keep {
                    model.insert(key, round)
                } else {
                    model.remove(&key)
                };
            }
            let next = table.edited(edits);
            tables.push((next, model));
        }
        for (table, model) in &tables {
            let found: BTreeMap<u64, u32> = table.iter().map(|pair| (pair.0, pair.1)).collect();
            assert_eq!((&found, table.len()), (model, model.len()));
            assert!((0..40).all(|key| table.get(&key).map(|pair| pair.1) == model.get(&key).copied()));
        }
    }
}
