//! One door for fuzzers: bytes of anybody go through every decoder.

use bytes::BytesMut;

use crate::frame::{Compression, FrameDecoder, FrameError, Limits};
use crate::request::Request;
use crate::response::Decoded;
use crate::version::Version;

const ENVELOPE_BYTES_MAX: usize = 1 << 16;

/// Reads `data` as a client's and as a server's bytes, before and after every kind of STARTUP. The first
/// byte chooses how it is cut into reads. Panics only on a defect of ours, more memory than the cap included.
pub fn fuzz_decode(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else { return };
    let limits = Limits { envelope_bytes_max: ENVELOPE_BYTES_MAX };
    let startups = [
        None,
        Some((Version::V3, None)),
        Some((Version::V4, None)),
        Some((Version::V4, Some(Compression::Lz4))),
        Some((Version::V4, Some(Compression::Snappy))),
        Some((Version::V5, None)),
        Some((Version::V5, Some(Compression::Lz4))),
        Some((Version::V6, None)),
    ];
    for startup in startups {
        for mut decoder in [FrameDecoder::for_server(limits, 1), FrameDecoder::for_client(limits)] {
            if let Some((version, compression)) = startup {
                decoder.pin(version, compression);
            }
            decode_all(&mut decoder, data, usize::from(cut));
        }
    }
}

fn decode_all(decoder: &mut FrameDecoder, data: &[u8], cut: usize) {
    let mut input = BytesMut::new();
    for read in data.chunks(cut + 1) {
        input.extend_from_slice(read);
        loop {
            match decoder.next(&mut input) {
                Ok(Some(envelope)) => {
                    assert!(envelope.body.len() <= ENVELOPE_BYTES_MAX, "a body of {}", envelope.body.len());
                    let _ = Request::decode(envelope.clone());
                    let _ = Decoded::decode(envelope);
                }
                Ok(None) => {
                    assert!(
                        decoder.held_bytes() <= ENVELOPE_BYTES_MAX,
                        "{} bytes held",
                        decoder.held_bytes()
                    );
                    break;
                }
                Err(FrameError::Refused(_)) => {}
                Err(FrameError::Broken(_) | FrameError::Unanswerable(_)) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
