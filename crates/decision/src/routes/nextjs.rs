//! Next.js: `app/**/route.ts` with a function a method, `pages/api/**`, and `middleware.ts` before them.

use super::Route;
use crate::index::Index;
use crate::project::{At, Thing};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

pub(super) fn find(index: &Index) -> Vec<Route> {
    let project = &index.project;
    if !project.manifests.script.has("next") {
        return Vec::new();
    }
    let guards: Vec<At> = project
        .trees
        .iter()
        .enumerate()
        .filter(|(_, tree)| {
            let path = tree.path.strip_prefix("src/").unwrap_or(&tree.path);
            let stem = path.split_once('.').map_or(path, |(stem, _)| stem);
            matches!(stem, "middleware" | "proxy")
        })
        .flat_map(|(number, _)| {
            ["middleware", "proxy", "default"]
                .map(|name| project.exported(number as u32, name, 10))
        })
        .filter_map(|thing| match thing {
            Thing::Inside(at) => Some(at),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        let file = number as u32;
        let path = tree.path.strip_prefix("src/").unwrap_or(&tree.path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        if let Some(rest) = folder.strip_prefix("app").filter(|_| stem == "route") {
            for method in METHODS {
                let handler = match project.exported(file, method, 10) {
                    Thing::Inside(at) => Some(at),
                    // `export const GET = wrap(…)`
                    Thing::Value(at) => super::function(index, at),
                    _ => None,
                };
                if let Some(handler) = handler {
                    found.push(Route {
                        method: method.to_owned(),
                        path: shown(rest),
                        handler,
                        guards: guards.clone(),
                        before: Vec::new(),
                        at: handler,
                    });
                }
            }
        } else if let Some(rest) = path.strip_prefix("pages/api") {
            let rest = rest.split_once('.').map_or(rest, |(rest, _)| rest);
            let handler = match project.exported(file, "default", 10) {
                Thing::Inside(at) => Some(at),
                Thing::Value(at) => super::function(index, at),
                _ => None,
            };
            if let Some(handler) = handler {
                found.push(Route {
                    method: "ANY".to_owned(),
                    path: shown(&format!("/api{}", rest.trim_end_matches("/index"))),
                    handler,
                    guards: guards.clone(),
                    before: Vec::new(),
                    at: handler,
                });
            }
        }
    }
    found
}

/// Without groups: `(auth)` is no part of the path.
fn shown(folder: &str) -> String {
    let parts: Vec<&str> = folder
        .split('/')
        .filter(|part| !part.is_empty() && !(part.starts_with('(') && part.ends_with(')')))
        .collect();
    format!("/{}", parts.join("/"))
}
