//! Express on Node.
//!
//! Recognised by the direct dependency `express` (a tree that also has `next` is Next.js's). Installed with `npm ci` by its
//! lock file, started by its own `start.sh`; without one, by `npm start`. Production is `NODE_ENV=production`.

use std::path::Path;

use super::{Framework, Language};

pub(super) static EXPRESS: Framework = Framework {
    id: "express",
    name: "Express",
    language: Language::Node,
    dependency: "express",
    build: None,
    start,
    environment: &[("NODE_ENV", "production")],
    source: include_str!("express.rs"),
};

fn start(tree: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(tree.join("package.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_str(&text).ok()?;
    manifest.get("scripts")?.get("start")?;
    Some(vec!["/bin/sh".into(), "-c".into(), "exec npm start".into()])
}
