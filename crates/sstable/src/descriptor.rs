//! Which files make up one SSTable: names, versions, components.

use std::fmt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::ReadError;

/// A version of the on-disk format. First letter: major version; both letters stand in every file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Cassandra 3.0's first.
    Ma,
    /// With the lower bound of the commit log.
    Mb,
    /// With intervals of the commit log.
    Mc,
    /// With trustworthy least and greatest clusterings.
    Md,
    /// With the host's id: the last of Cassandra 3.
    Me,
    /// Cassandra 4.0's first.
    Na,
    /// Cassandra 4's, and 5's in compatibility mode.
    Nb,
    /// A test version of Cassandra 4.1; reads as `nb`.
    Nc,
    /// Cassandra 5.0's with Index.db (BIG).
    Oa,
    /// Cassandra 5.0's trie-indexed format (BTI).
    Da,
}

impl Version {
    /// All that can be read.
    pub const ALL: [Version; 10] = [
        Version::Ma,
        Version::Mb,
        Version::Mc,
        Version::Md,
        Version::Me,
        Version::Na,
        Version::Nb,
        Version::Nc,
        Version::Oa,
        Version::Da,
    ];

    /// The two letters.
    pub fn letters(self) -> &'static str {
        match self {
            Version::Ma => "ma",
            Version::Mb => "mb",
            Version::Mc => "mc",
            Version::Md => "md",
            Version::Me => "me",
            Version::Na => "na",
            Version::Nb => "nb",
            Version::Nc => "nc",
            Version::Oa => "oa",
            Version::Da => "da",
        }
    }

    /// The format's name in file names.
    pub fn format(self) -> &'static str {
        if self.is_bti() { "bti" } else { "big" }
    }

    /// Indexed by tries; else by Index.db and Summary.db.
    pub fn is_bti(self) -> bool {
        self == Version::Da
    }

    /// It can be written, too.
    pub fn is_writable(self) -> bool {
        matches!(self, Version::Nb | Version::Oa | Version::Da)
    }

    /// The version of these letters and this format.
    pub fn parse(letters: &str, format: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|v| v.letters() == letters && v.format() == format)
    }

    /// Of Cassandra 3: no CRCs in Statistics.db, no longest chunk in CompressionInfo.db, another order of the
    /// Bloom filter's bits.
    pub(crate) fn is_3x(self) -> bool {
        self < Version::Na
    }

    /// Before Cassandra 5: local deletion times are signed 32-bit numbers.
    pub(crate) fn has_short_deletions(self) -> bool {
        self < Version::Oa
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
    /// Partitions, and blocks of wide ones (BIG).
    Index,
    /// A sample of Index.db.
    Summary,
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
    pub const ALL: [Component; 11] = [
        Component::Filter,
        Component::Rows,
        Component::Partitions,
        Component::Index,
        Component::Summary,
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
            Component::Index => "Index.db",
            Component::Summary => "Summary.db",
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

/// What tells the SSTables of a table from each other. Numbers come before UUIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SsTableId {
    /// A generation: the only kind that we give.
    Number(u64),
    /// A UUID of version 1, as Cassandra gives them with `uuid_sstable_identifiers_enabled`.
    Uuid(Uuid),
}

impl SsTableId {
    /// The generation; `None` of a UUID.
    pub fn number(self) -> Option<u64> {
        match self {
            SsTableId::Number(number) => Some(number),
            SsTableId::Uuid(_) => None,
        }
    }

    /// A number of its own for each SSTable of a table: the generation, or a UUID's time with the top bit set.
    pub fn as_u64(self) -> u64 {
        match self {
            SsTableId::Number(number) => number,
            SsTableId::Uuid(uuid) => ticks(uuid) | 1 << 63,
        }
    }

    /// As it stands in file names: decimal, or 28 digits and underscores.
    fn parse(text: &str) -> Option<SsTableId> {
        if text.len() == UUID_CHARS {
            return parse_uuid(text).map(SsTableId::Uuid);
        }
        let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_decimal).map(SsTableId::Number)
    }
}

impl From<u64> for SsTableId {
    fn from(number: u64) -> SsTableId {
        SsTableId::Number(number)
    }
}

impl fmt::Display for SsTableId {
    /// A UUID as days, seconds and ticks of its time, then its node, all to the base of 36.
    /// Source: `TimeUUID.java`, `UUIDBasedSSTableId.java`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uuid = match self {
            SsTableId::Number(number) => return number.fmt(f),
            SsTableId::Uuid(uuid) => *uuid,
        };
        let (seconds, part) = (ticks(uuid) / TICKS_PER_SECOND, ticks(uuid) % TICKS_PER_SECOND);
        let node = uuid.as_u128() as u64;
        let fields = [(seconds / DAY_SECONDS, 4), (seconds % DAY_SECONDS, 4), (part, 5), (node, 13)];
        for (i, (mut number, width)) in fields.into_iter().enumerate() {
            let mut digits = vec![b'0'; width];
            for digit in digits.iter_mut().rev() {
                *digit = BASE_36[(number % 36) as usize];
                number /= 36;
            }
            let separator = if matches!(i, 1 | 2) { "_" } else { "" };
            write!(f, "{separator}{}", String::from_utf8_lossy(&digits))?;
        }
        Ok(())
    }
}

const UUID_CHARS: usize = 28;
const BASE_36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const DAY_SECONDS: u64 = 86_400;
/// Of 100 ns.
const TICKS_PER_SECOND: u64 = 10_000_000;

/// The 60-bit time of a UUID of version 1.
fn ticks(uuid: Uuid) -> u64 {
    let high = (uuid.as_u128() >> 64) as u64;
    (high & 0x0fff) << 48 | (high >> 16 & 0xffff) << 32 | high >> 32
}

fn parse_uuid(text: &str) -> Option<Uuid> {
    let number = |range: std::ops::Range<usize>| u64::from_str_radix(text.get(range)?, 36).ok();
    let bytes = text.as_bytes();
    let is_well_formed = bytes.iter().enumerate().all(|(i, byte)| match i {
        4 | 9 => *byte == b'_',
        _ => byte.is_ascii_alphanumeric(),
    });
    if !is_well_formed {
        return None;
    }
    let (days, seconds, part, node) = (number(0..4)?, number(5..9)?, number(10..15)?, number(15..28)?);
    if seconds >= DAY_SECONDS || part >= TICKS_PER_SECOND {
        return None;
    }
    let ticks = (days * DAY_SECONDS + seconds) * TICKS_PER_SECOND + part;
    if ticks >> 60 != 0 {
        return None;
    }
    let high = ticks << 32 | (ticks >> 32 & 0xffff) << 16 | 0x1000 | ticks >> 48;
    Some(Uuid::from_u128(u128::from(high) << 64 | u128::from(node)))
}

/// Names one SSTable: `<directory>/<version>-<id>-<format>-<Component>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// Where its files are.
    pub directory: PathBuf,
    /// What tells it from the others of its table.
    pub id: SsTableId,
    /// The format.
    pub version: Version,
}

impl Descriptor {
    /// A descriptor of the version that we write by default.
    pub fn new(directory: impl Into<PathBuf>, id: impl Into<SsTableId>) -> Descriptor {
        Descriptor { directory: directory.into(), id: id.into(), version: Version::Da }
    }

    /// The same in another version.
    pub fn with_version(self, version: Version) -> Descriptor {
        Descriptor { version, ..self }
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
        let id = SsTableId::parse(id).ok_or_else(unsupported)?;
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
        let parse = |name: &str| Descriptor::parse(Path::new("/d"), name);
        assert_eq!(parse("da-12-bti-Data.db").unwrap(), Some((descriptor, "Data.db".to_owned())));
        assert_eq!(parse("manifest.json").unwrap(), None);
        assert_eq!(parse("da-12-bti-Statistics.db.tmp").unwrap(), None);
        for name in ["db-1-bti-Data.db", "oa-1-bti-Data.db", "oa--big-Data.db", "nb-+1-big-Data.db"] {
            assert!(matches!(parse(name), Err(ReadError::Unsupported { .. })), "{name}");
        }
        for version in Version::ALL {
            let descriptor = Descriptor::new("/d", 3).with_version(version);
            let name = descriptor.file_name("TOC.txt");
            assert_eq!(parse(&name).unwrap().unwrap().0, descriptor);
        }
    }

    #[test]
    fn uuid_ids_are_cassandras() {
        let id = SsTableId::parse("3edp_1748_012kw2h5xt24e5jrrn").unwrap();
        assert_eq!(id, SsTableId::Uuid("2a92d750-d8dc-11e6-a2de-cf8ecd4cf053".parse().unwrap()));
        assert_eq!(SsTableId::parse("3EDP_1748_012KW2H5XT24E5JRRN"), Some(id));
        assert_eq!(id.to_string(), "3edp_1748_012kw2h5xt24e5jrrn");
        assert_eq!(id.number(), None);
        assert!(id.as_u64() > u64::MAX / 2 && SsTableId::Number(u64::MAX) < id);
        for wrong in
            ["3edp-1748_012kw2h5xt24e5jrrn", "3edp_zzzz_012kw2h5xt24e5jrrn", "zzzz_1748_012kw2h5xt24e5jrrn"]
        {
            assert_eq!(SsTableId::parse(wrong), None, "{wrong}");
        }
    }
}
