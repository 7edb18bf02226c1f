//! What a node keeps of itself: its id, its tokens, its secret. One small file in the data directory.

use std::path::Path;

use cluster::topology::first_tokens;
use model::Token;
use query::executor::NodeIdentity;
use runtime::Runtime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Config;

/// Name of the file.
const FILE: &str = "node.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    host_id: Uuid,
    tokens: Vec<i64>,
    /// 64 hex digits.
    seal_key: String,
    cluster_name: String,
}

/// Reads the identity, or makes one on a new directory.
pub fn load_or_create(runtime: &Runtime, config: &Config) -> Result<NodeIdentity, String> {
    let path = config.data_dir.join(FILE);
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let disk = runtime.disk();
    let stored = if disk.exists(&path).map_err(|error| failed(&error))? {
        let bytes = disk.read_all(&path).map_err(|error| failed(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| failed(&error))?
    } else {
        let stored = create(runtime, config);
        let bytes = serde_json::to_vec_pretty(&stored).map_err(|error| failed(&error))?;
        disk.write_all_synced(&path, &bytes).map_err(|error| failed(&error))?;
        stored
    };
    if stored.cluster_name != config.cluster_name && config.settings.contains_key("cluster_name") {
        return Err(format!(
            "{} belongs to cluster '{}', but cluster_name says '{}'; use another data directory or the same name",
            config.data_dir.display(),
            stored.cluster_name,
            config.cluster_name
        ));
    }
    identity(stored, &path, config)
}

fn create(runtime: &Runtime, config: &Config) -> Stored {
    let random = runtime.random();
    let mut id = [0; 16];
    random.fill(&mut id);
    let mut key = [0; 32];
    random.fill(&mut key);
    Stored {
        host_id: uuid::Builder::from_random_bytes(id).into_uuid(),
        tokens: first_tokens(config.num_tokens, &**random).into_iter().map(|token| token.0).collect(),
        seal_key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        cluster_name: config.cluster_name.clone(),
    }
}

fn identity(stored: Stored, path: &Path, config: &Config) -> Result<NodeIdentity, String> {
    let mut seal_key = [0; 32];
    let digits = stored.seal_key.as_bytes();
    let bad_key = || format!("{}: seal_key must be 64 hex digits", path.display());
    if digits.len() != 64 || !digits.is_ascii() {
        return Err(bad_key());
    }
    for (byte, pair) in seal_key.iter_mut().zip(stored.seal_key.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad_key())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad_key())?;
    }
    Ok(NodeIdentity {
        cluster_name: stored.cluster_name,
        data_center: "datacenter1".to_owned(),
        rack: "rack1".to_owned(),
        host_id: stored.host_id,
        tokens: stored.tokens.into_iter().map(Token).collect(),
        seal_key,
        storage: (config.listen_address, config.storage_port),
        native: (config.rpc_address, config.native_transport_port),
    })
}
