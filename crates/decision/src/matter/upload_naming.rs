//! Under which name an uploaded file is kept.
//!
//! ## What is read
//! What the route that takes uploads writes to the disk, and which expression names the file: random text, an id, or what
//! the client called it, cleaned or not.
//!
//! ## Does not see
//! Storage services. Whether cleaning is thorough: the exploit does.

use model::decision::{Confidence, Origin};

use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "upload naming",
    exploits: &["upload-path-traversal"],
    words: &[
        "two files may have the same name",
        "file name",
        "filename saniti",
        "path traversal",
        "random name",
    ],
    read,
};

const RANDOM: [&str; 14] = [
    "uuid.uuid4",
    "uuid.uuid1",
    "secrets.token_hex",
    "secrets.token_urlsafe",
    "os.urandom",
    "tempfile.NamedTemporaryFile",
    "tempfile.mkstemp",
    "crypto.randomUUID",
    "crypto.randomBytes",
    "nanoid.nanoid",
    "uuid.v4",
    "uuid.Uuid.new_v4",
    "rand.random",
    "rand.thread_rng",
];

pub(crate) const WRITES: [&str; 16] = [
    "write_bytes",
    "writeFile",
    "writeFileSync",
    "copyfileobj",
    "save",
    "open",
    "createWriteStream",
    "write",
    "put",
    "copyFile",
    "rename",
    "renameSync",
    "mv",
    "create",
    "pipe",
    "pipeline",
];

fn read(index: &Index) -> Outcome {
    let routes = index.routes_for(Purpose::Upload);
    if routes.is_empty() {
        return Outcome::NoPlace;
    }
    let project = &index.project;
    for route in routes {
        let code = index.code_of(route);
        let calls = index.calls_in(&code);
        let writes: Vec<&&Call> = calls
            .iter()
            .filter(|call| WRITES.contains(&call.method.as_str()))
            .collect();
        let random = calls
            .iter()
            .find(|call| RANDOM.contains(&call.name.as_str()));
        // What the written path is made of.
        for write in &writes {
            let path = path_of(index, write);
            let parts: Vec<At> = path
                .into_iter()
                .flat_map(|at| parts(index, at, 5))
                .collect();
            if let Some(at) = parts.iter().copied().find(|at| made_randomly(index, *at)) {
                let call = index.call(at);
                let name = call.map(|call| base(&call.name)).unwrap_or_default();
                let origin = index.origin(project.lang(at), &name);
                let mut found = Found::new(index, "random name", origin, at)
                    .with("from", name.rsplit('.').next().map(str::to_owned));
                found.own.clear();
                return Outcome::Found(vec![found]);
            }
            if let Some(at) = parts.iter().copied().find(|at| clients(index, *at)) {
                let cleaned = parts.iter().copied().find(|at| cleans(index, *at));
                return Outcome::Found(vec![match cleaned {
                    Some(how) => {
                        let origin = match index.call(how) {
                            Some(call) if !call.name.is_empty() => {
                                index.origin(project.lang(how), &call.name)
                            }
                            _ => Origin::HandWritten,
                        };
                        Found::new(index, "client's name, cleaned", origin, how)
                            .also(index, write.at)
                    }
                    None => Found::new(index, "client's name", Origin::HandWritten, write.at)
                        .also(index, at)
                        .below(Some("the client says where the file is written".to_owned())),
                }]);
            }
            if let Some(at) = parts.iter().copied().find(|at| is_id(index, *at)) {
                return Outcome::Found(vec![Found::new(index, "row id", Origin::HandWritten, at)]);
            }
        }
        if let Some(multer) = calls_of_library(index) {
            return Outcome::Found(vec![multer]);
        }
        if let Some(call) = random {
            let origin = index.origin(project.lang(call.at), &call.name);
            let mut found = Found::new(index, "random name", origin, call.at)
                .with("from", call.name.rsplit('.').next().map(str::to_owned))
                .unsure(Confidence::Medium);
            found.own.clear();
            return Outcome::Found(vec![found]);
        }
        if let Some(write) = writes.first() {
            let span = project.span(write.at);
            return Outcome::Unclear(format!(
                "{}:{} writes under a name that cannot be followed",
                span.file, span.line
            ));
        }
        // Bytes that go into a statement.
        let stores = calls
            .iter()
            .find(|call| matches!(call.method.as_str(), "execute" | "run"));
        if let Some(call) = stores {
            return Outcome::Found(vec![
                Found::new(index, "in the database", Origin::HandWritten, call.at)
                    .unsure(Confidence::Low),
            ]);
        }
    }
    Outcome::Unclear("files are taken, and where they are kept was not found".to_owned())
}

/// multer names files itself unless it is told to keep the client's.
fn calls_of_library(index: &Index) -> Option<Found> {
    let project = &index.project;
    let call = index.upload_handlers().into_iter().next()?;
    let origin = index.origin(Lang::Script, "multer");
    // `diskStorage({ filename: (request, file, done) => done(null, file.originalname) })`
    let storage = call
        .named(project, "storage")
        .map(|at| project.definition(at).unwrap_or(at));
    let names = storage.and_then(|at| index.call(at)?.named(project, "filename"));
    if let Some(names) = names {
        let function = match project.resolve(names) {
            crate::project::Thing::Inside(function) => function,
            _ => names,
        };
        let nodes = index.nodes_of(&index.reach(function));
        let parts: Vec<At> = nodes
            .into_iter()
            .flat_map(|at| parts(index, at, 3))
            .collect();
        if let Some(at) = parts.iter().copied().find(|at| made_randomly(index, *at)) {
            let name = index
                .call(at)
                .map(|call| base(&call.name))
                .unwrap_or_default();
            let mut found = Found::new(index, "random name", index.origin(Lang::Script, &name), at)
                .with("from", name.rsplit('.').next().map(str::to_owned));
            found.own.clear();
            return Some(found);
        }
        let at = parts.iter().copied().find(|at| clients(index, *at))?;
        let cleaned = parts.iter().copied().find(|at| cleans(index, *at));
        return Some(match cleaned {
            Some(how) => Found::new(index, "client's name, cleaned", Origin::HandWritten, how),
            None => Found::new(index, "client's name", Origin::HandWritten, at)
                .below(Some("the client says where the file is written".to_owned())),
        });
    }
    call.named(project, "dest").map(|_| {
        Found::new(index, "random name", origin, call.at).with("from", Some("multer".to_owned()))
    })
}

/// The expression of a path that a call writes to.
fn path_of(index: &Index, call: &Call) -> Option<At> {
    let project = &index.project;
    match call.method.as_str() {
        // `(folder / name).write_bytes(…)`, `path.open('wb')`
        "write_bytes" | "write_text" => receiver(index, call),
        "open"
            if project.lang(call.at) == Lang::Python
                && call
                    .args
                    .first()
                    .is_none_or(|at| project.string(*at).is_some()) =>
        {
            receiver(index, call)
        }
        "rename" | "renameSync" | "copyFile" => call.args.get(1).copied(),
        "copyfileobj" | "pipe" | "pipeline" => None,
        _ => call.args.first().copied(),
    }
}

fn receiver(index: &Index, call: &Call) -> Option<At> {
    let Kind::Call { callee, .. } = index.project.kind(call.at) else {
        return None;
    };
    match index.project.kind(call.at.with(callee)) {
        Kind::Member { of, .. } => Some(call.at.with(of)),
        _ => None,
    }
}

/// An expression and what its names were made from.
fn parts(index: &Index, at: At, depth: u8) -> Vec<At> {
    let project = &index.project;
    let mut all = Vec::new();
    for inner in project.inside(at) {
        all.push(inner);
        if depth == 0 || !matches!(project.kind(inner), Kind::Name) {
            continue;
        }
        if let Some(value) = project.definition(inner) {
            all.extend(parts(index, value, depth - 1));
        } else if let crate::project::Thing::Param(param) = project.resolve(inner) {
            all.extend(
                given(index, param)
                    .into_iter()
                    .flat_map(|at| parts(index, at, depth - 1)),
            );
        } else {
            // A parameter with a type, or a name that is given more than one value.
            let tree = project.tree(inner);
            let scope = tree.function_of(inner.id).unwrap_or(tree.root);
            for what in tree.bound_in(scope, tree.text(inner.id)) {
                match what {
                    crate::tree::Bound::Param(param) => {
                        let given = given(index, inner.with(*param));
                        all.extend(given.into_iter().flat_map(|at| parts(index, at, depth - 1)));
                    }
                    crate::tree::Bound::Value { node, .. } => {
                        all.extend(parts(index, inner.with(*node), depth - 1));
                    }
                    _ => {}
                }
            }
        }
    }
    all
}

/// What calls give a parameter.
fn given(index: &Index, param: At) -> Vec<At> {
    let project = &index.project;
    let tree = project.tree(param);
    let Some(function) = tree.parent(param.id).map(|id| param.with(id)) else {
        return Vec::new();
    };
    let Kind::Function { params, .. } = project.kind(function) else {
        return Vec::new();
    };
    let Some(place) = project
        .list(function, params)
        .iter()
        .position(|one| *one == param)
    else {
        return Vec::new();
    };
    let Kind::Param { name, .. } = project.kind(param) else {
        return Vec::new();
    };
    let name = tree.text(name);
    index
        .calls_to(function)
        .filter_map(|call| call.arg(project, place, name))
        .collect()
}

/// `crypto.randomBytes().toString` is `crypto.randomBytes`.
fn base(name: &str) -> String {
    let made = |one: &&&str| name == **one || name.starts_with(&format!("{one}()"));
    RANDOM.iter().find(made).map_or(name, |one| *one).to_owned()
}

fn made_randomly(index: &Index, at: At) -> bool {
    index.call(at).is_some_and(|call| {
        RANDOM
            .iter()
            .any(|name| call.name == *name || call.name.starts_with(&format!("{name}()")))
    })
}

/// What the client called the file.
fn clients(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Member { name, .. } => {
            let name = project.text(at.with(name));
            let whole = project.text(at).to_ascii_lowercase();
            matches!(
                name,
                "filename" | "originalname" | "originalFilename" | "file_name"
            ) || name == "name" && (whole.contains("file") || whole.contains("upload"))
        }
        _ => false,
    }
}

fn cleans(index: &Index, at: At) -> bool {
    let project = &index.project;
    index.call(at).is_some_and(|call| {
        matches!(
            call.name.as_str(),
            "os.path.basename"
                | "path.basename"
                | "werkzeug.utils.secure_filename"
                | "sanitize-filename"
                | "re.sub"
        ) || call.method == "replace" && project.text(call.at).contains("/[^")
            || matches!(call.method.as_str(), "file_name" | "basename")
    })
}

fn is_id(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Member { name, .. } => matches!(
            project.text(at.with(name)),
            "lastrowid" | "lastInsertRowid" | "id"
        ),
        Kind::Name => matches!(project.text(at), "lastInsertRowid" | "file_id" | "fileId"),
        _ => false,
    }
}
