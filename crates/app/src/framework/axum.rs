//! axum on tokio.
//!
//! Recognised by the direct dependency `axum` of a package, or of a member of a workspace. Its crates are vendored and
//! compiled once per `Cargo.lock`; the app is built with `cargo build --release` and started by its own `start.sh`;
//! without one, by its program, if there is one only.

use std::path::Path;

use super::{Build, Framework, Language};
use crate::packages::{Package, packages};

pub(super) static AXUM: Framework = Framework {
    id: "axum",
    name: "axum",
    language: Language::Rust,
    dependency: "axum",
    build: Some(Build {
        command: &["cargo", "build", "--release"],
        keeps: &["target"],
        drops: &[
            "target/release/deps",
            "target/release/build",
            "target/release/.fingerprint",
            "target/release/incremental",
            "target/release/examples",
        ],
    }),
    start,
    environment: &[],
    source: include_str!("axum.rs"),
};

fn start(tree: &Path) -> Option<Vec<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let programs: Vec<String> = packages(tree)
        .iter()
        .filter(|package| package.dependencies().any(|name| name == AXUM.dependency))
        .flat_map(Package::programs)
        .collect();
    match programs.as_slice() {
        [one] if one.chars().all(plain) => Some(vec![format!("target/release/{one}")]),
        _ => None,
    }
}
