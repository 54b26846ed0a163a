//! Any bytes at either end of a stream.

#![no_main]

#[path = "../properties/zmtp.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::holds(bytes));
