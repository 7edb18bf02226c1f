//! Tracing: what `TRACING ON` shows, as rows of `system_traces`.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use model::value::collection;
use model::{Clustering, Mutation, PartitionKey, PartitionUpdate, Row, Table};
use uuid::Uuid;

use super::Executor;
use crate::system::definitions;
use crate::system::row::{RowBuilder, Times};
use cql::bind::term::ValueSource;

/// Traces are kept for a day.
const TRACE_TTL_S: i32 = 86_400;

/// One request's trace, written when the request is done.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Names the trace; the client has it with its answer.
    pub session: Uuid,
    /// Who asked.
    pub client: IpAddr,
    /// `Execute CQL3 query` and the like.
    pub request: &'static str,
    /// What was asked, for people.
    pub parameters: Vec<(String, String)>,
    /// Wall clock at the start, microseconds.
    pub started_us: i64,
    /// What happened, and how long after the start.
    pub events: Vec<(String, Duration)>,
}

impl Executor {
    /// Begins a trace.
    pub fn begin_trace(
        &self,
        client: IpAddr,
        request: &'static str,
        parameters: Vec<(String, String)>,
    ) -> Trace {
        let started_us = self.runtime.clock().wall_us();
        Trace { session: self.timeuuid(), client, request, parameters, started_us, events: Vec::new() }
    }

    /// Adds an event that happens now.
    pub fn trace_event(&self, trace: &mut Trace, activity: &str) {
        let elapsed = self.runtime.clock().wall_us().saturating_sub(trace.started_us).max(0).unsigned_abs();
        trace.events.push((activity.to_owned(), Duration::from_micros(elapsed)));
    }

    /// Writes a trace; losing one is no harm, so nobody waits.
    pub fn end_trace(&self, trace: &Trace) {
        let now_us = self.runtime.clock().wall_us();
        let duration = now_us.saturating_sub(trace.started_us).clamp(0, i64::from(i32::MAX)) as i32;
        let local = self.coordinator.topology().local();
        let sessions = definitions::table("system_traces", "sessions");
        let events = definitions::table("system_traces", "events");
        let times = Times::new(now_us, TRACE_TTL_S);
        let key = PartitionKey::new(Bytes::copy_from_slice(trace.session.as_bytes()));
        let mut session = RowBuilder::new(sessions, Clustering::EMPTY, times);
        session.set("client", &ip(trace.client));
        session.set("command", b"QUERY");
        session.set("coordinator", &ip(local.address));
        session.set("coordinator_port", &i32::from(local.storage_port).to_be_bytes());
        session.set("duration", &duration.to_be_bytes());
        session.set("request", trace.request.as_bytes());
        session.set("started_at", &(trace.started_us / 1000).to_be_bytes());
        session.set_map("parameters", &trace.parameters);
        let mut mutations = vec![one(sessions, key.clone(), vec![session.row])];
        let mut rows = Vec::with_capacity(trace.events.len());
        for (activity, elapsed) in &trace.events {
            let id = self.timeuuid();
            let values = vec![Some(Bytes::copy_from_slice(id.as_bytes()))];
            let mut event =
                RowBuilder::new(events, Clustering::new(values, &events.clustering_types()), times);
            event.set("activity", activity.as_bytes());
            event.set("source", &ip(local.address));
            event
                .set("source_elapsed", &i32::try_from(elapsed.as_micros()).unwrap_or(i32::MAX).to_be_bytes());
            event.set("source_port", &i32::from(local.storage_port).to_be_bytes());
            event.set("thread", b"Native-Transport-Requests");
            rows.push(event.row);
        }
        rows.sort_by(|a, b| a.clustering.cmp(&b.clustering));
        mutations.push(one(events, key, rows));
        if let Err(error) = self.coordinator.write(&mutations) {
            tracing::warn!(%error, "a trace was lost");
        }
    }
}

fn one(table: &std::sync::Arc<Table>, key: PartitionKey, rows: Vec<Row>) -> Mutation {
    Mutation { table: table.clone(), key, update: PartitionUpdate { rows, ..PartitionUpdate::default() } }
}

fn ip(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The value of a list of texts, for parameters that are lists.
pub fn text_list(texts: &[String]) -> Vec<u8> {
    collection::pack(texts.len(), texts)
}
