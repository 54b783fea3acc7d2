//! FastAPI on uvicorn.
//!
//! Recognised by the direct dependency `fastapi`. Started by the tree's own `start.sh`; without one, by uvicorn on the
//! first module that makes a `FastAPI(` app. Production is `APP_ENV=production`, as the contract has it.

use std::path::Path;

use super::{Framework, Language};

pub(super) static FASTAPI: Framework = Framework {
    id: "fastapi",
    name: "FastAPI",
    language: Language::Python,
    dependency: "fastapi",
    build: None,
    start,
    environment: &[],
    source: include_str!("fastapi.rs"),
};

const MODULES: [&str; 6] = [
    "app/main.py",
    "main.py",
    "app.py",
    "src/main.py",
    "server.py",
    "api/main.py",
];

fn start(tree: &Path) -> Option<Vec<String>> {
    let usual = MODULES.iter().find_map(|module| {
        let text = std::fs::read_to_string(tree.join(module)).ok()?;
        let line = text
            .lines()
            .find(|line| line.contains("FastAPI(") && line.contains('='))?;
        let name = line.split(['=', ':']).next()?.trim_end().to_owned();
        let module = module.trim_end_matches(".py").replace('/', ".");
        super::is_identifier(&name).then_some((module, name))
    });
    let (module, name) = usual.or_else(|| crate::start::python_app(tree, "FastAPI("))?;
    let line = format!("exec uvicorn {module}:{name} --host 0.0.0.0 --port \"$PORT\"");
    Some(vec!["/bin/sh".into(), "-c".into(), line])
}
