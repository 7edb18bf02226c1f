//! What damage of a segment costs, at most: told to the operator before anything is given up.

use std::collections::BTreeSet;
use std::fmt;

use super::super::record::{RECORD_HEADER_BYTES, RecordKind, next_record};
use super::{Input, SegmentReader, Stop, StopKind, decode_dictionary, mutations_of};

/// The shortest record of a write: one mutation with a key of one byte.
const WRITE_BYTES_MIN: usize = RECORD_HEADER_BYTES + 6;

/// What cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    pub bytes: usize,
    /// Writes that these bytes may have been, at most.
    pub writes_count_max: usize,
    /// Tables that the segment names.
    pub tables: BTreeSet<String>,
}

impl Loss {
    pub(super) fn in_short(&self) -> String {
        let tables: Vec<&str> = self.tables.iter().map(String::as_str).collect();
        let of = if tables.is_empty() { "tables that are not known".to_owned() } else { tables.join(", ") };
        format!("{} bytes, at most {} writes of {of}", self.bytes, self.writes_count_max)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} would be lost, as far as no SSTable holds them. To start without them, say \
             `accept_commitlog_damage: true` (--set accept_commitlog_damage=true): all else is replayed and the file is \
             kept aside",
            self.in_short()
        )
    }
}

/// What is lost from `stop` to the end of the segment if all records that can be read are.
pub(super) fn loss(reader: &SegmentReader<'_>, stop: &Stop) -> Loss {
    let contents = &reader.contents;
    let mut numbers: BTreeSet<u64> = reader.dictionaries.keys().copied().collect();
    let name = |keyspace: &str, table: &str| format!("{keyspace}.{table}");
    let mut loss = Loss {
        tables: reader.dictionaries.values().map(|known| name(&known.keyspace, &known.table)).collect(),
        ..Loss::default()
    };
    let last_used = contents.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut offset = stop.offset;
    let mut is_first = true;
    loop {
        // Records that checksums vouch for but that make no sense are lost as a whole.
        let from = if is_first && stop.kind == StopKind::Senseless { offset + 1 } else { offset };
        is_first = false;
        let next = next_record(contents, reader.version, reader.segment.id, from);
        let gap_end = next.as_ref().map_or(last_used.max(offset), |(start, _)| *start);
        if gap_end > offset {
            loss.bytes += gap_end - offset;
            loss.writes_count_max += (gap_end - offset).div_ceil(WRITE_BYTES_MIN);
        }
        let Some((start, record)) = next else { return loss };
        offset = record.body_end;
        let body = contents.slice(record.body_start..record.body_end);
        match body.first().and_then(|kind| RecordKind::parse(*kind)) {
            Some(RecordKind::Closed) => return loss,
            Some(RecordKind::Dictionary) => {
                if let Ok(dictionary) = decode_dictionary(&mut Input::new(&body[1..])) {
                    numbers.insert(dictionary.number);
                    loss.tables.insert(name(&dictionary.keyspace, &dictionary.table));
                }
            }
            Some(RecordKind::Mutations) => {
                let is_readable = mutations_of(&body)
                    .is_ok_and(|all| all.iter().all(|(number, ..)| numbers.contains(number)));
                if !is_readable {
                    loss.bytes += record.body_end - start;
                    loss.writes_count_max += 1;
                }
            }
            Some(RecordKind::GivenUp) | None => {}
        }
    }
}
