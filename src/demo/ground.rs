//! What all simulated players of a demo share: the way in, the quest, time and chance.

use crate::clock::Clock;
use crate::ids::PlayerId;
use crate::quest::definition::Quest;
use std::sync::Arc;

/// Makes the token of a player with a name.
pub type Mint = Box<dyn Fn(&PlayerId, &str) -> String + Send + Sync>;

/// What all simulated players share.
pub struct Ground {
    /// The front door.
    pub url: String,
    /// The quest, with the answers: simulated players have been here before.
    pub quest: Arc<Quest>,
    /// Time.
    pub clock: Clock,
    /// What chance begins with.
    pub seed: u64,
    /// How much faster than people they walk.
    pub pace: f64,
    /// Makes a token.
    pub token: Mint,
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("url", &self.url).field("seed", &self.seed).finish_non_exhaustive()
    }
}
