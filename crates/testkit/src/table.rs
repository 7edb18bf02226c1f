//! Rows as text, laid out as in `cqlsh` but without padding: a change of one row changes one line.

/// Columns and rows as text: a line of names, a rule, a line for each row, and how many there are.
///
/// Values come as CQL literals; line breaks in them are escaped, so that a row stays a line.
///
/// ```text
///  k | c | v
/// ---+---+---
///  1 | 1 | 'old'
/// (1 rows)
/// ```
pub fn render<C: AsRef<str>, V: AsRef<str>>(columns: &[C], rows: &[Vec<V>]) -> String {
    let names: Vec<String> = columns.iter().map(|name| format!(" {} ", one_line(name.as_ref()))).collect();
    let rules: Vec<String> = names.iter().map(|name| "-".repeat(name.chars().count())).collect();
    let mut text = format!("{}\n{}\n", names.join("|").trim_end(), rules.join("+"));
    for row in rows {
        let values: Vec<String> = row.iter().map(|value| format!(" {} ", one_line(value.as_ref()))).collect();
        text.push_str(values.join("|").trim_end());
        text.push('\n');
    }
    text.push_str(&format!("({} rows)\n", rows.len()));
    text
}

/// The text with line breaks and other control characters escaped.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for each in text.chars() {
        if each.is_control() {
            line.extend(each.escape_default());
        } else {
            line.push(each);
        }
    }
    line
}

#[cfg(test)]
mod tests;
