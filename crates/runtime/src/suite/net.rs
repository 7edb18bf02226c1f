//! Listeners and streams.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::oneshot;

use crate::{Listener, Runtime, Stream};

fn listen(runtime: &Runtime) -> Listener {
    runtime.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap()
}

/// Sends back what comes, to the end.
async fn echo(mut stream: Stream) {
    let mut buf = BytesMut::with_capacity(4096);
    while stream.read(&mut buf).await.unwrap() > 0 {
        stream.write_all(&buf).await.unwrap();
        buf.clear();
    }
    stream.shutdown().await.unwrap();
}

pub(super) async fn bytes_go_both_ways_and_end(runtime: Runtime, _: PathBuf) {
    let listener = listen(&runtime);
    let addr = listener.local_addr();
    runtime.spawn_local(async move { echo(listener.accept().await.unwrap()).await });
    let mut stream = runtime.connect(addr).await.unwrap();
    assert_eq!(stream.peer_addr(), addr);
    assert_eq!(stream.local_addr().ip(), addr.ip());
    stream.write_all(b"hello").await.unwrap();
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut BytesMut::new()).await.unwrap(), 0);
    assert_eq!(stream.read_exact(&mut bytes).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

pub(super) async fn a_stream_moves_to_another_shard(runtime: Runtime, _: PathBuf) {
    let listener = listen(&runtime);
    let addr = listener.local_addr();
    let inside = runtime.clone();
    runtime.spawn_local(async move {
        let detached = listener.accept().await.unwrap().detach().unwrap();
        let there = inside.clone();
        inside.spawn_on(1, move || async move {
            assert_eq!(there.current_shard(), Some(1));
            echo(detached.attach().unwrap()).await;
        });
    });
    let mut stream = runtime.connect(addr).await.unwrap();
    let mut bytes = [0; 4];
    for _ in 0..10 {
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
    }
}

pub(super) async fn more_than_the_buffers_hold_arrives(runtime: Runtime, _: PathBuf) {
    const BYTES: usize = 500_000;
    let listener = listen(&runtime);
    let addr = listener.local_addr();
    let (done, finished) = oneshot::channel();
    runtime.spawn_local(async move {
        let (mut read, _write) = listener.accept().await.unwrap().into_split();
        let mut buf = BytesMut::with_capacity(1000);
        while read.read(&mut buf).await.unwrap() > 0 {}
        done.send(buf).unwrap();
    });
    let stream = runtime.connect(addr).await.unwrap();
    let (_read, mut write) = stream.into_split();
    let sent: Vec<u8> = (0..BYTES).map(|index| (index * 31 / 8) as u8).collect();
    write.write_all(&sent).await.unwrap();
    drop(write);
    assert!(finished.await.unwrap() == sent, "what arrived is what was sent");
}

pub(super) async fn nobody_listening_is_refused(runtime: Runtime, _: PathBuf) {
    let listener = listen(&runtime);
    let addr = listener.local_addr();
    drop(listener);
    assert_eq!(runtime.connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

pub(super) async fn a_port_is_taken_once(runtime: Runtime, _: PathBuf) {
    let listener = listen(&runtime);
    let addr = listener.local_addr();
    assert_eq!(runtime.listen(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(listener);
    runtime.listen(addr).unwrap();
    let elsewhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9042));
    assert_eq!(runtime.listen(elsewhere).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}

pub(super) async fn a_closed_reader_fails_the_writer(runtime: Runtime, _: PathBuf) {
    let listener = listen(&runtime);
    let addr = listener.local_addr();
    runtime.spawn_local(async move { drop(listener.accept().await.unwrap()) });
    let mut stream = runtime.connect(addr).await.unwrap();
    assert_eq!(stream.read(&mut BytesMut::new()).await.unwrap(), 0);
    for _ in 0..1000 {
        if let Err(error) = stream.write_all(&[0; 1000]).await {
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error:?}");
            return;
        }
        runtime.sleep(Duration::from_millis(1)).await;
    }
    panic!("writing to nobody goes on");
}
