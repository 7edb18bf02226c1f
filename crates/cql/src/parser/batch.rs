//! BATCH.

use super::Parser;
use super::failure::Parse;
use crate::ast::{Batch, BatchKind, Modification};
use crate::lexer::Kind;

impl Parser<'_> {
    pub(super) fn batch(&mut self) -> Parse<Batch> {
        self.expect(Kind::Begin)?;
        let kind = match self.kind() {
            Kind::Unlogged => BatchKind::Unlogged,
            Kind::Counter => BatchKind::Counter,
            _ => BatchKind::Logged,
        };
        if kind != BatchKind::Logged {
            self.advance()?;
        }
        self.expect(Kind::Batch)?;
        let attributes = self.attributes()?;
        let mut statements = Vec::new();
        loop {
            statements.push(match self.kind() {
                Kind::Insert => Modification::Insert(self.insert()?),
                Kind::Update => Modification::Update(self.update()?),
                Kind::Delete => Modification::Delete(self.delete()?),
                _ => break,
            });
            self.accept(Kind::Semicolon)?;
        }
        self.expect(Kind::Apply)?;
        self.expect(Kind::Batch)?;
        Ok(Batch { kind, attributes, statements })
    }
}
