//! Counter contexts: the value of a counter cell. Per node that ever counted a shard: its clock and its part
//! of the sum. Merging takes for each node the shard with the later clock, so replays change nothing.
//!
//! Layout: i16 number of header elements, the elements (i16: index of a global shard plus 0x8000, index of a local
//! one as it is), then shards of 32 bytes ascending by id: id (16), clock (i64), count (i64). Shards without
//! an element are remote; local and remote ones are older than Cassandra 2.1.
//!
//! Source: `CounterContext.java`; facts in the SSTable format notes.
//!
//! Never here: which clock a new count takes, and the read before it; that is the coordinator's.

use bytes::Bytes;
use uuid::Uuid;

const SHARD_BYTES: usize = 32;

/// How a shard came to be. Later ones win over earlier ones, whatever their clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShardKind {
    /// Another node's, of before 2.1.
    Remote,
    /// This node's own, of before 2.1.
    Local,
    /// The same on all replicas: all that are made today.
    Global,
}

/// One node's part of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The node's host id.
    pub id: [u8; 16],
    /// How it came to be.
    pub kind: ShardKind,
    /// Grows with each change by the node.
    pub clock: i64,
    /// The node's part of the sum.
    pub count: i64,
}

/// The shards of a context, ascending by id; `None` if the bytes are no context.
pub fn parse(context: &[u8]) -> Option<Vec<Shard>> {
    let (elements, shards) = split(context)?;
    let mut parsed: Vec<Shard> = shards.chunks_exact(SHARD_BYTES).map(remote_shard).collect();
    for element in elements.chunks_exact(2) {
        let element = u16::from_be_bytes([element[0], element[1]]);
        let kind = if element & 0x8000 != 0 { ShardKind::Global } else { ShardKind::Local };
        parsed.get_mut(usize::from(element & 0x7fff))?.kind = kind;
    }
    parsed.is_sorted_by(|a, b| a.id < b.id).then_some(parsed)
}

/// The bytes of the header's elements and those of the shards.
fn split(context: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = context.split_first_chunk::<2>()?;
    // A negative count says that local shards were to be cleared: the elements stand there all the same.
    let elements_bytes = usize::from(i16::from_be_bytes(*count).unsigned_abs()) * 2;
    let (elements, shards) = rest.split_at_checked(elements_bytes)?;
    shards.len().is_multiple_of(SHARD_BYTES).then_some((elements, shards))
}

fn remote_shard(bytes: &[u8]) -> Shard {
    let number =
        |from: usize| i64::from_be_bytes(bytes[from..from + 8].try_into().expect("a shard has 32 bytes"));
    Shard {
        id: bytes[..16].try_into().expect("a shard has 32 bytes"),
        kind: ShardKind::Remote,
        clock: number(16),
        count: number(24),
    }
}

/// The bytes of these shards, which must ascend by id.
pub fn serialise(shards: &[Shard]) -> Bytes {
    let marked = shards.iter().filter(|shard| shard.kind != ShardKind::Remote).count();
    let mut out = Vec::with_capacity(2 + 2 * marked + SHARD_BYTES * shards.len());
    out.extend_from_slice(&(marked as u16).to_be_bytes());
    for (index, shard) in shards.iter().enumerate() {
        match shard.kind {
            ShardKind::Remote => {}
            ShardKind::Local => out.extend_from_slice(&(index as u16).to_be_bytes()),
            ShardKind::Global => out.extend_from_slice(&(index as u16 | 0x8000).to_be_bytes()),
        }
    }
    for shard in shards {
        out.extend_from_slice(&shard.id);
        out.extend_from_slice(&shard.clock.to_be_bytes());
        out.extend_from_slice(&shard.count.to_be_bytes());
    }
    out.into()
}

/// A context with one global shard.
pub fn create(host_id: Uuid, clock: i64, count: i64) -> Bytes {
    serialise(&[Shard { id: *host_id.as_bytes(), kind: ShardKind::Global, clock, count }])
}

/// The value that a client sees: the sum of all counts, wrapping as Java's does. `None`: no context.
pub fn total(context: &[u8]) -> Option<i64> {
    let (_, shards) = split(context)?;
    Some(shards.chunks_exact(SHARD_BYTES).fold(0, |sum, shard| sum.wrapping_add(remote_shard(shard).count)))
}

/// Merges two contexts shard by shard; `None` if one is no context.
pub fn merge(a: &Bytes, b: &Bytes) -> Option<Bytes> {
    let (left, right) = (parse(a)?, parse(b)?);
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(l), Some(r)) => l.id.cmp(&r.id),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => break,
        };
        let from_left = if order.is_le() { left.next() } else { None };
        let from_right = if order.is_ge() { right.next() } else { None };
        merged.extend(from_left.into_iter().chain(from_right).max_by_key(rank));
    }
    Some(serialise(&merged))
}

fn rank(shard: &Shard) -> (ShardKind, i64, i64) {
    (shard.kind, shard.clock, shard.count)
}

/// The global shard of a node, if the context has it: its clock and count. `None`: no context.
pub fn shard_of(context: &[u8], host_id: Uuid) -> Option<Option<Shard>> {
    Some(parse(context)?.into_iter().find(|shard| shard.id == *host_id.as_bytes()))
}

/// The context of one shard that carries `delta` more than this node's shard in `context`, with a clock
/// after its old one and not before `clock`. Merged into `context` it adds the delta. `None`: no context.
pub fn add_delta(context: &[u8], host_id: Uuid, clock: i64, delta: i64) -> Option<Bytes> {
    let (old_clock, old_count) =
        shard_of(context, host_id)?.map_or((i64::MIN, 0), |shard| (shard.clock, shard.count));
    Some(create(host_id, clock.max(old_clock.saturating_add(1)), old_count.wrapping_add(delta)))
}

#[cfg(test)]
mod tests;
