//! Requests that want a trace: carried out like others, then written into `system_traces`.

use std::rc::Rc;

use wire::{QueryParams, RequestBody};

use super::{Requests, Session};
use crate::native::{Handled, Reply, RequestContext, synced_outcome};

impl Requests {
    pub(super) fn handle_traced(
        &self,
        session: &Rc<Session>,
        request: RequestBody,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Handled {
        let (what, parameters) = describe(&request);
        let executor = self.executor.clone();
        let mut trace = executor.begin_trace(session.peer.ip(), what, parameters);
        executor.trace_event(&mut trace, "Parsing and preparing the statement");
        let start = out.len();
        let handled = self.handle_plain(session, request, ctx, out);
        let written = matches!(handled, Handled::Written).then(|| out.split_off(start));
        let session_id = *trace.session.as_bytes();
        Handled::Pending(Box::pin(async move {
            let outcome = match (handled, written) {
                (Handled::Written, Some(envelope)) => Ok(Reply::Encoded(envelope)),
                (Handled::Ready(outcome), _) => outcome,
                (Handled::Pending(work), _) => work.await,
                (Handled::Committing(synced), _) => synced_outcome(synced.await),
                (Handled::Written, None) => Ok(Reply::void()),
            };
            executor.trace_event(&mut trace, "Request complete");
            executor.end_trace(&trace);
            match outcome {
                Ok(reply) => Ok(reply.with_tracing_id(session_id)),
                Err(error) => {
                    let extras = wire::Extras { tracing_id: Some(session_id), ..wire::Extras::default() };
                    Ok(Reply::failed(&error, extras))
                }
            }
        }))
    }
}

/// What `system_traces.sessions` says of a request.
fn describe(request: &RequestBody) -> (&'static str, Vec<(String, String)>) {
    let common = |params: &QueryParams| {
        let level = |code: u16| model::error::consistency_name(code).to_owned();
        let mut parameters = vec![("consistency_level".to_owned(), level(params.consistency))];
        let serial = params.serial_consistency.unwrap_or(8);
        parameters.push(("serial_consistency_level".to_owned(), level(serial)));
        if let Some(size) = params.page_size {
            parameters.push(("page_size".to_owned(), size.to_string()));
        }
        parameters
    };
    match request {
        RequestBody::Query { text, params } => {
            let mut parameters = common(params);
            parameters.push(("query".to_owned(), text.as_str().to_owned()));
            ("Execute CQL3 query", parameters)
        }
        RequestBody::Execute { params, .. } => ("Execute CQL3 prepared query", common(params)),
        RequestBody::Batch { params, .. } => ("Execute batch of CQL3 queries", common(params)),
        RequestBody::Prepare { text, .. } => {
            ("Preparing CQL3 query", vec![("query".to_owned(), text.as_str().to_owned())])
        }
        _ => ("Request", Vec::new()),
    }
}
