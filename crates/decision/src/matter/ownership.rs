//! Whether what belongs to one user is kept from the others.
//!
//! ## What is read
//! The statements that routes for users' things run (paths with files, notes or the like, and searches): whether those that
//! read, change or delete by an id also name the owner, or whether the owner is compared after loading.
//!
//! ## Does not see
//! Rules inside the database.

use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::{Purpose, Route};
use crate::tree::Kind;

pub(crate) static MATTER: Matter = Matter {
    title: "ownership",
    exploits: &[
        "file-read-other-user",
        "file-delete-other-user",
        "note-read-other-user",
        "search-other-user",
    ],
    words: &[
        "own files only",
        "read and search their own",
        "notes are personal",
        "their own",
        "belongs to the user",
    ],
    read,
};

const OWNERS: [&str; 8] = [
    "owner",
    "user_id",
    "userid",
    "owner_id",
    "ownerid",
    "author_id",
    "account_id",
    "created_by",
];

fn read(index: &Index) -> Outcome {
    let routes: Vec<&Route> = index
        .routes
        .iter()
        .filter(|route| personal(route))
        .collect();
    if routes.is_empty() {
        return Outcome::NoPlace;
    }
    let (mut in_query, mut after): (Vec<At>, Vec<At>) = (Vec::new(), Vec::new());
    let mut missing: Vec<(String, At)> = Vec::new();
    let mut looked = 0;
    for route in routes {
        let code = index.reach(route.handler);
        let statements = statements(index, &code);
        let about: Vec<&(At, String)> = statements
            .iter()
            .filter(|(_, text)| {
                text.contains(" where ") || text.contains("\nwhere ") || text.starts_with("select")
            })
            .filter(|(_, text)| {
                !text.contains("from users")
                    && !text.contains("into users")
                    && !text.contains("update users")
            })
            .collect();
        if about.is_empty() {
            continue;
        }
        looked += 1;
        let owned = about
            .iter()
            .find(|(_, text)| OWNERS.iter().any(|name| text.contains(name)) && binds(text));
        match (owned, compared(index, &code)) {
            (Some((at, _)), _) => in_query.push(*at),
            (None, Some(at)) => after.push(at),
            (None, None) => missing.push((format!("{} {}", route.method, route.path), about[0].0)),
        }
    }
    if looked == 0 {
        return Outcome::Unclear(
            "no statement about what belongs to users could be read".to_owned(),
        );
    }
    let (choice, first) = match (missing.first(), in_query.first(), after.first()) {
        (Some((_, at)), _, _) => ("missing on some", *at),
        (None, Some(at), None) => ("in the query", *at),
        (None, _, Some(at)) if in_query.is_empty() => ("checked after loading", *at),
        (None, Some(at), Some(_)) => ("in the query", *at),
        (None, None, _) => return Outcome::Nothing,
    };
    let below = (!missing.is_empty()).then(|| {
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        format!("no owner is asked for: {}", names.join(", "))
    });
    let mut found = Found::new(index, choice, Origin::HandWritten, first)
        .below(below)
        .unsure(Confidence::Medium);
    for at in in_query.iter().chain(&after) {
        found = found.also(index, *at);
    }
    Outcome::Found(vec![found])
}

/// Whether the owner's condition holds for all that is found: `owner = ? AND a OR b` lets every b through.
fn binds(text: &str) -> bool {
    let Some((_, condition)) = text.split_once(" where ") else {
        return true;
    };
    let condition = condition.split(" order by ").next().unwrap_or(condition);
    let mut depth = 0;
    let mut alternatives = vec![String::new()];
    for word in condition.split_inclusive([' ', '(', ')']) {
        if depth == 0 && word.trim() == "or" {
            alternatives.push(String::new());
        } else if let Some(last) = alternatives.last_mut() {
            last.push_str(word);
        }
        depth += word.matches('(').count();
        depth = depth.saturating_sub(word.matches(')').count());
    }
    alternatives
        .iter()
        .all(|one| OWNERS.iter().any(|name| one.contains(name)))
}

/// Routes for things that belong to users.
fn personal(route: &Route) -> bool {
    let path = route.path.to_ascii_lowercase();
    let parts: Vec<&str> = path.split('/').collect();
    let things = [
        "files",
        "file",
        "notes",
        "note",
        "documents",
        "orders",
        "messages",
        "posts",
        "items",
        "tasks",
        "todos",
    ];
    let about = parts.iter().any(|part| things.contains(part));
    let reads = matches!(
        route.method.as_str(),
        "GET" | "DELETE" | "PATCH" | "PUT" | "ANY"
    );
    match route.purpose() {
        Purpose::Admin | Purpose::Webhook | Purpose::Login | Purpose::Register => false,
        Purpose::Search | Purpose::Download => reads,
        Purpose::Upload | Purpose::Other => about && reads,
    }
}

/// The statements that code runs, in lower case with their place.
fn statements(index: &Index, code: &[At]) -> Vec<(At, String)> {
    let project = &index.project;
    let mut all = Vec::new();
    for at in index.nodes_with_values(code) {
        let whole = match project.kind(at) {
            Kind::Str { .. } | Kind::Template(_) => project.text(at),
            _ => continue,
        };
        // A piece of a longer text belongs to that.
        let parent = project
            .tree(at)
            .parent(at.id)
            .map(|id| project.kind(at.with(id)));
        if matches!(parent, Some(Kind::Template(_) | Kind::Binary { .. }))
            && matches!(project.kind(at), Kind::Str { .. })
        {
            if let Some(Kind::Binary { .. }) = parent {
                let parent = project.tree(at).parent(at.id).unwrap_or(at.id);
                let text = project.text(at.with(parent)).to_ascii_lowercase();
                if text.contains("select ") {
                    all.push((at, clean(&text)));
                }
            }
            continue;
        }
        let text = clean(&whole.to_ascii_lowercase());
        if ["select ", "delete ", "update "]
            .iter()
            .any(|word| text.starts_with(word))
        {
            all.push((at, text));
        }
    }
    all
}

fn clean(text: &str) -> String {
    let plain = text.trim_start_matches(['f', 'r', 'b', '"', '\'', '`', '\n', ' ', '(']);
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `if note.owner != user.id`
fn compared(index: &Index, code: &[At]) -> Option<At> {
    let project = &index.project;
    index
        .nodes_of(code)
        .into_iter()
        .find(|at| match project.kind(*at) {
            Kind::Binary { op, left, right } if op.compares() => {
                // `user_id is None` asks for nobody's things.
                if [left, right]
                    .iter()
                    .any(|id| matches!(project.kind(at.with(*id)), Kind::Null))
                {
                    return false;
                }
                let text = |id| project.text(at.with(id)).to_ascii_lowercase();
                let owner = |text: &str| OWNERS.iter().any(|name| text.contains(name));
                owner(&text(left)) || owner(&text(right))
            }
            _ => false,
        })
}
