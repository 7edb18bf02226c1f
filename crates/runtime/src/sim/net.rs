//! The simulated network: streams in memory, every packet with a delay of its own, in order, and breakable.
//!
//! Reads and writes are short at times, as the kernel's are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;

use super::world::World;
use crate::net::{Listener, ListenerKind, ReadHalf, ReadKind, Stream, WriteHalf, WriteKind};

/// How long a packet takes, at least and usually at most.
pub(super) const PACKET_TIME: (Duration, Duration) = (Duration::from_micros(20), Duration::from_micros(500));
/// How long a connection to a machine that does not answer takes to fail.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What one direction of a connection holds, on its way and unread.
const PIPE_BYTES_MAX: usize = 64 * 1024;
/// How many connections may wait to be accepted.
const BACKLOG_COUNT: usize = 1024;
const FIRST_EPHEMERAL_PORT: u16 = 32768;
const SHORT_TRANSFER_CHANCE: f64 = 0.1;

/// The network's part of the world.
#[derive(Default)]
pub(crate) struct Net {
    listeners: BTreeMap<SocketAddr, Arc<Backlog>>,
    connections: Vec<Weak<Connection>>,
    parted: BTreeSet<(IpAddr, IpAddr)>,
    ports_count: u16,
}

#[derive(Default)]
struct Backlog {
    state: Mutex<BacklogState>,
}

#[derive(Default)]
struct BacklogState {
    waiting: VecDeque<Stream>,
    wakers: Vec<Waker>,
}

pub(crate) struct SimListener {
    world: Arc<World>,
    addr: SocketAddr,
    backlog: Arc<Backlog>,
}

struct Connection {
    ends: [SocketAddr; 2],
    /// Pipe 0 carries what end 0 writes.
    pipes: [Mutex<Pipe>; 2],
    halves_count: [Mutex<u8>; 2],
}

#[derive(Default)]
struct Pipe {
    arrived: VecDeque<u8>,
    on_the_way_bytes: usize,
    last_arrival: Duration,
    /// The writer has said that nothing more comes.
    closed: bool,
    /// The reader has read, or will read, everything up to the end.
    ended: bool,
    /// The reader is gone: writing fails.
    unread: bool,
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The address a node means: its own where it names none.
pub(super) fn resolve(ip: IpAddr, mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(ip);
    }
    addr
}

pub(super) fn listen(world: &Arc<World>, ip: IpAddr, addr: SocketAddr) -> io::Result<Listener> {
    let mut addr = resolve(ip, addr);
    if addr.ip() != ip {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let mut state = world.lock();
    if addr.port() == 0 {
        addr.set_port(state.net.next_port());
    }
    if state.net.listeners.contains_key(&addr) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let backlog = Arc::new(Backlog::default());
    state.net.listeners.insert(addr, Arc::clone(&backlog));
    Ok(Listener(ListenerKind::Sim(SimListener { world: Arc::clone(world), addr, backlog })))
}

pub(super) fn connect(world: &Arc<World>, ip: IpAddr, addr: SocketAddr) -> io::Result<Stream> {
    let mut state = world.lock();
    let Some(backlog) = state.net.listeners.get(&addr).cloned() else {
        return Err(io::ErrorKind::ConnectionRefused.into());
    };
    let local = SocketAddr::new(ip, state.net.next_port());
    let connection = Arc::new(Connection {
        ends: [local, addr],
        pipes: Default::default(),
        halves_count: [Mutex::new(2), Mutex::new(2)],
    });
    state.net.connections.retain(|connection| connection.strong_count() > 0);
    state.net.connections.push(Arc::downgrade(&connection));
    drop(state);
    world.trace().record("connect", [u64::from(local.port()), u64::from(addr.port()), 0, 0]);
    let wakers = {
        let mut state = backlog.state.lock();
        if state.waiting.len() >= BACKLOG_COUNT {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        state.waiting.push_back(stream(world, &connection, 1));
        std::mem::take(&mut state.wakers)
    };
    wakers.into_iter().for_each(Waker::wake);
    Ok(stream(world, &connection, 0))
}

fn stream(world: &Arc<World>, connection: &Arc<Connection>, end: usize) -> Stream {
    let half = || Half { world: Arc::clone(world), connection: Arc::clone(connection), end };
    Stream {
        read: ReadHalf(ReadKind::Sim(SimReadHalf(half()))),
        write: WriteHalf(WriteKind::Sim(SimWriteHalf(half()))),
    }
}

pub(super) fn are_parted(world: &World, a: IpAddr, b: IpAddr) -> bool {
    world.lock().net.parted.contains(&(a.min(b), a.max(b)))
}

pub(super) fn set_parted(world: &Arc<World>, a: IpAddr, b: IpAddr, parted: bool) {
    let pair = (a.min(b), a.max(b));
    if parted {
        world.lock().net.parted.insert(pair);
        cut(world, a, b);
    } else {
        world.lock().net.parted.remove(&pair);
    }
}

pub(super) fn cut(world: &World, a: IpAddr, b: IpAddr) {
    let connections: Vec<_> = world.lock().net.connections.iter().filter_map(Weak::upgrade).collect();
    for connection in connections {
        let [one, other] = connection.ends.map(|end| end.ip());
        if (one, other) != (a, b) && (one, other) != (b, a) {
            continue;
        }
        world.trace().record("cut", [u64::from(connection.ends[0].port()), 0, 0, 0]);
        for pipe in &connection.pipes {
            let wakers = {
                let mut pipe = pipe.lock();
                pipe.reset = true;
                [pipe.reader.take(), pipe.writer.take()]
            };
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl Net {
    fn next_port(&mut self) -> u16 {
        let port = FIRST_EPHEMERAL_PORT + self.ports_count;
        self.ports_count = (self.ports_count + 1) % (u16::MAX - FIRST_EPHEMERAL_PORT);
        port
    }
}

impl SimListener {
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        poll_fn(|cx| {
            let mut state = self.backlog.state.lock();
            if let Some(stream) = state.waiting.pop_front() {
                return Poll::Ready(Ok(stream));
            }
            if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.addr
    }
}

impl fmt::Debug for SimListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimListener({})", self.addr)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let listener = self.world.lock().net.listeners.remove(&self.addr);
        drop(listener);
        // Those that waited find their connection ended.
        let waiting = std::mem::take(&mut self.backlog.state.lock().waiting);
        drop(waiting);
    }
}

/// One direction as one end sees it.
struct Half {
    world: Arc<World>,
    connection: Arc<Connection>,
    end: usize,
}

impl Half {
    fn incoming(&self) -> &Mutex<Pipe> {
        &self.connection.pipes[1 - self.end]
    }

    fn outgoing(&self) -> &Mutex<Pipe> {
        &self.connection.pipes[self.end]
    }

    /// A share of `count`, usually all of it.
    fn draw_count(&self, count: usize) -> usize {
        let mut state = self.world.lock();
        if state.prng.chance(SHORT_TRANSFER_CHANCE) { 1 + state.prng.index(count) } else { count }
    }

    /// Has `deliver` done to the outgoing pipe after a packet's time, in order, and the reader woken.
    fn send(&self, deliver: impl FnOnce(&mut Pipe) + Send + 'static) {
        let delay = self.world.lock().draw_delay(PACKET_TIME.0, PACKET_TIME.1);
        let now = self.world.now();
        let due = {
            let mut pipe = self.outgoing().lock();
            pipe.last_arrival = pipe.last_arrival.max(now + delay);
            pipe.last_arrival
        };
        let (connection, end) = (Arc::clone(&self.connection), self.end);
        self.world.after(due - now, move || {
            let reader = {
                let mut pipe = connection.pipes[end].lock();
                deliver(&mut pipe);
                pipe.reader.take()
            };
            reader.into_iter().for_each(Waker::wake);
        });
    }

    fn close_outgoing(&self) {
        let already = std::mem::replace(&mut self.outgoing().lock().closed, true);
        if !already {
            self.send(|pipe| pipe.ended = true);
        }
    }

    /// One half is dropped; with the second one the other side's writing begins to fail.
    fn drop_half(&self) {
        let last = {
            let mut count = self.connection.halves_count[self.end].lock();
            *count -= 1;
            *count == 0
        };
        if last {
            let writer = {
                let mut pipe = self.incoming().lock();
                pipe.unread = true;
                pipe.writer.take()
            };
            writer.into_iter().for_each(Waker::wake);
        }
    }
}

pub(crate) struct SimReadHalf(Half);

impl SimReadHalf {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        buf.reserve(64);
        let room = buf.capacity() - buf.len();
        self.poll_take(cx, room, |bytes| buf.extend(bytes))
    }

    pub(crate) fn poll_read_slice(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = out.len();
        self.poll_take(cx, room, |bytes| out.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte))
    }

    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        put: impl FnOnce(std::collections::vec_deque::Drain<'_, u8>),
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.incoming().lock();
        if pipe.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let available = pipe.arrived.len().min(room);
        if available == 0 {
            if pipe.ended || room == 0 {
                return Poll::Ready(Ok(0));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = self.0.draw_count(available);
        put(pipe.arrived.drain(..count));
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }
}

pub(crate) struct SimWriteHalf(Half);

impl SimWriteHalf {
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = {
            let mut pipe = self.0.outgoing().lock();
            if pipe.reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if pipe.unread || pipe.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let room = PIPE_BYTES_MAX - pipe.arrived.len() - pipe.on_the_way_bytes;
            if room == 0 {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            room
        };
        let count = self.0.draw_count(room.min(bytes.len()));
        let packet = bytes[..count].to_vec();
        self.0.outgoing().lock().on_the_way_bytes += count;
        let port = self.0.connection.ends[0].port();
        let crc = stdx::crc::crc32(&packet);
        self.0
            .world
            .trace()
            .record("packet", [u64::from(port), self.0.end as u64, count as u64, u64::from(crc)]);
        self.0.send(move |pipe| {
            pipe.on_the_way_bytes -= packet.len();
            pipe.arrived.extend(packet);
        });
        Poll::Ready(Ok(count))
    }

    pub(crate) fn shutdown(&mut self) -> io::Result<()> {
        self.0.close_outgoing();
        Ok(())
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.0.connection.ends[self.0.end]
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.0.connection.ends[1 - self.0.end]
    }
}

impl Drop for SimReadHalf {
    fn drop(&mut self) {
        self.0.drop_half();
    }
}

impl Drop for SimWriteHalf {
    fn drop(&mut self) {
        self.0.close_outgoing();
        self.0.drop_half();
    }
}

impl fmt::Debug for SimReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimReadHalf({:?})", self.0.connection.ends)
    }
}

impl fmt::Debug for SimWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimWriteHalf({:?})", self.0.connection.ends)
    }
}
