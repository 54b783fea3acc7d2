//! Nest.
//!
//! Recognised by the direct dependency `@nestjs/core`. Built by its script `build` into `dist`, started from there.
//! Production is `NODE_ENV=production`.

use std::path::Path;

use super::{Build, Framework, Language};

pub(super) static NEST: Framework = Framework {
    id: "nest",
    name: "Nest",
    language: Language::Node,
    dependency: "@nestjs/core",
    build: Some(Build {
        command: &["npm", "run", "build"],
        keeps: &["dist"],
        drops: &[],
    }),
    start,
    environment: &[("NODE_ENV", "production")],
    source: include_str!("nest.rs"),
};

fn start(tree: &Path) -> Option<Vec<String>> {
    let main = ["dist/main.js", "dist/src/main.js"]
        .into_iter()
        .find(|file| tree.join(file).is_file())?;
    Some(vec![
        "/bin/sh".into(),
        "-c".into(),
        format!("exec node {main}"),
    ])
}
