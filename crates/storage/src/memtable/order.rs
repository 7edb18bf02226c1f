//! Tokens of partitions in order, for scans and flushes.
//!
//! Writes come in the order of nothing, and a tree would wait for memory at each of its nodes. So a new token is
//! only put down at the end of the run that it belongs to; a run is sorted when somebody reads it, or when it is full
//! and splits in two.

use model::Token;

/// A run of so many splits.
const RUN_COUNT_MAX: usize = 1024;

/// Tokens, each once, and the number of a partition for each.
#[derive(Default)]
pub(super) struct Order {
    /// The least token that may be in each run; the first run takes all before it, too.
    firsts: Vec<Token>,
    runs: Vec<Run>,
}

#[derive(Default)]
struct Run {
    entries: Vec<(Token, u32)>,
    is_dirty: bool,
}

impl Order {
    /// Heap bytes of an entry: runs are filled between half and whole.
    pub(super) const ENTRY_BYTES: usize = size_of::<(Token, u32)>() * 3 / 2;

    /// Puts in a token that is not there yet.
    pub(super) fn insert(&mut self, token: Token, number: u32) {
        if self.runs.is_empty() {
            self.firsts.push(Token::MIN);
            self.runs.push(Run::default());
        }
        let place = self.run_of(token);
        let run = &mut self.runs[place];
        run.is_dirty |= run.entries.last().is_some_and(|(last, _)| *last > token);
        run.entries.push((token, number));
        if run.entries.len() >= RUN_COUNT_MAX {
            self.split(place);
        }
    }

    /// The entries from `first` to `last`, in order, until `take` has enough.
    pub(super) fn visit(&mut self, first: Token, last: Token, mut take: impl FnMut(Token, u32) -> bool) {
        if self.runs.is_empty() || first > last {
            return;
        }
        for place in self.run_of(first)..self.runs.len() {
            let run = &mut self.runs[place];
            run.sort();
            let start = run.entries.partition_point(|(token, _)| *token < first);
            for (token, number) in &run.entries[start..] {
                if *token > last || !take(*token, *number) {
                    return;
                }
            }
        }
    }

    fn run_of(&self, token: Token) -> usize {
        self.firsts.partition_point(|first| *first <= token).saturating_sub(1)
    }

    fn split(&mut self, place: usize) {
        let left = &mut self.runs[place];
        left.sort();
        let mut entries = Vec::with_capacity(RUN_COUNT_MAX);
        entries.extend(left.entries.drain(RUN_COUNT_MAX / 2..));
        self.firsts.insert(place + 1, entries[0].0);
        self.runs.insert(place + 1, Run { entries, is_dirty: false });
    }
}

impl Run {
    fn sort(&mut self) {
        if std::mem::take(&mut self.is_dirty) {
            // Sorted but for the end, mostly: the stable sort sees that.
            self.entries.sort_by_key(|(token, _)| *token);
        }
    }
}
