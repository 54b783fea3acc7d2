//! How an uploaded file is handed out again: as a download, or as something that a browser may show and run.
//!
//! ## What is read
//! The answer of the route that gives files back: `Content-Disposition`, the type it declares, static folders over the place
//! of uploads, and whether `nosniff` is set anywhere.
//!
//! ## Does not see
//! A storage service's own answers.

use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "file serving",
    exploits: &["upload-content-mismatch"],
    words: &[
        "downloads one exactly",
        "content-disposition",
        "as attachment",
        "served inline",
        "serve files",
    ],
    read,
};

fn read(index: &Index) -> Outcome {
    let project = &index.project;
    if let Some(at) = static_folder(index) {
        return Outcome::Found(vec![
            Found::new(index, "static folder", Origin::HandWritten, at).below(Some(
                "a browser shows and runs what was uploaded".to_owned(),
            )),
        ]);
    }
    let routes = index.routes_for(Purpose::Download);
    let Some(route) = routes.first() else {
        return Outcome::NoPlace;
    };
    let nosniff = project.trees.iter().enumerate().any(|(number, tree)| {
        tree.text
            .to_ascii_lowercase()
            .contains("x-content-type-options")
            && (0..tree.nodes.len() as u32).any(|id| {
                let at = At {
                    tree: number as u32,
                    id,
                };
                matches!(tree.kind(id), Kind::Str { .. })
                    && tree
                        .string(id)
                        .is_some_and(|text| text.eq_ignore_ascii_case("x-content-type-options"))
                    && index.is_used(at)
                    && !index.only_asks(at)
            })
    }) || ["helmet", "@fastify/helmet", "flask_talisman.Talisman"]
        .iter()
        .any(|name| {
            index
                .calls_named(name)
                .any(|call| call.live && index.is_used(call.at))
        });
    let code = index.code_of(route);
    let nodes = index.nodes_of(&code);
    let with = |found: Found| {
        found.with(
            "nosniff",
            Some(if nosniff { "yes" } else { "no" }.to_owned()),
        )
    };
    // FileResponse with a name, send_file(as_attachment=True), res.download(), or the header itself.
    for call in nodes.iter().filter_map(|at| index.call(*at)) {
        let lang = project.lang(call.at);
        let attached = match (lang, call.name.as_str(), call.method.as_str()) {
            (
                Lang::Python,
                "fastapi.responses.FileResponse" | "starlette.responses.FileResponse",
                _,
            ) => {
                let inline = index.folded(call.named(project, "content_disposition_type"));
                call.named(project, "filename").is_some() && inline.text() != Some("inline")
            }
            (Lang::Python, "flask.send_file" | "flask.send_from_directory", _) => {
                index.folded(call.named(project, "as_attachment")).flag() == Some(true)
            }
            (Lang::Script, _, "download" | "attachment") => true,
            _ => false,
        };
        if attached {
            let name = if call.name.is_empty() {
                "express"
            } else {
                call.name.as_str()
            };
            let origin = index.origin(lang, name);
            return Outcome::Found(vec![with(Found::new(index, "attachment", origin, call.at))]);
        }
    }
    let header = nodes.iter().copied().find(|at| {
        // In a template the words stand in one of its pieces.
        project.string(*at).is_some_and(|text| text.to_ascii_lowercase().starts_with("attachment"))
            || matches!(project.kind(*at), Kind::Template(kids)
                if project.list(*at, kids).first().and_then(|first| project.string(*first)).is_some_and(|text| text.to_ascii_lowercase().starts_with("attachment")))
    });
    if let Some(at) = header {
        return Outcome::Found(vec![with(Found::new(
            index,
            "attachment",
            Origin::HandWritten,
            at,
        ))]);
    }
    let (choice, at, below) = inline(index, route.handler, &nodes);
    let below = below.then(|| "a browser shows and runs what was uploaded".to_owned());
    Outcome::Found(vec![
        with(Found::new(index, choice, Origin::HandWritten, at).below(below))
            .unsure(Confidence::Medium),
    ])
}

/// Where the declared type comes from.
fn inline(index: &Index, handler: At, nodes: &[At]) -> (&'static str, At, bool) {
    let project = &index.project;
    let declared = nodes.iter().copied().find_map(|at| match project.kind(at) {
        Kind::Keyword { name, value }
            if matches!(
                project.text(at.with(name)),
                "media_type" | "mimetype" | "content_type"
            ) =>
        {
            Some(at.with(value))
        }
        Kind::Map(_) => ["Content-Type", "content-type"]
            .iter()
            .find_map(|key| project.entry(at, key)),
        Kind::Call { .. } => index.call(at).and_then(|call| {
            let named = call.args.first().and_then(|one| project.string(*one));
            let sets = matches!(
                call.method.as_str(),
                "set" | "setHeader" | "header" | "append" | "type" | "contentType"
            );
            let content = named.is_some_and(|name| name.eq_ignore_ascii_case("content-type"));
            match (sets, content) {
                (true, true) => call.args.get(1).copied(),
                (true, false) if matches!(call.method.as_str(), "type" | "contentType") => {
                    call.args.first().copied()
                }
                _ => None,
            }
        }),
        _ => None,
    });
    let stored = upload_types(index);
    match declared {
        Some(at) if stored.contains(&"client") => ("inline, type from the client", at, true),
        Some(at) if stored.contains(&"content") => ("inline, type from the content", at, false),
        Some(at) => ("inline, type from the extension", at, false),
        None => ("inline, type from the extension", handler, false),
    }
}

/// What the upload stores as the type: the client's word, or what the app made of it.
fn upload_types(index: &Index) -> Vec<&'static str> {
    let project = &index.project;
    let mut found = Vec::new();
    for route in index.routes_for(Purpose::Upload) {
        let code = index.code_of(route);
        for call in index.calls_in(&code) {
            if !matches!(
                call.method.as_str(),
                "execute" | "run" | "create" | "insert" | "prepare"
            ) {
                continue;
            }
            for arg in &call.args {
                for at in project.inside(*arg) {
                    let text = project.text(at);
                    let member = matches!(project.kind(at), Kind::Member { .. });
                    if member
                        && (text.ends_with(".content_type")
                            || text.ends_with(".mimetype")
                            || text.ends_with("file.type"))
                    {
                        found.push("client");
                    }
                    // `const [kind] = file.type.split(';')`, `kind = file.content_type`
                    if let Kind::Name = project.kind(at) {
                        let tree = project.tree(at);
                        let scope = tree.function_of(at.id).unwrap_or(tree.root);
                        let around = tree.text(scope);
                        let from_client = [
                            format!("{text} = file.content_type"),
                            format!("{text} = file.type"),
                            format!("[{text}] = file.type"),
                            format!("{text} = file.mimetype"),
                        ];
                        if from_client
                            .iter()
                            .any(|words| around.contains(words.as_str()))
                        {
                            found.push("client");
                        }
                    }
                }
            }
        }
    }
    if super::upload_type::MATTER
        .choices(index)
        .iter()
        .any(|choice| choice.contains("content"))
    {
        found.push("content");
    }
    found
}

/// The place of uploads, mounted as files.
fn static_folder(index: &Index) -> Option<At> {
    let project = &index.project;
    let uploads = |at: At| {
        let text = project.text(at).to_ascii_lowercase();
        let made = project
            .definition(at)
            .map(|at| project.text(at).to_ascii_lowercase());
        text.contains("upload")
            || made.is_some_and(|text| text.contains("upload"))
            || project
                .fold(at)
                .show()
                .is_some_and(|text| text.to_ascii_lowercase().contains("upload"))
    };
    index
        .calls
        .iter()
        .filter(|call| call.live)
        .filter(|call| {
            matches!(
                call.name.as_str(),
                "fastapi.staticfiles.StaticFiles"
                    | "starlette.staticfiles.StaticFiles"
                    | "express.static"
                    | "@fastify/static"
            ) || call.name.ends_with("ServeDir.new")
        })
        .find(|call| {
            call.args.iter().any(|arg| match project.kind(*arg) {
                Kind::Keyword { value, .. } => uploads(arg.with(value)),
                _ => uploads(*arg),
            })
        })
        .map(|call| call.at)
}
