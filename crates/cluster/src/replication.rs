//! Replication strategies: which nodes hold the partitions of a token.

use std::collections::BTreeMap;

use model::Token;

use crate::topology::{Node, Topology};

/// A keyspace's replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The next nodes on the ring, wherever they stand.
    Simple {
        /// Number of replicas.
        replication_factor: usize,
    },
    /// So many in each data centre, on different racks as far as there are.
    NetworkTopology {
        /// Replicas by data centre.
        replicas: BTreeMap<String, usize>,
    },
    /// Each node its own data.
    Local,
    /// All nodes.
    Everywhere,
}

impl Strategy {
    /// Reads the replication options of a keyspace as `system_schema.keyspaces` holds them. Unknown strategies and
    /// factors are refused when the keyspace is made; here they count as one replica.
    pub fn of(options: &BTreeMap<String, String>) -> Strategy {
        let class = options.get("class").map_or("", String::as_str);
        let factor = |text: &String| text.split('/').next().and_then(|count| count.parse().ok()).unwrap_or(1);
        match class.rsplit('.').next().unwrap_or(class) {
            "NetworkTopologyStrategy" => {
                let entries =
                    options.iter().filter(|(name, _)| *name != "class" && *name != "replication_factor");
                Strategy::NetworkTopology {
                    replicas: entries.map(|(name, count)| (name.clone(), factor(count))).collect(),
                }
            }
            "LocalStrategy" => Strategy::Local,
            "EverywhereStrategy" => Strategy::Everywhere,
            _ => Strategy::Simple { replication_factor: options.get("replication_factor").map_or(1, factor) },
        }
    }

    /// Number of replicas in all.
    pub fn replication_factor(&self, topology: &Topology) -> usize {
        match self {
            Strategy::Simple { replication_factor } => *replication_factor,
            Strategy::NetworkTopology { replicas } => replicas.values().sum(),
            Strategy::Local => 1,
            Strategy::Everywhere => topology.nodes().len(),
        }
    }

    /// Number of replicas in one data centre.
    pub fn replication_factor_in(&self, data_center: &str, topology: &Topology) -> usize {
        match self {
            Strategy::NetworkTopology { replicas } => replicas.get(data_center).copied().unwrap_or(0),
            other => other.replication_factor(topology),
        }
    }

    /// The replicas of a token, the ring's owner first.
    pub fn replicas<'t>(&self, topology: &'t Topology, token: Token) -> Vec<&'t Node> {
        let mut found: Vec<&Node> = Vec::new();
        let push = |node: &'t Node, found: &mut Vec<&'t Node>| {
            if !found.iter().any(|known| known.host_id == node.host_id) {
                found.push(node);
            }
        };
        match self {
            Strategy::Local => found.push(topology.local()),
            Strategy::Everywhere => topology.nodes().iter().for_each(|node| push(node, &mut found)),
            Strategy::Simple { replication_factor } => {
                for (_, node) in topology.ring_from(token) {
                    if found.len() == *replication_factor {
                        break;
                    }
                    push(node, &mut found);
                }
            }
            Strategy::NetworkTopology { replicas } => {
                for (data_center, count) in replicas {
                    in_data_center(topology, token, data_center, *count)
                        .for_each(|node| push(node, &mut found));
                }
            }
        }
        found
    }
}

/// The first `count` nodes of a data centre on the ring, new racks before used ones.
fn in_data_center<'t>(
    topology: &'t Topology,
    token: Token,
    data_center: &str,
    count: usize,
) -> impl Iterator<Item = &'t Node> {
    let mut chosen: Vec<&Node> = Vec::new();
    let mut skipped: Vec<&Node> = Vec::new();
    for (_, node) in topology.ring_from(token).filter(|(_, node)| node.data_center == data_center) {
        let is_known = chosen.iter().chain(&skipped).any(|known| known.host_id == node.host_id);
        if is_known {
            continue;
        }
        if chosen.iter().any(|known| known.rack == node.rack) {
            skipped.push(node);
        } else {
            chosen.push(node);
        }
    }
    chosen.extend(skipped);
    chosen.truncate(count);
    chosen.into_iter()
}

#[cfg(test)]
mod tests;
