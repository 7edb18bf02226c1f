//! Bytes of anybody as a segment of the commit log: an answer, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = storage::fuzz::fuzz_segment(data);
});
