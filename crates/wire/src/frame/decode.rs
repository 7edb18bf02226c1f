//! From what was read to envelopes.
//!
//! The decoder judges versions, directions, opcodes and lengths, with Cassandra's answers: see
//! [`FrameError`]. An envelope that is too long is dropped as it arrives and refused at its end.
//!
//! Source: native protocol v5, "Frame header" and "Framing"; behaviour of Cassandra 5.0.9.

use bytes::{Buf, Bytes, BytesMut};
use model::QueryError;

use super::compress::Compression;
use super::header::{HEADER_BYTES, Header};
use super::segment::{self, SegmentError};
use super::{Envelope, FrameError, Limits, Refusal};
use crate::version::{FLAG_COMPRESSED, FLAG_USE_BETA, Opcode, Version};

/// Length of a header of v1 and v2.
const OLD_HEADER_BYTES: usize = 8;

/// A body of an unknown version that is longer is no body: the input is some other protocol's.
const UNKNOWN_BODY_BYTES_MAX: usize = 64 << 10;

/// The versions that we name to a client that asks for another.
const SUPPORTED_VERSIONS: &str = "3/v3, 4/v4, 5/v5, 6/v6-beta";

/// Takes envelopes off the front of a read buffer.
#[derive(Debug)]
pub struct FrameDecoder {
    expects_responses: bool,
    limits: Limits,
    /// Names the connection in some errors.
    channel: u32,
    /// Version and compression agreed on in STARTUP.
    pinned: Option<(Version, Option<Compression>)>,
    /// Bytes to drop before the next envelope.
    skip_bytes: usize,
    /// To be told once those bytes are dropped.
    refusal: Option<Refusal>,
    /// v5: what is left of a self-contained segment.
    payload: Bytes,
    /// v5: an envelope that comes in several segments.
    assembly: Option<Assembly>,
}

/// An envelope of which the first segments are there.
#[derive(Debug)]
struct Assembly {
    /// The envelope without its body, or why there will be none.
    envelope: Result<Envelope, Refusal>,
    body: Vec<u8>,
    missing_bytes: usize,
}

impl FrameDecoder {
    /// A decoder of requests. `channel` names the connection in errors.
    pub fn for_server(limits: Limits, channel: u32) -> FrameDecoder {
        FrameDecoder {
            expects_responses: false,
            limits,
            channel,
            pinned: None,
            skip_bytes: 0,
            refusal: None,
            payload: Bytes::new(),
            assembly: None,
        }
    }

    /// A decoder of responses.
    pub fn for_client(limits: Limits) -> FrameDecoder {
        FrameDecoder { expects_responses: true, ..FrameDecoder::for_server(limits, 0) }
    }

    /// What follows comes as agreed on in STARTUP. A server calls it when it has decoded a good STARTUP; a
    /// client before STARTUP's answer in v3 and v4, after it in v5.
    pub fn pin(&mut self, version: Version, compression: Option<Compression>) {
        self.pinned = Some((version, compression));
    }

    /// Bytes of an unfinished envelope that are held here, not in the read buffer (v5).
    pub fn held_bytes(&self) -> usize {
        self.assembly.as_ref().map_or(0, |assembly| assembly.body.capacity())
    }

    /// The next envelope, or `None` if more has to be read first. After an error other than
    /// [`FrameError::Refused`] the decoder is of no more use.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Envelope>, FrameError> {
        match self.pinned {
            Some((version, compression)) if version.is_segmented() => {
                self.next_in_segments(input, version, compression == Some(Compression::Lz4))
            }
            _ => self.next_bare(input),
        }
    }

    /// Gives up the envelope of which a part is here: its rest is dropped as it comes, and `error` is its
    /// answer. False if there is none, or it can no longer be told apart.
    pub fn refuse_unfinished(&mut self, input: &mut BytesMut, error: QueryError) -> bool {
        if let Some(assembly) = &mut self.assembly {
            if let Ok(envelope) = &assembly.envelope {
                let version_number = envelope.version.number();
                assembly.envelope = Err(Refusal { version_number, stream: envelope.stream, error });
                assembly.body = Vec::new();
            }
            return true;
        }
        if self.pinned.is_some_and(|(version, _)| version.is_segmented()) || self.skip_bytes > 0 {
            return false;
        }
        let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return false };
        let header = Header::parse(header);
        if self.check(&header).is_err() {
            return false;
        }
        self.refusal = Some(self.refusal_of(&header, error));
        self.skip_bytes = header.body_bytes as usize;
        input.advance(HEADER_BYTES);
        true
    }

    fn next_bare(&mut self, input: &mut BytesMut) -> Result<Option<Envelope>, FrameError> {
        if self.skip_bytes > 0 {
            let skipped = self.skip_bytes.min(input.len());
            input.advance(skipped);
            self.skip_bytes -= skipped;
            if self.skip_bytes > 0 {
                return Ok(None);
            }
        }
        if let Some(refusal) = self.refusal.take() {
            return Err(FrameError::Refused(refusal));
        }
        if input.first().is_some_and(|first| matches!(first & 0x7f, 1 | 2)) {
            return self.refuse_old(input);
        }
        let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let header = Header::parse(header);
        let version = match self.check(&header) {
            Ok(version) => version,
            Err(error) => return Err(self.refuse_bare(input, &header, error)),
        };
        let body_bytes = header.body_bytes as usize;
        if let Err(error) = self.check_length(&header, version) {
            // Cassandra reads such a request to its end before it answers.
            input.advance(HEADER_BYTES);
            self.skip_bytes = body_bytes;
            self.refusal = Some(self.refusal_of(&header, error));
            return self.next_bare(input);
        }
        if input.len() < HEADER_BYTES + body_bytes {
            return Ok(None);
        }
        let mut body = input.split_to(HEADER_BYTES + body_bytes).freeze();
        body.advance(HEADER_BYTES);
        if header.flags & FLAG_COMPRESSED != 0 {
            body = self.decompress(body)?;
        }
        Ok(Some(envelope_of(&header, version, body)))
    }

    /// Refuses v1 and v2 in their own old form.
    fn refuse_old(&mut self, input: &mut BytesMut) -> Result<Option<Envelope>, FrameError> {
        let Some(header) = input.first_chunk::<OLD_HEADER_BYTES>() else { return Ok(None) };
        let header = Header::parse_old(header);
        let refusal = Refusal {
            version_number: header.version_number,
            stream: header.stream,
            error: unsupported_version(header.version_number),
        };
        match usize::try_from(header.body_bytes) {
            Ok(body_bytes) if body_bytes <= self.limits.envelope_bytes_max => {
                input.advance(OLD_HEADER_BYTES);
                self.skip_bytes = body_bytes;
                Err(FrameError::Refused(refusal))
            }
            _ => Err(FrameError::Broken(refusal)),
        }
    }

    /// Refuses an envelope for its header, and drops it.
    fn refuse_bare(&mut self, input: &mut BytesMut, header: &Header, error: QueryError) -> FrameError {
        let refusal = self.refusal_of(header, error);
        let is_known = Version::from_number(header.version_number).is_some();
        let body_bytes_max = if is_known { i32::MAX as usize } else { UNKNOWN_BODY_BYTES_MAX };
        match usize::try_from(header.body_bytes) {
            Ok(body_bytes) if body_bytes <= body_bytes_max => {
                input.advance(HEADER_BYTES);
                self.skip_bytes = body_bytes;
            }
            _ if self.pinned.is_some() || is_known => return FrameError::Broken(refusal),
            // Another protocol altogether. Cassandra drops what it has read and stays.
            _ => input.clear(),
        }
        FrameError::Refused(refusal)
    }

    fn decompress(&self, body: Bytes) -> Result<Bytes, FrameError> {
        let Some((_, Some(compression))) = self.pinned else { return Ok(body) };
        match compression.decompress_body(&body, self.limits.envelope_bytes_max) {
            Ok(body) => Ok(body.into()),
            Err(_) => Err(FrameError::Unanswerable(format!("a body does not decompress with {compression}"))),
        }
    }

    fn next_in_segments(
        &mut self,
        input: &mut BytesMut,
        version: Version,
        is_lz4: bool,
    ) -> Result<Option<Envelope>, FrameError> {
        loop {
            if !self.payload.is_empty() {
                return self.next_of_payload(version).map(Some);
            }
            let segment = match segment::take(input, is_lz4) {
                Ok(Some(segment)) => segment,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.broken_segment(version, error)),
            };
            if segment.is_self_contained {
                if self.assembly.is_some() {
                    return Err(undecodable(version));
                }
                self.payload = segment.payload;
            } else if let Some(envelope) = self.assemble(version, &segment.payload)? {
                return Ok(Some(envelope));
            }
        }
    }

    /// The next envelope of a self-contained segment, of which something is left.
    fn next_of_payload(&mut self, version: Version) -> Result<Envelope, FrameError> {
        let Some(header) = self.payload.first_chunk::<HEADER_BYTES>() else {
            let error = format!(
                "java.lang.IllegalArgumentException: Undersized buffer supplied. Expected {HEADER_BYTES}, actual {}",
                self.payload.len()
            );
            return Err(broken(version, QueryError::Server(error)));
        };
        let header = Header::parse(header);
        let checked = self.check(&header);
        let Ok(body_bytes) = usize::try_from(header.body_bytes) else {
            return Err(self.negative_length(&header));
        };
        if self.payload.len() < HEADER_BYTES + body_bytes {
            let error = format!(
                "java.lang.IllegalArgumentException: newPosition > limit: ({} > {})",
                HEADER_BYTES + body_bytes,
                self.payload.len()
            );
            return Err(broken(version, QueryError::Server(error)));
        }
        let mut body = self.payload.split_to(HEADER_BYTES + body_bytes);
        body.advance(HEADER_BYTES);
        match checked.and_then(|version| self.check_length(&header, version).map(|()| version)) {
            Ok(version) => Ok(envelope_of(&header, version, body)),
            Err(error) => Err(FrameError::Refused(self.refusal_of(&header, error))),
        }
    }

    /// Takes in a segment of an envelope that is longer than one.
    fn assemble(&mut self, version: Version, payload: &[u8]) -> Result<Option<Envelope>, FrameError> {
        let mut rest = payload;
        let mut assembly = match self.assembly.take() {
            Some(assembly) => assembly,
            None => {
                let Some((header, body)) = payload.split_first_chunk::<HEADER_BYTES>() else {
                    return Err(undecodable(version));
                };
                rest = body;
                self.begin_assembly(&Header::parse(header))?
            }
        };
        if rest.len() > assembly.missing_bytes || (payload.is_empty() && assembly.missing_bytes > 0) {
            return Err(undecodable(version));
        }
        assembly.take(rest);
        if assembly.missing_bytes > 0 {
            self.assembly = Some(assembly);
            return Ok(None);
        }
        match assembly.envelope {
            Ok(envelope) => Ok(Some(Envelope { body: assembly.body.into(), ..envelope })),
            Err(refusal) => Err(FrameError::Refused(refusal)),
        }
    }

    fn begin_assembly(&self, header: &Header) -> Result<Assembly, FrameError> {
        let checked = self.check(header);
        let Ok(missing_bytes) = usize::try_from(header.body_bytes) else {
            return Err(self.negative_length(header));
        };
        let envelope = checked
            .and_then(|version| self.check_length(header, version).map(|()| version))
            .map(|version| envelope_of(header, version, Bytes::new()))
            .map_err(|error| self.refusal_of(header, error));
        Ok(Assembly { envelope, body: Vec::new(), missing_bytes })
    }

    /// Judges a header by all but its length's size.
    fn check(&self, header: &Header) -> Result<Version, QueryError> {
        let protocol = |text: String| Err(QueryError::Protocol(text));
        let number = header.version_number;
        let Some(version) = Version::from_number(number) else { return Err(unsupported_version(number)) };
        if version.is_beta() && header.flags & FLAG_USE_BETA == 0 {
            return protocol(format!(
                "Beta version of the protocol used ({version}), but USE_BETA flag is unset"
            ));
        }
        if header.body_bytes < 0 {
            return protocol(negative_length_text(header));
        }
        let Some(opcode) = Opcode::from_number(header.opcode_number) else {
            return protocol(format!("Unknown opcode {}", header.opcode_number));
        };
        if header.is_response != self.expects_responses || opcode.is_response() != header.is_response {
            let side = |is_response: bool| if is_response { "RESPONSE" } else { "REQUEST" };
            return protocol(format!(
                "Wrong protocol direction (expected {}, got {}) for opcode {} ({})",
                side(opcode.is_response()),
                side(header.is_response),
                header.opcode_number,
                opcode.name()
            ));
        }
        match self.pinned {
            Some((pinned, _)) if pinned != version => {
                // The missing blank is Cassandra's.
                let between = if pinned.is_segmented() { "previousmessages" } else { "previous messages" };
                protocol(format!(
                    "Invalid message version. Got {version} but {between} on this connection had version {pinned}"
                ))
            }
            _ => Ok(version),
        }
    }

    fn check_length(&self, header: &Header, version: Version) -> Result<(), QueryError> {
        let body_bytes = header.body_bytes as usize;
        let max = self.limits.envelope_bytes_max;
        // What Cassandra counts differs, and so do its words.
        let is_segmented = version.is_segmented() && self.pinned.is_some();
        let counted = if is_segmented { body_bytes } else { body_bytes + HEADER_BYTES };
        if counted <= max {
            return Ok(());
        }
        Err(QueryError::Invalid(if is_segmented {
            format!("CQL Message of size {counted} bytes exceeds allowed maximum of {max} bytes")
        } else {
            format!("Request is too big: length {counted} exceeds maximum allowed length {max}.")
        }))
    }

    fn refusal_of(&self, header: &Header, error: QueryError) -> Refusal {
        let number = header.version_number;
        let is_wrong_kind = header.is_response != self.expects_responses
            || Opcode::from_number(header.opcode_number)
                .is_none_or(|opcode| opcode.is_response() != self.expects_responses);
        let version_number = match self.pinned {
            _ if matches!(number, 1 | 2) => number,
            Some((pinned, _)) if number != Version::V6.number() => pinned.number(),
            None if is_wrong_kind || Version::from_number(number).is_none() => Version::V5.number(),
            _ => number,
        };
        // A version byte of 0 says nothing of where a stream id might stand.
        let stream = if number == 0 { 0 } else { header.stream };
        Refusal { version_number, stream, error }
    }

    fn negative_length(&self, header: &Header) -> FrameError {
        let error = QueryError::Protocol(negative_length_text(header));
        FrameError::Broken(self.refusal_of(header, error))
    }

    fn broken_segment(&self, version: Version, error: SegmentError) -> FrameError {
        let channel = self.channel;
        let mismatch = |part: &str, read: String, computed: String| {
            format!(
                "{channel:08x} invalid, unrecoverable CRC mismatch detected in frame {part}. \
                 Read {read}, Computed {computed}"
            )
        };
        let text = match error {
            SegmentError::HeaderCrc(read, computed) => {
                mismatch("header", read.to_string(), computed.to_string())
            }
            // Java prints them signed.
            SegmentError::PayloadCrc(read, computed) => {
                mismatch("body", (read as i32).to_string(), (computed as i32).to_string())
            }
            SegmentError::Compression => "a segment does not decompress with lz4".to_string(),
        };
        broken(version, QueryError::Protocol(text))
    }
}

impl Assembly {
    fn take(&mut self, bytes: &[u8]) {
        self.missing_bytes -= bytes.len();
        if self.envelope.is_ok() {
            // Doubling, but never beyond what is still to come.
            if self.body.capacity() - self.body.len() < bytes.len() {
                let more = (bytes.len() + self.missing_bytes).min(bytes.len().max(self.body.len()));
                self.body.reserve_exact(more);
            }
            self.body.extend_from_slice(bytes);
        }
    }
}

fn envelope_of(header: &Header, version: Version, body: Bytes) -> Envelope {
    let opcode = Opcode::from_number(header.opcode_number).expect("checked before");
    Envelope { version, flags: header.flags, stream: header.stream, opcode, body }
}

fn broken(version: Version, error: QueryError) -> FrameError {
    FrameError::Broken(Refusal { version_number: version.number(), stream: 0, error })
}

fn undecodable(version: Version) -> FrameError {
    broken(version, QueryError::Server("java.io.IOException: Error decoding CQL Message".to_string()))
}

fn unsupported_version(number: u8) -> QueryError {
    QueryError::Protocol(format!(
        "Invalid or unsupported protocol version ({number}); supported versions are ({SUPPORTED_VERSIONS})"
    ))
}

fn negative_length_text(header: &Header) -> String {
    format!("Invalid value for envelope header body length field: {}", header.body_bytes)
}

#[cfg(test)]
mod tests;
