//! What keeps an address from being registered twice.
//!
//! ## What is read
//! Unique columns for addresses in statements that make tables and in mappers' models; look-ups in the code that registers.
//!
//! ## Does not see
//! Constraints that are only in a database that is already there.

use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::Kind;

pub(crate) static MATTER: Matter = Matter {
    title: "unique address",
    exploits: &["duplicate-registration"],
    words: &[
        "register only once",
        "unique email",
        "email must be unique",
        "already registered",
    ],
    read,
};

fn read(index: &Index) -> Outcome {
    let routes = index.routes_for(Purpose::Register);
    if routes.is_empty() {
        return Outcome::NoPlace;
    }
    let project = &index.project;
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            let unique = match tree.kind(id) {
                Kind::Str { .. } => {
                    let text = project.text(at).to_ascii_lowercase();
                    (text.contains("create table") || text.contains("create unique index"))
                        && unique_column(&text)
                }
                // `email: text('email').unique()`, `email: { type: String, unique: true }`
                Kind::Map(kids) => {
                    let pair = tree.list(kids).chunks(2).find(|pair| {
                        let key = tree.text(pair[0]).to_ascii_lowercase();
                        let value = tree.text(pair[1]);
                        (key.contains("email") || key.contains("username"))
                            && (value.contains(".unique()") || value.contains("unique: true"))
                    });
                    match pair.map(|pair| at.with(pair[1])) {
                        Some(value) if index.is_used(value) => {
                            let choice = "unique in the database";
                            return Outcome::Found(vec![Found::new(
                                index,
                                choice,
                                Origin::HandWritten,
                                value,
                            )]);
                        }
                        _ => false,
                    }
                }
                // `email = Column(String, unique=True)`
                Kind::Assign { target, value } => {
                    let name = tree.text(target).to_ascii_lowercase();
                    let text = tree.text(value);
                    (name.contains("email") || name.contains("username"))
                        && (text.contains("unique=True") || text.contains(".unique()"))
                }
                _ => false,
            };
            if unique && index.is_used(at) {
                return Outcome::Found(vec![Found::new(
                    index,
                    "unique in the database",
                    Origin::HandWritten,
                    at,
                )]);
            }
        }
    }
    if let Some((name, _)) = project
        .others
        .iter()
        .find(|(name, text)| name.ends_with("schema.prisma") && text.contains("@unique"))
    {
        return Outcome::Unclear(format!("{name} has unique fields, which are not read"));
    }
    // `open("schema.sql")`
    for (number, tree) in project.trees.iter().enumerate() {
        let file = (0..tree.nodes.len() as u32)
            .map(|id| At {
                tree: number as u32,
                id,
            })
            .find(|at| {
                project
                    .string(*at)
                    .is_some_and(|text| text.rsplit('.').next() == Some("sql"))
                    && index.is_live(*at)
            });
        if let Some(at) = file {
            let span = project.span(at);
            return Outcome::Unclear(format!(
                "{}:{} names a file of SQL, which is not read",
                span.file, span.line
            ));
        }
    }
    for route in routes {
        let code = index.reach(route.handler);
        let looked = index.nodes_with_values(&code).into_iter().find(|at| {
            let text = match project.kind(*at) {
                Kind::Str { .. } | Kind::Template(_) => project.text(*at).to_ascii_lowercase(),
                _ => return false,
            };
            text.contains("select") && text.contains("from users") && text.contains("email")
        });
        if let Some(at) = looked {
            return Outcome::Found(vec![
                Found::new(index, "looked up before", Origin::HandWritten, at)
                    .below(Some("two at the same moment are both let in".to_owned()))
                    .unsure(Confidence::Medium),
            ]);
        }
    }
    Outcome::Nothing
}

/// A column for addresses that is unique, by itself or by a constraint.
fn unique_column(text: &str) -> bool {
    text.split([',', '\n', ';']).any(|column| {
        let column = column.trim();
        let about = column.contains("email") || column.contains("username");
        about && (column.contains("unique") || column.contains("email text primary key"))
    })
}
