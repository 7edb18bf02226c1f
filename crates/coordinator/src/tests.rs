use std::collections::BTreeMap;
use std::sync::Arc;

use model::schema::TableOptions;
use model::{PartitionUpdate, Table, TableId};

use super::*;

fn mutation(table: &Arc<Table>, key: Vec<u8>) -> Mutation {
    Mutation { table: table.clone(), key: PartitionKey::new(key.into()), update: PartitionUpdate::default() }
}

/// The text was seen on Cassandra 5.0.9 with `max_mutation_size: 64KiB`.
#[test]
fn an_oversized_mutation_is_told_in_cassandras_words() {
    let table = Arc::new(Table {
        id: TableId(uuid::Uuid::nil()),
        keyspace: "big".into(),
        name: "b".into(),
        partition_key: Vec::new(),
        clustering: Vec::new(),
        statics: Vec::new(),
        regulars: Vec::new(),
        is_counter: false,
        is_compact: false,
        is_virtual: false,
        options: TableOptions::default(),
        dropped: BTreeMap::new(),
        next_column_id: 0,
    });
    let told = |keys: Vec<Vec<u8>>| {
        let mutations: Vec<_> = keys.into_iter().map(|key| mutation(&table, key)).collect();
        let error = WriteError::TooLarge { bytes: 65_592, bytes_max: 65_536 };
        let QueryError::Invalid(text) = write_failed(error, &mutations) else { panic!("another code") };
        text
    };
    assert_eq!(
        told(vec![b"k2".to_vec()]),
        "Rejected an oversized mutation (65592/65536) for keyspace: big. Top keys are: b.6b32"
    );
    assert!(told(vec![b"k1".to_vec(), b"k2".to_vec()]).ends_with("Top keys are: b.6b31, b.6b32"));
    let bounded = told(vec![vec![7; 60_000]; 100]);
    assert!(bounded.len() < 1_200, "{}", bounded.len());
}
