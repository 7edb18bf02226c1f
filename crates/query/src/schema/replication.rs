//! `replication = {…}`: strategy classes and their options.

use std::collections::BTreeMap;

use model::QueryError;

const PACKAGE: &str = "org.apache.cassandra.locator.";
/// `default_keyspace_rf`: where no factor is given.
const FACTOR_DEFAULT: u32 = 1;

type Options = BTreeMap<String, String>;

/// The replication as `system_schema.keyspaces` shows it: full class name, a factor for every data centre.
///
/// `old` is the replication that is replaced (empty at CREATE): data centres keep the factor they have when
/// NetworkTopologyStrategy is given `replication_factor`.
pub(super) fn resolve(
    keyspace: &str,
    mut options: Options,
    old: &Options,
    datacenters: &[(String, usize)],
) -> Result<Options, QueryError> {
    let Some(class) = options.remove("class") else {
        return config("Missing replication strategy class".to_owned());
    };
    let class = if class.contains('.') { class } else { format!("{PACKAGE}{class}") };
    let mut resolved = match class.strip_prefix(PACKAGE) {
        Some("SimpleStrategy") => simple(keyspace, options)?,
        Some("NetworkTopologyStrategy") => network(keyspace, options, old, datacenters)?,
        Some("LocalStrategy") => {
            return Err(QueryError::invalid(
                "Unable to use given strategy class: LocalStrategy is reserved for internal use.",
            ));
        }
        _ => return config(format!("Unable to find replication strategy class '{class}'")),
    };
    resolved.insert("class".to_owned(), class);
    Ok(resolved)
}

fn config<T>(text: String) -> Result<T, QueryError> {
    Err(QueryError::Config(text))
}

fn simple(keyspace: &str, mut options: Options) -> Result<Options, QueryError> {
    let text = options.entry("replication_factor".to_owned()).or_insert_with(|| FACTOR_DEFAULT.to_string());
    factor(text)?;
    if let Some(unknown) = options.keys().find(|key| *key != "replication_factor") {
        return config(format!(
            "Unrecognized strategy option {{{unknown}}} passed to SimpleStrategy for keyspace {keyspace}"
        ));
    }
    Ok(options)
}

fn network(
    keyspace: &str,
    mut options: Options,
    old: &Options,
    datacenters: &[(String, usize)],
) -> Result<Options, QueryError> {
    let common = match options.remove("replication_factor") {
        Some(text) => {
            let Ok(common) = factor(&text) else {
                return config("Configuration for at least one datacenter must be present".to_owned());
            };
            if is_network(old) {
                for (datacenter, factor) in old.iter().filter(|(key, _)| *key != "class") {
                    options.entry(datacenter.clone()).or_insert_with(|| factor.clone());
                }
            }
            Some(common)
        }
        None if options.is_empty() => Some(FACTOR_DEFAULT),
        None => None,
    };
    if let Some(common) = common {
        for (datacenter, _) in datacenters {
            options.entry(datacenter.clone()).or_insert_with(|| common.to_string());
        }
    }
    options.retain(|_, factor| factor != "0");
    if options.is_empty() {
        return config("Configuration for at least one datacenter must be present".to_owned());
    }
    for (datacenter, text) in &options {
        if !datacenters.iter().any(|(known, _)| known == datacenter) {
            return config(format!(
                "Unrecognized strategy option {{{datacenter}}} passed to NetworkTopologyStrategy for keyspace \
                 {keyspace}"
            ));
        }
        factor(text)?;
    }
    Ok(options)
}

fn factor(text: &str) -> Result<u32, QueryError> {
    if text.contains('/') {
        return config("Transient replication is not enabled on this node".to_owned());
    }
    match text.parse::<i32>() {
        Err(_) => config(format!("For input string: \"{text}\"")),
        Ok(factor) => u32::try_from(factor)
            .or_else(|_| config(format!("Replication factor must be non-negative, found {factor}"))),
    }
}

fn is_network(options: &Options) -> bool {
    options.get("class").is_some_and(|class| class.ends_with(".NetworkTopologyStrategy"))
}

/// How many copies of a row there are.
pub(super) fn total(options: &Options) -> u64 {
    options
        .iter()
        .filter(|(key, _)| *key != "class")
        .filter_map(|(_, text)| text.parse::<u32>().ok())
        .map(u64::from)
        .sum()
}

/// More copies than nodes.
pub(super) fn warnings(keyspace: &str, options: &Options, datacenters: &[(String, usize)]) -> Vec<String> {
    let too_many = |factor: &str, nodes: usize, place: &str| {
        let factor: u32 = factor.parse().ok()?;
        (factor as usize > nodes).then(|| {
            format!(
                "Your replication factor {factor} for keyspace {keyspace} is higher than the number of nodes \
                 {nodes}{place}"
            )
        })
    };
    if is_network(options) {
        return datacenters
            .iter()
            .filter_map(|(name, nodes)| {
                too_many(options.get(name)?, *nodes, &format!(" for datacenter {name}"))
            })
            .collect();
    }
    let nodes = datacenters.iter().map(|(_, nodes)| nodes).sum();
    options.get("replication_factor").and_then(|factor| too_many(factor, nodes, "")).into_iter().collect()
}
