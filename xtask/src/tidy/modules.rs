//! Openings: the first line of a module says what it is.

use std::path::PathBuf;

use super::{Breach, is_test, read};

/// Modules that do not open with `//!`. Tests in files of their own may, they need not.
pub fn check(sources: &[PathBuf]) -> Result<Vec<Breach>, String> {
    let mut breaches = Vec::new();
    for path in sources.iter().filter(|path| !is_test(path)) {
        if !opens_with_docs(&read(path)?) {
            breaches.push(format!("{}: open the module with //! and what it is", path.display()));
        }
    }
    Ok(breaches)
}

fn opens_with_docs(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.strip_prefix("//!").is_some_and(|opening| !opening.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::opens_with_docs;

    #[test]
    fn the_first_line_counts() {
        assert!(opens_with_docs("//! Memtable.\nuse x;\n"));
        assert!(!opens_with_docs("use x;\n//! Memtable.\n"));
        assert!(!opens_with_docs("//!\n//! Memtable.\n"));
        assert!(!opens_with_docs(""));
    }
}
