//! A node of the release build, for the steps that talk to one.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::oracle::free_port;
use crate::peer::Client;

/// Where every client looks first; `examples/users.py` knows no other port.
const PORT_PREFERRED: u16 = 9042;

/// Far longer than a start takes.
const START_MAX: Duration = Duration::from_secs(20);
const STOP_MAX: Duration = Duration::from_secs(30);

/// A node on a data directory of its own; killed and its directory removed when this is dropped.
pub struct Node {
    process: Child,
    folder: PathBuf,
    /// Its CQL port on 127.0.0.1.
    pub port: u16,
}

impl Node {
    /// Starts the binary and waits until it answers. `preferred`: on port 9042 if nobody listens there.
    pub fn start(binary: &Path, preferred: bool) -> Result<Node, String> {
        let port = if preferred && is_preferred_port_free() { PORT_PREFERRED } else { free_port()? };
        let folder = std::env::temp_dir().join(format!("helenus-ci-{}-{port}", std::process::id()));
        let process = Command::new(binary)
            .arg("--data-dir")
            .arg(&folder)
            .args(["--native-transport-port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut node = Node { process, folder, port };
        let started = Instant::now();
        while Client::connect("127.0.0.1", port).is_err() {
            if let Ok(Some(status)) = node.process.try_wait() {
                return Err(format!("the node ended at start: {status}"));
            }
            if started.elapsed() > START_MAX {
                return Err(format!("the node does not answer on port {port}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(node)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// SIGTERM: it must end by itself, with 0.
    pub fn stop(mut self) -> Result<(), String> {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("the node (pid {pid}) is gone"));
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_MAX {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("the node ended with {status}")),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Err(format!("the node did not drain in {} s", STOP_MAX.as_secs()))
    }
}

/// True if nobody listens on port 9042.
pub fn is_preferred_port_free() -> bool {
    TcpListener::bind(("127.0.0.1", PORT_PREFERRED)).is_ok()
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail harmlessly when the node has ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
