//! Why a statement is not CQL, in Cassandra's words.
//!
//! `line 1:7 no viable alternative at input 'FROM' (SELECT [FROM]...)`: lines from 1, columns from 0 in UTF-16 units;
//! the fragment reaches from ten tokens before the parser's place to two behind it as far as they have been read,
//! white space counted as tokens. At the end of the text there is no place to show: `line 0:-1`, no fragment.

use crate::lexer::{Kind, LexError, LexProblem, Tokens};

/// Tokens of the fragment before the parser's place.
const FRAGMENT_TOKENS_BEFORE: usize = 10;

/// Tokens of the fragment behind the parser's place.
const FRAGMENT_TOKENS_BEHIND: usize = 2;

/// A rule's result; the failure is boxed because success is the rule.
pub(super) type Parse<T> = Result<T, Box<Failure>>;

/// Where and why the parser stopped; text is made of it only if nothing else fits.
#[derive(Debug)]
pub(super) struct Failure {
    /// Number of the offending token.
    pub at: usize,
    /// Number of the token where the parser stood.
    pub from: usize,
    /// Number of the last token read.
    pub seen: usize,
    /// Why.
    pub why: Why,
}

/// Why the parser stopped.
#[derive(Debug)]
pub(super) enum Why {
    /// No rule goes on with this token.
    NoViable,
    /// Only this token can follow.
    Expecting(Kind),
    /// The grammar itself refuses it, with this text.
    Refused(String),
    /// Cassandra's parser breaks; the text says how.
    Broken(&'static str),
    /// Nested deeper than the stack should bear.
    TooDeep,
    /// The next token cannot be made.
    Lexer,
}

impl Failure {
    /// Another reading of the text would not help.
    pub fn is_final(&self) -> bool {
        !matches!(self.why, Why::NoViable | Why::Expecting(_))
    }

    /// The whole text of the error.
    pub fn message(&self, text: &str, tokens: &Tokens<'_>) -> String {
        let reason = match &self.why {
            Why::Refused(reason) => return reason.clone(),
            Why::Broken(how) => return broken(text, how),
            Why::Lexer => {
                let error = tokens.error().expect("only the lexer's error ends the tokens early");
                return lexer_message(text, error);
            }
            Why::NoViable => format!("no viable alternative at input {}", self.shown(tokens)),
            Why::Expecting(kind) => {
                format!("mismatched input {} expecting {}", self.shown(tokens), kind.shown())
            }
            Why::TooDeep => format!("statement is nested too deeply at input {}", self.shown(tokens)),
        };
        let place = match tokens.kind(self.at) {
            Kind::Eof => "line 0:-1".to_owned(),
            _ => Position::of(text, tokens.start(self.at)).to_string(),
        };
        match self.fragment(text, tokens) {
            Ok(fragment) => format!("{place} {reason}{fragment}"),
            Err(how) => broken(text, &how),
        }
    }

    fn shown(&self, tokens: &Tokens<'_>) -> String {
        match tokens.kind(self.at) {
            Kind::Eof => "'<EOF>'".to_owned(),
            Kind::EmptyQuotedName => "'\"\"'".to_owned(),
            _ => format!("'{}'", escaped(&tokens.content(self.at))),
        }
    }

    /// ` (...before [here] behind...)`; `Err` is how Cassandra breaks when a token spans lines.
    fn fragment(&self, text: &str, tokens: &Tokens<'_>) -> Result<String, String> {
        let first = self.from.saturating_sub(FRAGMENT_TOKENS_BEFORE);
        let last = self.seen.min(self.from + FRAGMENT_TOKENS_BEHIND);
        let here = self.from.min(self.seen);
        if [first, last, here].iter().any(|&index| tokens.kind(index) == Kind::Eof) {
            return Ok(String::new());
        }
        let [first, last, here] = [first, last, here].map(|index| Place::of(text, tokens, index));
        let mut lines: Vec<&str> = text.split('\n').collect();
        while lines.len() > 1 && lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        let whole_end = last.line == lines.len() && last.end == utf16_length(lines[lines.len() - 1]);

        let mut shown: Vec<String> = Vec::new();
        for number in first.line..=last.line {
            let mut units: Vec<u16> = lines[number - 1].encode_utf16().collect();
            if number == last.line {
                if last.end > units.len() {
                    let length = units.len();
                    return Err(format!(
                        "StringIndexOutOfBoundsException begin 0, end {}, length {length}",
                        last.end
                    ));
                }
                units.truncate(last.end);
            }
            if number == here.line {
                if here.end > units.len() {
                    let length = units.len();
                    return Err(format!(
                        "StringIndexOutOfBoundsException offset {}, length {length}",
                        here.end
                    ));
                }
                units.insert(here.end, u16::from(b']'));
                units.insert(here.column, u16::from(b'['));
            }
            if number == first.line {
                units.drain(..first.column);
            }
            shown.push(String::from_utf16_lossy(&units));
        }
        let before = if first.line == 1 && first.column == 0 { "" } else { "..." };
        let behind = if whole_end { "" } else { "..." };
        Ok(format!(" ({before}{}{behind})", shown.concat()))
    }
}

fn broken(text: &str, how: &str) -> String {
    format!("Failed parsing statement: [{text}] reason: {how}")
}

fn lexer_message(text: &str, error: &LexError) -> String {
    let place = Position::of(text, error.at);
    let found = match text[error.at..].chars().next() {
        Some(found) => format!("'{}'", escaped(&found.to_string())),
        None => "'<EOF>'".to_owned(),
    };
    let reason = match error.why {
        LexProblem::NoViable => format!("no viable alternative at character {found}"),
        LexProblem::Expecting(wanted) => {
            format!("mismatched character {found} expecting '{wanted}'")
        }
        LexProblem::ExpectingSet => format!("mismatched character {found} expecting set null"),
        LexProblem::EmptyLoop => {
            format!("required (...)+ loop did not match anything at character {found}")
        }
    };
    format!("{place} {reason}")
}

fn escaped(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
}

fn utf16_length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Line from 1, column from 0 in UTF-16 units.
struct Position {
    line: usize,
    column: usize,
}

impl Position {
    fn of(text: &str, offset: usize) -> Position {
        let before = &text[..offset];
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position { line, column: utf16_length(&before[line_start..]) }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}:{}", self.line, self.column)
    }
}

/// Where a token stands; its end is reckoned by its content, as if quotes were not there.
struct Place {
    line: usize,
    column: usize,
    end: usize,
}

impl Place {
    fn of(text: &str, tokens: &Tokens<'_>, index: usize) -> Place {
        let Position { line, column } = Position::of(text, tokens.start(index));
        Place { line, column, end: column + utf16_length(&tokens.content(index)) }
    }
}
