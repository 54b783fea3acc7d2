//! Express, and what has its form: `app.post('/path', before, handler)`, routers, `use`.

use super::{Route, joined, split_handlers};
use crate::index::{Call, Index};
use crate::project::{At, Thing};
use crate::tree::{Kind, Lang};
use foldhash::HashMap;

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "all"];
const MAKERS: [&str; 5] = [
    "express",
    "express.Router",
    "fastify",
    "hono.Hono",
    "express.default",
];

/// Where a router is mounted, and what runs before what it answers.
struct Mount {
    parent: At,
    prefix: String,
    before: Vec<At>,
}

pub(super) fn find(index: &Index) -> Vec<Route> {
    let project = &index.project;
    let mut homes: HashMap<At, Vec<Mount>> = HashMap::default();
    for maker in MAKERS {
        for call in index.calls_named(maker) {
            homes.insert(call.at, Vec::new());
        }
    }
    if homes.is_empty() {
        return Vec::new();
    }
    // What `use` puts before everything that is declared after it: by home, in the order of the source.
    let mut before: HashMap<At, Vec<(u32, u32, String, At)>> = HashMap::default();
    // Hono mounts by `route`.
    for call in index.calls_of("use").chain(index.calls_of("route")) {
        let Some(home) = receiver(index, call).filter(|home| homes.contains_key(home)) else {
            continue;
        };
        let first = call.args.first().copied();
        let prefix = first.and_then(|at| project.fold(at).text().map(str::to_owned));
        let rest = &call.args[usize::from(prefix.is_some())..];
        let prefix = prefix.unwrap_or_default();
        let mut gathered = Vec::new();
        for arg in rest {
            match made(index, *arg).filter(|made| homes.contains_key(made)) {
                Some(child) => {
                    let mount = Mount {
                        parent: home,
                        prefix: prefix.clone(),
                        before: gathered.clone(),
                    };
                    homes.entry(child).or_default().push(mount);
                }
                None if call.method == "use" => gathered.push(*arg),
                None => {}
            }
        }
        for arg in gathered {
            let place = (call.at.tree, call.at.id, prefix.clone(), arg);
            before.entry(home).or_default().push(place);
        }
    }
    let mut found = Vec::new();
    for call in &index.calls {
        if !METHODS.contains(&call.method.as_str()) || project.lang(call.at) != Lang::Script {
            continue;
        }
        let Some(home) = receiver(index, call).filter(|home| homes.contains_key(home)) else {
            continue;
        };
        let path = call.args.first().map(|at| project.fold(*at));
        let Some(path) = path.as_ref().and_then(crate::fold::Value::text) else {
            continue;
        };
        let Some((handler, around, own)) = split_handlers(index, &call.args[1..]) else {
            continue;
        };
        for (prefix, above) in places(&homes, &before, home, call, path, 6) {
            let (mut guards, mut outside) = (around.clone(), Vec::new());
            for at in above.iter().chain(&own) {
                match project.resolve(*at) {
                    Thing::Outside(name) => outside.push(name),
                    _ => guards.extend(super::function(index, *at)),
                }
            }
            let method = if call.method == "all" {
                "ANY".to_owned()
            } else {
                call.method.to_uppercase()
            };
            found.push(Route {
                method,
                path: joined(&prefix, path),
                handler,
                guards,
                before: outside,
                at: call.at,
            });
        }
    }
    found
}

fn places(
    homes: &HashMap<At, Vec<Mount>>,
    before: &HashMap<At, Vec<(u32, u32, String, At)>>,
    home: At,
    call: &Call,
    path: &str,
    depth: u8,
) -> Vec<(String, Vec<At>)> {
    // In the file of the route what stands above it; in other files all.
    let own: Vec<At> = before
        .get(&home)
        .into_iter()
        .flatten()
        .filter(|(tree, id, prefix, _)| {
            (*tree != call.at.tree || *id < call.at.id) && path.starts_with(prefix.as_str())
        })
        .map(|(_, _, _, at)| *at)
        .collect();
    let mounts = homes.get(&home).map_or(&[][..], Vec::as_slice);
    if mounts.is_empty() || depth == 0 {
        return vec![(String::new(), own)];
    }
    let mut all = Vec::new();
    for mount in mounts {
        let whole = format!("{}{path}", mount.prefix);
        for (prefix, mut above) in places(homes, before, mount.parent, call, &whole, depth - 1) {
            above.extend(&mount.before);
            above.extend(&own);
            all.push((format!("{prefix}{}", mount.prefix), above));
        }
    }
    all
}

/// The call that made the app or router an expression stands for.
fn made(index: &Index, at: At) -> Option<At> {
    let project = &index.project;
    if let Some(call) = index.call(at) {
        // `app.use('/x', makeRouter())` and `require('./routes')`
        if let Some(definition) = returned(index, call) {
            return Some(definition);
        }
    }
    let definition = project.definition(at).or_else(|| default_of(index, at))?;
    match index.call(definition) {
        Some(call) if MAKERS.contains(&call.name.as_str()) => Some(call.at),
        Some(call) => returned(index, call),
        None => None,
    }
}

/// The router that a function of the app makes and returns.
fn returned(index: &Index, call: &Call) -> Option<At> {
    let Kind::Call { callee, .. } = index.project.kind(call.at) else {
        return None;
    };
    match index.project.resolve(call.at.with(callee)) {
        Thing::Inside(function) => index
            .project
            .returns(function)
            .into_iter()
            .find_map(|one| made(index, one)),
        Thing::Outside(name) if name == "require" => default_of(index, call.at),
        _ => None,
    }
}

/// A module's default export, by import or by `require`.
fn default_of(index: &Index, at: At) -> Option<At> {
    let project = &index.project;
    let Thing::Module(file) = project.resolve(at) else {
        return None;
    };
    let at = project.default_value(file)?;
    if index.call(at).is_some() {
        Some(at)
    } else {
        project.definition(at)
    }
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
