//! From a script's text to its steps, and back with other outputs.

use std::fmt;
use std::ops::Range;

use super::Step;

/// Why a script could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadScript {
    /// File and line.
    pub location: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for BadScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.problem)
    }
}

impl std::error::Error for BadScript {}

/// A script taken apart.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// The steps in order.
    pub steps: Vec<Step<'a>>,
    text: &'a str,
    /// Where in `text` the expected output of each step stands.
    expected: Vec<Range<usize>>,
}

impl Script<'_> {
    /// The script with these outputs in place of the expected ones.
    pub fn with_outputs(&self, outputs: &[String]) -> String {
        let mut updated = String::with_capacity(self.text.len());
        let mut done = 0;
        for (range, output) in self.expected.iter().zip(outputs) {
            updated.push_str(&self.text[done..range.start]);
            updated.push_str(output);
            done = range.end;
        }
        updated.push_str(&self.text[done..]);
        updated
    }
}

/// A line with its place: where it begins, where the next one begins.
struct Line<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    number: usize,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n').enumerate().map(move |(index, whole)| {
        let line = Line { text: whole.trim_end(), start, end: start + whole.len(), number: index + 1 };
        start = line.end;
        line
    })
}

/// Takes a script apart. `name` is for locations. The file must end with a line break.
pub fn parse<'a>(name: &str, text: &'a str) -> Result<Script<'a>, BadScript> {
    let bad = |number: usize, problem: &str| BadScript {
        location: format!("{name}:{number}"),
        problem: problem.to_owned(),
    };
    if !text.ends_with('\n') {
        return Err(bad(text.lines().count(), "the last line has no line break"));
    }
    let mut script = Script { steps: Vec::new(), text, expected: Vec::new() };
    let mut lines = lines(text);
    while let Some(line) = lines.next() {
        if line.text.is_empty() || line.text.starts_with('#') {
            continue;
        }
        let location = format!("{name}:{}", line.number);
        let mut words = line.text.split_whitespace();
        let command = words.next().unwrap_or_default();
        let input_start = line.end;
        let rule = lines
            .find(|each| each.text == "----")
            .ok_or_else(|| bad(line.number, "no line ---- ends the input"))?;
        let mut expected = rule.end..rule.end;
        for each in lines.by_ref().take_while(|each| !each.text.is_empty()) {
            if each.text == "----" {
                return Err(bad(each.number, "a second ---- before an empty line"));
            }
            expected.end = each.end;
        }
        script.steps.push(Step {
            command,
            arguments: words.collect(),
            input: &text[input_start..rule.start],
            expected: &text[expected.clone()],
            location,
        });
        script.expected.push(expected);
    }
    Ok(script)
}
