use super::*;

fn info() -> NodeInfo {
    NodeInfo {
        cluster_name: "Test Cluster".to_owned(),
        data_center: "datacenter1".to_owned(),
        rack: "rack1".to_owned(),
        host_id: Uuid::from_u128(1),
        broadcast: ([127, 0, 0, 1].into(), 7000),
        listen: ([127, 0, 0, 2].into(), 7001),
        native: ("::1".parse().expect("an address"), 9042),
        generation_s: 77,
        tokens: vec![10, -5, 9, 10],
        schema_version: Uuid::from_u128(3),
    }
}

#[test]
fn every_column_but_truncated_at_is_written() {
    let mutations = local_row(&info(), 1_000_000);
    let [Mutation { table, key, update }] = &mutations[..] else { panic!("{mutations:?}") };
    assert_eq!(&*key.key, b"local");
    let row = &update.rows[0];
    assert!(row.columns.is_sorted_by_key(|(id, _)| *id));
    let missing: Vec<&str> = table
        .regulars
        .iter()
        .filter(|column| row.column(column.id).is_none())
        .map(|column| &*column.name)
        .collect();
    assert_eq!(missing, ["truncated_at"]);
    let value = |name: &str| match row.column(table.column(name).expect("a column").id) {
        Some(ColumnData::Cell(cell)) => cell.value.to_vec(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(value("rpc_port"), 9042_i32.to_be_bytes());
    assert_eq!(value("listen_address"), [127, 0, 0, 2]);
    assert_eq!(value("rpc_address").len(), 16);
    assert_eq!(value("release_version"), b"5.0.9");
}

#[test]
fn tokens_replace_those_of_before() {
    let mutations = local_row(&info(), 1_000_000);
    let tokens = mutations[0].table.column("tokens").expect("a column").id;
    let Some(ColumnData::Complex { deletion, cells }) = mutations[0].update.rows[0].column(tokens) else {
        panic!("{mutations:?}")
    };
    assert_eq!((deletion.timestamp_us, deletion.local_deletion_s), (999_999, 1));
    let paths: Vec<&[u8]> = cells.iter().map(|(path, _)| path.as_ref()).collect();
    assert_eq!(paths, [b"-5" as &[u8], b"10", b"9"]);
}

#[test]
fn a_new_version_is_written_alone() {
    let mutations = schema_version_row(Uuid::from_u128(9), 5);
    assert_eq!(mutations[0].update.rows[0].columns.len(), 1);
}
