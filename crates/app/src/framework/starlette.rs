//! Starlette without FastAPI, on uvicorn.
//!
//! Recognised by the direct dependency `starlette`. Started on the first module that makes a `Starlette(` app.

use std::path::Path;

use super::{Framework, Language};

pub(super) static STARLETTE: Framework = Framework {
    id: "starlette",
    name: "Starlette",
    language: Language::Python,
    dependency: "starlette",
    build: None,
    start,
    environment: &[],
    source: include_str!("starlette.rs"),
};

fn start(tree: &Path) -> Option<Vec<String>> {
    let (module, name) = crate::start::python_app(tree, "Starlette(")?;
    let line = format!("exec uvicorn {module}:{name} --host 0.0.0.0 --port \"$PORT\"");
    Some(vec!["/bin/sh".into(), "-c".into(), line])
}
