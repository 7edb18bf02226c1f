//! `helenus nodetool`: the client of the admin port.
//!
//! Options before the command are as in Cassandra: `-h`, `-p` and those for a login, which loopback does not ask for.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use runtime::Runtime;
use runtime::real::RealRuntime;

use super::command::{self, CommandError};
use super::protocol::{DEFAULT_PORT, Line, PATH, Progress};
use super::stream::HttpStream;
use super::usage;

/// Longest line of an answer.
const LINE_BYTES_MAX: usize = 64 << 20;
/// Cells of a progress bar.
const BAR_CELLS: usize = 30;

/// Where to, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Host as typed.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The command and what follows it.
    pub words: Vec<String>,
}

/// Takes off the options before the command.
pub fn parse_call(words: &[String]) -> Result<Call, CommandError> {
    let usage = |text: String| CommandError::Usage(text);
    let mut call = Call { host: "127.0.0.1".to_owned(), port: DEFAULT_PORT, words: Vec::new() };
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let mut value = || {
            rest.next()
                .cloned()
                .ok_or_else(|| usage(format!("Required values for option '{word}' not provided")))
        };
        match word.as_str() {
            "-h" | "--host" => call.host = value()?,
            "-p" | "--port" => {
                let port = value()?;
                call.port = port
                    .parse()
                    .map_err(|_| usage(format!("port: can not convert \"{port}\" to a port number")))?;
            }
            "-u" | "--username" | "-pw" | "--password" | "-pwf" | "--password-file" => drop(value()?),
            "-pp" | "--print-port" => {}
            _ => {
                call.words.push(word.clone());
                call.words.extend(rest.by_ref().cloned());
            }
        }
    }
    Ok(call)
}

/// Carries out one command; returns what the process ends with.
pub fn run(words: Vec<String>) -> ExitCode {
    let call = match parse_call(&words) {
        Ok(call) => call,
        Err(error) => return told(&error),
    };
    match call.words.first().map(String::as_str) {
        None | Some("help" | "--help") => {
            print!("{}", usage::help(call.words.get(1).map(String::as_str)));
            return ExitCode::SUCCESS;
        }
        Some(_) => {}
    }
    if let Err(error) = command::parse(&call.words) {
        return told(&error);
    }
    let real = match RealRuntime::start(1) {
        Ok(real) => real,
        Err(error) => return told(&format!("nodetool: cannot start a thread: {error}")),
    };
    match real.block_on(move |runtime| async move { send(&runtime, &call).await }) {
        Ok(code) => ExitCode::from(code),
        Err(text) => told(&format!("nodetool: {text}")),
    }
}

fn told(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn address(call: &Call) -> Result<SocketAddr, String> {
    let ip = match call.host.as_str() {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => {
            host.parse().map_err(|_| format!("{host} is no IP address; the admin port is on 127.0.0.1"))?
        }
    };
    Ok(SocketAddr::new(ip, call.port))
}

async fn send(runtime: &Runtime, call: &Call) -> Result<u8, String> {
    let address = address(call)?;
    let stream = runtime.connect(address).await.map_err(|error| {
        format!(
            "Failed to connect to '{}:{}' - {error}. Is the node up, with this --admin-port?",
            call.host, call.port
        )
    })?;
    let is_no_helenus = |error: hyper::Error| {
        format!("'{address}' does not answer as the admin port of Helenus does: {error}")
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(HttpStream::new(stream)).await.map_err(is_no_helenus)?;
    runtime.spawn_local(async move {
        // What is wrong with it, its requests say.
        let _told = connection.await;
    });
    let body = serde_json::json!({ "arguments": call.words }).to_string();
    let request = Request::builder()
        .method(Method::POST)
        .uri(PATH)
        .header(HOST, address.to_string())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(bytes::Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let mut response = sender.send_request(request).await.map_err(is_no_helenus)?;
    if response.status() != StatusCode::OK {
        let status = response.status();
        let text = response.into_body().collect().await.map_err(is_no_helenus)?.to_bytes();
        return Err(format!("{address} refused: {status}: {}", String::from_utf8_lossy(&text).trim()));
    }
    let mut shown = Shown::default();
    let mut rest = Vec::new();
    while let Some(frame) = response.frame().await {
        let frame = frame.map_err(|error| format!("the connection to the node was lost: {error}"))?;
        rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = serde_json::from_slice(&line)
                .map_err(|error| format!("an answer is not understood: {error}"))?;
            if let Some(code) = shown.show(line) {
                return Ok(code);
            }
        }
        if rest.len() > LINE_BYTES_MAX {
            return Err("an answer is too long".to_owned());
        }
    }
    Err("the node ended before the command did".to_owned())
}

/// What stands on the terminal.
#[derive(Default)]
struct Shown {
    /// A progress bar is in the current line.
    has_bar: bool,
}

impl Shown {
    /// Shows a line; what it ends with, if it was the last.
    fn show(&mut self, line: Line) -> Option<u8> {
        match line {
            Line::Progress(progress) if std::io::stderr().is_terminal() => {
                eprint!("\r\x1b[2K{}", bar(&progress));
                let _unseen = std::io::stderr().flush();
                self.has_bar = true;
            }
            Line::Progress(_) => {}
            Line::Out(text) => {
                self.clear();
                print!("{text}");
                let _unseen = std::io::stdout().flush();
            }
            Line::Error(text) => {
                self.clear();
                eprint!("{text}");
            }
            Line::Exit(code) => {
                self.clear();
                return Some(code);
            }
        }
        None
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.has_bar) {
            eprint!("\r\x1b[2K");
        }
    }
}

fn bar(progress: &Progress) -> String {
    let total = progress.total.max(1);
    let done = progress.done.min(total);
    let cells = (done as u128 * BAR_CELLS as u128 / u128::from(total)) as usize;
    let percent = done as f64 * 100.0 / total as f64;
    format!("{} [{}{}] {percent:5.1}%", progress.what, "#".repeat(cells), " ".repeat(BAR_CELLS - cells))
}

#[cfg(test)]
mod tests {
    use super::{Call, Progress, bar, parse_call};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_before_the_command_say_where_to() {
        let call = |host: &str, port, rest: &str| Call { host: host.to_owned(), port, words: words(rest) };
        let check = |text: &str, want| assert_eq!(parse_call(&words(text)), Ok(want), "{text}");
        check("", call("127.0.0.1", 7199, ""));
        check("status", call("127.0.0.1", 7199, "status"));
        check("-h localhost -p 17 -u me -pw x -pp flush -p ks", call("localhost", 17, "flush -p ks"));
        assert!(parse_call(&words("-p x status")).is_err());
        assert!(parse_call(&words("-p")).is_err());
    }

    #[test]
    fn a_bar_fills() {
        let at = |done, total| bar(&Progress { what: "Compaction ks.t".to_owned(), done, total });
        assert_eq!(at(0, 100), format!("Compaction ks.t [{}]   0.0%", " ".repeat(30)));
        assert_eq!(at(50, 100), format!("Compaction ks.t [{}{}]  50.0%", "#".repeat(15), " ".repeat(15)));
        assert_eq!(at(300, 100), format!("Compaction ks.t [{}] 100.0%", "#".repeat(30)));
        assert!(at(0, 0).ends_with("0.0%"));
    }
}
