use super::*;

#[test]
fn shards_split_the_ring_without_gaps() {
    for count in 1..20 {
        let mut next = i64::MIN;
        for shard in 0..count {
            let (first, last) = shard_tokens(shard, count);
            assert_eq!(first.0, next, "{shard} of {count}");
            assert_eq!(shard_of(first, count), shard);
            assert_eq!(shard_of(last, count), shard);
            next = last.0.wrapping_add(1);
        }
        assert_eq!(next, i64::MIN, "the last shard of {count} ends the ring");
    }
}
