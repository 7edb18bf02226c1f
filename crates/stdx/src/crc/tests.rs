use super::*;

#[test]
fn crc24_is_that_of_segment_headers_seen_from_cassandra() {
    // SUPPORTED, 111 bytes, self-contained; the CRC stands in the header least significant byte first.
    assert_eq!(crc24(&[0x6f, 0x00, 0x02]), 0x44_9b_0a);
    // LZ4 header of a READY of 9 bytes, sent raw.
    assert_eq!(crc24(&[0x09, 0x00, 0x00, 0x00, 0x04]), 0x95_b8_c2);
    assert_eq!(crc24(&[]), CRC24_INIT);
}

#[test]
fn crc32_in_pieces_is_crc32_of_the_whole() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let mut running = Crc32::new();
    running.update(b"1234");
    let half = running.value();
    running.update(b"56789");
    assert_eq!(running.value(), 0xcbf4_3926);
    let mut resumed = Crc32::resume(half);
    resumed.update(b"56789");
    assert_eq!(resumed.value(), 0xcbf4_3926);
}
