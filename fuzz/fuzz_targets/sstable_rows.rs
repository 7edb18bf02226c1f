//! Bytes of anybody as the component Rows of an SSTable.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sstable::fuzz::component(sstable::Component::Rows, data));
