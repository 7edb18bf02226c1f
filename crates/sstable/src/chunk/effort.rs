//! Whether compressing pays: random values, and such that are compressed already, hardly get smaller, and trying to
//! is the dearest part of writing them.

/// A chunk that loses less than this part of its bytes was not worth it.
const SAVED_PART_MIN: usize = 25;
/// So many in a row must not have been worth it before the first is let go untried.
const FAILURES_MIN: u32 = 4;
/// At most so many are let go untried before the next is tried.
const UNTRIED_MAX: u32 = 15;

/// Remembers what compressing the last chunks of one file has saved. What it decides follows from the chunks alone.
#[derive(Default)]
pub(super) struct Effort {
    failures: u32,
    untried: u32,
}

impl Effort {
    /// Whether the next chunk is to be compressed; [`Effort::note`] is to be told what came of it.
    pub(super) fn pays(&mut self) -> bool {
        let pays = self.untried == 0;
        self.untried = self.untried.saturating_sub(1);
        pays
    }

    /// A chunk of `plain_bytes` was made one of `payload_bytes`.
    pub(super) fn note(&mut self, plain_bytes: usize, payload_bytes: usize) {
        if payload_bytes + plain_bytes / SAVED_PART_MIN <= plain_bytes {
            self.failures = 0;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if let Some(beyond) = self.failures.checked_sub(FAILURES_MIN) {
            self.untried = 1_u32.checked_shl(beyond).map_or(UNTRIED_MAX, |count| count.min(UNTRIED_MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each chunk, whether it was tried, if it gets as small as `payloads` says of each (of 100 bytes).
    fn tried(payloads: &[usize]) -> String {
        let mut effort = Effort::default();
        payloads
            .iter()
            .map(|payload| {
                if !effort.pays() {
                    return '-';
                }
                effort.note(100, *payload);
                'T'
            })
            .collect()
    }

    #[test]
    fn chunks_that_get_smaller_are_all_tried() {
        assert_eq!(tried(&[96; 40]), "T".repeat(40));
        // Every other one does: too few in a row do not.
        let mixed: Vec<usize> = (0..40).map(|index| if index % 2 == 0 { 50 } else { 101 }).collect();
        assert_eq!(tried(&mixed), "T".repeat(40));
    }

    #[test]
    fn chunks_that_do_not_get_smaller_are_tried_ever_more_rarely() {
        let long = format!("T{}", "-".repeat(15));
        assert_eq!(
            tried(&[97; 62]),
            format!("TTTT-T--T----T--------T{}{}{}", "-".repeat(15), long, &long[..8])
        );
    }

    #[test]
    fn one_that_gets_smaller_ends_it() {
        let mut payloads = vec![101; 6];
        payloads.extend([50; 8]);
        // The first five tried do not get smaller; what is tried next does.
        assert_eq!(tried(&payloads), "TTTT-T--TTTTTT");
    }

    #[test]
    fn it_goes_on_for_ever() {
        assert_eq!(tried(&[101; 5_000]).matches('T').count(), 8 + (5_000 - 23) / 16);
    }
}
