//! Any bytes as a message of either side.

#![no_main]

#[path = "../properties/locust_messages.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::holds(bytes));
