//! The fuzz targets without a fuzzer: what was kept in `fuzz/corpus`, and some seconds of chance about it.

use crate::targets;
use std::path::Path;
use waystone_kit::corpus;

/// Chances for each kept input.
const CHANGES: usize = 60;

fn replay(name: &str, target: fn(&[u8])) {
    corpus::replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name), CHANGES, target);
}

#[test]
fn geojson_is_read_written_and_read_again() {
    replay("geojson", targets::geojson);
}

#[test]
fn trackers_tell_one_story() {
    replay("tracker", targets::tracker);
}
