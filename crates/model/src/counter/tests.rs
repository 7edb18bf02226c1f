use super::*;

fn shard(id: u8, kind: ShardKind, clock: i64, count: i64) -> Shard {
    Shard { id: [id; 16], kind, clock, count }
}

#[test]
fn a_context_written_by_cassandra() {
    let context = [
        &[0x00, 0x01, 0x80, 0x00][..],
        &[0x32, 0x24, 0xdc, 0x40, 0x37, 0x2a, 0x48, 0xc2, 0xb7, 0x10, 0x08, 0x1a, 0x48, 0x2f, 0x4f, 0xdc],
        &[0x00, 0x06, 0x00, 0xfb, 0xf6, 0x79, 0x8f, 0xa8],
        &[0, 0, 0, 0, 0, 0, 0, 1],
    ]
    .concat();
    assert_eq!(total(&context), Some(1));
    let shards = parse(&context).unwrap();
    assert_eq!(serialise(&shards), context);
    let host = Uuid::from_bytes(shards[0].id);
    assert_eq!(create(host, shards[0].clock, 1), context);
    let added = add_delta(&context, host, 0, -5).unwrap();
    assert_eq!(parse(&added).unwrap()[0].clock, shards[0].clock + 1);
    assert_eq!(total(&merge(&Bytes::from(context), &added).unwrap()), Some(-4));
}

#[test]
fn merging_takes_the_later_shard_of_each_node() {
    use ShardKind::*;
    let a = serialise(&[shard(1, Global, 5, 50), shard(2, Remote, 9, 90), shard(3, Global, 1, 1)]);
    let b = serialise(&[shard(1, Global, 6, 10), shard(2, Global, 1, 7), shard(4, Local, 2, 2)]);
    let merged = merge(&a, &b).unwrap();
    let expected =
        [shard(1, Global, 6, 10), shard(2, Global, 1, 7), shard(3, Global, 1, 1), shard(4, Local, 2, 2)];
    assert_eq!(parse(&merged).unwrap(), expected);
    assert_eq!(merge(&b, &a).unwrap(), merged);
    assert_eq!(merge(&merged, &a).unwrap(), merged);
    assert_eq!(total(&merged), Some(20));
}

#[test]
fn no_context_is_an_answer_not_a_panic() {
    let good = serialise(&[shard(1, ShardKind::Global, 5, 50)]);
    for cut in 0..good.len() {
        assert!(parse(&good[..cut]).is_none(), "{cut}");
    }
    let mut wild = good.to_vec();
    wild[3] = 7; // an element for a shard that is not there
    assert_eq!(parse(&wild), None);
    assert_eq!(total(&[]), None);
}
