//! Any bytes to `targets::tracker`, which says what must hold.

#![no_main]

#[allow(dead_code, reason = "each fuzz target calls one of them")]
#[path = "../../tests/geo/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::tracker(bytes));
