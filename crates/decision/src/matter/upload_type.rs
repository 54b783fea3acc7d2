//! How the app decides which kinds of files it takes.
//!
//! ## What is read
//! In the code that takes uploads: comparisons of content with known first bytes, of names with endings, of the declared type
//! with a list; libraries that look at content.
//!
//! ## Does not see
//! Whether the check is thorough: the exploits do.

use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::{Kind, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "upload type",
    exploits: &["upload-disallowed-type", "upload-content-mismatch"],
    words: &[
        "png, jpeg",
        "file type",
        "upload type",
        "content type",
        "mime",
        "magic byte",
    ],
    read,
};

const LIBRARIES: [&str; 9] = [
    "magic.from_buffer",
    "magic.Magic",
    "filetype.guess",
    "imghdr.what",
    "file-type.fileTypeFromBuffer",
    "file-type.fromBuffer",
    "infer.get",
    "PIL.Image.open",
    "sharp",
];

fn read(index: &Index) -> Outcome {
    let routes = index.routes_for(Purpose::Upload);
    let Some(route) = routes.first() else {
        return Outcome::NoPlace;
    };
    let project = &index.project;
    let mut code = index.code_of(route);
    code.extend(index.upload_functions());
    let nodes = index.nodes_of(&code);
    let all = index.nodes_with_values(&code);
    let library = nodes
        .iter()
        .filter_map(|at| index.call(*at))
        .find(|call| LIBRARIES.contains(&call.name.as_str()));
    if let Some(call) = library {
        let origin = index.origin(project.lang(call.at), &call.name);
        return Outcome::Found(vec![Found::new(index, "by content", origin, call.at)]);
    }
    let signature = all.iter().copied().find(|at| is_signature(index, *at));
    let by_content = signature.filter(|_| nodes.iter().any(|at| begins(index, *at)));
    let by_name = nodes.iter().copied().find(|at| looks_at_ending(index, *at));
    let by_type = nodes.iter().copied().find(|at| declared(index, *at));
    let listed = all.iter().any(|at| {
        project.string(*at).is_some_and(|text| {
            text.starts_with('.') && text.len() <= 6
                || text.starts_with("image/")
                || text == "application/pdf"
        })
    });
    let (choice, at) = match (by_name, by_content, by_type) {
        (Some(at), Some(_), _) => ("by extension and content", at),
        (None, Some(at), _) => ("by content", at),
        (Some(at), None, Some(_)) => ("by extension and declared type", at),
        (Some(at), None, None) => ("by extension", at),
        (None, None, Some(at)) => ("by declared type", at),
        (None, None, None) => return Outcome::Nothing,
    };
    if !listed {
        return Outcome::Found(vec![
            Found::new(index, choice, Origin::HandWritten, at).unsure(Confidence::Low),
        ]);
    }
    let below =
        (choice == "by declared type").then(|| "the client says which type it is".to_owned());
    let mut found = Found::new(index, choice, Origin::HandWritten, at).below(below);
    if let Some(content) = by_content {
        found = found.also(index, content);
        let owner = index.owner(at);
        if owner.id != project.tree(owner).root && owner != route.handler {
            found = found.by_hand(index, owner);
        }
    }
    Outcome::Found(vec![found])
}

/// `\x89PNG`, `%PDF-`, `\xff\xd8`, in any of the ways they are written.
fn is_signature(index: &Index, at: At) -> bool {
    let project = &index.project;
    let text = match project.kind(at) {
        Kind::Str { .. } => project.text(at).to_ascii_lowercase(),
        Kind::List(kids) if kids.len >= 2 => {
            let first: Vec<Option<f64>> = project
                .list(at, kids)
                .into_iter()
                .take(2)
                .map(|one| project.fold(one).number())
                .collect();
            return first == [Some(137.0), Some(80.0)] || first == [Some(255.0), Some(216.0)];
        }
        _ => return false,
    };
    [
        "\\x89png",
        "\\u0089png",
        "%pdf",
        "\\xff\\xd8",
        "89504e47",
        "ffd8ff",
    ]
    .iter()
    .any(|mark| text.contains(mark))
}

/// `content.startswith(…)`, `subarray(…).equals(…)`, `content[:8] == …`
fn begins(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Call { callee, .. } => {
            let method = project.text(at.with(callee));
            [
                "startswith",
                "starts_with",
                "startsWith",
                "equals",
                "every",
                "compare",
                "indexOf",
            ]
            .iter()
            .any(|end| method.ends_with(end))
        }
        Kind::Binary {
            op: Op::Eq | Op::Ne | Op::In,
            ..
        } => true,
        _ => false,
    }
}

fn looks_at_ending(index: &Index, at: At) -> bool {
    let project = &index.project;
    index.call(at).is_some_and(|call| {
        matches!(
            call.name.as_str(),
            "os.path.splitext"
                | "path.extname"
                | "pathlib.Path().suffix.lower"
                | "mimetypes.guess_type"
        ) || matches!(call.method.as_str(), "endswith" | "endsWith" | "extension")
            || matches!(
                call.method.as_str(),
                "rsplit" | "split" | "lastIndexOf" | "rpartition" | "rsplit_once"
            ) && call
                .args
                .first()
                .and_then(|arg| project.string(*arg))
                .as_deref()
                == Some(".")
                && project.text(call.at).to_ascii_lowercase().contains("name")
    }) || match project.kind(at) {
        Kind::Member { name, .. } => project.text(at.with(name)) == "suffix",
        _ => false,
    }
}

/// The declared type, compared or looked up.
fn declared(index: &Index, at: At) -> bool {
    let project = &index.project;
    let Kind::Member { of, name } = project.kind(at) else {
        return false;
    };
    let named = matches!(
        project.text(at.with(name)),
        "content_type" | "mimetype" | "mimeType"
    );
    let script = project.text(at.with(name)) == "type"
        && project
            .text(at.with(of))
            .to_ascii_lowercase()
            .contains("file");
    if !named && !script {
        return false;
    }
    let tree = project.tree(at);
    // Not where it is only stored.
    tree.upwards(at.id)
        .skip(1)
        .take(6)
        .any(|id| match tree.kind(id) {
            Kind::Binary { op, .. } => op.compares(),
            Kind::If { .. } => true,
            Kind::Call { callee, .. } => {
                let text = tree.text(callee);
                [".get", ".includes", ".has", ".test", ".split"]
                    .iter()
                    .any(|end| text.ends_with(end))
            }
            Kind::Index { at: index, .. } => index != id,
            _ => false,
        })
}
