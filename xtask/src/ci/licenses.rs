//! Licences, sources and duplicates of all packages that the lock file names: the part of `deny.toml` that
//! needs no other tool.

use std::collections::BTreeMap;

use crate::metadata::{Metadata, Package};

/// The same list as in `deny.toml`.
const ALLOWED: [&str; 13] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Prints what is wrong, and names kept in several versions; true if nothing is wrong.
pub fn run() -> Result<bool, String> {
    let metadata = Metadata::of_everything()?;
    let breaches: Vec<String> = metadata.packages.iter().filter_map(breach).collect();
    breaches.iter().for_each(|breach| println!("{breach}"));
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &metadata.packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        println!("kept in several versions: {name} {}", versions.join(", "));
    }
    println!("licences: {} packages, {} breaches", metadata.packages.len(), breaches.len());
    Ok(breaches.is_empty())
}

fn breach(package: &Package) -> Option<String> {
    let Package { name, version, license, source, .. } = package;
    if !source.is_empty() && source != REGISTRY {
        return Some(format!("{name} {version} comes from {source}, not from crates.io"));
    }
    if !is_allowed(license) {
        return Some(format!("{name} {version}: licence '{license}' is not on the list"));
    }
    None
}

/// An expression of names, AND, OR and parentheses; `/` is an old way to write OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any(&mut rest) && rest.is_empty()
}

fn any(rest: &mut &[&str]) -> bool {
    let mut found = all(rest);
    while let Some(tail) = after(rest, "OR") {
        *rest = tail;
        found |= all(rest);
    }
    found
}

fn all(rest: &mut &[&str]) -> bool {
    let mut found = one(rest);
    while let Some(tail) = after(rest, "AND") {
        *rest = tail;
        found &= one(rest);
    }
    found
}

fn one(rest: &mut &[&str]) -> bool {
    let Some((&word, tail)) = rest.split_first() else { return false };
    *rest = tail;
    if word == "(" {
        let found = any(rest);
        return match after(rest, ")") {
            Some(tail) => {
                *rest = tail;
                found
            }
            None => false,
        };
    }
    match rest {
        ["WITH", exception, tail @ ..] => {
            let name = format!("{word} WITH {exception}");
            *rest = tail;
            ALLOWED.contains(&&*name)
        }
        _ => ALLOWED.contains(&word),
    }
}

fn after<'a, 'b>(rest: &&'a [&'b str], word: &str) -> Option<&'a [&'b str]> {
    rest.split_first().filter(|(first, _)| **first == word).map(|(_, tail)| tail)
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn expressions_are_understood() {
        for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND AGPL-3.0", "MIT Apache-2.0"] {
            assert!(!is_allowed(bad), "{bad}");
        }
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception"));
        assert!(!is_allowed("GPL-2.0 WITH Classpath-exception-2.0"));
    }
}
