//! Next.js: `app/**/route.ts` with a function a method, `pages/api/**`, and `middleware.ts` before them.

use super::Route;
use crate::fold::Value;
use crate::index::Index;
use crate::project::{At, Thing};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

pub(super) fn find(index: &Index) -> Vec<Route> {
    let project = &index.project;
    if !project.manifests.script.has("next") {
        return Vec::new();
    }
    let guards: Vec<(At, Option<Vec<String>>)> = project
        .trees
        .iter()
        .enumerate()
        .filter(|(_, tree)| {
            let path = tree.path.strip_prefix("src/").unwrap_or(&tree.path);
            let stem = path.split_once('.').map_or(path, |(stem, _)| stem);
            matches!(stem, "middleware" | "proxy")
        })
        .flat_map(|(number, _)| {
            ["middleware", "proxy", "default"].map(|name| project.exported(number as u32, name, 10))
        })
        .filter_map(|thing| match thing {
            Thing::Inside(at) => Some((at, matchers(index, at.tree))),
            _ => None,
        })
        .collect();
    let before = |path: &str| -> Vec<At> {
        let holds = |(_, all): &&(At, Option<Vec<String>>)| {
            all.as_ref()
                .is_none_or(|all| all.iter().any(|one| matched(one, path)))
        };
        guards.iter().filter(holds).map(|(at, _)| *at).collect()
    };
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        let file = number as u32;
        let path = tree.path.strip_prefix("src/").unwrap_or(&tree.path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        if let Some(rest) = folder.strip_prefix("app").filter(|_| stem == "route") {
            for method in METHODS {
                if let Some((handler, around)) = exported(index, file, method) {
                    let mut all = before(&shown(rest));
                    all.extend(around);
                    found.push(Route {
                        method: method.to_owned(),
                        path: shown(rest),
                        handler,
                        guards: all,
                        before: Vec::new(),
                        at: handler,
                    });
                }
            }
        } else if let Some(rest) = path.strip_prefix("pages/api") {
            let rest = rest.split_once('.').map_or(rest, |(rest, _)| rest);
            if let Some((handler, around)) = exported(index, file, "default") {
                let path = shown(&format!("/api{}", rest.trim_end_matches("/index")));
                let mut all = before(&path);
                all.extend(around);
                found.push(Route {
                    method: "ANY".to_owned(),
                    path,
                    handler,
                    guards: all,
                    before: Vec::new(),
                    at: handler,
                });
            }
        }
    }
    found
}

/// The pages below `app/`, each with the function that makes it: what it shows may be a form that posts to its own path.
pub(crate) fn pages(index: &Index) -> Vec<(String, At)> {
    let project = &index.project;
    if !project.manifests.script.has("next") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        let path = tree.path.strip_prefix("src/").unwrap_or(&tree.path);
        let Some((folder, name)) = path.rsplit_once('/') else {
            continue;
        };
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let below = folder
            .strip_prefix("app")
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let (Some(rest), "page") = (below, stem) else {
            continue;
        };
        // A slot's page is shown inside another, one behind `(.)` instead of another.
        let whole = |part: &str| !part.starts_with('@') && !part.starts_with("(.");
        if let Some((handler, _)) = exported(index, number as u32, "default")
            && rest.split('/').all(whole)
        {
            found.push((shown(rest), handler));
        }
    }
    found
}

/// The paths that a middleware says it is for; `None` where it says none, or in a way that is not read.
fn matchers(index: &Index, file: u32) -> Option<Vec<String>> {
    let project = &index.project;
    let config = project.value_in(file, 0, "config")?;
    match project.fold(project.entry(config, "matcher")?) {
        Value::Text(one) => Some(vec![one]),
        Value::List(all) => all
            .iter()
            .map(|one| one.text().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

/// Whether a matcher's pattern lets a middleware run for a path; a pattern with an expression does.
fn matched(pattern: &str, path: &str) -> bool {
    let end = pattern.find([':', '(', '*']);
    match end {
        None => pattern.trim_end_matches('/') == path.trim_end_matches('/'),
        Some(end) => path.starts_with(pattern[..end].trim_end_matches('/')),
    }
}

/// The function under a name, and what is wrapped around it.
fn exported(index: &Index, file: u32, name: &str) -> Option<(At, Vec<At>)> {
    let project = &index.project;
    // `export const GET = wrap(…)`
    let value = project.value_in(file, 0, name);
    let value = value.or_else(|| project.default_value(file).filter(|_| name == "default"));
    if let Some(value) = value {
        return super::wrapped(index, value);
    }
    match project.exported(file, name, 10) {
        Thing::Inside(at) => Some((at, Vec::new())),
        Thing::Value(at) => super::wrapped(index, at),
        _ => None,
    }
}

/// Without groups: `(auth)` is no part of the path.
fn shown(folder: &str) -> String {
    let parts: Vec<&str> = folder
        .split('/')
        .filter(|part| !(part.is_empty() || part.starts_with('(') && part.ends_with(')')))
        .collect();
    format!("/{}", parts.join("/"))
}
