//! Whether passwords, tokens or secrets are written to a log.
//!
//! ## What is read
//! What running code gives to loggers and to the console: names of passwords, tokens and secrets, whole bodies and headers.
//!
//! *Absent* is what one wants here.
//!
//! ## Does not see
//! What a framework or server logs by itself, and errors that carry what was sent.

use model::decision::{Confidence, Origin};

use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "logging of secrets",
    exploits: &[],
    words: &[
        "log passwords",
        "log secrets",
        "log tokens",
        "never log",
        "in the logs",
    ],
    read,
};

fn read(index: &Index) -> Outcome {
    if index.routes.is_empty() {
        return Outcome::NoPlace;
    }
    let mut found: Option<Found> = None;
    for call in index
        .calls
        .iter()
        .filter(|call| call.live && logs(index, call))
    {
        let Some(at) = call.args.iter().find_map(|arg| secret(index, *arg)) else {
            continue;
        };
        found = Some(match found {
            None => Found::new(index, "logged", Origin::HandWritten, call.at)
                .also(index, at)
                .below(Some("whoever reads the log can use it".to_owned()))
                .unsure(Confidence::Medium),
            Some(known) => known.also(index, call.at),
        });
    }
    match found {
        Some(found) => Outcome::Found(vec![found]),
        None => Outcome::Nothing,
    }
}

fn logs(index: &Index, call: &Call) -> bool {
    let project = &index.project;
    match project.lang(call.at) {
        Lang::Python => {
            call.name == "print"
                || call.name.starts_with("logging.")
                || matches!(
                    call.method.as_str(),
                    "info" | "debug" | "warning" | "error" | "exception"
                ) && receiver_is_log(index, call.at)
        }
        Lang::Script => call.name.starts_with("console.") || receiver_is_log(index, call.at),
        Lang::Rust => matches!(
            call.method.as_str(),
            "println" | "eprintln" | "info" | "debug" | "warn" | "error" | "trace"
        ),
    }
}

fn receiver_is_log(index: &Index, at: At) -> bool {
    let project = &index.project;
    let Kind::Call { callee, .. } = project.kind(at) else {
        return false;
    };
    match project.kind(at.with(callee)) {
        Kind::Member { of, .. } => {
            let text = project.text(at.with(of)).to_ascii_lowercase();
            matches!(
                text.rsplit('.').next(),
                Some("log" | "logger" | "logging" | "pino" | "winston")
            )
        }
        _ => false,
    }
}

/// A name of something secret, not a word in a text.
fn secret(index: &Index, at: At) -> Option<At> {
    let project = &index.project;
    project.inside(at).into_iter().find(|one| {
        if !is_told(index, *one, at) {
            return false;
        }
        let text = match project.kind(*one) {
            Kind::Name => project.text(*one).to_ascii_lowercase(),
            Kind::Member { name, .. } => project.text(one.with(name)).to_ascii_lowercase(),
            _ => return false,
        };
        let whole = project.text(*one);
        let named = [
            "password",
            "passwd",
            "secret",
            "jwt_secret",
            "token",
            "access_token",
            "credentials",
            "authorization",
        ]
        .iter()
        .any(|word| {
            text == *word
                || text.ends_with(&format!("_{word}"))
                || text.ends_with(word) && text.len() < word.len() + 8
        });
        named
            || matches!(
                whole,
                "req.body" | "request.body" | "req.headers" | "request.headers"
            )
    })
}

/// Whether the log gets what a name stands for: no key, no length or count of it, no part of it that is looked at by itself.
fn is_told(index: &Index, one: At, whole: At) -> bool {
    let project = &index.project;
    let tree = project.tree(one);
    let only_names = tree
        .parent(one.id)
        .is_some_and(|parent| match tree.kind(parent) {
            Kind::Member { of, name } => of == one.id || name == one.id,
            Kind::Keyword { name, .. } => name == one.id,
            Kind::Map(kids) => tree
                .list(kids)
                .chunks(2)
                .any(|pair| pair[0] == one.id && tree.text(pair[1]) != tree.text(one.id)),
            _ => false,
        });
    let measured = tree
        .upwards(one.id)
        .skip(1)
        .take_while(|id| *id != whole.id)
        .chain([whole.id])
        .any(|id| {
            id != one.id
                && match tree.kind(id) {
                    Kind::Not(_) => true,
                    Kind::Binary { op, .. } => op.compares(),
                    Kind::Call { callee, .. } => {
                        matches!(tree.text(callee), "len" | "bool" | "Boolean" | "type")
                    }
                    _ => false,
                }
        });
    !only_names && !measured
}
