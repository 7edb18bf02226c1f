//! From a token to a partition's number: a hash table whose probe touches one place of the memory.
//!
//! The token is a good hash already. A part of it stands beside the number, so that the partition itself is looked at
//! only where it is the right one, nearly always.

use model::Token;
use stdx::prefetch::prefetch;

/// Tables, so that the growing of one takes only microseconds.
const TABLES_COUNT: usize = 64;
/// Places of a table that was not empty.
const PLACES_COUNT_MIN: usize = 16;

/// Numbers of partitions by their tokens.
#[derive(Default)]
pub(super) struct Finder {
    tables: Vec<Table>,
}

#[derive(Default)]
struct Table {
    /// A power of two of them; of these at least three eighths are free.
    places: Vec<Place>,
    count: usize,
}

#[derive(Clone, Copy)]
struct Place {
    /// The upper half of the token.
    tag: u32,
    /// The lower half, which says where the entry belongs.
    home: u32,
    number: u32,
}

const FREE: Place = Place { tag: 0, home: 0, number: u32::MAX };

impl Finder {
    /// Heap bytes of an entry, with its share of the free places.
    pub(super) const ENTRY_BYTES: usize = size_of::<Place>() * 2;

    /// Asks for the memory that [`Finder::find`] will look at.
    #[inline]
    pub(super) fn prefetch(&self, token: Token) {
        let Some(table) = self.tables.get(table_of(token)) else { return };
        if let Some(place) = table.places.get(table.home(token.0 as u32)) {
            prefetch(place);
        }
    }

    /// The number of this token.
    #[inline]
    pub(super) fn find(&self, token: Token) -> Option<u32> {
        let table = self.tables.get(table_of(token))?;
        if table.places.is_empty() {
            return None;
        }
        let (tag, home) = halves(token);
        let mut at = table.home(home);
        loop {
            let place = table.places[at];
            if place.number == FREE.number {
                return None;
            }
            if place.tag == tag && place.home == home {
                return Some(place.number);
            }
            at = table.next(at);
        }
    }

    /// Puts in a token that is not there yet.
    pub(super) fn insert(&mut self, token: Token, number: u32) {
        if self.tables.is_empty() {
            self.tables.resize_with(TABLES_COUNT, Table::default);
        }
        let (tag, home) = halves(token);
        self.tables[table_of(token)].insert(Place { tag, home, number });
    }
}

impl Table {
    fn insert(&mut self, place: Place) {
        if (self.count + 1) * 8 > self.places.len() * 5 {
            let places_count = (self.places.len() * 2).max(PLACES_COUNT_MIN);
            let old = std::mem::replace(&mut self.places, vec![FREE; places_count]);
            let used = old.into_iter().filter(|place| place.number != FREE.number);
            used.for_each(|place| self.put(place));
        }
        self.put(place);
        self.count += 1;
    }

    fn put(&mut self, place: Place) {
        let mut at = self.home(place.home);
        while self.places[at].number != FREE.number {
            at = self.next(at);
        }
        self.places[at] = place;
    }

    #[inline]
    fn home(&self, lower: u32) -> usize {
        lower as usize & self.places.len().wrapping_sub(1)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }
}

fn halves(token: Token) -> (u32, u32) {
    ((token.0 as u64 >> 32) as u32, token.0 as u32)
}

/// By other bits than those that say where in its table an entry belongs.
fn table_of(token: Token) -> usize {
    (token.0 >> 40) as usize % TABLES_COUNT
}
