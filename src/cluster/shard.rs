//! Shards: a fixed partition of all entities, the unit of ownership. Pure.

use crate::ids::{EntityId, stable_hash};
use serde::{Deserialize, Serialize};

/// How many shards there are; fixed when a journal is created and never changed.
pub const SHARDS: u16 = 256;

/// One of the [`SHARDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard(u16);

impl Shard {
    /// The shard of an entity: the stable hash of kind and key, folded. Stored data depends on it.
    pub fn of(entity: &EntityId) -> Self {
        let hash = stable_hash(std::iter::once(entity.kind()).chain(entity.key().bytes()));
        let folded = (hash ^ (hash >> 32)) & 0xffff;
        Self(u16::try_from(folded % u64::from(SHARDS)).expect("the remainder is below SHARDS"))
    }

    /// By number.
    pub fn from_number(number: u16) -> Option<Self> {
        (number < SHARDS).then_some(Self(number))
    }

    /// Its number, below [`SHARDS`].
    pub fn number(self) -> u16 {
        self.0
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PlayerId, TeamId};

    #[test]
    fn shard_of_an_id_never_changes() {
        let player = |key: &str| EntityId::Player(PlayerId::new(key).expect("valid"));
        let shards: Vec<u16> = ["ada", "bo", "cleo"].iter().map(|key| Shard::of(&player(key)).number()).collect();
        assert_eq!(shards, [47, 7, 149], "stored journals would be orphaned");
        assert_ne!(Shard::of(&player("ada")), Shard::of(&EntityId::Team(TeamId::new("ada").expect("valid"))));
    }

    #[test]
    fn shards_fill_evenly() {
        let mut counts = vec![0_u32; usize::from(SHARDS)];
        for n in 0..25_600 {
            let id = EntityId::Player(PlayerId::new(format!("player-{n}")).expect("valid"));
            counts[usize::from(Shard::of(&id).number())] += 1;
        }
        assert!(counts.iter().all(|count| (50..=150).contains(count)), "{counts:?}");
    }
}
