//! Files whose columns are not those of the table any more.

use std::sync::Arc;

use model::schema::DroppedColumn;
use model::{ColumnData, ColumnKind, CqlType, Slices, Table, Unfiltered};
use runtime::Disk;
use runtime::sim::SimDisk;
use stdx::prng::Prng;

use super::random::Case;
use super::support::{Partition, drain_all};
use crate::{ReadError, SsTable};

const NOW_US: i64 = 1_700_000_000_000_500;

/// A case with a column that is simple and one that is not, and its SSTable.
fn written() -> (Case, Arc<SsTable>) {
    let mut prng = Prng::from_seed(11);
    let case = loop {
        let case = Case::random(&mut prng);
        let of_kind =
            |is_complex: bool| case.table.regulars.iter().any(|c| c.ty.is_multi_cell() == is_complex);
        if of_kind(true) && of_kind(false) && case.partitions.len() > 10 && !case.table.clustering.is_empty()
        {
            break case;
        }
    };
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(11));
    let descriptor = case.write(&disk);
    let sstable = SsTable::open(&disk, &descriptor).unwrap();
    (case, sstable)
}

fn drop_column(table: &Table, name: &str, add_again: bool) -> Arc<Table> {
    let mut table = table.clone();
    let i = table.regulars.iter().position(|column| &*column.name == name).unwrap();
    let mut column = table.regulars[i].clone();
    let (ty, kind) = (column.ty.clone(), ColumnKind::Regular);
    let dropped = DroppedColumn { name: column.name.clone(), ty, kind, dropped_at_us: NOW_US };
    table.dropped.insert(column.name.clone(), dropped);
    table.regulars.remove(i);
    if add_again {
        column.id = model::ColumnId(5000);
        table.regulars.insert(i, column);
    }
    Arc::new(table)
}

/// What is left of a partition once a column was dropped, and perhaps added again under another number.
fn without(partition: &Partition, table: &Table, name: &str, again: &Table) -> Partition {
    let old = table.column(name).unwrap().id;
    let new = again.column(name).map(|column| column.id);
    let mut partition = partition.clone();
    partition.items.retain_mut(|item| {
        let Unfiltered::Row(row) = item else { return true };
        let columns = std::mem::take(&mut row.columns);
        row.columns = columns
            .into_iter()
            .filter_map(|(id, data)| if id == old { Some((new?, newer(data)?)) } else { Some((id, data)) })
            .collect();
        row.columns.sort_by_key(|(id, _)| *id);
        !row.is_empty()
    });
    partition
}

fn newer(data: ColumnData) -> Option<ColumnData> {
    match data {
        ColumnData::Cell(cell) => (cell.timestamp_us > NOW_US).then_some(ColumnData::Cell(cell)),
        ColumnData::Complex { deletion, mut cells } => {
            let is_kept = deletion.timestamp_us > NOW_US;
            let deletion = if is_kept { deletion } else { model::DeletionTime::LIVE };
            cells.retain(|(_, cell)| cell.timestamp_us > NOW_US);
            (is_kept || !cells.is_empty()).then_some(ColumnData::Complex { deletion, cells })
        }
    }
}

#[test]
fn what_was_dropped_is_gone_and_what_came_after_is_there() {
    let (case, sstable) = written();
    let (mut changed, names) = (0, case.table.regulars.iter().map(|column| column.name.clone()));
    for name in names {
        for add_again in [false, true] {
            let table = drop_column(&case.table, &name, add_again);
            let mut scan = sstable.scan(&table, None, None, Slices::all(), false).unwrap();
            let want: Vec<_> =
                case.partitions.iter().map(|p| without(p, &case.table, &name, &table)).collect();
            assert!(drain_all(&mut *scan).unwrap() == want, "{name} {add_again}");
            changed += usize::from(want != case.partitions);
        }
    }
    assert!(changed > 1, "no drop changed anything");
}

#[test]
fn a_column_that_nobody_knows_is_an_error_that_names_it() {
    let (case, sstable) = written();
    let mut table = Table::clone(&case.table);
    let gone = table.regulars.remove(0);
    let error = sstable.scan(&Arc::new(table), None, None, Slices::all(), false).err().unwrap();
    let text = format!("the SSTable holds column {}, which is no column of ks.r", gone.name);
    assert_eq!(error.to_string(), text);
    let mut table = Table::clone(&case.table);
    let list = table.regulars.iter_mut().find(|column| column.ty.is_multi_cell()).unwrap();
    list.ty = CqlType::Int;
    let error = sstable.scan(&Arc::new(table), None, None, Slices::all(), false).err().unwrap();
    assert!(matches!(error, ReadError::UnknownColumn { .. }), "{error}");
}
