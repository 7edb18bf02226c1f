//! The rows of `bench engine`, and the requests about them: fill, point reads, slices, overwrites, small rows.
//!
//! Every row follows from its number, so each answer can be checked without remembering anything.

use std::sync::Arc;

use stdx::prng::{Prng, splitmix64};
use wire::Envelope;

use crate::Outcome;
use crate::load::{Work, expect};

/// Table of rows of 100 to 300 bytes in partitions.
pub const TABLE: &str = "bench.engine";
/// What a slice asks for.
pub const SLICE_ROWS: u64 = 100;
const VALUE_BYTES_MIN: u64 = 80;
const VALUE_BYTES_MAX: u64 = 280;
/// Key, clustering, liveness, lengths: what a row takes beside its value, about.
const ROW_OVERHEAD_BYTES: u64 = 20;
/// Partitions that are filled together: the rows of one come from that many places of the input.
const GROUP_PARTITIONS: u64 = 1_000;
/// Of 40 KB each with rows of the default size and number.
const FEW_PARTITIONS: u64 = 200;
const POOL_BYTES: usize = 1 << 20;
/// Kind, flags, columns; then how many rows there are.
const ROWS_COUNT_AT: usize = 12;

/// Which rows there are, and what they hold.
#[derive(Clone)]
pub struct Layout {
    pub rows_per_partition: u64,
    /// Rows in whole groups of partitions.
    pub rows: u64,
    pool: Arc<[u8]>,
}

impl Layout {
    /// As many groups as give `bytes`.
    pub fn of_bytes(bytes: u64, rows_per_partition: u64) -> Layout {
        let row_bytes = (VALUE_BYTES_MIN + VALUE_BYTES_MAX) / 2 + ROW_OVERHEAD_BYTES;
        let group_rows = GROUP_PARTITIONS * rows_per_partition;
        let groups = bytes.div_ceil(row_bytes * group_rows).max(1);
        // Letters of a hexadecimal number: LZ4 takes 2 to 4 % of it away.
        let mut random = Prng::from_seed(1);
        let pool = (0..POOL_BYTES + VALUE_BYTES_MAX as usize)
            .map(|_| b"0123456789abcdef"[random.index(16)])
            .collect();
        Layout { rows_per_partition, rows: groups * group_rows, pool }
    }

    pub fn partitions(&self) -> u64 {
        self.rows / self.rows_per_partition
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> u64 {
        self.rows * ((VALUE_BYTES_MIN + VALUE_BYTES_MAX) / 2 + ROW_OVERHEAD_BYTES)
    }

    fn group_rows(&self) -> u64 {
        GROUP_PARTITIONS * self.rows_per_partition
    }

    /// Cuts it to the groups that were written whole.
    pub fn cut(&mut self, written: u64) {
        self.rows = written / self.group_rows() * self.group_rows();
    }

    /// So few partitions that all of them have room in a small cache.
    pub fn few(mut self) -> Layout {
        let rows = FEW_PARTITIONS * self.rows_per_partition;
        self.rows = self.rows.min(rows);
        self
    }

    /// Partition and clustering of the row that is written as this one.
    fn place(&self, index: u64) -> (u64, u64) {
        let (group, within) = (index / self.group_rows(), index % self.group_rows());
        (group * GROUP_PARTITIONS + within % GROUP_PARTITIONS, within / GROUP_PARTITIONS)
    }

    fn value(&self, partition: u64, clustering: u64) -> &[u8] {
        let mut state = partition.wrapping_mul(self.rows_per_partition).wrapping_add(clustering);
        let drawn = splitmix64(&mut state);
        let bytes = VALUE_BYTES_MIN + drawn % (VALUE_BYTES_MAX - VALUE_BYTES_MIN + 1);
        let at = (drawn >> 16) as usize % POOL_BYTES;
        &self.pool[at..at + bytes as usize]
    }

    /// The statement that makes the table.
    pub fn create() -> String {
        format!("CREATE TABLE IF NOT EXISTS {TABLE} (p bigint, c int, v text, PRIMARY KEY (p, c))")
    }
}

fn put(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

fn put_key(out: &mut Vec<u8>, partition: u64, clustering: u64) {
    put(out, &partition.to_be_bytes());
    put(out, &(clustering as u32).to_be_bytes());
}

fn is_void(envelope: &Envelope) -> bool {
    envelope.body[..] == [0, 0, 0, 1]
}

fn has_rows(envelope: &Envelope, count: u64) -> bool {
    let found = envelope.body.get(ROWS_COUNT_AT..ROWS_COUNT_AT + 4);
    envelope.body.starts_with(&[0, 0, 0, 2]) && found == Some(&(count as u32).to_be_bytes()[..])
}

/// Writes rows: each once in order, or random ones again.
pub struct Fill {
    pub layout: Layout,
    /// The next row in order; `None`: random ones, for ever.
    pub next: Option<u64>,
    pub random: Prng,
}

impl Work for Fill {
    fn cql(&self) -> String {
        format!("INSERT INTO {TABLE} (p, c, v) VALUES (?, ?, ?)")
    }

    fn is_write(&self) -> bool {
        true
    }

    fn values_count(&self) -> u16 {
        3
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        let index = self.next.unwrap_or_else(|| self.random.below(self.layout.rows));
        self.next = self.next.map(|next| next + 1);
        let (partition, clustering) = self.layout.place(index);
        put_key(out, partition, clustering);
        put(out, self.layout.value(partition, clustering));
    }

    fn is_done(&self) -> bool {
        self.next.is_some_and(|next| next >= self.layout.rows)
    }

    fn check(&self, envelope: &Envelope) -> Outcome<()> {
        expect(envelope, is_void(envelope))
    }
}

/// Random rows, one at a time.
pub struct PointRead {
    pub layout: Layout,
    pub random: Prng,
}

impl Work for PointRead {
    fn cql(&self) -> String {
        format!("SELECT p, c, v FROM {TABLE} WHERE p = ? AND c = ?")
    }

    fn is_write(&self) -> bool {
        false
    }

    fn values_count(&self) -> u16 {
        2
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        let partition = self.random.below(self.layout.partitions());
        let clustering = self.random.below(self.layout.rows_per_partition);
        put_key(out, partition, clustering);
    }

    fn is_done(&self) -> bool {
        false
    }

    fn check(&self, envelope: &Envelope) -> Outcome<()> {
        let row = envelope.body.get(ROWS_COUNT_AT + 4..).unwrap_or_default();
        let is_good = has_rows(envelope, 1) && row.len() > 24 && {
            let partition = row[4..12].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            let clustering = row[16..20].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            &row[24..] == self.layout.value(partition, clustering)
        };
        expect(envelope, is_good)
    }
}

/// A hundred rows of a random partition, from a random one on.
pub struct Slice {
    pub layout: Layout,
    pub random: Prng,
}

impl Work for Slice {
    fn cql(&self) -> String {
        format!("SELECT p, c, v FROM {TABLE} WHERE p = ? AND c >= ? LIMIT {SLICE_ROWS}")
    }

    fn is_write(&self) -> bool {
        false
    }

    fn values_count(&self) -> u16 {
        2
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        let partition = self.random.below(self.layout.partitions());
        let clustering =
            self.random.below((self.layout.rows_per_partition + 1).saturating_sub(SLICE_ROWS).max(1));
        put_key(out, partition, clustering);
    }

    fn is_done(&self) -> bool {
        false
    }

    fn check(&self, envelope: &Envelope) -> Outcome<()> {
        expect(envelope, has_rows(envelope, SLICE_ROWS.min(self.layout.rows_per_partition)))
    }
}

/// Rows of a key and a number, to see how the cost of one grows with how many there are.
pub struct Small {
    pub table: String,
    pub count: u64,
    /// The next one to write; `None`: read random ones.
    pub next: Option<u64>,
    pub random: Prng,
}

impl Work for Small {
    fn cql(&self) -> String {
        let table = &self.table;
        match self.next {
            Some(_) => format!("INSERT INTO {table} (k, v) VALUES (?, ?)"),
            None => format!("SELECT k, v FROM {table} WHERE k = ?"),
        }
    }

    fn is_write(&self) -> bool {
        self.next.is_some()
    }

    fn values_count(&self) -> u16 {
        1 + u16::from(self.is_write())
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        match &mut self.next {
            Some(next) => {
                put(out, &next.to_be_bytes());
                put(out, &next.to_be_bytes());
                *next += 1;
            }
            None => put(out, &self.random.below(self.count).to_be_bytes()),
        }
    }

    fn is_done(&self) -> bool {
        self.next.is_some_and(|next| next >= self.count)
    }

    fn check(&self, envelope: &Envelope) -> Outcome<()> {
        expect(envelope, if self.is_write() { is_void(envelope) } else { has_rows(envelope, 1) })
    }
}
