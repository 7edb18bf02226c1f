//! Tokens to syntax tree: recursive descent over the grammar of CQL 3.4.7.
//!
//! Each function reads one rule. Error texts are Cassandra's, and those depend on how its generated parser looks ahead:
//! at some choices it reads several tokens before it decides, complains about the last of them, and shows the tokens it
//! has read by then. So choices here look ahead exactly as far ([`Parser::look`], [`Parser::decided`]).
//!
//! Read in order: [`parse`], [`Parser`], `statement`, then the rule you need; `failure` writes the texts.
//!
//! Never here: the schema. What is wrong without a schema but not a matter of grammar is the binder's, except what
//! Cassandra's grammar itself refuses (a property given twice, `frozen<int>`).

mod failure;
mod statement;

mod alter;
mod auth;
mod batch;
mod describe;
mod functions;
mod literals;
mod modify;
mod names;
mod properties;
mod relations;
mod schema;
mod select;
mod selectors;
mod terms;
mod types;

#[cfg(test)]
mod tests;

use crate::ast::{Statement, TypeName};
use crate::error::SyntaxError;
use crate::lexer::{Kind, Tokens};
use failure::{Failure, Parse, Why};

/// Deepest nesting of brackets and the like.
const NESTING_MAX: usize = 200;

/// Most arithmetic operations on the way from the root of an expression to a leaf.
const OPERATIONS_MAX: usize = 1000;

/// Longest statement, in bytes: offsets are 32 bits wide.
const STATEMENT_BYTES_MAX: usize = u32::MAX as usize - 1;

/// Parses one statement; `;` may follow it.
pub fn parse(text: &str) -> Result<Statement, SyntaxError> {
    parse_all(text, |parser| {
        let kind = parser.statement()?;
        while parser.kind() == Kind::Semicolon {
            parser.advance()?;
        }
        parser.expect(Kind::Eof)?;
        Ok(Statement { kind, markers: std::mem::take(&mut parser.markers) })
    })
}

/// Parses a type alone, such as `map<text, frozen<list<int>>>`.
pub fn parse_type(text: &str) -> Result<TypeName, SyntaxError> {
    parse_all(text, |parser| {
        let parsed = parser.type_name()?;
        parser.expect(Kind::Eof)?;
        Ok(parsed)
    })
}

fn parse_all<T>(text: &str, rule: impl FnOnce(&mut Parser<'_>) -> Parse<T>) -> Result<T, SyntaxError> {
    if text.len() > STATEMENT_BYTES_MAX {
        let message = format!("statement of {} bytes is too long", text.len());
        return Err(SyntaxError { message });
    }
    let tokens = Tokens::new(text);
    let mut parser = Parser::new(&tokens);
    let result = parser.touch(1).and_then(|()| rule(&mut parser));
    result.map_err(|failure| SyntaxError { message: failure.message(text, &tokens) })
}

/// A place among the tokens, and what has been seen on the way.
struct Parser<'t> {
    tokens: &'t Tokens<'t>,
    /// Number of the next token; never white space or a comment.
    at: usize,
    /// Number of the last token Cassandra would have read by now.
    seen: usize,
    markers: Vec<Option<String>>,
    nesting: usize,
    operations: usize,
}

/// Where to go back to if what comes turns out to be something else.
struct Mark {
    at: usize,
    markers: usize,
    nesting: usize,
    operations: usize,
}

impl<'t> Parser<'t> {
    fn new(tokens: &'t Tokens<'t>) -> Parser<'t> {
        let mut parser = Parser { tokens, at: 0, seen: 0, markers: Vec::new(), nesting: 0, operations: 0 };
        parser.at = parser.skip_hidden(0);
        parser
    }

    /// The next token that is not hidden, from number `from` on; the count of tokens if there is none.
    fn skip_hidden(&self, from: usize) -> usize {
        let mut index = from;
        while index < self.tokens.count() && self.tokens.kind(index).is_hidden() {
            index += 1;
        }
        index
    }

    /// Number of the `ahead`-th token from here, 1 is the next; behind the end it is the end.
    fn ahead(&self, ahead: usize) -> usize {
        let mut index = self.at;
        for _ in 1..ahead {
            if index < self.tokens.count() && self.tokens.kind(index) != Kind::Eof {
                index = self.skip_hidden(index + 1);
            }
        }
        index
    }

    /// Notes that the `ahead`-th token has been read; fails if it cannot be made.
    fn touch(&mut self, ahead: usize) -> Parse<()> {
        let index = self.ahead(ahead);
        if index >= self.tokens.count() {
            return Err(self.failure(index, Why::Lexer));
        }
        self.seen = self.seen.max(index);
        Ok(())
    }

    /// The next token.
    fn kind(&self) -> Kind {
        self.tokens.kind(self.at)
    }

    /// The `ahead`-th token from here, 1 is the next.
    fn look(&mut self, ahead: usize) -> Parse<Kind> {
        self.touch(ahead)?;
        Ok(self.tokens.kind(self.ahead(ahead)))
    }

    /// A table-driven choice fell at the `ahead`-th token: Cassandra has read the one behind it as well.
    fn decided(&mut self, ahead: usize) -> Parse<()> {
        self.touch(ahead)?;
        self.touch(ahead + 1)
    }

    /// A choice that tried a whole rule on the next token: Cassandra has read two more behind it.
    fn decided_by_trial(&mut self) -> Parse<()> {
        self.decided(2)
    }

    /// Steps over the next token.
    fn advance(&mut self) -> Parse<()> {
        self.touch(2)?;
        self.at = self.ahead(2);
        Ok(())
    }

    /// Steps over the next token, which must be this.
    fn expect(&mut self, kind: Kind) -> Parse<()> {
        if self.kind() != kind {
            return Err(self.failure(self.at, Why::Expecting(kind)));
        }
        self.advance()
    }

    /// Steps over the next token if it is this.
    fn accept(&mut self, kind: Kind) -> Parse<bool> {
        let found = self.kind() == kind;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Content of the next token, over which it steps.
    fn take_content(&mut self) -> Parse<String> {
        let content = self.tokens.content(self.at);
        self.advance()?;
        Ok(content)
    }

    /// Content of the next token, which must be of this kind.
    fn expect_content(&mut self, kind: Kind) -> Parse<String> {
        let at = self.at;
        self.expect(kind)?;
        Ok(self.tokens.content(at))
    }

    /// No rule goes on with the `ahead`-th token.
    fn no_viable<T>(&mut self, ahead: usize) -> Parse<T> {
        self.touch(ahead)?;
        Err(self.failure(self.ahead(ahead), Why::NoViable))
    }

    /// The grammar itself refuses what it has read.
    fn refuse<T>(&self, text: impl Into<String>) -> Parse<T> {
        Err(self.failure(self.at, Why::Refused(text.into())))
    }

    /// A rule whose failure breaks Cassandra's parser, which goes on without the rule's result.
    fn or_broken<T>(&mut self, how: &'static str, rule: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        rule(self).map_err(|mut failure| {
            if !failure.is_final() {
                failure.why = Why::Broken(how);
            }
            failure
        })
    }

    fn failure(&self, at: usize, why: Why) -> Box<Failure> {
        Box::new(Failure { at, from: self.at, seen: self.seen, why })
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, markers: self.markers.len(), nesting: self.nesting, operations: self.operations }
    }

    /// Tries a rule: `None`, and nothing has happened, if the text is something else.
    fn attempt<T>(&mut self, rule: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<Option<T>> {
        let mark = self.mark();
        match rule(self) {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is_final() => Err(failure),
            Err(failure) => {
                self.seen = self.seen.max(failure.seen);
                self.at = mark.at;
                self.markers.truncate(mark.markers);
                self.nesting = mark.nesting;
                self.operations = mark.operations;
                Ok(None)
            }
        }
    }

    /// Runs a rule one level deeper.
    fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.nesting >= NESTING_MAX {
            return Err(self.failure(self.at, Why::TooDeep));
        }
        self.nesting += 1;
        let result = rule(self);
        self.nesting -= 1;
        result
    }

    /// Counts one operation of a chain such as `a + b + c`, which is as deep as it is long.
    fn count_operation(&mut self) -> Parse<()> {
        if self.operations >= OPERATIONS_MAX {
            return Err(self.failure(self.at, Why::TooDeep));
        }
        self.operations += 1;
        Ok(())
    }

    /// `rule (, rule)*`
    fn comma_separated<T>(&mut self, mut rule: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let mut found = vec![rule(self)?];
        while self.accept(Kind::Comma)? {
            found.push(rule(self)?);
        }
        Ok(found)
    }

    /// `rule (AND rule)*`
    fn and_separated<T>(&mut self, mut rule: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let mut found = vec![rule(self)?];
        while self.accept(Kind::And)? {
            found.push(rule(self)?);
        }
        Ok(found)
    }

    /// `( rule (, rule)* )`
    fn parenthesised<T>(&mut self, rule: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        self.expect(Kind::Open)?;
        let found = self.comma_separated(rule)?;
        self.expect(Kind::Close)?;
        Ok(found)
    }

    /// `[IF EXISTS]`
    fn if_exists(&mut self) -> Parse<bool> {
        let found = self.accept(Kind::If)?;
        if found {
            self.expect(Kind::Exists)?;
        }
        Ok(found)
    }

    /// `[IF NOT EXISTS]`
    fn if_not_exists(&mut self) -> Parse<bool> {
        let found = self.accept(Kind::If)?;
        if found {
            self.expect(Kind::Not)?;
            self.expect(Kind::Exists)?;
        }
        Ok(found)
    }
}
