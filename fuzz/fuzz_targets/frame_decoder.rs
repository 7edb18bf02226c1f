//! Bytes of anybody through the frame decoder, as a server's and as a client's.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzz::fuzz_decode(data));
