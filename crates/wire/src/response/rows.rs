//! RESULT with rows, written value by value into the buffer that goes to the client.
//!
//! Layout: kind 2, flags, column count, [paging state], [new metadata id], [specifications], row count,
//! then the values, each with its length. Counts, flags and paging state are known last and put in then.
//!
//! Source: native protocol v5, "Rows".

use super::envelope::{Extras, ReplyTo, ResponseWriter};
use super::metadata::{FLAG_HAS_MORE_PAGES, FLAG_METADATA_CHANGED, FLAG_NO_METADATA, ResultMetadata};
use super::{KIND_ROWS, Rows};
use crate::codec;
use crate::version::{Opcode, Version};

/// What of the metadata goes with the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SentMetadata {
    /// All of it.
    #[default]
    Full,
    /// Only the number of columns: the client asked to skip it.
    Skipped,
    /// All of it and its id: the client's metadata is out of date (v5).
    Changed,
}

/// Where flags, paging state and row count of a result stand in the buffer.
#[derive(Clone, Copy, Debug)]
struct Places {
    flags: usize,
    paging_state: usize,
    row_count: usize,
}

impl Places {
    #[inline]
    fn begin(out: &mut Vec<u8>, version: Version, metadata: &ResultMetadata, sent: SentMetadata) -> Places {
        codec::put_int(out, KIND_ROWS);
        let flags = out.len();
        let mut bits = metadata.global_flag();
        match sent {
            SentMetadata::Full => {}
            SentMetadata::Skipped => bits |= FLAG_NO_METADATA,
            SentMetadata::Changed if version >= Version::V5 => bits |= FLAG_METADATA_CHANGED,
            SentMetadata::Changed => {}
        }
        codec::put_int(out, bits);
        codec::put_int(out, codec::int_of(metadata.columns().len()));
        let paging_state = out.len();
        if bits & FLAG_METADATA_CHANGED != 0 {
            codec::put_short_bytes(out, &metadata.id());
        }
        if sent != SentMetadata::Skipped {
            out.extend_from_slice(metadata.specifications(version));
        }
        let row_count = out.len();
        codec::put_int(out, 0);
        Places { flags, paging_state, row_count }
    }

    #[inline]
    fn finish(self, out: &mut Vec<u8>, rows: u32, paging_state: Option<&[u8]>) {
        let count = codec::int_of(rows as usize);
        out[self.row_count..self.row_count + 4].copy_from_slice(&count.to_be_bytes());
        if let Some(state) = paging_state {
            out[self.flags + 3] |= FLAG_HAS_MORE_PAGES as u8;
            let length = codec::int_of(state.len()).to_be_bytes();
            out.splice(self.paging_state..self.paging_state, length.iter().chain(state).copied());
        }
    }
}

/// Appends a RESULT with rows to a buffer of envelopes. The caller gives as many values a row as the
/// metadata has columns.
#[derive(Debug)]
pub struct RowsWriter<'a> {
    response: ResponseWriter<'a>,
    places: Places,
    rows: u32,
}

impl<'a> RowsWriter<'a> {
    /// Appends header and metadata.
    #[inline]
    pub fn begin(
        out: &'a mut Vec<u8>,
        reply: &ReplyTo,
        metadata: &ResultMetadata,
        sent: SentMetadata,
    ) -> RowsWriter<'a> {
        let mut response = ResponseWriter::begin(out, reply, Opcode::Result);
        let places = Places::begin(response.body(), reply.version, metadata, sent);
        RowsWriter { response, places, rows: 0 }
    }

    /// Appends a value of the row that is being written; `None` is null.
    #[inline]
    pub fn value(&mut self, value: Option<&[u8]>) {
        codec::put_bytes(self.response.body(), value);
    }

    /// Appends a value that `write` puts at the end of the buffer.
    #[inline]
    pub fn value_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let out = self.response.body();
        let start = out.len();
        codec::put_int(out, 0);
        write(out);
        let length = codec::int_of(out.len() - start - 4).to_be_bytes();
        out[start..start + 4].copy_from_slice(&length);
    }

    /// Ends a row.
    #[inline]
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Rows so far.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Bytes so far: whoever writes without end can see here when to end the page.
    pub fn body_bytes(&self) -> usize {
        self.response.body_bytes()
    }

    /// Ends the result; a paging state says that there is more.
    #[inline]
    pub fn finish(mut self, paging_state: Option<&[u8]>, extras: &Extras) {
        self.places.finish(self.response.body(), self.rows, paging_state);
        self.response.finish(extras);
    }
}

impl Rows {
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let places = Places::begin(out, version, &self.metadata, self.sent);
        for value in self.rows.iter().flatten() {
            codec::put_bytes(out, value.as_deref());
        }
        let count = u32::try_from(self.rows.len()).expect("a page has fewer rows");
        places.finish(out, count, self.paging_state.as_deref());
    }
}
