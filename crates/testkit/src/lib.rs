//! Test tools of all crates: the script runner for *.test files, fixtures. A dev-dependency only.
