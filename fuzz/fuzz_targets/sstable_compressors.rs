//! Bytes of anybody as a compressed chunk, and as one to be compressed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sstable::fuzz::compressors(data));
