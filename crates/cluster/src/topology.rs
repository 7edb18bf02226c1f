//! Nodes and the token ring.

use std::net::IpAddr;

use model::Token;
use runtime::Random;
use uuid::Uuid;

/// A member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Identity, kept over restarts and changes of address.
    pub host_id: Uuid,
    /// Address for other nodes.
    pub address: IpAddr,
    /// Port for other nodes.
    pub storage_port: u16,
    /// Address for clients.
    pub native_address: IpAddr,
    /// Port for clients.
    pub native_port: u16,
    /// Data centre.
    pub data_center: String,
    /// Rack.
    pub rack: String,
    /// Its tokens, ascending.
    pub tokens: Vec<Token>,
    /// Whether it answers.
    pub is_up: bool,
}

/// All members, and who owns which token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Members; the first is this node.
    nodes: Vec<Node>,
    /// Token and index of its node, ascending.
    ring: Vec<(Token, usize)>,
}

impl Topology {
    /// A cluster of these nodes; the first is this one.
    pub fn new(nodes: Vec<Node>) -> Topology {
        assert!(!nodes.is_empty(), "a cluster has at least the node that asks");
        let mut ring: Vec<(Token, usize)> = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            ring.extend(node.tokens.iter().map(|token| (*token, index)));
        }
        ring.sort();
        Topology { nodes, ring }
    }

    /// This node.
    pub fn local(&self) -> &Node {
        &self.nodes[0]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Number of nodes of each data centre, by name.
    pub fn datacenters(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for node in &self.nodes {
            match counts.iter_mut().find(|(name, _)| *name == node.data_center) {
                Some((_, count)) => *count += 1,
                None => counts.push((node.data_center.clone(), 1)),
            }
        }
        counts.sort();
        counts
    }

    /// Ring entries from the owner of `token` on, once around.
    pub fn ring_from(&self, token: Token) -> impl Iterator<Item = (Token, &Node)> {
        let start = self.ring.partition_point(|(owned, _)| *owned < token);
        let around = self.ring[start..].iter().chain(&self.ring[..start]);
        around.map(|(token, index)| (*token, &self.nodes[*index]))
    }
}

/// Tokens for a new cluster's first node: evenly spread, from a random start, so that each owns the same share.
pub fn first_tokens(count: usize, random: &dyn Random) -> Vec<Token> {
    let step = u64::MAX / count.max(1) as u64;
    let start = random.next_u64();
    let token = |index: usize| {
        let raw = start.wrapping_add(step.wrapping_mul(index as u64)) as i64;
        Token(if raw == i64::MIN { i64::MAX } else { raw })
    };
    let mut tokens: Vec<Token> = (0..count.max(1)).map(token).collect();
    tokens.sort();
    tokens.dedup();
    tokens
}
