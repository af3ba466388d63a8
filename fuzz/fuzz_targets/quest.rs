//! Any bytes to `targets::quest`, which says what must hold.

#![no_main]

#[path = "../../tests/hostile/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::quest(bytes));
