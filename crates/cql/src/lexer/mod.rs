//! Text to tokens.
//!
//! The parser asks for tokens by number; white space and comments are tokens too (they count in the fragment an error
//! text shows) that the parser steps over. Tokens hold where they start and what they are; text is cut on demand.
//!
//! Read in order: [`Tokens`], [`Kind`], then `scan` for the exact shapes.
//!
//! Written by hand and not with a generator, because Cassandra's lexer decides by looking ahead which token this will
//! be and then insists on it (`-n` is a broken `-NaN`, `12ab` a broken UUID), and its error texts say so.

mod kind;
mod scan;

#[cfg(test)]
mod tests;

pub(crate) use kind::{Class, Kind};

use scan::Scanner;

/// Whether the word, in any case, cannot be an identifier without quotes.
pub(crate) fn is_reserved_word(word: &str) -> bool {
    let kind = Kind::keyword(&word.to_ascii_uppercase());
    // Not the truth values, although they need quotes: Cassandra leaves these out as well.
    kind.is_some_and(|kind| kind != Kind::Boolean && kind.class() == Class::Reserved)
}

/// The tokens of a statement, all of them unless the lexer met something it does not know.
pub(crate) struct Tokens<'t> {
    text: &'t str,
    kinds: Vec<Kind>,
    starts: Vec<u32>,
    error: Option<LexError>,
}

/// What the lexer did not know, and where.
#[derive(Clone, Debug)]
pub(crate) struct LexError {
    /// Byte offset of the offending character, or the length of the text.
    pub at: usize,
    /// What was wrong with it.
    pub why: LexProblem,
}

/// Ways in which characters are wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LexProblem {
    /// No token goes on like this.
    NoViable,
    /// The token that was begun needs this character.
    Expecting(char),
    /// The token that was begun needs one of several characters.
    ExpectingSet,
    /// The token that was begun needs a digit here.
    EmptyLoop,
}

impl<'t> Tokens<'t> {
    /// Cuts `text`, at most 4 GiB of it, into tokens.
    pub fn new(text: &'t str) -> Tokens<'t> {
        let mut tokens = Tokens { text, kinds: Vec::new(), starts: Vec::new(), error: None };
        let mut scanner = Scanner::new(text);
        loop {
            let start = scanner.at as u32;
            match scanner.next_token() {
                Ok(kind) => {
                    tokens.kinds.push(kind);
                    tokens.starts.push(start);
                    if kind == Kind::Eof {
                        return tokens;
                    }
                }
                Err(error) => {
                    tokens.error = Some(error);
                    return tokens;
                }
            }
        }
    }

    /// What was wrong, if the token after the last one could not be made.
    pub fn error(&self) -> Option<&LexError> {
        self.error.as_ref()
    }

    /// How many there are, the end included if it was reached.
    pub fn count(&self) -> usize {
        self.kinds.len()
    }

    /// What the token is.
    pub fn kind(&self, index: usize) -> Kind {
        self.kinds[index]
    }

    /// Byte offset of its first character.
    pub fn start(&self, index: usize) -> usize {
        self.starts[index] as usize
    }

    /// Its characters as written.
    pub fn source(&self, index: usize) -> &'t str {
        let end = match self.starts.get(index + 1) {
            Some(&next) => next as usize,
            None => self.error.as_ref().map_or(self.text.len(), |_| self.end_of_last(index)),
        };
        &self.text[self.start(index)..end]
    }

    /// Its text as the grammar sees it: strings and quoted names without quotes and escapes.
    pub fn content(&self, index: usize) -> String {
        let source = self.source(index);
        match self.kind(index) {
            Kind::String if source.starts_with('$') => source[2..source.len() - 2].to_owned(),
            Kind::String => source[1..source.len() - 1].replace("''", "'"),
            Kind::QuotedName => source[1..source.len() - 1].replace("\"\"", "\""),
            _ => source.to_owned(),
        }
    }

    /// The last token before a lexer error ends where the next one would have begun: scan it again.
    fn end_of_last(&self, index: usize) -> usize {
        let mut scanner = Scanner::new(self.text);
        scanner.at = self.start(index);
        match scanner.next_token() {
            Ok(_) => scanner.at,
            Err(_) => self.text.len(),
        }
    }
}
