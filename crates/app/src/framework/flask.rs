//! Flask, behind whatever server the tree's `start.sh` starts.
//!
//! Recognised by the direct dependency `flask`. Without a `start.sh` it is started by waitress or gunicorn, where one of
//! them is a dependency, on the first module that makes a `Flask(` app. `flask run` is no production server.

use std::path::Path;

use super::{Framework, Language, direct_dependencies};

pub(super) static FLASK: Framework = Framework {
    id: "flask",
    name: "Flask",
    language: Language::Python,
    dependency: "flask",
    build: None,
    start,
    environment: &[],
    source: include_str!("flask.rs"),
};

const MODULES: [&str; 5] = [
    "app.py",
    "wsgi.py",
    "main.py",
    "app/__init__.py",
    "server.py",
];

fn start(tree: &Path) -> Option<Vec<String>> {
    let (module, name) = MODULES.iter().find_map(|module| {
        let text = std::fs::read_to_string(tree.join(module)).ok()?;
        let line = text
            .lines()
            .find(|line| line.contains("Flask(") && line.contains('='))?;
        let name = line.split(['=', ':']).next()?.trim_end().to_owned();
        super::is_identifier(&name).then_some((module, name))
    })?;
    let module = module
        .trim_end_matches(".py")
        .trim_end_matches("/__init__")
        .replace('/', ".");
    let names = direct_dependencies(tree, Language::Python);
    let has = |name: &str| names.iter().any(|one| one == name);
    let line = if has("gunicorn") {
        format!("exec gunicorn --bind 0.0.0.0:\"$PORT\" --threads 8 {module}:{name}")
    } else if has("waitress") {
        format!("exec waitress-serve --host 0.0.0.0 --port \"$PORT\" {module}:{name}")
    } else {
        // What is left is the app's own way to start, which `Plan` looks for.
        return None;
    };
    Some(vec!["/bin/sh".into(), "-c".into(), line])
}
