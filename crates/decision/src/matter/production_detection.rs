//! How the app knows that it runs in production.
//!
//! ## What is read
//! Comparisons of an environment variable with `production` (or `development`, `test`) in running code.
//!
//! ## Does not see
//! What a framework does by itself under `NODE_ENV`.

use model::decision::Origin;

use crate::fold::Value;
use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::tree::{Kind, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "production detection",
    exploits: &[
        "default-secret",
        "docs-in-production",
        "production-detection",
    ],
    words: &[
        "app_env",
        "node_env",
        "production detection",
        "in production",
        "ready for production",
    ],
    read,
};

fn read(index: &Index) -> Outcome {
    if index.routes.is_empty() {
        return Outcome::NoPlace;
    }
    let project = &index.project;
    let mut found: Option<Found> = None;
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            let Some((name, value)) = compared(index, at).filter(|_| index.is_live(at)) else {
                continue;
            };
            found = Some(match found {
                None => Found::new(index, format!("by {name}"), Origin::HandWritten, at)
                    .with("value", Some(value)),
                Some(known) => known.also(index, at),
            });
        }
    }
    match found {
        Some(found) => Outcome::Found(vec![found]),
        None => Outcome::Nothing,
    }
}

/// The variable that a comparison looks at, and the mode that it looks for.
fn compared(index: &Index, at: At) -> Option<(String, String)> {
    let project = &index.project;
    let Kind::Binary {
        op: Op::Eq | Op::Ne | Op::In | Op::NotIn,
        left,
        right,
    } = project.kind(at)
    else {
        return None;
    };
    match (project.fold(at.with(left)), project.fold(at.with(right))) {
        (Value::Env { name, .. }, Value::Text(value))
        | (Value::Text(value), Value::Env { name, .. })
            if is_mode(&value) =>
        {
            Some((name, value))
        }
        (Value::Env { name, .. }, Value::List(all)) => all
            .iter()
            .filter_map(Value::text)
            .find(|value| is_mode(value))
            .map(|value| (name, value.to_owned())),
        _ => None,
    }
}

/// Whether a place is only reached in some mode: it stands in an `if` that asks for one.
pub(super) fn depends_on_mode(index: &Index, at: At) -> bool {
    let project = &index.project;
    let tree = project.tree(at);
    tree.upwards(at.id).skip(1).any(|id| {
        let Kind::If { test, .. } = tree.kind(id) else {
            return false;
        };
        project.inside(at.with(test)).into_iter().any(|one| {
            let value = project.definition(one).unwrap_or(one);
            project
                .inside(value)
                .into_iter()
                .any(|one| compared(index, one).is_some())
        })
    })
}

fn is_mode(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "production" | "prod" | "development" | "dev" | "test"
    )
}
