//! Which pages of other origins may read the app's answers in a browser.
//!
//! ## What is read
//! CORS middleware of frameworks and libraries with their options; and code of the app's own that sets
//! `Access-Control-Allow-Origin`: to `*`, to whatever origin asks, or only after a look-up in a list.
//!
//! ## Does not see
//! Headers that a proxy adds.

use model::decision::{Confidence, Origin};

use crate::fold::Value;
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::tree::{Kind, Lang, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "CORS",
    exploits: &["cors-untrusted-origin"],
    words: &["cors_origins", "cors", "cross-origin", "allowed origins"],
    read,
};

fn read(index: &Index) -> Outcome {
    let project = &index.project;
    let mut found = Vec::new();
    for call in index
        .calls
        .iter()
        .filter(|call| call.live)
        // Whether a call's result is used takes a look at everything: it is asked of few.
        .filter(|call| {
            call.method == "add_middleware" || call.name.to_ascii_lowercase().contains("cors")
        })
        .filter(|call| index.is_used(call.at))
    {
        match (project.lang(call.at), call.name.as_str()) {
            (
                Lang::Python,
                "fastapi.middleware.cors.CORSMiddleware"
                | "starlette.middleware.cors.CORSMiddleware",
            ) => {
                found.push(starlette(index, call, &call.name));
            }
            (Lang::Python, "flask_cors.CORS" | "flask_cors.cross_origin") => {
                found.push(options(
                    index,
                    call,
                    &["origins"],
                    &["supports_credentials"],
                    true,
                ));
            }
            (Lang::Script, "cors" | "@fastify/cors" | "hono.cors.cors") => {
                found.push(options(index, call, &["origin"], &["credentials"], true));
            }
            (
                Lang::Rust,
                "tower_http.cors.CorsLayer.permissive"
                | "tower_http.cors.CorsLayer.very_permissive",
            ) => {
                let origin = index.origin(Lang::Rust, &call.name);
                found.push(Found::new(index, "any origin", origin, call.at));
            }
            (Lang::Rust, "tower_http.cors.CorsLayer.new") => found.push(tower(index, call)),
            _ if call.method == "add_middleware" => {
                let first = call.args.first().and_then(|at| project.name(*at));
                if let Some(name) = first.filter(|name| name.ends_with("cors.CORSMiddleware")) {
                    found.push(starlette(index, call, &name));
                }
            }
            _ => {}
        }
    }
    if found.is_empty() {
        found.extend(by_hand(index));
    }
    if !found.is_empty() {
        return Outcome::Found(found);
    }
    if index.routes.is_empty() {
        return Outcome::NoPlace;
    }
    let dead = ["cors", "@fastify/cors", "flask_cors.CORS"]
        .iter()
        .find_map(|name| index.calls_named(name).next());
    match dead {
        Some(call) => Outcome::Unclear(index.is_dead(call, "CORS")),
        None => Outcome::Nothing,
    }
}

fn starlette(index: &Index, call: &Call, name: &str) -> Found {
    let project = &index.project;
    let credentials = index
        .folded(call.named(project, "allow_credentials"))
        .flag()
        == Some(true);
    let origin = index.origin(Lang::Python, name);
    if let Some(pattern) = call.named(project, "allow_origin_regex") {
        let text = index.folded(Some(pattern));
        if text
            .text()
            .is_some_and(|text| matches!(text, ".*" | "https?://.*" | "^.*$"))
        {
            return graded(
                Found::new(index, "reflected origin", origin, call.at),
                true,
                credentials,
            );
        }
        return Found::new(index, "listed origins", origin, call.at)
            .with("origins", text.show())
            .with("credentials", Some(yes(credentials)));
    }
    let origins = call.named(project, "allow_origins");
    listed(
        index,
        Found::new(index, "listed origins", origin.clone(), call.at),
        Found::new(index, "any origin", origin, call.at),
        origins,
        credentials,
    )
}

fn options(index: &Index, call: &Call, origins: &[&str], credentials: &[&str], any: bool) -> Found {
    let project = &index.project;
    let named = |names: &[&str]| names.iter().find_map(|name| call.named(project, name));
    let with = index.folded(named(credentials)).flag() == Some(true);
    let lang = project.lang(call.at);
    let origin = index.origin(lang, &call.name);
    let listed_found = Found::new(index, "listed origins", origin.clone(), call.at);
    let any_found = Found::new(index, "any origin", origin.clone(), call.at);
    match named(origins) {
        // `origin: true` gives back whatever asks.
        Some(at) if index.folded(Some(at)).flag() == Some(true) => graded(
            Found::new(index, "reflected origin", origin, call.at),
            true,
            with,
        ),
        Some(at) => listed(index, listed_found, any_found, Some(at), with),
        None if any => graded(any_found, with, with),
        None => listed_found.unsure(Confidence::Medium),
    }
}

fn tower(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let tree = project.tree(call.at);
    let origin = index.origin(Lang::Rust, &call.name);
    // The chain that begins here.
    let chain = tree
        .upwards(call.at.id)
        .take_while(|id| matches!(tree.kind(*id), Kind::Call { .. } | Kind::Member { .. }))
        .last()
        .unwrap_or(call.at.id);
    let text = tree.text(chain);
    let credentials = text.contains("allow_credentials(true)");
    if text.contains("allow_origin(Any)") {
        graded(
            Found::new(index, "any origin", origin, call.at),
            credentials,
            credentials,
        )
    } else if text.contains("mirror_request") {
        graded(
            Found::new(index, "reflected origin", origin, call.at),
            true,
            credentials,
        )
    } else {
        Found::new(index, "listed origins", origin, call.at)
            .with("credentials", Some(yes(credentials)))
    }
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn graded(found: Found, bad: bool, credentials: bool) -> Found {
    let found = found.with("credentials", Some(yes(credentials)));
    if bad {
        return found.below(Some(
            "a page of any origin may read what the app answers".to_owned(),
        ));
    }
    found
}

fn listed(
    index: &Index,
    listed: Found,
    any: Found,
    origins: Option<At>,
    credentials: bool,
) -> Found {
    let project = &index.project;
    let Some(origins) = origins else {
        return listed
            .with("origins", Some("none".to_owned()))
            .with("credentials", Some(yes(credentials)));
    };
    let value = index.folded(Some(origins));
    let star = match &value {
        Value::Text(text) => text == "*",
        Value::List(all) => all.iter().any(|one| one.text() == Some("*")),
        _ => false,
    };
    if star {
        return graded(any, credentials, credentials);
    }
    let shown = value.show().or_else(|| {
        // A list made from a variable: split, strip, filter.
        let at = project.definition(origins).unwrap_or(origins);
        project
            .inside(at)
            .into_iter()
            .find_map(|one| match project.fold(one) {
                Value::Env { name, .. } => Some(format!("${name}")),
                _ => None,
            })
    });
    listed
        .with("origins", shown)
        .with("credentials", Some(yes(credentials)))
}

/// Code of the app's own that sets the header.
fn by_hand(index: &Index) -> Vec<Found> {
    let project = &index.project;
    let mut places = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        if !tree
            .text
            .to_ascii_lowercase()
            .contains("access-control-allow-origin")
        {
            continue;
        }
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            if matches!(tree.kind(id), Kind::Str { .. })
                && project
                    .string(at)
                    .is_some_and(|text| text.eq_ignore_ascii_case("access-control-allow-origin"))
                && index.is_used(at)
                && !index.only_asks(at)
            {
                places.push(at);
            }
        }
    }
    let Some(first) = places.first().copied() else {
        return Vec::new();
    };
    let tree = project.tree(first);
    // The call, pair or tuple that the name stands in.
    let around = tree.upwards(first.id).skip(1).find(|id| {
        matches!(
            tree.kind(*id),
            Kind::Call { .. } | Kind::List(_) | Kind::Map(_) | Kind::Assign { .. }
        )
    });
    let star = around.is_some_and(|id| {
        project
            .inside(first.with(id))
            .into_iter()
            .any(|one| project.string(one).as_deref() == Some("*"))
    });
    let function = index.owner(first);
    let reached = index.reach(function);
    let nodes = index.nodes_of(&reached);
    let looks = nodes.iter().any(|at| match project.kind(*at) {
        Kind::Binary {
            op: Op::In | Op::NotIn | Op::Eq | Op::Ne,
            ..
        } => project.text(*at).to_ascii_lowercase().contains("origin"),
        Kind::Call { callee, .. } => {
            let text = project.text(at.with(callee));
            [
                ".includes",
                ".has",
                ".indexOf",
                ".contains",
                ".some",
                ".find",
            ]
            .iter()
            .any(|end| text.ends_with(end))
        }
        _ => false,
    });
    let credentials = project
        .text(function)
        .to_ascii_lowercase()
        .contains("access-control-allow-credentials");
    let choice = match (star, looks) {
        (true, _) => "any origin",
        (false, true) => "listed origins",
        (false, false) => "reflected origin",
    };
    let found = Found::new(index, choice, Origin::HandWritten, first);
    let found = if function.id == tree.root {
        found
    } else {
        found.by_hand(index, function)
    };
    let variable = index
        .nodes_with_values(&reached)
        .into_iter()
        .find_map(|at| match project.fold(at) {
            Value::Env { name, .. } => Some(format!("${name}")),
            _ => None,
        });
    let found = if looks {
        found.with("origins", variable)
    } else {
        found
    };
    vec![graded(
        found,
        choice == "reflected origin" || star && credentials,
        credentials,
    )]
}
