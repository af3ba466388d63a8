//! Any bytes to `hostile::commands`, which says what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waystone::net::hostile::commands(bytes));
