//! `cargo xtask tidy`: what the house must look like, as far as a program can see it.
//!
//! Read in order: [`floors`] (who may use whom), [`modules`] (each opens with what it is), [`machine`] (no
//! path of somebody's machine), [`longest`] (printed only: a growing one is a talk to have).

mod floors;
mod longest;
mod machine;
mod modules;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::metadata::Metadata;

/// A breach of the rules, with its place.
pub type Breach = String;

/// Prints what is long and what is wrong; true if nothing is wrong.
pub fn run() -> Result<bool, String> {
    let files = project_files()?;
    let sources: Vec<PathBuf> = files.iter().filter(|path| is_source(path)).cloned().collect();
    longest::print(&sources)?;
    let mut breaches = floors::check(&Metadata::of_workspace()?);
    breaches.extend(modules::check(&sources)?);
    breaches.extend(machine::check(&files)?);
    for breach in &breaches {
        println!("{breach}");
    }
    println!("tidy: {} source files, {} breaches", sources.len(), breaches.len());
    Ok(breaches.is_empty())
}

/// All files that git keeps or would keep.
fn project_files() -> Result<Vec<PathBuf>, String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .map_err(|error| format!("git: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let mut files: Vec<PathBuf> = names.lines().map(PathBuf::from).filter(|path| path.is_file()).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
        && ["crates", "xtask", "bench"].iter().any(|folder| path.starts_with(folder))
}

/// True for tests in files of their own.
fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
        || path.components().any(|part| part.as_os_str() == "tests")
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
