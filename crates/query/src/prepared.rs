//! Prepared statements by id: bounded, the oldest go first.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;
use parking_lot::RwLock;

use crate::statement::Statement;

/// Most statements that are kept.
const STATEMENTS_MAX_COUNT: usize = 10_000;
/// Most bytes of their texts.
const TEXTS_MAX_BYTES: usize = 16 << 20;
/// Texts longer than this are not kept at all.
pub const TEXT_MAX_BYTES: usize = 1 << 20;

/// The prepared statements of a node.
#[derive(Default)]
pub struct PreparedCache {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    statements: HashMap<[u8; 16], Arc<Statement>>,
    /// Ids from the oldest on; one that was put again stands where it stood.
    order: VecDeque<[u8; 16]>,
    text_bytes: usize,
}

impl PreparedCache {
    /// The statement of that id.
    pub fn find(&self, id: &[u8]) -> Option<Arc<Statement>> {
        let id: &[u8; 16] = id.try_into().ok()?;
        self.inner.read().statements.get(id).cloned()
    }

    /// Keeps a statement; the oldest make room.
    pub fn put(&self, statement: Arc<Statement>) {
        let mut inner = self.inner.write();
        let (id, bytes) = (statement.id, statement.text.len());
        if inner.statements.insert(id, statement).is_none() {
            inner.order.push_back(id);
            inner.text_bytes += bytes;
        }
        while inner.statements.len() > STATEMENTS_MAX_COUNT || inner.text_bytes > TEXTS_MAX_BYTES {
            let Some(oldest) = inner.order.pop_front() else { break };
            if let Some(gone) = inner.statements.remove(&oldest) {
                inner.text_bytes -= gone.text.len();
            }
        }
    }

    /// Throws away the statements of a table.
    pub fn forget_table(&self, keyspace: &str, table: &str) {
        self.forget(|statement| {
            statement.tables().iter().any(|(ks, name)| **ks == *keyspace && **name == *table)
        });
    }

    /// Throws away the statements of a keyspace.
    pub fn forget_keyspace(&self, keyspace: &str) {
        self.forget(|statement| statement.tables().iter().any(|(ks, _)| **ks == *keyspace));
    }

    fn forget(&self, is_unwanted: impl Fn(&Statement) -> bool) {
        let mut inner = self.inner.write();
        let inner = &mut *inner;
        inner.statements.retain(|_, statement| !is_unwanted(statement));
        inner.order.retain(|id| inner.statements.contains_key(id));
        inner.text_bytes = inner.statements.values().map(|statement| statement.text.len()).sum();
    }

    /// Number of statements.
    pub fn len(&self) -> usize {
        self.inner.read().statements.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
