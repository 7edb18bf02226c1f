//! Power loss: clients write, the machine goes dark, and every acknowledged write must be there afterwards.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use runtime::Runtime;
use runtime::sim::{SimNode, SimRuntime};
use server::config::{Config, Sources};
use server::node::Node;
use wire::Response;

use crate::client::Client;

/// Clients that write at once.
const WRITERS_COUNT: u32 = 4;
/// Rows of each client, written again and again.
const ROWS_COUNT: u32 = 20;
/// How long the node is left alone between two power losses, at most.
const CALM: Duration = Duration::from_millis(400);
/// How long a connection or an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Everything is drawn from it.
    pub seed: u64,
    /// Power losses.
    pub losses_count: u32,
    /// `commitlog_sync`: `group`, `batch`, or `periodic`, which acknowledges before it syncs: the checker must see it.
    pub commitlog_sync: &'static str,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Hash of every event of the run.
    pub trace_hash: u64,
    /// Writes that were acknowledged.
    pub acknowledged_count: u64,
    /// Acknowledged writes that were not there after a power loss.
    pub lost: Vec<String>,
}

/// What clients know of the rows.
#[derive(Default)]
struct History {
    /// Row, the last version that was acknowledged, and the last that was sent.
    rows: BTreeMap<u32, (u32, u32)>,
    acknowledged_count: u64,
}

/// Runs a scenario.
pub fn run(scenario: Scenario) -> Report {
    let sim = SimRuntime::new(scenario.seed);
    let server = sim.first_node().clone();
    let clients = sim.add_node(IpAddr::from([127, 0, 0, 2]), 1);
    let address = SocketAddr::new(server.ip(), 9042);
    let history = Rc::new(RefCell::new(History::default()));
    let lost = {
        let history = history.clone();
        sim.block_on_node(&clients, move |runtime| async move {
            let mut lost = Vec::new();
            for round in 0..scenario.losses_count {
                start(&server, scenario);
                prepare(&runtime, address).await;
                let stop = Rc::new(Cell::new(false));
                for writer in 0..WRITERS_COUNT {
                    let (rt, history, stop) = (runtime.clone(), history.clone(), stop.clone());
                    runtime.spawn_local(async move { write(rt, address, writer, history, stop).await });
                }
                let calm = runtime.random().next_u64() % CALM.as_micros() as u64;
                runtime.sleep(Duration::from_micros(1000 + calm)).await;
                server.crash();
                stop.set(true);
                start(&server, scenario);
                lost.extend(check(&runtime, address, &history, round).await);
                server.crash();
            }
            lost
        })
    };
    let acknowledged_count = history.borrow().acknowledged_count;
    Report { trace_hash: sim.trace_hash(), acknowledged_count, lost }
}

/// Starts the node's process on its machine.
fn start(server: &SimNode, scenario: Scenario) {
    let runtime = server.runtime();
    let handle = runtime.clone();
    runtime.spawn_on(0, move || async move {
        let settings = vec![
            ("data_dir".to_owned(), "/data".to_owned()),
            ("commitlog_sync".to_owned(), scenario.commitlog_sync.to_owned()),
        ];
        let sources = Sources { settings, ..Sources::default() };
        let config = Config::load(&sources).expect("the scenario's configuration is right");
        let node = match Node::start(&handle, &config, 1) {
            Ok(node) => node,
            Err(error) => panic!("the node does not start after a power loss: {error}"),
        };
        std::future::pending::<()>().await;
        drop(node);
    });
}

async fn connect(runtime: &Runtime, address: SocketAddr) -> Client {
    let attempts = async {
        loop {
            match Client::connect(runtime, address).await {
                Ok(client) => return client,
                Err(_) => runtime.sleep(Duration::from_millis(1)).await,
            }
        }
    };
    match runtime.timeout(PATIENCE, attempts).await {
        Ok(client) => client,
        Err(_) => panic!("the node does not answer after {PATIENCE:?}"),
    }
}

async fn prepare(runtime: &Runtime, address: SocketAddr) {
    let mut client = connect(runtime, address).await;
    for statement in [
        "CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE IF NOT EXISTS ks.t (k int PRIMARY KEY, v int)",
    ] {
        let answer = client.query(statement).await.expect("the schema is made in peace");
        assert!(!matches!(answer, Response::Error(_)), "{answer:?}");
    }
}

/// Writes ever later versions of its rows until the node goes away.
async fn write(
    runtime: Runtime,
    address: SocketAddr,
    writer: u32,
    history: Rc<RefCell<History>>,
    stop: Rc<Cell<bool>>,
) {
    let Ok(mut client) = Client::connect(&runtime, address).await else { return };
    while !stop.get() {
        let row = writer * ROWS_COUNT + (runtime.random().next_u64() % u64::from(ROWS_COUNT)) as u32;
        let version = {
            let mut history = history.borrow_mut();
            let known = history.rows.entry(row).or_default();
            known.1 += 1;
            known.1
        };
        let statement = format!("INSERT INTO ks.t (k, v) VALUES ({row}, {version})");
        match client.query(&statement).await {
            Ok(Response::Void) => {
                let mut history = history.borrow_mut();
                history.acknowledged_count += 1;
                if let Some(known) = history.rows.get_mut(&row) {
                    known.0 = known.0.max(version);
                }
            }
            Ok(other) => panic!("an INSERT was answered {other:?}"),
            Err(_) => return,
        }
    }
}

/// Every acknowledged version is there, or a later one that was sent.
async fn check(
    runtime: &Runtime,
    address: SocketAddr,
    history: &Rc<RefCell<History>>,
    round: u32,
) -> Vec<String> {
    let mut client = connect(runtime, address).await;
    let mut lost = Vec::new();
    let rows: Vec<(u32, (u32, u32))> =
        history.borrow().rows.iter().map(|(row, known)| (*row, *known)).collect();
    for (row, (acknowledged, sent)) in rows {
        let found = match client.query(&format!("SELECT v FROM ks.t WHERE k = {row}")).await {
            Ok(Response::Rows(rows)) => rows.rows.first().and_then(|row| row[0].clone()),
            // Without the table its rows are gone too.
            Ok(Response::Error(_)) => None,
            other => panic!("a SELECT was answered {other:?}"),
        };
        let version = found
            .map_or(0, |bytes| u32::from_be_bytes(bytes.as_ref().try_into().expect("an int has 4 bytes")));
        if version < acknowledged {
            lost.push(format!(
                "round {round}: row {row}: version {acknowledged} was acknowledged, {version} is there"
            ));
        }
        assert!(version <= sent, "row {row} has version {version}, but only {sent} were ever sent");
        // From here on this is what is known to be there.
        if let Some(known) = history.borrow_mut().rows.get_mut(&row) {
            *known = (version, sent);
        }
    }
    lost
}

#[cfg(test)]
mod tests;
