//! Floors: a crate uses lower floors only: no sibling, nothing above.

use super::Breach;
use crate::metadata::{Kind, Metadata, Package};

/// Every crate of `crates/` and its floor, as in ARCHITECTURE.md.
const FLOORS: [(&str, u8); 15] = [
    ("stdx", 0),
    ("testkit", 0),
    ("model", 1),
    ("runtime", 1),
    ("cql", 2),
    ("wire", 2),
    ("sstable", 2),
    ("storage", 3),
    ("cluster", 3),
    ("coordinator", 4),
    ("query", 5),
    ("server", 6),
    ("tools", 6),
    ("helenus", 7),
    ("simulator", 7),
];

/// Tools beside the house: they may use any crate, no crate may use them.
const BESIDE: [&str; 2] = ["xtask", "bench"];

const TEST_TOOLS: &str = "testkit";

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(each, _)| *each == name).map(|(_, floor)| *floor)
}

/// Breaches of the manifests.
pub fn check(metadata: &Metadata) -> Vec<Breach> {
    let ours: Vec<&str> = metadata.packages.iter().map(|package| &*package.name).collect();
    metadata.packages.iter().flat_map(|package| check_one(package, &ours)).collect()
}

fn check_one(package: &Package, ours: &[&str]) -> Vec<Breach> {
    let user = &*package.name;
    if BESIDE.contains(&user) {
        return Vec::new();
    }
    let Some(user_floor) = floor(user) else {
        return vec![format!(
            "{user} has no floor: name it in xtask/src/tidy/floors.rs and in ARCHITECTURE.md"
        )];
    };
    let mut breaches = Vec::new();
    for (used, kind) in package.dependencies.iter().filter(|(used, _)| ours.contains(&&**used)) {
        let is_test_tool = used == TEST_TOOLS;
        let is_allowed = match kind {
            Kind::Dev if is_test_tool => true,
            _ if is_test_tool => false,
            _ => floor(used).is_some_and(|used_floor| used_floor < user_floor),
        };
        if !is_allowed {
            let place =
                floor(used).map_or("beside the house".to_owned(), |floor| format!("on floor {floor}"));
            breaches.push(format!(
                "{user} (floor {user_floor}) uses {used} ({place}): only lower floors, and {TEST_TOOLS} in tests"
            ));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        let dependencies = dependencies.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Package { name: name.to_owned(), dependencies, ..Package::default() }
    }

    #[track_caller]
    fn check_user(user: &str, used: &str, kind: Kind, is_allowed: bool) {
        let packages = vec![package(user, &[(used, kind)]), package(used, &[])];
        let breaches = check(&Metadata { packages });
        assert_eq!(breaches.is_empty(), is_allowed, "{breaches:?}");
    }

    #[test]
    fn only_lower_floors_are_used() {
        check_user("storage", "sstable", Kind::Normal, true);
        check_user("cql", "wire", Kind::Normal, false);
        check_user("cql", "query", Kind::Normal, false);
        check_user("model", "storage", Kind::Dev, false);
        check_user("server", "xtask", Kind::Normal, false);
        check_user("xtask", "server", Kind::Normal, true);
    }

    #[test]
    fn test_tools_stay_in_tests() {
        check_user("model", "testkit", Kind::Dev, true);
        check_user("server", "testkit", Kind::Normal, false);
    }

    #[test]
    fn a_crate_without_a_floor_is_a_breach() {
        assert_eq!(check(&Metadata { packages: vec![package("cellar", &[])] }).len(), 1);
    }
}
