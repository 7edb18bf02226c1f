//! `cargo xtask oracle`: a real Cassandra, brought up by `scripts/oracle.sh`, answers the CQL scripts.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use crate::arguments::Arguments;
use crate::{errors, scripts};

const HOST: &str = "127.0.0.1";

/// A Cassandra that is stopped when this is dropped.
struct Oracle {
    folder: PathBuf,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let stopped = Command::new("scripts/oracle.sh").arg("stop").arg(&self.folder).status();
        if !stopped.is_ok_and(|status| status.success()) {
            eprintln!("xtask: cannot stop the node in {}", self.folder.display());
        }
        // What is left is in the way of nobody: the next run makes a folder of its own.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// `[--update] [--errors] [FILTER]`; true if Cassandra answers as the scripts (and `errors_all.tsv`) say.
pub fn command(arguments: &mut Arguments) -> Result<bool, String> {
    let update = arguments.flag("--update");
    let with_errors = arguments.flag("--errors");
    let filter = arguments.rest()?;
    let port = free_port()?;
    let _oracle = start(port)?;
    let are_scripts_same = scripts::run(HOST, port, filter.as_deref(), update)?;
    // Last: some of these statements damage the system's own tables.
    let are_errors_same = !with_errors || errors::run(HOST, port, 100.0, 100.0, false)?;
    Ok(are_scripts_same && are_errors_same)
}

fn start(port: u16) -> Result<Oracle, String> {
    let oracle =
        Oracle { folder: std::env::temp_dir().join(format!("helenus-oracle-{}", std::process::id())) };
    let status = Command::new("scripts/oracle.sh")
        .args(["up", HOST, &port.to_string()])
        .arg(&oracle.folder)
        .args(["--storage-port", &free_port()?.to_string(), "--jmx-port", "0"])
        .status()
        .map_err(|error| format!("scripts/oracle.sh: {error}"))?;
    if status.success() { Ok(oracle) } else { Err("Cassandra did not start".to_owned()) }
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((HOST, 0)).map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}
