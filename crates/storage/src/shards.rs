//! How a node's data is split: shard i of n has the i-th of n equal parts of the token ring.

use model::read::{Place, Position};
use model::{PartitionKey, Token};
use std::ops::Bound;

/// The shard of a token.
pub(crate) fn shard_of(token: Token, shards_count: usize) -> usize {
    let place = token.0 as u64 ^ 1 << 63;
    ((u128::from(place) * shards_count as u128) >> 64) as usize
}

/// The first and the last token of a shard.
pub(crate) fn shard_tokens(shard: usize, shards_count: usize) -> (Token, Token) {
    let first = |shard: usize| ((shard as u128) << 64).div_ceil(shards_count as u128);
    let token = |place: u128| Token((place as u64 ^ 1 << 63) as i64);
    (token(first(shard)), token(first(shard + 1) - 1))
}

/// A range of positions, `start` exclusive, cut to the tokens of a shard; `None` if nothing is left.
pub(crate) fn clamp(
    start: &Option<Position>,
    end: &Option<Position>,
    tokens: (Token, Token),
) -> Option<(Position, Position)> {
    let first = Position { token: tokens.0, place: Place::BeforeAll };
    let last = Position { token: tokens.1, place: Place::AfterAll };
    let start = start.clone().map_or(first.clone(), |start| start.max(first));
    let end = end.clone().map_or(last.clone(), |end| end.min(last));
    (start < end).then_some((start, end))
}

/// The keys after a position.
pub(crate) fn keys_after(start: &Position) -> Bound<PartitionKey> {
    match &start.place {
        Place::BeforeAll => Bound::Included(before_all(start.token)),
        Place::Key(key) => Bound::Excluded(PartitionKey { token: start.token, key: key.clone() }),
        Place::AfterAll => match start.token.0.checked_add(1) {
            Some(next) => Bound::Included(before_all(Token(next))),
            None => Bound::Excluded(PartitionKey { token: Token::MAX, key: after_all_keys() }),
        },
    }
}

/// The keys up to and including a position.
pub(crate) fn keys_up_to(end: &Position) -> Bound<PartitionKey> {
    match &end.place {
        Place::BeforeAll => Bound::Excluded(before_all(end.token)),
        Place::Key(key) => Bound::Included(PartitionKey { token: end.token, key: key.clone() }),
        Place::AfterAll => match end.token.0.checked_add(1) {
            Some(next) => Bound::Excluded(before_all(Token(next))),
            None => Bound::Unbounded,
        },
    }
}

/// No key is empty, so this place is before all keys of the token.
fn before_all(token: Token) -> PartitionKey {
    PartitionKey { token, key: bytes::Bytes::new() }
}

/// Longer than any key and made of the greatest bytes.
fn after_all_keys() -> bytes::Bytes {
    vec![0xff; model::key::MAX_KEY_BYTES + 1].into()
}

#[cfg(test)]
mod tests;
