//! `manifest.json` of a snapshot, as Cassandra writes it.
//!
//! Of a manifest only when and how long is read again: which files there are, the directory says.

use super::time;

/// The file's name.
pub(crate) const FILE_NAME: &str = "manifest.json";

/// What a manifest says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Names of the Data.db files.
    pub files: Vec<String>,
    pub created_at_ms: Option<i64>,
    pub expires_at_ms: Option<i64>,
    pub ephemeral: bool,
}

impl Manifest {
    pub(crate) fn to_text(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|name| format!("\"{name}\"")).collect();
        let files = if files.is_empty() { "[ ]".to_owned() } else { format!("[ {} ]", files.join(", ")) };
        let moment =
            |ms: Option<i64>| ms.map_or("null".to_owned(), |ms| format!("\"{}\"", time::to_text(ms)));
        format!(
            "{{\n  \"files\" : {files},\n  \"created_at\" : {},\n  \"expires_at\" : {},\n  \"ephemeral\" : {}\n}}",
            moment(self.created_at_ms),
            moment(self.expires_at_ms),
            self.ephemeral
        )
    }

    /// Takes what it finds: older manifests have fewer fields.
    pub(crate) fn parse(text: &str) -> Manifest {
        let moment = |name| value_of(text, name).and_then(|value| time::from_text(value.trim_matches('"')));
        Manifest {
            files: Vec::new(),
            created_at_ms: moment("created_at"),
            expires_at_ms: moment("expires_at"),
            ephemeral: value_of(text, "ephemeral") == Some("true"),
        }
    }
}

/// The scalar of a field of a flat object.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("\"{name}\""))?;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let end = value.find([',', '}', '\n']).unwrap_or(value.len());
    Some(value[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    #[test]
    fn the_text_is_cassandras() {
        let manifest = Manifest {
            files: vec!["da-1-bti-Data.db".to_owned(), "da-2-bti-Data.db".to_owned()],
            created_at_ms: Some(1_795_384_005_270),
            expires_at_ms: None,
            ephemeral: false,
        };
        let text = "{\n  \"files\" : [ \"da-1-bti-Data.db\", \"da-2-bti-Data.db\" ],\n  \
                    \"created_at\" : \"2026-11-22T21:46:45.270Z\",\n  \"expires_at\" : null,\n  \
                    \"ephemeral\" : false\n}";
        assert_eq!(manifest.to_text(), text);
        let expiring = Manifest { files: Vec::new(), expires_at_ms: Some(5), ephemeral: true, ..manifest };
        assert_eq!(Manifest::parse(&expiring.to_text()), expiring);
        assert_eq!(Manifest::parse("{\"files\":[]}"), Manifest::default());
        assert_eq!(Manifest::parse("\"created_at\""), Manifest::default());
    }
}
