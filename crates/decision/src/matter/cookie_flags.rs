//! Which protection the app's cookies ask of browsers.
//!
//! ## What is read
//! Calls that set cookies, with `HttpOnly`, `Secure` and `SameSite`; what is written into a `Set-Cookie` header.
//!
//! ## Does not see
//! Cookies that a library sets by itself, and its settings for them.

use model::decision::Origin;

use crate::fold::Value;
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "cookie flags",
    exploits: &[],
    words: &["httponly", "samesite", "secure cookie", "cookie flag"],
    read,
};

fn read(index: &Index) -> Outcome {
    let mut found: Vec<Found> = Vec::new();
    for call in index
        .calls
        .iter()
        .filter(|call| call.live && sets_cookie(index, call))
    {
        let one = flags(index, call);
        match found.iter_mut().find(|known| known.choice == one.choice) {
            Some(known) => known.spans.extend(one.spans),
            None => found.push(one),
        }
    }
    for (at, text) in headers(index) {
        let one = grade(index, &flags_in(&text), None, at);
        match found.iter_mut().find(|known| known.choice == one.choice) {
            Some(known) => known.spans.extend(one.spans),
            None => found.push(one),
        }
    }
    if found.is_empty() {
        Outcome::NoPlace
    } else {
        Outcome::Found(found)
    }
}

fn sets_cookie(index: &Index, call: &Call) -> bool {
    let project = &index.project;
    let text = project.text(call.at);
    match project.lang(call.at) {
        Lang::Python => call.method == "set_cookie",
        Lang::Script => {
            call.method == "cookie" && call.args.len() >= 2
                || call.method == "set"
                    && (call.name == "next.headers.cookies().set"
                        || text.contains("cookies()")
                        || text.contains(".cookies."))
        }
        Lang::Rust => call.method == "build" && text.contains("Cookie::build"),
    }
}

fn flags(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let on = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| call.named(project, name))
            .is_some_and(|at| {
                // `secure: process.env.NODE_ENV === 'production'` is on where it counts.
                !matches!(project.fold(at), Value::Flag(false) | Value::Nothing)
            })
    };
    let same = ["samesite", "sameSite"]
        .iter()
        .find_map(|name| call.named(project, name))
        .and_then(|at| index.shown(Some(at)));
    let mut names = Vec::new();
    if on(["httponly", "httpOnly"]) {
        names.push("HttpOnly");
    }
    if on(["secure", "secure"]) {
        names.push("Secure");
    }
    if same
        .as_deref()
        .is_some_and(|one| !one.eq_ignore_ascii_case("none"))
    {
        names.push("SameSite");
    }
    grade(index, &names, same, call.at)
}

fn grade(index: &Index, names: &[&str], same: Option<String>, at: At) -> Found {
    let choice = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    let below = (names.len() < 3).then(|| {
        let missing: Vec<&str> = ["HttpOnly", "Secure", "SameSite"]
            .into_iter()
            .filter(|name| !names.contains(name))
            .collect();
        format!("without {}", missing.join(", "))
    });
    Found::new(index, choice, Origin::HandWritten, at)
        .with("SameSite", same)
        .below(below)
}

/// What is written into a `Set-Cookie` header.
fn headers(index: &Index) -> Vec<(At, String)> {
    let project = &index.project;
    let mut all = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            let named = tree
                .string(id)
                .is_some_and(|text| text.eq_ignore_ascii_case("set-cookie"));
            if !named || !index.is_live(at) {
                continue;
            }
            let next = tree.parent(id).and_then(|parent| match tree.kind(parent) {
                Kind::Map(kids) => {
                    let pair = tree.list(kids).chunks(2).find(|pair| pair[0] == id)?;
                    Some(at.with(pair[1]))
                }
                Kind::Call { args, .. } => match project.list(at, args)[..] {
                    [first, value] if first == at => Some(value),
                    _ => None,
                },
                _ => None,
            });
            if let Some(value) = next {
                let text = project
                    .text(project.definition(value).unwrap_or(value))
                    .to_ascii_lowercase();
                all.push((value, text));
            }
        }
    }
    all
}

fn flags_in(text: &str) -> Vec<&'static str> {
    [
        ("httponly", "HttpOnly"),
        ("secure", "Secure"),
        ("samesite", "SameSite"),
    ]
    .into_iter()
    .filter(|(word, _)| {
        text.contains(word) && (*word != "samesite" || !text.contains("samesite=none"))
    })
    .map(|(_, name)| name)
    .collect()
}
