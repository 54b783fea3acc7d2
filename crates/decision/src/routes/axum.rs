//! axum: `.route("/path", get(handler).post(other))`, `nest`, `layer`.

use super::{Route, joined};
use crate::index::Index;
use crate::project::{At, Thing};
use crate::tree::{Kind, Lang};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "any"];

pub(super) fn find(index: &Index) -> Vec<Route> {
    let project = &index.project;
    let mut found = Vec::new();
    for call in index.calls_of("route") {
        if project.lang(call.at) != Lang::Rust {
            continue;
        }
        let [path, methods] = call.args[..] else {
            continue;
        };
        let Some(path) = project.fold(path).text().map(str::to_owned) else {
            continue;
        };
        let prefix = prefix(index, call.at);
        let (guards, before) = layers(index, call.at);
        for inner in project.inside(methods) {
            let Some(one) = index.call(inner) else {
                continue;
            };
            if !METHODS.contains(&one.method.as_str()) || one.args.len() != 1 {
                continue;
            }
            let Thing::Inside(handler) = project.resolve(one.args[0]) else {
                continue;
            };
            found.push(Route {
                method: if one.method == "any" {
                    "ANY".to_owned()
                } else {
                    one.method.to_uppercase()
                },
                path: joined(&prefix, &path),
                handler,
                guards: guards.clone(),
                before: before.clone(),
                at: inner,
            });
        }
    }
    found
}

/// The path under which the router around a call is nested, where that is written in the same chain or function.
fn prefix(index: &Index, at: At) -> String {
    let project = &index.project;
    let own = index.owner(at);
    for call in index.calls_of("nest") {
        let [path, router] = call.args[..] else {
            continue;
        };
        let inside = project
            .tree(at)
            .upwards(at.id)
            .any(|id| at.with(id) == router);
        let by_name = matches!(project.resolve(router), Thing::Inside(function) if function == own)
            || matches!(project.kind(router), Kind::Call { callee, .. }
                if matches!(project.resolve(router.with(callee)), Thing::Inside(function) if function == own));
        if inside || by_name {
            return project.fold(path).text().unwrap_or_default().to_owned();
        }
    }
    String::new()
}

/// What `.layer(…)` and `.route_layer(…)` put around a route in the same chain.
fn layers(index: &Index, at: At) -> (Vec<At>, Vec<String>) {
    let project = &index.project;
    let tree = project.tree(at);
    let (mut guards, mut before) = (Vec::new(), Vec::new());
    for id in tree.upwards(at.id) {
        let Some(call) = index.call(at.with(id)) else {
            continue;
        };
        if !matches!(call.method.as_str(), "layer" | "route_layer") {
            continue;
        }
        for arg in &call.args {
            for inner in project.inside(*arg) {
                match project.kind(inner) {
                    Kind::Name | Kind::Member { .. } => match project.resolve(inner) {
                        Thing::Inside(function) => guards.push(function),
                        Thing::Outside(name) if name.contains('.') => before.push(name),
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
    }
    (guards, before)
}
