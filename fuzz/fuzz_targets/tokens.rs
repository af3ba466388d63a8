//! Any bytes to `hostile::tokens`, which says what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waystone::net::hostile::tokens(bytes));
