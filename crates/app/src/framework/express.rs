//! Express on Node.
//!
//! Recognised by the direct dependency `express` (a tree that also has `next` is Next.js's). Installed with `npm ci` by its
//! lock file, started by its own `start.sh`; without one, by `npm start`, else by node on its main file. Production is `NODE_ENV=production`.

use super::{Framework, Language};

pub(super) static EXPRESS: Framework = Framework {
    id: "express",
    name: "Express",
    language: Language::Node,
    dependency: "express",
    build: None,
    start: crate::start::node,
    environment: &[("NODE_ENV", "production")],
    source: include_str!("express.rs"),
};
