//! Bytes of anybody as a saved cache: keys or a complaint, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| storage::fuzz::fuzz_saved_cache(data));
