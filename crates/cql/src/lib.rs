//! CQL: text to syntax tree, syntax tree to a statement bound to a schema, and back to text.
