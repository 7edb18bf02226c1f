//! The ten longest files and functions, tests left out.

use std::path::PathBuf;

use super::{is_test, read};

const SHOWN_COUNT: usize = 10;

/// Prints both lists.
pub fn print(sources: &[PathBuf]) -> Result<(), String> {
    let mut files = Vec::new();
    let mut functions = Vec::new();
    for path in sources.iter().filter(|path| !is_test(path)) {
        let text = read(path)?;
        let lines: Vec<&str> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
        files.push((lines.len(), path.display().to_string()));
        for (start, length) in function_spans(&lines) {
            functions.push((length, format!("{}:{}", path.display(), start + 1)));
        }
    }
    show("longest files", files);
    show("longest functions", functions);
    Ok(())
}

fn show(title: &str, mut all: Vec<(usize, String)>) {
    println!("{title}:");
    all.sort_by(|left, right| right.cmp(left));
    for (length, place) in all.iter().take(SHOWN_COUNT) {
        println!("{length:>6}  {place}");
    }
}

/// First line and length of each function with a body, in code as rustfmt leaves it: the brace that ends a
/// function stands at the indentation of its `fn`.
fn function_spans(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| opens_function(line)) {
        let indentation = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indentation}}}");
        let rest = || lines[start..].iter();
        let Some(head) = rest().position(|line| line.ends_with(['{', ';', '}'])) else { continue };
        if !lines[start + head].ends_with('{') {
            continue;
        }
        if let Some(length) = rest().position(|line| *line == end) {
            spans.push((start, length + 1));
        }
    }
    spans
}

fn opens_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.find(|word| !["pub", "const", "async", "unsafe"].contains(word) && !word.starts_with("pub("))
        == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::function_spans;

    #[test]
    fn a_function_ends_at_its_own_indentation() {
        let text = "impl A {\n    pub(super) fn a(\n        b: B,\n    ) {\n        if c {\n        }\n    }\n    fn d();\n}\n";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(function_spans(&lines), [(1, 6)]);
    }
}
