//! Next.js, app or pages router.
//!
//! Recognised by the direct dependency `next`. Installed with `npm ci` by its lock file, built with the tree's own script
//! `build`, started by its own `start.sh`; without one, by `next start`. Production is what `next start` is.

use std::path::Path;

use super::{Build, Framework, Language};

pub(super) static NEXTJS: Framework = Framework {
    id: "nextjs",
    name: "Next.js",
    language: Language::Node,
    dependency: "next",
    build: Some(Build {
        command: &["npm", "run", "build"],
        keeps: &[".next"],
        drops: &[".next/cache"],
    }),
    start,
    environment: &[("NEXT_TELEMETRY_DISABLED", "1")],
    source: include_str!("nextjs.rs"),
};

fn start(tree: &Path) -> Option<Vec<String>> {
    let line = "exec node_modules/.bin/next start --hostname 0.0.0.0 --port \"$PORT\"";
    tree.join("package.json")
        .is_file()
        .then(|| vec!["/bin/sh".into(), "-c".into(), line.into()])
}
