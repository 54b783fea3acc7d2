//! Actix Web.
//!
//! Recognised by the direct dependency `actix-web` of a package, or of a member of a workspace. Its crates are vendored and
//! compiled once per `Cargo.lock`; the app is built with `cargo build --release` and started by its own `start.sh`;
//! without one, by its program, if there is one only.

use std::path::Path;

use super::{CARGO, Framework, Language};
use crate::packages::program;

pub(super) static ACTIX: Framework = Framework {
    id: "actix",
    name: "Actix",
    language: Language::Rust,
    dependency: "actix-web",
    build: Some(CARGO),
    start,
    environment: &[],
    source: include_str!("actix.rs"),
};

fn start(tree: &Path) -> Option<Vec<String>> {
    program(tree, ACTIX.dependency)
}
