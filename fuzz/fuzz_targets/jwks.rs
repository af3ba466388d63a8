//! Any bytes to `hostile::jwks`, which says what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waystone::net::hostile::jwks(bytes));
