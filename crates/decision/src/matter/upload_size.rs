//! How large an upload may be, and when that is found out.
//!
//! ## What is read
//! Comparisons of a size with a number of bytes in the code that takes uploads, in what runs before it, and in middleware;
//! options of upload libraries and frameworks.
//!
//! ## Does not see
//! Limits of a proxy in front of the app.

use model::decision::Origin;

use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "upload size",
    exploits: &["upload-oversize"],
    words: &[
        "up to 5 mb",
        "upload size",
        "file size",
        "maximum size",
        "max size",
        "larger than",
    ],
    read,
};

/// From here on a number is one of bytes.
const SMALLEST: f64 = 65_536.0;

fn read(index: &Index) -> Outcome {
    let routes = index.routes_for(Purpose::Upload);
    if routes.is_empty() {
        return Outcome::NoPlace;
    }
    let project = &index.project;
    if let Some(found) = by_library(index) {
        return Outcome::Found(vec![found]);
    }
    for route in routes {
        let code = index.code_of(route);
        let mut nodes = index.nodes_of(&code);
        // Middleware of the whole app.
        let functions: Vec<At> = middleware(index);
        nodes.extend(index.nodes_of(&functions));
        let compares: Vec<(At, f64, How)> =
            nodes.iter().filter_map(|at| compared(index, *at)).collect();
        let by = |how: How| compares.iter().find(|(_, _, one)| *one == how);
        let pick = by(How::Counted)
            .map(|one| ("limit while reading", one, false))
            .or_else(|| {
                by(How::Content).map(|one| {
                    (
                        if reads_less(index, &nodes, one.1) {
                            "limit while reading"
                        } else {
                            "limit after reading"
                        },
                        one,
                        false,
                    )
                })
            })
            .or_else(|| by(How::Length).map(|one| ("Content-Length only", one, true)));
        if let Some((choice, (at, bytes, _), weak)) = pick {
            let owner = index.owner(*at);
            let mut found = Found::new(index, choice, Origin::HandWritten, *at)
                .with(
                    "limit bytes",
                    Some(smallest(&compares).unwrap_or(*bytes).to_string()),
                )
                .below(
                    weak.then(|| "a body that does not say its length is not limited".to_owned()),
                );
            if owner.id != project.tree(owner).root
                && choice == "limit while reading"
                && by(How::Counted).is_some()
            {
                found = found.by_hand(index, owner);
            }
            return Outcome::Found(vec![found]);
        }
    }
    Outcome::Nothing
}

fn smallest(all: &[(At, f64, How)]) -> Option<f64> {
    all.iter()
        .filter(|(_, _, how)| *how != How::Length)
        .map(|(_, bytes, _)| *bytes)
        .min_by(f64::total_cmp)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// A sum that grows as the body is read.
    Counted,
    /// The content's own length, or the size of the file that was received.
    Content,
    /// What the request says of its length.
    Length,
}

fn compared(index: &Index, at: At) -> Option<(At, f64, How)> {
    let project = &index.project;
    let Kind::Binary { op, left, right } = project.kind(at) else {
        return None;
    };
    if !op.compares() {
        return None;
    }
    let value = |id| {
        project
            .fold(at.with(id))
            .number()
            .filter(|bytes| *bytes >= SMALLEST)
    };
    let (bytes, other) = match (value(right), value(left)) {
        (Some(bytes), _) => (bytes, at.with(left)),
        (None, Some(bytes)) => (bytes, at.with(right)),
        // `size > largest`: a parameter that every call gives a number.
        (None, None) => {
            let bytes = [right, left].into_iter().find_map(|id| {
                let text = project.text(at.with(id)).to_ascii_lowercase();
                let named = ["max", "limit", "largest", "most"]
                    .iter()
                    .any(|word| text.contains(word));
                named.then(|| given(index, at.with(id))).flatten()
            })?;
            (bytes, at.with(left))
        }
    };
    let text = project.text(other).to_ascii_lowercase();
    let made = project
        .definition(other)
        .map(|at| project.text(at).to_ascii_lowercase())
        .unwrap_or_default();
    let how = if text.contains("content-length")
        || text.contains("content_length")
        || made.contains("content-length")
        || made.contains("content_length")
    {
        How::Length
    } else if matches!(project.kind(other), Kind::Name) && grows(index, other) {
        How::Counted
    } else if text.contains("len(")
        || text.contains("size")
        || text.contains("length")
        || text.contains(".len()")
    {
        How::Content
    } else if text == "length" || text.contains("int(") {
        How::Length
    } else {
        return None;
    };
    Some((at, bytes, how))
}

/// The smallest number that calls give a parameter.
fn given(index: &Index, at: At) -> Option<f64> {
    let project = &index.project;
    let tree = project.tree(at);
    let name = tree.text(at.id);
    let function = tree.upwards(at.id).find(|id| match tree.kind(*id) {
        Kind::Function { .. } => !tree.bound_in(*id, name).is_empty(),
        _ => false,
    })?;
    let Kind::Function { params, .. } = tree.kind(function) else {
        return None;
    };
    let place = tree
        .list(params)
        .iter()
        .position(|param| match tree.kind(*param) {
            Kind::Param { name: own, .. } => tree.text(own) == name,
            _ => false,
        })?;
    index
        .calls_to(at.with(function))
        .filter_map(|call| project.fold(call.arg(project, place, name)?).number())
        .filter(|bytes| *bytes >= SMALLEST)
        .max_by(f64::total_cmp)
}

/// `size += …` somewhere in the same function.
fn grows(index: &Index, at: At) -> bool {
    let project = &index.project;
    let tree = project.tree(at);
    let name = tree.text(at.id);
    let scope = tree.function_of(at.id).unwrap_or(tree.root);
    let text = tree.text(scope);
    text.contains(&format!("{name} += ")) || text.contains(&format!("{name} = {name} + "))
}

/// `read(MAX + 1)`: no more than the limit is ever taken.
fn reads_less(index: &Index, nodes: &[At], bytes: f64) -> bool {
    nodes.iter().filter_map(|at| index.call(*at)).any(|call| {
        call.method == "read"
            && call
                .args
                .first()
                .and_then(|arg| index.project.fold(*arg).number())
                .is_some_and(|count| count <= bytes + 1.0)
    })
}

/// Functions that run for every request.
fn middleware(index: &Index) -> Vec<At> {
    let project = &index.project;
    let mut found = Vec::new();
    for call in index.calls.iter().filter(|call| {
        call.live
            && matches!(
                call.method.as_str(),
                "add_middleware" | "use" | "middleware" | "layer"
            )
    }) {
        for arg in &call.args {
            if let crate::project::Thing::Inside(at) = project.resolve(*arg) {
                found.extend(index.reach(at));
            }
        }
    }
    found
}

fn by_library(index: &Index) -> Option<Found> {
    let project = &index.project;
    let call = |name: &str| index.calls_named(name).find(|call| call.live);
    let handlers = index.upload_handlers();
    if let Some(first) = handlers.first() {
        let limit = |multer: &&Call| {
            let limits = multer.named(project, "limits")?;
            project.entry(project.definition(limits).unwrap_or(limits), "fileSize")
        };
        // One without a limit takes everything.
        let limits: Vec<At> = handlers.iter().map(limit).collect::<Option<_>>()?;
        let origin = index.origin(Lang::Script, "multer");
        return Some(
            Found::new(index, "limit while reading", origin, first.at)
                .with("limit bytes", index.shown(limits.first().copied())),
        );
    }
    for (name, field) in [
        ("busboy", "limits"),
        ("@fastify/multipart", "limits"),
        ("formidable", "maxFileSize"),
    ] {
        if let Some(found) = call(name) {
            let at = found.named(project, field)?;
            let at = project.entry(at, "fileSize").unwrap_or(at);
            let origin = index.origin(Lang::Script, name);
            return Some(
                Found::new(index, "limit while reading", origin, found.at)
                    .with("limit bytes", index.shown(Some(at))),
            );
        }
    }
    for name in [
        "axum.extract.DefaultBodyLimit.max",
        "tower_http.limit.RequestBodyLimitLayer.new",
    ] {
        if let Some(found) = call(name) {
            let origin = index.origin(Lang::Rust, name);
            let at = found.args.first().copied();
            return Some(
                Found::new(index, "limit while reading", origin, found.at)
                    .with("limit bytes", index.shown(at)),
            );
        }
    }
    // Flask counts what it reads.
    for (number, tree) in project.trees.iter().enumerate() {
        if tree.lang != Lang::Python || !tree.text.contains("MAX_CONTENT_LENGTH") {
            continue;
        }
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            let value = match tree.kind(id) {
                Kind::Assign { target, value }
                    if tree.text(target).contains("MAX_CONTENT_LENGTH") =>
                {
                    at.with(value)
                }
                Kind::Keyword { name, value } if tree.text(name) == "MAX_CONTENT_LENGTH" => {
                    at.with(value)
                }
                _ => continue,
            };
            if index.is_live(at)
                && matches!(project.kind(at), Kind::Keyword { .. })
                    | tree.text(id).contains("config")
            {
                let origin = index.origin(Lang::Python, "flask");
                return Some(
                    Found::new(index, "limit while reading", origin, at)
                        .with("limit bytes", index.shown(Some(value))),
                );
            }
        }
    }
    None
}
