//! Which files make up one SSTable: names, versions, components.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::ReadError;

/// A version of the on-disk format. First letter: major version; both letters stand in every file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Cassandra 5.0's trie-indexed format (BTI).
    Da,
}

impl Version {
    /// The two letters.
    pub fn letters(self) -> &'static str {
        match self {
            Version::Da => "da",
        }
    }

    /// The format's name in file names.
    pub fn format(self) -> &'static str {
        match self {
            Version::Da => "bti",
        }
    }

    fn parse(letters: &str, format: &str) -> Option<Version> {
        [Version::Da].into_iter().find(|v| v.letters() == letters && v.format() == format)
    }
}

/// A file of an SSTable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Partitions.
    Data,
    /// Trie of partitions.
    Partitions,
    /// Tries of the rows of wide partitions.
    Rows,
    /// Bloom filter.
    Filter,
    /// Metadata.
    Statistics,
    /// Where each compressed chunk begins.
    CompressionInfo,
    /// CRCs of uncompressed data.
    Crc,
    /// CRC of the whole Data.db.
    Digest,
    /// The list of components.
    Toc,
}

impl Component {
    /// All components, in the order in which they become complete.
    pub const ALL: [Component; 9] = [
        Component::Filter,
        Component::Rows,
        Component::Partitions,
        Component::Data,
        Component::Digest,
        Component::CompressionInfo,
        Component::Crc,
        Component::Statistics,
        Component::Toc,
    ];

    /// The last part of the file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Component::Data => "Data.db",
            Component::Partitions => "Partitions.db",
            Component::Rows => "Rows.db",
            Component::Filter => "Filter.db",
            Component::Statistics => "Statistics.db",
            Component::CompressionInfo => "CompressionInfo.db",
            Component::Crc => "CRC.db",
            Component::Digest => "Digest.crc32",
            Component::Toc => "TOC.txt",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name())
    }
}

/// Names one SSTable: `<directory>/<version>-<id>-<format>-<Component>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// Where its files are.
    pub directory: PathBuf,
    /// Its generation, decimal in the names.
    pub id: u64,
    /// The format.
    pub version: Version,
}

impl Descriptor {
    /// A descriptor of the version that we write.
    pub fn new(directory: impl Into<PathBuf>, id: u64) -> Descriptor {
        Descriptor { directory: directory.into(), id, version: Version::Da }
    }

    /// The path of a component.
    pub fn path(&self, component: Component) -> PathBuf {
        self.directory.join(self.file_name(component.file_name()))
    }

    /// The name of a file of this SSTable.
    pub fn file_name(&self, component: &str) -> String {
        format!("{}-{}-{}-{component}", self.version.letters(), self.id, self.version.format())
    }

    /// Takes a file name apart into descriptor and component name; `Ok(None)` if it is no SSTable's.
    ///
    /// A name of four parts whose version or id we do not know is `Unsupported`.
    pub fn parse(directory: &Path, name: &str) -> Result<Option<(Descriptor, String)>, ReadError> {
        let mut parts = name.splitn(4, '-');
        let (Some(letters), Some(id), Some(format), Some(component)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        if letters.len() != 2
            || !letters.bytes().all(|b| b.is_ascii_lowercase())
            || component.ends_with(".tmp")
        {
            return Ok(None);
        }
        if !matches!(format, "big" | "bti") {
            return Ok(None);
        }
        let unsupported = || ReadError::Unsupported { version: format!("{letters}-{id}-{format}") };
        let version = Version::parse(letters, format).ok_or_else(unsupported)?;
        let id = id.parse().map_err(|_| unsupported())?;
        let descriptor = Descriptor { directory: directory.to_owned(), id, version };
        Ok(Some((descriptor, component.to_owned())))
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.directory.join(self.file_name("")).display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cassandras() {
        let descriptor = Descriptor::new("/d", 12);
        assert_eq!(descriptor.path(Component::Data), Path::new("/d/da-12-bti-Data.db"));
        let parse = |name| Descriptor::parse(Path::new("/d"), name);
        assert_eq!(parse("da-12-bti-Data.db").unwrap(), Some((descriptor, "Data.db".to_owned())));
        assert_eq!(parse("manifest.json").unwrap(), None);
        assert_eq!(parse("da-12-bti-Statistics.db.tmp").unwrap(), None);
        assert!(matches!(
            parse("oa-3edp_1748_012kw2h5xt24e5jrrn-big-Data.db"),
            Err(ReadError::Unsupported { .. })
        ));
        assert!(matches!(parse("db-1-bti-Data.db"), Err(ReadError::Unsupported { .. })));
    }
}
