use std::net::IpAddr;

use uuid::Uuid;

use super::*;

fn node(number: u8, data_center: &str, rack: &str, tokens: &[i64]) -> Node {
    Node {
        host_id: Uuid::from_u128(u128::from(number)),
        address: IpAddr::from([127, 0, 0, number]),
        storage_port: 7000,
        native_address: IpAddr::from([127, 0, 0, number]),
        native_port: 9042,
        data_center: data_center.to_owned(),
        rack: rack.to_owned(),
        tokens: tokens.iter().map(|token| Token(*token)).collect(),
        is_up: true,
    }
}

fn options(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn check(strategy: &Strategy, topology: &Topology, token: i64, want: &[u8]) {
    let found: Vec<u8> =
        strategy.replicas(topology, Token(token)).iter().map(|node| node.host_id.as_bytes()[15]).collect();
    assert_eq!(found, want, "{strategy:?} of {token}");
}

#[test]
fn simple_strategy_takes_the_next_nodes_of_the_ring() {
    let topology = Topology::new(vec![
        node(1, "dc1", "r1", &[0, 300]),
        node(2, "dc1", "r1", &[100]),
        node(3, "dc1", "r1", &[200]),
    ]);
    let strategy = Strategy::of(&options(&[
        ("class", "org.apache.cassandra.locator.SimpleStrategy"),
        ("replication_factor", "2"),
    ]));
    check(&strategy, &topology, 0, &[1, 2]);
    check(&strategy, &topology, 1, &[2, 3]);
    check(&strategy, &topology, 250, &[1, 2]);
    check(&strategy, &topology, 301, &[1, 2]);
}

#[test]
fn network_topology_prefers_racks_that_have_no_replica() {
    let topology = Topology::new(vec![
        node(1, "dc1", "r1", &[0]),
        node(2, "dc1", "r1", &[100]),
        node(3, "dc1", "r2", &[200]),
        node(4, "dc2", "r1", &[50]),
    ]);
    let strategy = Strategy::of(&options(&[
        ("class", "org.apache.cassandra.locator.NetworkTopologyStrategy"),
        ("dc1", "2"),
        ("dc2", "1"),
    ]));
    check(&strategy, &topology, 0, &[1, 3, 4]);
    check(&strategy, &topology, 150, &[3, 1, 4]);
    assert_eq!(strategy.replication_factor(&topology), 3);
}
