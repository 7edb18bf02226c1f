use super::*;

#[test]
fn splitmix_gives_the_published_numbers() {
    let mut state = 1_234_567;
    assert_eq!(splitmix64(&mut state), 6_457_827_717_110_365_317);
    assert_eq!(splitmix64(&mut state), 3_203_168_211_198_807_973);
}

#[test]
fn xoshiro_gives_the_published_numbers() {
    let mut prng = Prng { state: [1, 2, 3, 4] };
    let want = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
    assert_eq!(want, std::array::from_fn(|_| prng.next_u64()));
}

#[test]
fn one_seed_is_one_sequence_and_another_is_another() {
    let draw = |seed| -> Vec<u64> {
        let mut prng = Prng::from_seed(seed);
        (0..8).map(|_| prng.next_u64()).collect()
    };
    assert_eq!(draw(42), draw(42));
    assert_ne!(draw(42), draw(43));
}

#[test]
fn numbers_below_a_limit_are_even_enough() {
    let mut prng = Prng::from_seed(1);
    let mut counts = [0_u32; 7];
    for _ in 0..70_000 {
        counts[prng.index(7)] += 1;
    }
    assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
}

#[test]
fn chance_zero_is_never_and_one_is_always() {
    let mut prng = Prng::from_seed(2);
    for _ in 0..1000 {
        assert!(!prng.chance(0.0));
        assert!(prng.chance(1.0));
    }
    let hits = (0..10_000).filter(|_| prng.chance(0.25)).count();
    assert!((2_300..2_700).contains(&hits), "{hits}");
}

#[test]
fn between_includes_both_ends() {
    let mut prng = Prng::from_seed(5);
    let mut seen = [false; 3];
    for _ in 0..100 {
        seen[(prng.between(4, 6) - 4) as usize] = true;
    }
    assert_eq!(seen, [true; 3]);
    prng.between(0, u64::MAX);
}

#[test]
fn shuffle_keeps_every_item() {
    let mut prng = Prng::from_seed(3);
    let mut items: Vec<u32> = (0..100).collect();
    prng.shuffle(&mut items);
    assert_ne!(items, (0..100).collect::<Vec<_>>());
    items.sort_unstable();
    assert_eq!(items, (0..100).collect::<Vec<_>>());
}

#[test]
fn fill_reaches_the_last_byte() {
    let mut prng = Prng::from_seed(4);
    let mut bytes = [0; 13];
    prng.fill(&mut bytes);
    assert!(bytes[8..].iter().any(|&byte| byte != 0));
    assert_eq!(prng.choose::<u8>(&[]), None);
}
