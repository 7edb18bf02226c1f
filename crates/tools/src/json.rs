//! A JSON writer with the two looks of Cassandra's tools: minimal, or pretty with parts of it on one line.

use std::io::{self, Write};

use model::value::json::quote_json;

/// Writes JSON, element by element. The caller says which objects and arrays stay on one line.
pub struct JsonWriter<'a> {
    out: &'a mut dyn Write,
    is_pretty: bool,
    /// Objects are written on one line.
    pub compact_objects: bool,
    /// Arrays are written on one line.
    pub compact_arrays: bool,
    /// Entries so far of each open object or array.
    open: Vec<usize>,
    /// A field's name was written, its value not yet.
    has_name: bool,
    /// Values at the root so far.
    roots: usize,
}

impl<'a> JsonWriter<'a> {
    /// `is_pretty`: indented; else without any space, values at the root on a line each.
    pub fn new(out: &'a mut dyn Write, is_pretty: bool) -> JsonWriter<'a> {
        JsonWriter {
            out,
            is_pretty,
            compact_objects: false,
            compact_arrays: false,
            open: Vec::new(),
            has_name: false,
            roots: 0,
        }
    }

    fn indent(&mut self, is_compact: bool) -> io::Result<()> {
        if !self.is_pretty {
            return Ok(());
        }
        if is_compact {
            return self.out.write_all(b" ");
        }
        self.out.write_all(b"\n")?;
        (0..self.open.len()).try_for_each(|_| self.out.write_all(b"  "))
    }

    /// What stands before a value: nothing behind a name, else the separator of an array.
    fn before_value(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.has_name) {
            return Ok(());
        }
        match self.open.last_mut() {
            Some(count) => {
                *count += 1;
                if *count > 1 {
                    self.out.write_all(b",")?;
                }
                self.indent(self.compact_arrays)
            }
            None => {
                self.roots += 1;
                if self.roots > 1 { self.out.write_all(b"\n") } else { Ok(()) }
            }
        }
    }

    fn begin(&mut self, bracket: &[u8]) -> io::Result<()> {
        self.before_value()?;
        self.out.write_all(bracket)?;
        self.open.push(0);
        Ok(())
    }

    fn end(&mut self, bracket: &[u8], is_compact: bool) -> io::Result<()> {
        let count = self.open.pop().unwrap_or(0);
        if count > 0 {
            self.indent(is_compact)?;
        } else if self.is_pretty {
            self.out.write_all(b" ")?;
        }
        self.out.write_all(bracket)
    }

    /// `{`
    pub fn begin_object(&mut self) -> io::Result<()> {
        self.begin(b"{")
    }

    /// `}`
    pub fn end_object(&mut self) -> io::Result<()> {
        self.end(b"}", self.compact_objects)
    }

    /// `[`
    pub fn begin_array(&mut self) -> io::Result<()> {
        self.begin(b"[")
    }

    /// `]`
    pub fn end_array(&mut self) -> io::Result<()> {
        self.end(b"]", self.compact_arrays)
    }

    /// A field's name.
    pub fn name(&mut self, name: &str) -> io::Result<()> {
        if let Some(count) = self.open.last_mut() {
            *count += 1;
            if *count > 1 {
                self.out.write_all(b",")?;
            }
        }
        self.indent(self.compact_objects)?;
        self.out.write_all(quote_json(name).as_bytes())?;
        self.out.write_all(if self.is_pretty { b" : " } else { b":" })?;
        self.has_name = true;
        Ok(())
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.raw(&quote_json(text))
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, json: &str) -> io::Result<()> {
        self.before_value()?;
        self.out.write_all(json.as_bytes())
    }

    /// A field of text.
    pub fn text_field(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.name(name)?;
        self.text(text)
    }

    /// A field of JSON.
    pub fn raw_field(&mut self, name: &str, json: &str) -> io::Result<()> {
        self.name(name)?;
        self.raw(json)
    }
}
