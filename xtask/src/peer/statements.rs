//! A text with many CQL statements, cut into each.

/// The statements of `text`, without the semicolons that end them. Quotes, `$$` bodies, comments to the
/// end of a line and batches (which have semicolons inside) are seen.
pub fn split(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if let Some(comment) = rest.strip_prefix("--") {
            2 + comment.find('\n').unwrap_or(comment.len())
        } else if first == '\'' || first == '"' {
            2 + rest[1..].find(first).unwrap_or(rest.len())
        } else if let Some(body) = rest.strip_prefix("$$") {
            4 + body.find("$$").unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, tail) = rest.split_at(taken.min(rest.len()));
        rest = tail;
        if first == ';' && !is_open_batch(&statement) {
            push(&mut statements, &mut statement);
        } else if !token.starts_with("--") {
            statement.push_str(token);
        }
    }
    push(&mut statements, &mut statement);
    statements
}

fn push(statements: &mut Vec<String>, statement: &mut String) {
    let whole = std::mem::take(statement);
    if !whole.trim().is_empty() {
        statements.push(whole.trim().to_owned());
    }
}

fn is_open_batch(statement: &str) -> bool {
    let upper = statement.trim().to_ascii_uppercase();
    upper.starts_with("BEGIN") && !upper.ends_with("APPLY BATCH")
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn semicolons_inside_do_not_end_a_statement() {
        let text = "SELECT 'a;''b' FROM t; -- no; end\nBEGIN BATCH\nINSERT 1; INSERT 2;\nAPPLY BATCH;\nSELECT $$;$$;";
        let want = ["SELECT 'a;''b' FROM t", "BEGIN BATCH\nINSERT 1; INSERT 2;\nAPPLY BATCH", "SELECT $$;$$"];
        assert_eq!(split(text), want);
    }
}
