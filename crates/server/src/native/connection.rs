//! One connection: a task that reads, decodes, executes, and writes what is ready, in turns.
//!
//! A turn: take news from the mailbox, poll pending requests, decode and execute what has arrived, write all
//! answers in one call, read again. It ends when nothing is left to do; what can change that (bytes, room to
//! write, a pending request, news) wakes the task.
//!
//! Requests that have arrived together are decoded together, so that the handler can foresee what they need; they
//! are executed one after the other.
//!
//! Never here: what a request means ([`super::handler`]), waiting for one request before the next.

use std::any::Any;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use model::QueryError;
use runtime::{Runtime, Stream};
use wire::response::ReplyTo;
use wire::{
    Compression, Envelope, Extras, FrameDecoder, FrameEncoder, FrameError, Limits, Opcode, Request,
    RequestBody, Response, Version,
};

use super::budget::{Budget, Share};
use super::error::error_body;
use super::events::{Mail, Stage, Subscription};
use super::handler::{ClientInfo, Handled, Outcome, Reply, RequestContext, RequestHandler};
use super::pending::{Finished, PendingSet};
use super::{NativeLimits, startup};

/// How much is asked for in one read; it grows while reads fill it, and shrinks again.
const READ_BYTES_MIN: usize = 4 << 10;
const READ_BYTES_MAX: usize = 256 << 10;

/// Requests that are decoded before the first of them is executed.
const AHEAD_COUNT_MAX: usize = 16;

/// Turns before other connections of the thread get theirs.
const TURNS_MAX: usize = 16;

/// An output buffer that is larger is given back once it is written.
const OUTPUT_BYTES_KEPT: usize = 256 << 10;

/// What a client is told that comes when there is too much to do already; Cassandra's words.
const OVERLOADED: &str = "Server is in overloaded state. Cannot accept more requests at this point";

/// What a connection shares with the others of its node.
pub(super) struct Shared<H> {
    pub(super) runtime: Runtime,
    pub(super) handler: Arc<H>,
    pub(super) limits: NativeLimits,
    pub(super) budget: Arc<Budget>,
}

/// Serves a connection until its end.
pub(super) async fn serve<H: RequestHandler>(
    shared: Arc<Shared<H>>,
    stream: Stream,
    subscription: Subscription,
) {
    let mut connection = Connection::new(shared, stream, subscription);
    let end = poll_fn(|cx| connection.poll(cx)).await;
    if let End::Farewell = end {
        connection.farewell().await;
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At once: the client is gone, or there is nothing to tell it.
    Now,
    /// All answers are written, the client should get to read them.
    Farewell,
}

/// How far a connection has come.
enum State<S> {
    /// Only STARTUP and OPTIONS are understood.
    New,
    /// Requests are executed.
    Ready(Rc<S>),
}

/// What was decoded, not executed yet.
struct Ahead {
    to: ReplyTo,
    request: Result<Request, QueryError>,
    bytes: usize,
}

struct Connection<H: RequestHandler> {
    shared: Arc<Shared<H>>,
    stream: Stream,
    subscription: Subscription,
    state: State<H::Session>,
    version: Version,
    decoder: FrameDecoder,
    encoder: FrameEncoder,
    /// What was read and not decoded yet.
    input: BytesMut,
    read_bytes: usize,
    /// Requests that were decoded, oldest first, and what came behind them instead of another.
    ahead: VecDeque<Ahead>,
    ahead_bytes: usize,
    fault: Option<FrameError>,
    /// Answers, as bare envelopes.
    replies: Vec<u8>,
    /// Answers as they go over the wire, and how much of them has gone.
    output: Vec<u8>,
    written: usize,
    pending: PendingSet,
    share: Share,
    /// Nothing more is taken on; what is in flight is finished.
    is_closing: bool,
    /// There may be whole requests in the input: there was no room to execute them.
    is_stalled: bool,
    /// The client will send nothing more.
    is_input_ended: bool,
    /// When the handshake, or closing, has taken too long.
    deadline: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl<H: RequestHandler> Connection<H> {
    fn new(shared: Arc<Shared<H>>, stream: Stream, subscription: Subscription) -> Connection<H> {
        let limits = Limits { envelope_bytes_max: shared.limits.request_bytes_max };
        let channel = subscription.id() as u32;
        let deadline = shared.runtime.sleep(shared.limits.handshake);
        Connection {
            share: Share::new(shared.budget.clone()),
            shared,
            stream,
            subscription,
            state: State::New,
            version: Version::V5,
            decoder: FrameDecoder::for_server(limits, channel),
            encoder: FrameEncoder::new(),
            input: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            fault: None,
            replies: Vec::new(),
            output: Vec::new(),
            written: 0,
            pending: PendingSet::new(),
            is_closing: false,
            is_stalled: false,
            is_input_ended: false,
            deadline: Some(Box::pin(deadline)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let polled = self.poll_turns(cx);
        self.share.set(self.held_bytes());
        polled
    }

    fn poll_turns(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..TURNS_MAX {
            if let Some(end) = self.take_mail(cx) {
                return Poll::Ready(end);
            }
            if let Some(deadline) = &mut self.deadline
                && deadline.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(End::Now);
            }
            self.execute(cx);
            match self.write(cx) {
                Ok(()) => {}
                Err(_) => return Poll::Ready(End::Now),
            }
            if let Some(end) = self.finished() {
                return Poll::Ready(end);
            }
            if std::mem::take(&mut self.is_stalled) && self.has_room() {
                // The write has made room: go on with what is here already.
                continue;
            }
            if !self.wants_input() {
                return Poll::Pending;
            }
            match self.read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => self.is_input_ended = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(End::Now),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Bytes that this connection makes the node hold, beyond what an idle one does.
    fn held_bytes(&self) -> usize {
        let input = self.input.len() + self.decoder.held_bytes() + self.ahead_bytes;
        self.pending.bytes() + self.unsent_bytes() + input
    }

    fn unsent_bytes(&self) -> usize {
        self.replies.len() + self.output.len() - self.written
    }

    fn has_room(&self) -> bool {
        let limits = &self.shared.limits;
        self.pending.len() < limits.pending_requests_max
            && self.pending.bytes() < limits.pending_bytes_max
            && self.unsent_bytes() < limits.unsent_bytes_max
    }

    fn wants_input(&self) -> bool {
        !self.is_closing && !self.is_input_ended && self.has_room()
    }

    /// What there is to do before the end is told; `None` while there is.
    fn finished(&self) -> Option<End> {
        let is_idle = self.pending.len() == 0 && self.unsent_bytes() == 0;
        match () {
            () if !is_idle => None,
            () if self.is_closing => Some(End::Farewell),
            () if self.is_input_ended => Some(End::Now),
            () => None,
        }
    }

    /// Lets what is in flight finish, for as long as a farewell may take.
    fn close(&mut self) {
        if !self.is_closing {
            self.is_closing = true;
            self.deadline = Some(Box::pin(self.shared.runtime.sleep(self.shared.limits.farewell)));
        }
    }

    fn take_mail(&mut self, cx: &mut Context<'_>) -> Option<End> {
        let has_room = self.unsent_bytes() < self.shared.limits.unsent_bytes_max;
        let Mail { events, is_behind, stage } = self.subscription.take(cx, has_room);
        if is_behind || stage == Stage::Aborting {
            return Some(End::Now);
        }
        if stage == Stage::Closing {
            self.close();
        }
        for event in events {
            let to = ReplyTo { version: self.version, stream: -1 };
            Response::Event(wire::Event::clone(&event)).encode(&to, &Extras::default(), &mut self.replies);
        }
        None
    }

    /// Executes what has arrived, and takes the answers that have become ready, until neither brings more.
    fn execute(&mut self, cx: &mut Context<'_>) {
        loop {
            let replies = &mut self.replies;
            self.pending.poll(cx, |finished| append_finished(finished, replies));
            if !self.execute_input() {
                return;
            }
        }
    }

    /// Decodes and executes while there is room; false if nothing was there to execute.
    fn execute_input(&mut self) -> bool {
        let mut has_executed = false;
        while !self.is_closing && self.has_room() {
            if let Some(ahead) = self.ahead.pop_front() {
                self.ahead_bytes -= ahead.bytes;
                self.execute_request(ahead);
            } else if let Some(fault) = self.fault.take() {
                self.execute_fault(&fault);
            } else {
                // An idle connection keeps no memory for it.
                self.ahead = VecDeque::new();
                match self.decoder.next(&mut self.input) {
                    Ok(None) => {
                        if !self.refuse_unfinished() {
                            break;
                        }
                    }
                    Ok(Some(envelope)) => self.take_envelope(envelope),
                    Err(fault) => self.fault = Some(fault),
                }
            }
            has_executed = true;
        }
        self.is_stalled = !self.has_room();
        has_executed
    }

    fn take_envelope(&mut self, envelope: Envelope) {
        let State::Ready(_) = &self.state else {
            let to = ReplyTo { version: envelope.version, stream: envelope.stream };
            return self.greet(to, envelope);
        };
        self.look_ahead(envelope);
    }

    /// Decodes the requests that have arrived, this first one included.
    fn look_ahead(&mut self, first: Envelope) {
        let mut next = Some(first);
        while let Some(envelope) = next.take() {
            let to = ReplyTo { version: envelope.version, stream: envelope.stream };
            let bytes = envelope.body.len();
            self.ahead.push_back(Ahead { to, request: Request::decode(envelope), bytes });
            self.ahead_bytes += bytes;
            if self.ahead.len() < AHEAD_COUNT_MAX {
                match self.decoder.next(&mut self.input) {
                    Ok(envelope) => next = envelope,
                    Err(fault) => self.fault = Some(fault),
                }
            }
        }
        if self.ahead.len() > 1 {
            let requests = self.ahead.iter().filter_map(|ahead| ahead.request.as_ref().ok());
            let (handler, mut bodies) = (&self.shared.handler, requests.map(|request| &request.body));
            // What panics here will do so again where it is answered.
            let _foreseen = catch_unwind(AssertUnwindSafe(|| handler.foresee(&mut bodies)));
        }
    }

    fn execute_fault(&mut self, fault: &FrameError) {
        match fault {
            FrameError::Refused(refusal) => {
                refusal.encode(&error_body(&refusal.error), &mut self.replies);
            }
            FrameError::Broken(refusal) => {
                refusal.encode(&error_body(&refusal.error), &mut self.replies);
                self.close();
            }
            FrameError::Unanswerable(_) => self.close(),
        }
    }

    /// Gives up a long request of which a part is here when the node holds too much.
    fn refuse_unfinished(&mut self) -> bool {
        let held_bytes = self.input.len() + self.decoder.held_bytes();
        held_bytes > READ_BYTES_MAX
            && self.share.budget().is_exhausted()
            && self.decoder.refuse_unfinished(&mut self.input, overloaded())
    }

    /// Answers a client that has not said STARTUP yet.
    fn greet(&mut self, to: ReplyTo, envelope: Envelope) {
        let opcode = envelope.opcode;
        if !matches!(opcode, Opcode::Startup | Opcode::Options) {
            let text = format!("Unexpected message {}, expecting STARTUP or OPTIONS", opcode.name());
            self.refuse(&to, &QueryError::Protocol(text));
            return self.close();
        }
        match Request::decode(envelope).map(|request| request.body) {
            Ok(RequestBody::Startup(options)) => match startup::negotiate(to.version, &options) {
                Ok(compression) => self.start(to, compression, options),
                Err(error) => self.refuse(&to, &error),
            },
            Ok(_) => self.answer(&to, &startup::supported()),
            // Cassandra closes without a word when STARTUP has no body.
            Err(_) => self.close(),
        }
    }

    fn start(
        &mut self,
        to: ReplyTo,
        compression: Option<Compression>,
        options: Vec<(wire::codec::Text, wire::codec::Text)>,
    ) {
        self.version = to.version;
        self.decoder.pin(to.version, compression);
        if to.version.is_segmented() {
            // The answer is the last thing that is sent bare.
            self.answer(&to, &Response::Ready);
            self.seal();
            self.encoder.pin(to.version, compression);
        } else {
            self.seal();
            self.encoder.pin(to.version, compression);
            self.answer(&to, &Response::Ready);
        }
        let client = ClientInfo { peer: self.stream.peer_addr(), version: to.version, options };
        self.state = State::Ready(self.shared.handler.open(client));
        self.deadline = None;
    }

    fn execute_request(&mut self, Ahead { to, request, bytes }: Ahead) {
        let State::Ready(session) = &self.state else { return };
        let session = session.clone();
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.refuse(&to, &error),
        };
        match request.body {
            RequestBody::Options => self.answer(&to, &startup::supported()),
            RequestBody::Register(kinds) => {
                self.subscription.register(&kinds);
                self.answer(&to, &Response::Ready);
            }
            RequestBody::AuthResponse(_) => self.answer(&to, &Response::AuthSuccess(None)),
            RequestBody::Startup(_) => {
                let text = "Unexpected message STARTUP, the connection is already initialized".to_string();
                self.refuse(&to, &QueryError::Protocol(text));
            }
            _ if self.share.budget().is_exhausted() => self.refuse(&to, &overloaded()),
            body => {
                let ctx = RequestContext { reply: to, tracing: request.tracing, payload: request.payload };
                self.hand_over(&session, body, &ctx, bytes);
            }
        }
    }

    fn hand_over(&mut self, session: &Rc<H::Session>, body: RequestBody, ctx: &RequestContext, bytes: usize) {
        let start = self.replies.len();
        let (handler, replies) = (&self.shared.handler, &mut self.replies);
        let handled = catch_unwind(AssertUnwindSafe(|| handler.handle(session, body, ctx, replies)));
        match handled {
            Ok(Handled::Written) => {
                debug_assert!(self.replies.len() > start, "the handler has written nothing")
            }
            Ok(Handled::Ready(outcome)) => append_outcome(outcome, &ctx.reply, &mut self.replies),
            Ok(Handled::Committing(synced)) => self.pending.insert_commit(ctx.reply, bytes, synced),
            Ok(Handled::Pending(future)) => self.pending.insert(ctx.reply, bytes, future),
            Err(panic) => {
                // It may have left a torn envelope.
                self.replies.truncate(start);
                append_finished(Finished { reply: ctx.reply, outcome: Err(panic) }, &mut self.replies);
            }
        }
    }

    fn answer(&mut self, to: &ReplyTo, response: &Response) {
        response.encode(to, &Extras::default(), &mut self.replies);
    }

    fn refuse(&mut self, to: &ReplyTo, error: &QueryError) {
        self.answer(to, &Response::Error(error_body(error)));
    }

    /// Moves the answers to the output, in the form in which they are sent.
    fn seal(&mut self) {
        if self.replies.is_empty() {
            return;
        }
        if self.encoder.is_bare() && self.output.is_empty() {
            std::mem::swap(&mut self.replies, &mut self.output);
        } else {
            self.encoder.encode(&self.replies, &mut self.output);
            self.replies.clear();
        }
    }

    /// Writes what fits.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.seal();
        while self.written < self.output.len() {
            match self.stream.poll_write(cx, &self.output[self.written..]) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        self.written = 0;
        self.output.clear();
        self.output.shrink_to(OUTPUT_BYTES_KEPT);
        self.replies.shrink_to(OUTPUT_BYTES_KEPT);
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.read_bytes);
        let offered = self.input.capacity() - self.input.len();
        let read = self.stream.poll_read(cx, &mut self.input);
        if let Poll::Ready(Ok(count)) = read {
            if count >= offered {
                self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
            } else if count < self.read_bytes / 8 {
                self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
            }
        }
        read
    }

    /// Ends the stream so that the client gets to read the last answers: a socket that is closed with
    /// unread input takes them back.
    async fn farewell(&mut self) {
        let runtime = self.shared.runtime.clone();
        let (stream, input) = (&mut self.stream, &mut self.input);
        let ended = runtime.timeout(self.shared.limits.farewell, async {
            if stream.shutdown().await.is_err() {
                return;
            }
            while let Ok(1..) = stream.read(input).await {
                input.clear();
            }
        });
        // Too late or not: the connection is dropped.
        let _late = ended.await;
    }
}

impl<H: RequestHandler> Drop for Connection<H> {
    fn drop(&mut self) {
        if let State::Ready(session) = &self.state {
            self.shared.handler.close(session);
        }
    }
}

fn overloaded() -> QueryError {
    QueryError::Overloaded(OVERLOADED.to_string())
}

fn append_outcome(outcome: Outcome, to: &ReplyTo, out: &mut Vec<u8>) {
    match outcome {
        Ok(reply) => reply.append(to, out),
        Err(error) => Reply::failed(&error, Extras::default()).append(to, out),
    }
}

fn append_finished(finished: Finished, out: &mut Vec<u8>) {
    let Finished { reply, outcome } = finished;
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic_text(panic.as_ref());
        tracing::error!(stream = reply.stream, "a request panicked: {text}");
        Err(QueryError::Server(format!("the request failed unexpectedly, see the node's log: {text}")))
    });
    append_outcome(outcome, &reply, out);
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
