//! Hono on Node.
//!
//! Recognised by the direct dependency `hono`. Started by its script `start`; without one, by node on its main file.
//! Production is `NODE_ENV=production`.

use super::{Framework, Language};
use crate::start::node;

pub(super) static HONO: Framework = Framework {
    id: "hono",
    name: "Hono on Node",
    language: Language::Node,
    dependency: "hono",
    build: None,
    start: node,
    environment: &[("NODE_ENV", "production")],
    source: include_str!("hono.rs"),
};
