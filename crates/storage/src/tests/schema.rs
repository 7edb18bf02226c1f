//! Schema changes under data.

use std::sync::Arc;

use model::schema::DroppedColumn;
use model::{ColumnId, CqlType, Table};

use super::support::{on_both, open, options, put, put_into, scan, scan_column, schema, table};
use crate::{FlushTarget, WriteError};

/// The table after `ALTER TABLE t DROP v` and, some time later, `ADD v text`.
fn dropped_and_added(dropped_at_us: i64) -> (Arc<Table>, Arc<Table>) {
    let mut without = Table::clone(&table());
    let v = without.regulars.pop().unwrap();
    let dropped = DroppedColumn { name: v.name.clone(), ty: v.ty.clone(), kind: v.kind, dropped_at_us };
    without.dropped.insert(v.name.clone(), dropped);
    let mut again = without.clone();
    again.regulars.push(model::Column { id: ColumnId(3), ..v });
    again.next_column_id = 4;
    (Arc::new(without), Arc::new(again))
}

#[test]
fn cells_of_a_dropped_column_do_not_come_back_with_a_new_one_of_its_name() {
    on_both("dropped", |runtime, dir| async move {
        let old = table();
        let (without, again) = dropped_and_added(50);
        let engine = open(&runtime, options(&dir), &[&old]);
        engine.apply(&[put(&old, 1, 1, "old", 10)]).unwrap().synced().await.unwrap();
        engine.update_tables(&schema(&[&without])).unwrap();
        // A statement that was bound before the change.
        engine.apply(&[put(&old, 2, 1, "late", 20)]).unwrap().synced().await.unwrap();
        let newer = engine.apply(&[put_into(&again, 3, 1, ColumnId(3), "early", 60)]).err();
        assert_eq!(newer, Some(WriteError::NewerSchema(old.id)));
        engine.update_tables(&schema(&[&again])).unwrap();
        assert_eq!(scan_column(&engine, &again, ColumnId(3)), []);
        engine.apply(&[put_into(&again, 1, 1, ColumnId(3), "new", 60)]).unwrap().synced().await.unwrap();
        let expected = [(1, 1, "new".to_owned())];
        assert_eq!(scan_column(&engine, &again, ColumnId(3)), expected);
        assert_eq!(scan_column(&engine, &again, ColumnId(2)), [], "old cells are not shown");
        drop(engine);
        let engine = open(&runtime, options(&dir), &[&again]);
        assert_eq!(scan_column(&engine, &again, ColumnId(3)), expected, "after a restart");
    });
}

#[test]
fn a_dropped_column_is_gone_from_memtables_that_are_flushed_later_and_from_sstables() {
    on_both("dropped-flush", |runtime, dir| async move {
        let old = table();
        let (without, again) = dropped_and_added(50);
        let engine = open(&runtime, options(&dir), &[&old]);
        engine.apply(&[put(&old, 1, 1, "in an SSTable", 10)]).unwrap().synced().await.unwrap();
        engine.flush(FlushTarget::All).await.unwrap();
        engine.apply(&[put(&old, 2, 1, "in a memtable", 10)]).unwrap().synced().await.unwrap();
        engine.update_tables(&schema(&[&without])).unwrap();
        engine.flush(FlushTarget::All).await.unwrap();
        engine.update_tables(&schema(&[&again])).unwrap();
        assert_eq!(scan_column(&engine, &again, ColumnId(3)), []);
        engine.apply(&[put_into(&again, 2, 1, ColumnId(3), "new", 60)]).unwrap().synced().await.unwrap();
        let expected = [(2, 1, "new".to_owned())];
        for _ in 0..2 {
            assert_eq!(scan_column(&engine, &again, ColumnId(3)), expected);
            engine.flush(FlushTarget::All).await.unwrap();
        }
        drop(engine);
        let engine = open(&runtime, options(&dir), &[&again]);
        assert_eq!(scan_column(&engine, &again, ColumnId(3)), expected, "after a restart");
    });
}

#[test]
fn a_dropped_table_takes_nothing_and_is_gone_after_a_restart() {
    on_both("drop", |runtime, dir| async move {
        let (table, other) = (table(), Arc::new(super::support::table_in("ks", "other", 101)));
        let engine = open(&runtime, options(&dir), &[&table, &other]);
        engine
            .apply(&[put(&table, 1, 1, "a", 1), put(&other, 1, 1, "b", 1)])
            .unwrap()
            .synced()
            .await
            .unwrap();
        engine.update_tables(&schema(&[&other])).unwrap();
        assert_eq!(
            engine.apply(&[put(&table, 2, 1, "a", 1)]).err(),
            Some(WriteError::UnknownTable(table.id))
        );
        assert!(engine.table_stats(table.id).is_none());
        drop(engine);
        // It is there again only if the schema says so, under a new id.
        let again = Arc::new(super::support::table_in("ks", "t", 102));
        let engine = open(&runtime, options(&dir), &[&again, &other]);
        assert_eq!(scan(&engine, &again), []);
        assert_eq!(scan(&engine, &other), [(1, 1, "b".to_owned())]);
    });
}

#[test]
fn other_types_of_columns_in_the_log_are_left_out() {
    on_both("types", |runtime, dir| async move {
        let old = table();
        let engine = open(&runtime, options(&dir), &[&old]);
        engine.apply(&[put(&old, 1, 1, "old", 10)]).unwrap().synced().await.unwrap();
        drop(engine);
        let mut changed = Table::clone(&old);
        changed.regulars[0].ty = CqlType::set(CqlType::Text, false);
        let changed = Arc::new(changed);
        let engine = open(&runtime, options(&dir), &[&changed]);
        assert_eq!(scan(&engine, &changed), [], "the row is there, the cell is not");
    });
}
