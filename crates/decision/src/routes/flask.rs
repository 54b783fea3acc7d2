//! Flask: decorators of apps and blueprints, prefixes, decorators of handlers, `before_request`.

use super::{Route, joined};
use crate::index::{Call, Index};
use crate::project::{At, Thing};
use crate::tree::{Kind, Lang};
use foldhash::HashMap;

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "route"];

pub(super) fn find(index: &Index) -> Vec<Route> {
    let project = &index.project;
    let mut homes: HashMap<At, Vec<String>> = HashMap::default();
    for call in index.calls_named("flask.Flask") {
        homes.insert(call.at, vec![String::new()]);
    }
    for call in index.calls_named("flask.Blueprint") {
        homes.insert(call.at, vec![prefix(index, call).unwrap_or_default()]);
    }
    if homes.is_empty() {
        return Vec::new();
    }
    for call in index.calls_of("register_blueprint") {
        let child = call.args.first().and_then(|arg| made(index, *arg));
        if let (Some(child), Some(given)) = (child, prefix(index, call))
            && let Some(prefixes) = homes.get_mut(&child)
        {
            *prefixes = vec![given];
        }
    }
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        if tree.lang != Lang::Python {
            continue;
        }
        for id in 0..tree.nodes.len() as u32 {
            let Kind::Function { decorators, .. } = tree.kind(id) else {
                continue;
            };
            let handler = At {
                tree: number as u32,
                id,
            };
            let decorators = project.list(handler, decorators);
            for decorator in &decorators {
                let Some(call) = index.call(*decorator) else {
                    continue;
                };
                let Some(home) = receiver(index, call).filter(|home| homes.contains_key(home))
                else {
                    continue;
                };
                if !METHODS.contains(&call.method.as_str()) {
                    continue;
                }
                let path = call
                    .arg(project, 0, "rule")
                    .and_then(|at| project.fold(at).text().map(str::to_owned))
                    .unwrap_or_default();
                let (mut guards, mut before) = (Vec::new(), Vec::new());
                for other in &decorators {
                    guard(index, *other, &mut guards, &mut before);
                }
                guards.extend(before_request(index, home, &homes));
                for method in methods(index, call) {
                    for prefix in &homes[&home] {
                        found.push(Route {
                            method: method.clone(),
                            path: joined(prefix, &path),
                            handler,
                            guards: guards.clone(),
                            before: before.clone(),
                            at: *decorator,
                        });
                    }
                }
            }
        }
    }
    found
}

fn methods(index: &Index, call: &Call) -> Vec<String> {
    if call.method != "route" {
        return vec![call.method.to_uppercase()];
    }
    match call.named(&index.project, "methods") {
        Some(list) => match index.project.fold(list) {
            crate::fold::Value::List(all) => all
                .iter()
                .filter_map(|one| one.text().map(str::to_uppercase))
                .collect(),
            _ => vec!["ANY".to_owned()],
        },
        None => vec!["GET".to_owned()],
    }
}

fn guard(index: &Index, at: At, guards: &mut Vec<At>, before: &mut Vec<String>) {
    match index.project.resolve(at) {
        Thing::Inside(found) => guards.push(found),
        Thing::Outside(name) => before.push(name),
        _ => guards.extend(super::function(index, at)),
    }
}

/// Functions that run before every request of the app or of the same blueprint.
fn before_request(index: &Index, home: At, homes: &HashMap<At, Vec<String>>) -> Vec<At> {
    let project = &index.project;
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let Kind::Function { decorators, .. } = tree.kind(id) else {
                continue;
            };
            let function = At {
                tree: number as u32,
                id,
            };
            for decorator in project.list(function, decorators) {
                let Kind::Member { of, name } = project.kind(decorator) else {
                    continue;
                };
                let whole = matches!(
                    project.text(decorator.with(name)),
                    "before_request" | "before_app_request"
                );
                let of = made(index, decorator.with(of));
                let app = of.is_some_and(|of| homes.contains_key(&of))
                    && of
                        .and_then(|of| index.call(of))
                        .is_some_and(|call| call.name == "flask.Flask");
                if whole && (of == Some(home) || app) {
                    found.push(function);
                }
            }
        }
    }
    found
}

fn prefix(index: &Index, call: &Call) -> Option<String> {
    let at = call.named(&index.project, "url_prefix")?;
    index.project.fold(at).text().map(str::to_owned)
}

fn made(index: &Index, at: At) -> Option<At> {
    let definition = index.project.definition(at)?;
    index.call(definition).map(|call| call.at)
}

fn receiver(index: &Index, call: &Call) -> Option<At> {
    let Kind::Call { callee, .. } = index.project.kind(call.at) else {
        return None;
    };
    match index.project.kind(call.at.with(callee)) {
        Kind::Member { of, .. } => made(index, call.at.with(of)),
        _ => None,
    }
}
