//! Texts of anybody through the CQL parser: an error or a statement, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = cql::parse(text);
    }
});
