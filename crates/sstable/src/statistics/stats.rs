//! The STATS block: what an SSTable holds.

use std::ops::Range;

use model::row::{NO_DELETION_TIME, NO_TIMESTAMP};
use model::{Bound, BoundKind, CqlType, Slice, Value};
use stdx::vint;
use uuid::Uuid;

use super::header::SerializationHeader;
use super::histogram::EstimatedHistogram;
use crate::cursor::{Cursor, Fault, put_shortbytes, put_vbytes};
use crate::descriptor::Version;
use crate::metadata::{CommitLogInterval, CommitLogPosition};
use crate::row::clustering::{decode_values, encode_values};
use crate::row::deletion::Form;

/// No place in a commit log.
pub(crate) const NO_POSITION: CommitLogPosition = (-1, 0);

/// What stands for a compression ratio where Data.db is not compressed.
pub(crate) const NO_COMPRESSION_RATIO: f64 = -1.0;

/// The fields, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stats {
    pub(crate) partition_sizes: EstimatedHistogram,
    pub(crate) cell_counts: EstimatedHistogram,
    pub(crate) commit_log_upper: CommitLogPosition,
    pub(crate) min_timestamp_us: i64,
    pub(crate) max_timestamp_us: i64,
    pub(crate) min_local_deletion_s: u32,
    pub(crate) max_local_deletion_s: u32,
    pub(crate) min_ttl_s: i32,
    pub(crate) max_ttl_s: i32,
    pub(crate) compression_ratio: f64,
    pub(crate) droppable: Vec<(i64, u32)>,
    pub(crate) level: i32,
    pub(crate) repaired_at_ms: i64,
    pub(crate) clustering_types: Vec<String>,
    pub(crate) covered: Slice,
    pub(crate) has_legacy_counter_shards: bool,
    pub(crate) columns: i64,
    pub(crate) rows: i64,
    pub(crate) commit_log_lower: CommitLogPosition,
    pub(crate) commit_log_intervals: Vec<CommitLogInterval>,
    pub(crate) pending_repair: Option<Uuid>,
    pub(crate) is_transient: bool,
    pub(crate) host_id: Option<Uuid>,
    pub(crate) has_partition_deletions: bool,
    pub(crate) first_key: Vec<u8>,
    pub(crate) last_key: Vec<u8>,
    /// Share of the node's ring between first and last token; NaN: unknown.
    pub(crate) token_space_coverage: f64,
}

/// Where the fields are, from the block's start, that change in files that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// The level, and behind it when it was repaired.
    pub(crate) level: usize,
    /// The repair session, with its flag.
    pub(crate) pending_repair: Option<Range<usize>>,
}

impl Stats {
    /// `types`: those of the clustering columns.
    pub(crate) fn encode(&self, types: &[(CqlType, bool)], version: Version) -> Vec<u8> {
        let is_short = version.has_short_deletions();
        let local = |second: u32| if is_short { Form::short(Form::Short.clip(second)) } else { second };
        let mut out = Vec::with_capacity(8192);
        self.partition_sizes.encode(&mut out);
        self.cell_counts.encode(&mut out);
        put_position(&mut out, self.commit_log_upper);
        out.extend_from_slice(&self.min_timestamp_us.to_be_bytes());
        out.extend_from_slice(&self.max_timestamp_us.to_be_bytes());
        out.extend_from_slice(&local(self.min_local_deletion_s).to_be_bytes());
        out.extend_from_slice(&local(self.max_local_deletion_s).to_be_bytes());
        out.extend_from_slice(&self.min_ttl_s.to_be_bytes());
        out.extend_from_slice(&self.max_ttl_s.to_be_bytes());
        out.extend_from_slice(&self.compression_ratio.to_be_bytes());
        let bins = (self.droppable.len() as u32).to_be_bytes();
        out.extend_from_slice(&bins);
        out.extend_from_slice(&bins);
        for (second, count) in &self.droppable {
            if is_short {
                out.extend_from_slice(&(*second as f64).to_be_bytes());
                out.extend_from_slice(&u64::from(*count).to_be_bytes());
            } else {
                out.extend_from_slice(&second.to_be_bytes());
                out.extend_from_slice(&count.to_be_bytes());
            }
        }
        out.extend_from_slice(&self.level.to_be_bytes());
        out.extend_from_slice(&self.repaired_at_ms.to_be_bytes());
        if is_short {
            put_values(&mut out, &self.covered.start.values);
            put_values(&mut out, &self.covered.end.values);
        } else {
            self.put_covered(&mut out, types);
        }
        out.push(u8::from(self.has_legacy_counter_shards));
        out.extend_from_slice(&self.columns.to_be_bytes());
        out.extend_from_slice(&self.rows.to_be_bytes());
        put_position(&mut out, self.commit_log_lower);
        out.extend_from_slice(&(self.commit_log_intervals.len() as u32).to_be_bytes());
        for (start, end) in &self.commit_log_intervals {
            put_position(&mut out, *start);
            put_position(&mut out, *end);
        }
        put_uuid(&mut out, self.pending_repair);
        out.push(u8::from(self.is_transient));
        put_uuid(&mut out, self.host_id);
        if is_short {
            return out;
        }
        out.push(u8::from(self.has_partition_deletions));
        put_vbytes(&mut out, &self.first_key);
        put_vbytes(&mut out, &self.last_key);
        out.extend_from_slice(&self.token_space_coverage.to_be_bytes());
        // Cassandra reckons with 16 bytes for each bin, writes 12, and pads.
        out.resize(out.len() + 4 * self.droppable.len(), 0);
        out
    }

    fn put_covered(&self, out: &mut Vec<u8>, types: &[(CqlType, bool)]) {
        vint::write_unsigned_vint(out, self.clustering_types.len() as u64);
        for name in &self.clustering_types {
            put_vbytes(out, name.as_bytes());
        }
        for bound in [&self.covered.start, &self.covered.end] {
            out.push(bound.kind as u8);
            out.extend_from_slice(&(bound.values.len() as u16).to_be_bytes());
            encode_values(&bound.values, types, out);
        }
    }

    /// Bytes after the last field are ignored, as by Cassandra.
    pub(crate) fn parse(
        cursor: &mut Cursor<'_>,
        header: &SerializationHeader,
        version: Version,
    ) -> Result<(Stats, Places), Fault> {
        let is_short = version.has_short_deletions();
        let partition_sizes = EstimatedHistogram::parse(cursor)?;
        let cell_counts = EstimatedHistogram::parse(cursor)?;
        let commit_log_upper = position(cursor)?;
        let (min_timestamp_us, max_timestamp_us) = (cursor.i64()?, cursor.i64()?);
        let min_local_deletion_s = local_deletion(cursor, is_short)?.unwrap_or(0);
        let max_local_deletion_s = local_deletion(cursor, is_short)?.unwrap_or(NO_DELETION_TIME);
        let (min_ttl_s, max_ttl_s) = (cursor.i32()?, cursor.i32()?);
        let compression_ratio = cursor.f64()?;
        let droppable = bins(cursor, is_short)?;
        let level_at = cursor.position();
        let (level, repaired_at_ms) = (cursor.i32()?, cursor.i64()?);
        let (clustering_types, covered) =
            if is_short { legacy_covered(cursor, header, version)? } else { covered(cursor, header)? };
        let has_legacy_counter_shards = cursor.bool()?;
        let (columns, rows) = (cursor.i64()?, cursor.i64()?);
        let commit_log_lower = if version >= Version::Mb { position(cursor)? } else { NO_POSITION };
        let commit_log_intervals = if version >= Version::Mc { intervals(cursor)? } else { Vec::new() };
        let has_repair = version >= Version::Na;
        let has_host = version == Version::Me || version >= Version::Nb;
        let repair_at = cursor.position();
        let pending_repair = if has_repair { uuid(cursor)? } else { None };
        let places =
            Places { level: level_at, pending_repair: has_repair.then_some(repair_at..cursor.position()) };
        let is_transient = has_repair && cursor.bool()?;
        let host_id = if has_host { uuid(cursor)? } else { None };
        let has_partition_deletions = is_short || cursor.bool()?;
        let stats = Stats {
            partition_sizes,
            cell_counts,
            commit_log_upper,
            min_timestamp_us,
            max_timestamp_us,
            min_local_deletion_s,
            max_local_deletion_s,
            min_ttl_s,
            max_ttl_s,
            compression_ratio,
            droppable,
            level,
            repaired_at_ms,
            clustering_types,
            covered,
            has_legacy_counter_shards,
            columns,
            rows,
            commit_log_lower,
            commit_log_intervals,
            pending_repair,
            is_transient,
            host_id,
            has_partition_deletions,
            first_key: if is_short { Vec::new() } else { cursor.vbytes()?.to_vec() },
            last_key: if is_short { Vec::new() } else { cursor.vbytes()?.to_vec() },
            token_space_coverage: if is_short { f64::NAN } else { cursor.f64()? },
        };
        Ok((stats, places))
    }

    /// The fields of an SSTable without any data.
    pub(crate) fn empty() -> Stats {
        Stats {
            partition_sizes: EstimatedHistogram::of_partition_sizes(),
            cell_counts: EstimatedHistogram::of_cell_counts(),
            commit_log_upper: NO_POSITION,
            min_timestamp_us: NO_TIMESTAMP,
            max_timestamp_us: i64::MAX,
            min_local_deletion_s: NO_DELETION_TIME,
            max_local_deletion_s: NO_DELETION_TIME,
            min_ttl_s: 0,
            max_ttl_s: 0,
            compression_ratio: NO_COMPRESSION_RATIO,
            droppable: Vec::new(),
            level: 0,
            repaired_at_ms: 0,
            clustering_types: Vec::new(),
            covered: nothing(),
            has_legacy_counter_shards: false,
            columns: 0,
            rows: 0,
            commit_log_lower: NO_POSITION,
            commit_log_intervals: Vec::new(),
            pending_repair: None,
            is_transient: false,
            host_id: None,
            has_partition_deletions: false,
            first_key: Vec::new(),
            last_key: Vec::new(),
            token_space_coverage: f64::NAN,
        }
    }
}

/// The slice that covers nothing: it starts after all and ends before all.
pub(crate) fn nothing() -> Slice {
    Slice {
        start: Bound::new(BoundKind::ExclusiveStart, Vec::new(), &[]),
        end: Bound::new(BoundKind::ExclusiveEnd, Vec::new(), &[]),
    }
}

/// A bound of the local deletion times; `None` if it cannot be right.
fn local_deletion(cursor: &mut Cursor<'_>, is_short: bool) -> Result<Option<u32>, Fault> {
    let stored = cursor.u32()?;
    Ok(if is_short { Form::Short.time(stored) } else { Some(stored) })
}

/// The tombstone histogram.
fn bins(cursor: &mut Cursor<'_>, is_short: bool) -> Result<Vec<(i64, u32)>, Fault> {
    cursor.i32()?;
    let count = cursor.count(if is_short { 16 } else { 12 })?;
    let mut bins = Vec::with_capacity(count);
    for _ in 0..count {
        bins.push(if is_short {
            let second = cursor.f64()?;
            (second as i64, u32::try_from(cursor.i64()?.max(0)).unwrap_or(u32::MAX))
        } else {
            (cursor.i64()?, cursor.u32()?)
        });
    }
    Ok(bins)
}

fn intervals(cursor: &mut Cursor<'_>) -> Result<Vec<CommitLogInterval>, Fault> {
    let count = cursor.count(24)?;
    let mut intervals = Vec::with_capacity(count);
    for _ in 0..count {
        intervals.push((position(cursor)?, position(cursor)?));
    }
    Ok(intervals)
}

/// Clustering types and the covered slice.
fn covered(cursor: &mut Cursor<'_>, header: &SerializationHeader) -> Result<(Vec<String>, Slice), Fault> {
    let types = cursor.length()?;
    if types != header.clustering.len() {
        return Err(Fault::Bad("the clustering types differ from those of the header"));
    }
    let mut clustering_types = Vec::with_capacity(types);
    for _ in 0..types {
        let name = String::from_utf8(cursor.vbytes()?.to_vec());
        clustering_types.push(name.map_err(|_| Fault::Bad("a type's name is not readable text"))?);
    }
    let types = header.clustering_types();
    let covered = Slice { start: bound(cursor, &types)?, end: bound(cursor, &types)? };
    Ok((clustering_types, covered))
}

/// The lists of least and greatest clustering values, which old versions kept wrongly.
fn legacy_covered(
    cursor: &mut Cursor<'_>,
    header: &SerializationHeader,
    version: Version,
) -> Result<(Vec<String>, Slice), Fault> {
    let types = header.clustering_types();
    let all = Slice { start: Bound::bottom(), end: Bound::top() };
    let (start, end) = (values(cursor)?, values(cursor)?);
    let is_trusted = version >= Version::Md && start.len().max(end.len()) <= types.len();
    let covered = if is_trusted {
        Slice {
            start: Bound::new(BoundKind::InclusiveStart, start, &types),
            end: Bound::new(BoundKind::InclusiveEnd, end, &types),
        }
    } else {
        all
    };
    Ok((Vec::new(), covered))
}

fn values(cursor: &mut Cursor<'_>) -> Result<Vec<Value>, Fault> {
    let count = cursor.count(2)?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(Some(bytes::Bytes::copy_from_slice(cursor.shortbytes()?)));
    }
    Ok(values)
}

/// Appends the values up to the first that is null.
fn put_values(out: &mut Vec<u8>, values: &[Value]) {
    let count = values.iter().take_while(|value| value.is_some()).count();
    out.extend_from_slice(&(count as u32).to_be_bytes());
    values.iter().flatten().take(count).for_each(|value| put_shortbytes(out, value));
}

fn put_position(out: &mut Vec<u8>, (segment, byte): CommitLogPosition) {
    out.extend_from_slice(&segment.to_be_bytes());
    out.extend_from_slice(&byte.to_be_bytes());
}

fn position(cursor: &mut Cursor<'_>) -> Result<CommitLogPosition, Fault> {
    Ok((cursor.i64()?, cursor.i32()?))
}

fn put_uuid(out: &mut Vec<u8>, id: Option<Uuid>) {
    out.push(u8::from(id.is_some()));
    if let Some(id) = id {
        out.extend_from_slice(id.as_bytes());
    }
}

fn uuid(cursor: &mut Cursor<'_>) -> Result<Option<Uuid>, Fault> {
    if !cursor.bool()? {
        return Ok(None);
    }
    let bytes = cursor.take(16)?;
    Ok(Some(Uuid::from_slice(bytes).expect("16 bytes were taken")))
}

fn bound(cursor: &mut Cursor<'_>, types: &[(CqlType, bool)]) -> Result<Bound, Fault> {
    let kind = match cursor.u8()? {
        0 => BoundKind::ExclusiveEnd,
        1 => BoundKind::InclusiveStart,
        6 => BoundKind::InclusiveEnd,
        7 => BoundKind::ExclusiveStart,
        _ => return Err(Fault::Bad("the covered slice has a bound of an unknown kind")),
    };
    let count = usize::from(cursor.u16()?);
    if count > types.len() {
        return Err(Fault::Bad("a bound has more values than there are clustering columns"));
    }
    let values: Vec<Value> = decode_values(cursor, None, &types[..count])?;
    Ok(Bound::new(kind, values, types))
}
