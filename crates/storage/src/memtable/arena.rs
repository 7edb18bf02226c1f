//! Memory for the rows of a memtable: one behind the other in pieces that go when the last row of each goes.
//!
//! A flushed memtable gives back all its rows at once, so that an allocation for each would be taken and given back for
//! nothing. What replaces a row has memory of its own: a piece keeps what was replaced.

use bytes::{Bytes, BytesMut};

/// Bytes of the first piece: most memtables of a node are small.
const PIECE_BYTES_MIN: usize = 1 << 10;
const PIECE_BYTES_MAX: usize = 128 << 10;
/// Longer rows are kept alone, so that little is left over at a piece's end.
const ROW_BYTES_MAX: usize = 4 << 10;

/// The piece that is being filled.
#[derive(Default)]
pub(super) struct Arena {
    piece: BytesMut,
    piece_bytes: usize,
}

impl Arena {
    /// A copy of the row.
    #[inline]
    pub(super) fn keep(&mut self, row: &[u8]) -> Bytes {
        if row.len() > ROW_BYTES_MAX {
            return Bytes::copy_from_slice(row);
        }
        if self.piece.capacity() < row.len() {
            self.piece_bytes = (2 * self.piece_bytes).clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX);
            self.piece = BytesMut::with_capacity(self.piece_bytes.max(row.len()));
        }
        self.piece.extend_from_slice(row);
        self.piece.split().freeze()
    }
}

/// Heap bytes by which a row's memory grows that takes the place of another, or is the first there.
pub(super) fn growth(old: Option<&Bytes>, new: &Bytes) -> isize {
    // Beside its bytes a row takes its place in the tree.
    let overhead = (size_of::<Bytes>() + ALLOCATION_BYTES) as isize;
    match old {
        // Alone in its memory, which goes with it.
        Some(old) if old.is_unique() => new.len() as isize - old.len() as isize,
        Some(_) => (new.len() + ALLOCATION_BYTES) as isize,
        None => new.len() as isize + overhead,
    }
}

/// Heap bytes of an allocation beside what it holds.
pub(super) const ALLOCATION_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_was_kept_and_share_pieces() {
        let mut arena = Arena::default();
        let rows: Vec<Vec<u8>> =
            (0..3_000_usize).map(|number| vec![number as u8; number * number % 6_000]).collect();
        let kept: Vec<Bytes> = rows.iter().map(|row| arena.keep(row)).collect();
        assert_eq!(rows, kept);
        let behind = |pair: &&[Bytes]| std::ptr::eq(pair[0].as_ptr_range().end, pair[1].as_ptr());
        assert!(kept.windows(2).filter(behind).count() > 1_000);
    }

    #[test]
    fn what_was_replaced_is_counted_until_its_piece_goes() {
        let mut arena = Arena::default();
        let (first, _other) = (arena.keep(&[1; 100]), arena.keep(&[2; 100]));
        let (second, third) = (Bytes::from(vec![3; 80]), Bytes::from(vec![4; 90]));
        let kept = growth(None, &first);
        assert!(kept > 100);
        assert!(growth(Some(&first), &second) > 80, "the piece still holds the first");
        assert_eq!(growth(Some(&second), &third), 10);
    }
}
