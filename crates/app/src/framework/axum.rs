//! axum on tokio.
//!
//! Recognised by the direct dependency `axum` of a package (not a workspace) with a `Cargo.lock`. Its crates are vendored
//! and compiled once per lock file; the app is built with `cargo build --release` and started by its own `start.sh`;
//! without one, by the first program in `target/release`.

use std::path::Path;

use super::{Build, Framework, Language};

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
    let text = std::fs::read_to_string(tree.join("Cargo.toml")).ok()?;
    let manifest: toml::Table = text.parse().ok()?;
    let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    name.chars()
        .all(plain)
        .then(|| vec![format!("target/release/{name}")])
}
