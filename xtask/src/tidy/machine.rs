//! Paths of somebody's machine have no place in the project.

use std::path::PathBuf;

use super::Breach;

/// Beginnings of such paths, in two parts so that this file does not name them itself.
const STARTS: [(&str, &str); 6] =
    [("/wo", "rk/"), ("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("/fa", "rm/"), ("/tmp/", "oracle")];

/// Lines that name one. Files that are no text are not looked into.
pub fn check(files: &[PathBuf]) -> Result<Vec<Breach>, String> {
    let starts: Vec<String> = STARTS.iter().map(|(left, right)| format!("{left}{right}")).collect();
    let mut breaches = Vec::new();
    for path in files {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        for (index, line) in text.lines().enumerate() {
            if let Some(start) = starts.iter().find(|start| names(line, start)) {
                breaches.push(format!("{}:{}: {start} is a path of one machine", path.display(), index + 1));
            }
        }
    }
    Ok(breaches)
}

/// True if a path in `line` begins with `start`: no part of a path or an address stands before it.
fn names(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|each| each.is_alphanumeric() || "./-_~$}".contains(each))
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn only_whole_paths_count() {
        assert!(names("open('/data/x')", "/data/"));
        assert!(names("/data/x", "/data/"));
        assert!(!names("$DIR/data/x", "/data/"));
        assert!(!names("./data/x https://a.b/data/", "/data/"));
    }
}
