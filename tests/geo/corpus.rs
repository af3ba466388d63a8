//! The fuzz targets without a fuzzer: what was kept in `fuzz/corpus`, and some seconds of chance about it.

use crate::places::Dice;
use crate::targets;
use std::path::Path;

/// Chances for each kept input.
const CHANGES: usize = 60;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files = std::fs::read_dir(&folder).expect("fuzz/corpus has a folder for each target");
    let mut kept: Vec<Vec<u8>> =
        files.map(|file| std::fs::read(file.expect("readable").path()).expect("readable")).collect();
    kept.sort();
    assert!(kept.len() >= 10, "{} has a corpus", folder.display());
    let mut dice = Dice(20_261_128);
    for input in &kept {
        target(input);
        for _ in 0..CHANGES {
            target(&changed(input, &kept, &mut dice));
        }
    }
}

/// A few bytes other, gone, twice, or the end of another input.
fn changed(input: &[u8], kept: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(3) {
        let at = |dice: &mut Dice, len: usize| dice.below(len as i64 + 1) as usize;
        let from = at(dice, bytes.len());
        match dice.below(5) {
            0 => bytes.insert(from, dice.next() as u8),
            1 => bytes.truncate(from.max(bytes.len() / 2)),
            2 => {
                let to = (from + at(dice, 8)).min(bytes.len());
                bytes.extend_from_within(from..to);
            }
            3 => {
                let other = &kept[dice.below(kept.len() as i64) as usize];
                bytes.truncate(from);
                bytes.extend_from_slice(&other[at(dice, other.len())..]);
            }
            _ => {
                // A digit stays one, so that numbers in texts stay numbers.
                if let Some(byte) = bytes.get_mut(from) {
                    let other = dice.next() as u8;
                    *byte = if byte.is_ascii_digit() { b'0' + other % 10 } else { other };
                }
            }
        }
    }
    bytes
}

#[test]
fn geojson_is_read_written_and_read_again() {
    replay("geojson", targets::geojson);
}

#[test]
fn trackers_tell_one_story() {
    replay("tracker", targets::tracker);
}
