//! Chance by a seed. Each thing that has luck of its own draws from a stream of its own, so that a draw more in one
//! place does not change all others.

use std::time::Duration;

/// SplitMix64: any seed is as good as any other.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of this name under a seed.
    pub fn of(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed, |mixed, byte| mixed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
        let mut chance = Self(mixed);
        chance.draw();
        chance
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n.max(1)
    }

    /// True so often of a hundred times.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// Some milliseconds below `n`.
    pub fn millis(&mut self, n: u64) -> Duration {
        Duration::from_millis(self.below(n))
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).expect("a place in the list");
            list.swap(last, other);
        }
    }
}
