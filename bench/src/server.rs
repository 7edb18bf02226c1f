//! The measured process: started on a core of its own, watched through /proc, stopped.

use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::text;

/// Clock ticks of /proc in a second: fixed at 100 on Linux, whatever the kernel's own clock does.
const TICKS_PER_SECOND: f64 = 100.0;
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that this program has started.
pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    pub pid: u32,
    how: How,
    /// The words before a nodetool command.
    nodetool: Vec<OsString>,
}

enum How {
    /// Our own child: SIGTERM and wait.
    Child(Child),
    /// The script stops it.
    Script { script: PathBuf, dir: PathBuf },
}

impl Server {
    /// Starts Helenus in `dir`; does not wait until it answers.
    pub fn helenus(
        binary: &Path,
        dir: &Path,
        address: SocketAddr,
        core: Option<usize>,
        settings: &[String],
    ) -> Outcome<Server> {
        std::fs::create_dir_all(dir).map_err(text)?;
        let log = File::create(dir.join("log")).map_err(text)?;
        let mut command = pinned(core, binary);
        command.arg("--data-dir").arg(dir.join("data"));
        command.arg("--listen-address").arg(address.ip().to_string());
        command.arg("--native-transport-port").arg(address.port().to_string());
        for setting in settings {
            command.arg("--set").arg(setting);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
        // taskset becomes the server: the pid stays.
        let admin_port = settings.iter().find_map(|setting| setting.strip_prefix("admin_port="));
        let mut nodetool = vec![binary.into(), "nodetool".into()];
        nodetool.extend(admin_port.iter().flat_map(|port| ["-p".into(), port.into()]));
        Ok(Server { name: "helenus", address, pid: child.id(), how: How::Child(child), nodetool })
    }

    /// Starts Cassandra with the project's script and waits until it answers.
    pub fn cassandra(
        script: &Path,
        dir: &Path,
        address: SocketAddr,
        core: Option<usize>,
        heap: &str,
        settings: &[String],
    ) -> Outcome<Server> {
        std::fs::create_dir_all(dir).map_err(text)?;
        let mut command = pinned(core, script);
        command.arg("up").arg(address.ip().to_string()).arg(address.port().to_string()).arg(dir);
        command.args(["--bench", "--heap", heap, "--storage-port", "17900", "--jmx-port", "17199"]);
        for setting in settings {
            command.arg("--set").arg(setting);
        }
        let status = command.status().map_err(|error| format!("{}: {error}", script.display()))?;
        if !status.success() {
            return Err(format!("{} {status}", script.display()));
        }
        let pid = std::fs::read_to_string(dir.join("pid")).map_err(text)?.trim().parse().map_err(text)?;
        let how = How::Script { script: script.to_owned(), dir: dir.to_owned() };
        let nodetool = vec![script.into(), "nodetool".into(), dir.into()];
        Ok(Server { name: "cassandra", address, pid, how, nodetool })
    }

    /// The command that runs this server's nodetool.
    pub fn nodetool(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.nodetool[0]);
        command.args(&self.nodetool[1..]).args(words);
        // Cassandra's tool is a JVM that lives for a second.
        command.env("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Asks the server to end, and waits for it.
    fn stop(&mut self) -> Outcome<()> {
        match &mut self.how {
            How::Script { script, dir } => {
                Command::new(script).arg("stop").arg(dir).status().map(drop).map_err(text)
            }
            How::Child(child) => {
                if child.try_wait().map_err(text)?.is_some() {
                    return Ok(());
                }
                let pid = rustix::process::Pid::from_child(child);
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(text)?;
                let asked = Instant::now();
                while child.try_wait().map_err(text)?.is_none() {
                    if asked.elapsed() > STOP_TIMEOUT {
                        child.kill().map_err(text)?;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(())
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("bench: {} (pid {}) may still run: {error}", self.name, self.pid);
        }
    }
}

fn pinned(core: Option<usize>, program: &Path) -> Command {
    match core {
        None => Command::new(program),
        Some(core) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(core.to_string()).arg(program);
            command
        }
    }
}

/// Puts this thread on a core.
pub fn pin_self(core: Option<usize>) -> Outcome<()> {
    let Some(core) = core else { return Ok(()) };
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| format!("core {core}: {error}"))
}

/// CPU time of a process so far, its own and the kernel's for it.
pub fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| format!("process {pid}: {error}"))?;
    // The name, in brackets, may hold spaces; utime and stime are the 12th and 13th field behind it.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).ok_or("/proc/PID/stat")?;
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Resident memory of a process in KiB.
pub fn resident_kib(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(text)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().map_err(text)
}

/// A directory for the data of a run, emptied.
pub fn fresh_dir(parent: &Path, name: &str) -> Outcome<PathBuf> {
    let dir = parent.join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    Ok(dir)
}
