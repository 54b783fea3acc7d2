//! How what a request brings is checked before it is used.
//!
//! ## What is read
//! For each route that takes a body: whether a schema stands between it and the code (pydantic, zod, joi, yup, marshmallow,
//! serde), or whether the app looks at the fields itself.
//!
//! ## Does not see
//! How tight a schema is, but for fields that it was not asked for.

use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::{At, Thing};
use crate::routes::Route;
use crate::tree::{Kind, Lang, NONE, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "input validation",
    exploits: &["role-mass-assignment", "input-validation"],
    words: &[
        "input validation",
        "validate input",
        "validate all",
        "schema validation",
        "validation on all",
    ],
    read,
};

const SCHEMAS: [(Lang, &str); 8] = [
    (Lang::Script, "zod"),
    (Lang::Script, "joi"),
    (Lang::Script, "yup"),
    (Lang::Script, "valibot"),
    (Lang::Script, "ajv"),
    (Lang::Python, "marshmallow"),
    (Lang::Python, "pydantic"),
    (Lang::Rust, "serde"),
];

fn read(index: &Index) -> Outcome {
    let mut bodies = 0;
    let mut schema: Vec<(At, Origin)> = Vec::new();
    let mut by_hand: Vec<At> = Vec::new();
    for route in &index.routes {
        let Some(how) = body(index, route) else {
            continue;
        };
        bodies += 1;
        match how {
            How::Schema(at, origin) => schema.push((at, origin)),
            How::Hand(at) => by_hand.push(at),
            How::Not => {}
        }
    }
    if bodies == 0 {
        return Outcome::NoPlace;
    }
    let all = schema.len();
    match (schema.first(), by_hand.first()) {
        (Some((at, origin)), _) => {
            let choice = if all == bodies {
                "schema on every body"
            } else {
                "schema on some bodies"
            };
            let mut found = Found::new(index, choice, origin.clone(), *at)
                .with("schemas", Some(all.to_string()))
                .with("bodies", Some(bodies.to_string()));
            for (at, _) in &schema[1..] {
                found = found.also(index, *at);
            }
            Outcome::Found(vec![found])
        }
        (None, Some(at)) => Outcome::Found(vec![
            Found::new(index, "by hand", Origin::HandWritten, *at)
                .with("bodies", Some(bodies.to_string()))
                .unsure(Confidence::Medium),
        ]),
        (None, None) => Outcome::Nothing,
    }
}

enum How {
    Schema(At, Origin),
    Hand(At),
    Not,
}

/// How a route's body is checked; `None` for a route that takes none, or a form with a file.
fn body(index: &Index, route: &Route) -> Option<How> {
    let project = &index.project;
    if !matches!(route.method.as_str(), "POST" | "PUT" | "PATCH" | "ANY") {
        return None;
    }
    let lang = project.lang(route.handler);
    if let (Lang::Python | Lang::Rust, Kind::Function { params, .. }) =
        (lang, project.kind(route.handler))
    {
        for param in project.list(route.handler, params) {
            if let Some(found) = typed(index, param) {
                return Some(found);
            }
        }
    }
    let code = index.reach_all(&[route.handler]);
    let nodes = index.nodes_of(&code);
    let takes = nodes.iter().copied().find(|at| takes_json(index, *at))?;
    let mut all = index.nodes_with_values(&code);
    // What runs before may check the body too; what it makes of tokens is no matter here.
    let before = index.nodes_of(&index.reach_all(&route.guards));
    all.extend(before.into_iter().filter(|at| {
        index
            .call(*at)
            .is_some_and(|call| about_body(index, &call.args))
    }));
    for at in &all {
        let Some(call) = index.call(*at) else {
            continue;
        };
        let known = SCHEMAS.iter().find(|(one, name)| {
            *one == lang && (call.name.starts_with(&format!("{name}.")) || call.name == *name)
        });
        let checks = matches!(
            call.method.as_str(),
            "parse"
                | "safeParse"
                | "parseAsync"
                | "safeParseAsync"
                | "validate"
                | "validateSync"
                | "load"
                | "model_validate"
                | "model_validate_json"
                | "parse_obj"
                | "object"
        );
        if let (Some((_, name)), true) = (known, checks) {
            let origin = index.origin(lang, name);
            return Some(How::Schema(*at, origin));
        }
        // `Note().load(…)` with a schema of the app's own.
        if matches!(call.method.as_str(), "load" | "loads" | "validate")
            && let Kind::Call { callee, .. } = project.kind(*at)
            && let Kind::Member { of, .. } = project.kind(at.with(callee))
            && let Thing::Inside(class) = project.resolve(at.with(of))
            && let Kind::Class { bases, .. } = project.kind(class)
            && project
                .list(class, bases)
                .iter()
                .any(|base| is_model(index, *base, "marshmallow.", 4))
        {
            return Some(How::Schema(*at, index.origin(lang, "marshmallow")));
        }
        // `Event.model_validate_json(body)` with a model of the app's own.
        if matches!(
            call.method.as_str(),
            "model_validate_json" | "model_validate" | "parse_raw"
        ) {
            return Some(How::Schema(*at, index.origin(lang, "pydantic")));
        }
    }
    let looks = nodes.iter().any(|at| match project.kind(*at) {
        Kind::Binary {
            op: Op::Eq | Op::Ne,
            left,
            right,
        } => {
            let text = |id| project.text(at.with(id));
            text(left).contains("typeof") || text(right).contains("typeof")
        }
        Kind::Call { callee, .. } => project.text(at.with(callee)) == "isinstance",
        Kind::Not(of) => matches!(project.kind(at.with(of)), Kind::Name | Kind::Member { .. }),
        _ => false,
    });
    Some(if looks { How::Hand(takes) } else { How::Not })
}

/// A parameter whose type is a model of the app's.
fn typed(index: &Index, param: At) -> Option<How> {
    let project = &index.project;
    let Kind::Param { annotation, .. } = project.kind(param) else {
        return None;
    };
    if annotation == NONE {
        return None;
    }
    let at = param.with(annotation);
    // `Json<T>`: the T.
    if project.lang(param) == Lang::Rust {
        let text = project.text(at);
        let json = [
            "Json<",
            "axum::Json<",
            "web::Json<",
            "actix_web::web::Json<",
        ];
        if json.iter().any(|name| text.starts_with(name)) {
            return Some(How::Schema(at, index.origin(Lang::Rust, "serde")));
        }
        return None;
    }
    let Thing::Inside(class) = project.resolve(at) else {
        return None;
    };
    let Kind::Class { bases, .. } = project.kind(class) else {
        return None;
    };
    let model = project
        .list(class, bases)
        .iter()
        .any(|base| is_model(index, *base, "pydantic.", 4));
    model.then(|| How::Schema(class, index.origin(Lang::Python, "pydantic")))
}

fn is_model(index: &Index, base: At, package: &str, depth: u8) -> bool {
    let project = &index.project;
    match project.resolve(base) {
        Thing::Outside(name) if package == "pydantic." => {
            matches!(name.as_str(), "pydantic.BaseModel" | "sqlmodel.SQLModel")
        }
        Thing::Outside(name) => name.starts_with(package) && name.ends_with("Schema"),
        Thing::Inside(class) if depth > 0 => match project.kind(class) {
            Kind::Class { bases, .. } => project
                .list(class, bases)
                .iter()
                .any(|one| is_model(index, *one, package, depth - 1)),
            _ => false,
        },
        _ => false,
    }
}

/// Whether what is parsed is a request's body, and no part of a token.
fn about_body(index: &Index, args: &[At]) -> bool {
    args.iter().any(|arg| {
        let text = index.project.text(*arg).to_ascii_lowercase();
        ["body", "request", "raw", "data"]
            .iter()
            .any(|word| text.contains(word))
    })
}

/// Where a body is read as JSON.
fn takes_json(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Call { .. } => index.call(at).is_some_and(|call| {
            matches!(call.method.as_str(), "get_json" | "json" if call.args.is_empty() || call.method == "get_json")
                && !call.name.starts_with("NextResponse") && !project.text(at).starts_with("Response")
                || matches!(call.name.as_str(), "json.loads" | "JSON.parse") && about_body(index, &call.args)
        }),
        Kind::Member { of, name } => {
            let of = project.text(at.with(of));
            let name = project.text(at.with(name));
            matches!(of, "req" | "request") && matches!(name, "body" | "json") && project.lang(at) != Lang::Rust
                && !project.tree(at).parent(at.id).is_some_and(|parent| {
                    matches!(project.tree(at).kind(parent), Kind::Member { name, .. } if project.tree(at).text(name) == "getReader")
                })
        }
        _ => false,
    }
}
