//! What `cargo metadata` says of packages: names, dependencies, licences.

use std::process::Command;

use serde_json::Value;

/// Why a package is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By the product.
    Normal,
    /// By a build script.
    Build,
    /// By tests.
    Dev,
}

/// One package.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence expression, or nothing.
    pub license: String,
    /// Where it comes from; nothing for our own.
    pub source: String,
    /// What its manifest names.
    pub dependencies: Vec<(String, Kind)>,
}

/// Packages.
pub struct Metadata {
    /// In cargo's order.
    pub packages: Vec<Package>,
}

impl Metadata {
    /// Our own crates only.
    pub fn of_workspace() -> Result<Metadata, String> {
        Metadata::load(&["--no-deps"])
    }

    /// All that the lock file names.
    pub fn of_everything() -> Result<Metadata, String> {
        Metadata::load(&["--locked"])
    }

    fn load(arguments: &[&str]) -> Result<Metadata, String> {
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1"])
            .args(arguments)
            .output()
            .map_err(|error| format!("cargo metadata: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let value: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let packages = value["packages"].as_array().ok_or("cargo metadata names no packages")?;
        Ok(Metadata { packages: packages.iter().map(package).collect() })
    }
}

/// The cargo that runs us.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn package(value: &Value) -> Package {
    let dependencies = value["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let kind = |dependency: &Value| match dependency["kind"].as_str() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    Package {
        name: text(&value["name"]),
        version: text(&value["version"]),
        license: text(&value["license"]),
        source: text(&value["source"]),
        dependencies: dependencies.iter().map(|each| (text(&each["name"]), kind(each))).collect(),
    }
}
