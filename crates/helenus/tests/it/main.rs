//! The binary as an operator meets it: what it refuses to start with, how it stops, what is there afterwards.
#![expect(clippy::disallowed_methods, reason = "outside of the node: real processes, files and sockets")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a node may take for what it should do at once.
const PATIENCE: Duration = Duration::from_secs(30);

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("helenus-it-{}-{name}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn command(data_dir: &Path, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_helenus"));
    command.arg("--data-dir").arg(data_dir).args(["--native-transport-port", &port.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn refused(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("the binary runs");
    assert!(!status.success());
    String::from_utf8(stderr).expect("text")
}

/// Sends one request of protocol v4, returns opcode and body of the answer.
fn ask(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> std::io::Result<(u8, Vec<u8>)> {
    let mut frame = vec![4, 0, 0, 1, opcode];
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&frame)?;
    let mut header = [0; 9];
    stream.read_exact(&mut header)?;
    let bytes = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
    let mut answer = vec![0; bytes as usize];
    stream.read_exact(&mut answer)?;
    Ok((header[4], answer))
}

fn connect(port: u16) -> TcpStream {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let (opcode, _) =
                ask(&mut stream, 1, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0").expect("STARTUP");
            assert_eq!(opcode, 2, "READY");
            return stream;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no node on port {port} after {PATIENCE:?}");
}

fn query(stream: &mut TcpStream, text: &str) -> Vec<u8> {
    let mut body = (text.len() as u32).to_be_bytes().to_vec();
    body.extend_from_slice(text.as_bytes());
    body.extend_from_slice(&[0, 1, 0]);
    let (opcode, answer) = ask(stream, 7, &body).expect("an answer");
    assert_eq!(opcode, 8, "{text}: {}", String::from_utf8_lossy(&answer));
    answer
}

fn stop(node: Child) -> (Option<i32>, String) {
    let id = rustix::process::Pid::from_child(&node);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    let output = node.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_second_node_on_the_same_data_is_refused_with_the_first_ones_pid() {
    let (directory, port) = (Directory::new("second"), free_port());
    let first = command(&directory.0, port).spawn().expect("the binary runs");
    drop(connect(port));
    let said = refused(command(&directory.0, free_port()));
    assert!(said.contains(&format!("process {}", first.id())), "{said}");
    let (code, said) = stop(first);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_drained_node_has_everything_after_a_restart() {
    let (directory, port) = (Directory::new("restart"), free_port());
    let node = command(&directory.0, port).spawn().expect("the binary runs");
    let mut client = connect(port);
    query(
        &mut client,
        "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    query(&mut client, "CREATE TABLE k.t (a int PRIMARY KEY, b text)");
    query(&mut client, "INSERT INTO k.t (a, b) VALUES (1, 'still there')");
    let begun = Instant::now();
    let (code, said) = stop(node);
    assert_eq!(code, Some(0), "{said}");
    // The client is connected all the while: it must not keep the node.
    assert!(begun.elapsed() < PATIENCE / 3, "draining took {:?}", begun.elapsed());
    let node = command(&directory.0, port).spawn().expect("the binary runs");
    let answer = query(&mut connect(port), "SELECT b FROM k.t WHERE a = 1");
    assert!(answer.windows(11).any(|part| part == b"still there"), "{answer:?}");
    let (code, said) = stop(node);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn wrong_settings_stop_the_start() {
    let directory = Directory::new("settings");
    let file = directory.0.join("cassandra.yaml");
    std::fs::write(&file, "cluster_name: x\nnative_transport_prot: 1\n").expect("a file");
    let mut misspelt = command(&directory.0, free_port());
    misspelt.arg("--config").arg(&file);
    let said = refused(misspelt);
    assert!(said.contains("line 2") && said.contains("did you mean native_transport_port?"), "{said}");
    let mut open = command(&directory.0, free_port());
    open.args(["--listen-address", "0.0.0.0"]);
    let said = refused(open);
    assert!(said.contains("allow_anonymous_clients"), "{said}");
}
