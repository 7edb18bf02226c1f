use std::collections::BTreeMap;

use stdx::prng::Prng;

use super::compressor::{Compression, Compressor};

#[test]
fn every_compressor_gives_back_what_it_got() {
    let mut prng = Prng::from_seed(7);
    for length in [0_usize, 1, 14, 15, 16, 100, 269, 270, 271, 524, 525, 16_384] {
        let mut input = vec![0; length];
        prng.fill(&mut input[..length / 2]);
        for compressor in
            [Compressor::Lz4, Compressor::Snappy, Compressor::Deflate, Compressor::Zstd, Compressor::Noop]
        {
            for put in [Compressor::compress, Compressor::store] {
                let mut payload = vec![3];
                put(compressor, &input, 3, &mut payload).unwrap();
                let mut output = vec![1; length];
                compressor.decompress(&payload, &mut output).unwrap();
                assert_eq!(output, input, "{compressor:?}");
                assert!(compressor.decompress(&payload, &mut vec![0; length + 1]).is_err(), "{compressor:?}");
                if length > 0 {
                    let mut shorter = vec![0; length - 1];
                    assert!(compressor.decompress(&payload, &mut shorter).is_err(), "{compressor:?}");
                }
            }
        }
    }
}

#[test]
fn table_options_name_compressor_chunk_and_ratio() {
    let options = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let parse = |entries: &[(&str, &str)]| Compression::from_options(&options(entries));
    assert_eq!(parse(&[("enabled", "false")]).unwrap(), None);
    assert_eq!(
        parse(&[("class", "org.apache.cassandra.io.compress.LZ4Compressor")]).unwrap(),
        Some(Compression::default())
    );
    let found = parse(&[
        ("class", "ZstdCompressor"),
        ("chunk_length_in_kb", "4"),
        ("min_compress_ratio", "1.5"),
        ("compression_level", "5"),
    ]);
    let found = found.unwrap().unwrap();
    assert_eq!(
        (found.compressor, found.chunk_bytes, found.max_compressed_bytes),
        (Compressor::Zstd, 4096, 2731)
    );
    assert_eq!((found.level(), &found.options), (5, &options(&[("compression_level", "5")])));
    assert_eq!(found.fast(), Compression::default());
    assert!(parse(&[("class", "BrotliCompressor")]).is_err());
    assert!(parse(&[("class", "LZ4Compressor"), ("chunk_length_in_kb", "3")]).is_err());
}
