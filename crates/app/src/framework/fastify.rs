//! Fastify.
//!
//! Recognised by the direct dependency `fastify`. Started by its script `start`; without one, by node on its main file.
//! Production is `NODE_ENV=production`.

use super::{Framework, Language};
use crate::start::node;

pub(super) static FASTIFY: Framework = Framework {
    id: "fastify",
    name: "Fastify",
    language: Language::Node,
    dependency: "fastify",
    build: None,
    start: node,
    environment: &[("NODE_ENV", "production")],
    source: include_str!("fastify.rs"),
};
