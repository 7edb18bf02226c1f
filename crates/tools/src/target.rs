//! What a tool is pointed at: a file of an SSTable, a set's name without component, or a directory of SSTables.

use std::path::Path;
use std::sync::Arc;

use runtime::Disk;
use sstable::Descriptor;

use crate::error::ToolError;

/// The SSTables that `path` means, in the order of their ids.
pub fn sstables(disk: &Arc<dyn Disk>, path: &Path) -> Result<Vec<Descriptor>, ToolError> {
    if let Ok(entries) = disk.list(path) {
        let mut found = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.is_dir) {
            if let Some((descriptor, component)) = Descriptor::parse(path, &entry.name)?
                && component == "Data.db"
            {
                found.push(descriptor);
            }
        }
        found.sort_by_key(|descriptor| (descriptor.id, descriptor.version));
        return Ok(found);
    }
    one(path).map(|descriptor| vec![descriptor])
}

/// The SSTable that a file belongs to.
pub fn one(path: &Path) -> Result<Descriptor, ToolError> {
    let wrong =
        || ToolError::Usage(format!("{} is no SSTable: name a file like da-1-bti-Data.db", path.display()));
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let full = if name.matches('-').count() == 2 { format!("{name}-") } else { name.to_owned() };
    let parsed = Descriptor::parse(directory, &full)?;
    parsed.map(|(descriptor, _)| descriptor).ok_or_else(wrong)
}
