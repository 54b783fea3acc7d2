//! Whether the app serves a description of its own interface in production.
//!
//! ## What is read
//! How a FastAPI app is made; packages that serve a description for frameworks that have none of their own.
//!
//! ## Does not see
//! Descriptions that are served as plain files.

use crate::fold::Value;
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "API docs",
    exploits: &["docs-in-production"],
    words: &["openapi", "swagger", "api docs", "/docs"],
    read,
};

const SERVED: [(Lang, &str); 6] = [
    (Lang::Python, "flasgger.Swagger"),
    (Lang::Python, "flask_restx.Api"),
    (Lang::Script, "swagger-ui-express.setup"),
    (Lang::Script, "@fastify/swagger-ui"),
    (Lang::Script, "next-swagger-doc.createSwaggerSpec"),
    (Lang::Rust, "utoipa_swagger_ui.SwaggerUi.new"),
];

fn read(index: &Index) -> Outcome {
    if let Some(call) = index.calls_named("fastapi.FastAPI").find(|call| call.live) {
        return Outcome::Found(vec![fastapi(index, call)]);
    }
    let served = SERVED.iter().find_map(|(lang, name)| {
        let call = index.calls_named(name).find(|call| call.live)?;
        Some((*lang, *name, call.at))
    });
    let mounted = index
        .live_mentions(&["@fastify/swagger-ui"])
        .first()
        .map(|(at, _)| (Lang::Script, "@fastify/swagger-ui", *at));
    match served.or(mounted) {
        Some((lang, name, at)) if super::production_detection::depends_on_mode(index, at) => {
            Outcome::Found(vec![Found::new(
                index,
                "off in production",
                index.origin(lang, name),
                at,
            )])
        }
        Some((lang, name, at)) => Outcome::Found(vec![
            Found::new(index, "on", index.origin(lang, name), at)
                .below(Some("anybody may read it".to_owned())),
        ]),
        None => Outcome::NoPlace,
    }
}

fn fastapi(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let origin = index.origin(Lang::Python, "fastapi");
    let new = |choice: &str| Found::new(index, choice, origin.clone(), call.at);
    let url = call.named(project, "openapi_url");
    let docs = call.named(project, "docs_url");
    let redoc = call.named(project, "redoc_url");
    let off = |at: Option<_>| index.folded(at) == Value::Nothing;
    if off(url)
        || (off(docs) && off(redoc) && url.is_some_and(|at| project.fold(at) == Value::Nothing))
    {
        return new("off");
    }
    // `FastAPI(**({} if dev else {"openapi_url": None}))`, `openapi_url=None if production else "/openapi.json"`
    let spread = call.args.iter().find_map(|arg| match project.kind(*arg) {
        Kind::Spread(of) => {
            let at = arg.with(of);
            Some(project.definition(at).unwrap_or(at))
        }
        _ => None,
    });
    let choice_at = spread.or_else(|| url.map(|at| project.definition(at).unwrap_or(at)));
    if let Some(at) = choice_at {
        let nothing = project
            .inside(at)
            .into_iter()
            .any(|one| project.kind(one) == Kind::Null);
        let depends = matches!(project.kind(at), Kind::If { .. } | Kind::Binary { .. });
        if nothing && depends {
            return new("off in production");
        }
        if nothing && spread.is_some() {
            return new("off");
        }
    }
    if off(docs) && off(redoc) {
        return new("on")
            .note("the pages are off, the schema is not")
            .below(Some("anybody may read the schema".to_owned()));
    }
    new("on").below(Some(
        "on unless it is turned off: anybody may read it".to_owned(),
    ))
}
