//! A fuzz target without a fuzzer: what was kept for it in `fuzz/corpus`, and some seconds of chance about it.

use std::path::Path;

/// Fewer kept inputs are no corpus.
const KEPT_MIN: usize = 10;

/// Gives `target` each input in `folder`, and each again `changes` times with a few bytes changed; which ones, is the same
/// in every run.
pub fn replay(folder: &Path, changes: usize, target: fn(&[u8])) {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut kept: Vec<Vec<u8>> =
        files.map(|file| std::fs::read(file.expect("readable").path()).expect("readable")).collect();
    kept.sort();
    assert!(kept.len() >= KEPT_MIN, "{} has a corpus", folder.display());
    let mut dice = Dice(20_261_128);
    for input in &kept {
        target(input);
        for _ in 0..changes {
            target(&changed(input, &kept, &mut dice));
        }
    }
}

/// SplitMix64: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }
}

/// A few bytes other, gone, twice, or the end of another input.
fn changed(input: &[u8], kept: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(3) {
        let from = dice.below(bytes.len() + 1);
        let [other, ..] = dice.next().to_le_bytes();
        match dice.below(5) {
            0 => bytes.insert(from, other),
            1 => bytes.truncate(from.max(bytes.len() / 2)),
            2 => {
                let to = (from + dice.below(9)).min(bytes.len());
                bytes.extend_from_within(from..to);
            }
            3 => {
                let another = &kept[dice.below(kept.len())];
                bytes.truncate(from);
                bytes.extend_from_slice(&another[dice.below(another.len() + 1)..]);
            }
            _ => {
                // A digit stays one, so that numbers in texts stay numbers.
                if let Some(byte) = bytes.get_mut(from) {
                    *byte = if byte.is_ascii_digit() { b'0' + other % 10 } else { other };
                }
            }
        }
    }
    bytes
}
