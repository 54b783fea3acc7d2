//! What the app answers when something goes wrong in it.
//!
//! ## What is read
//! Handlers of errors that the framework calls, wrappers around handlers that catch, and debug switches.
//!
//! ## Does not see
//! What a handler says: the exploit does.

use model::decision::Origin;

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::{At, Thing};
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "error handling",
    exploits: &[],
    words: &[
        "error handl",
        "stack trace",
        "error message",
        "debug mode",
        "tracebacks",
    ],
    read,
};

fn read(index: &Index) -> Outcome {
    let project = &index.project;
    if index.routes.is_empty() {
        return Outcome::NoPlace;
    }
    for call in index.calls.iter().filter(|call| call.live) {
        let on = index.folded(call.named(project, "debug")).flag() == Some(true);
        let makes = matches!(
            call.name.as_str(),
            "fastapi.FastAPI" | "starlette.applications.Starlette" | "flask.Flask().run"
        );
        if on && makes {
            let origin = index.origin(project.lang(call.at), &call.name);
            return Outcome::Found(vec![
                Found::new(index, "debug on", origin, call.at)
                    .below(Some("errors show the source".to_owned())),
            ]);
        }
    }
    if let Some(at) = own(index) {
        return Outcome::Found(vec![Found::new(
            index,
            "handler of its own",
            Origin::HandWritten,
            at,
        )]);
    }
    let first = index.routes[0].at;
    let lang = project.lang(first);
    let name = match lang {
        Lang::Python if project.manifests.python.has("fastapi") => "fastapi",
        Lang::Python => "flask",
        Lang::Script if project.manifests.script.has("next") => "next",
        Lang::Script => "express",
        Lang::Rust if project.manifests.rust.has("actix-web") => "actix_web",
        Lang::Rust => "axum",
    };
    Outcome::Found(vec![Found::new(
        index,
        "framework's default",
        index.origin(lang, name),
        first,
    )])
}

fn own(index: &Index) -> Option<At> {
    let project = &index.project;
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            match tree.kind(id) {
                // `@app.exception_handler(…)`, `@app.errorhandler(…)`
                Kind::Function { decorators, .. } => {
                    let handles = project.list(at, decorators).into_iter().any(|one| {
                        index.call(one).is_some_and(|call| {
                            matches!(
                                call.method.as_str(),
                                "exception_handler" | "errorhandler" | "app_errorhandler"
                            )
                        })
                    });
                    if handles && index.is_live(at) {
                        return Some(at);
                    }
                }
                Kind::Call { .. } => {
                    let Some(call) = index.call(at).filter(|call| call.live) else {
                        continue;
                    };
                    if matches!(
                        call.method.as_str(),
                        "add_exception_handler"
                            | "register_error_handler"
                            | "setErrorHandler"
                            | "onError"
                    ) {
                        return Some(at);
                    }
                    // Express knows an error handler by its four parameters.
                    if call.method == "use" {
                        for arg in &call.args {
                            let function = match project.resolve(*arg) {
                                Thing::Inside(found) => found,
                                _ => *arg,
                            };
                            if let Kind::Function { params, .. } = project.kind(function)
                                && params.len == 4
                            {
                                return Some(function);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }
    // A function around handlers that catches what they throw.
    index
        .routes
        .iter()
        .flat_map(|route| &route.guards)
        .copied()
        .find(|guard| {
            project.lang(*guard) == Lang::Script
                && project
                    .inside(*guard)
                    .into_iter()
                    .any(|at| match project.kind(at) {
                        Kind::Call { .. } => {
                            index.call(at).is_some_and(|call| call.method == "catch")
                        }
                        Kind::Other(_) => {
                            let text = project.text(at);
                            text.starts_with("try") && text.contains("catch")
                        }
                        _ => false,
                    })
        })
}
