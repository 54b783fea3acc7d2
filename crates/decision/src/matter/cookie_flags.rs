//! Which protection the app's cookies ask of browsers.
//!
//! ## What is read
//! Calls that set cookies, with `HttpOnly`, `Secure` and `SameSite`; settings of session cookies.
//!
//! ## Does not see
//! Cookies that a library sets by itself.

use model::decision::Origin;

use crate::fold::Value;
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::tree::Lang;

pub(crate) static MATTER: Matter = Matter {
    title: "cookie flags",
    exploits: &[],
    words: &["httponly", "samesite", "secure cookie", "cookie flag"],
    read,
};

fn read(index: &Index) -> Outcome {
    let mut found: Vec<Found> = Vec::new();
    for call in index.calls.iter().filter(|call| call.live && sets_cookie(index, call)) {
        let one = flags(index, call);
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
                || call.method == "set" && (text.contains("cookies()") || text.contains(".cookies."))
        }
        Lang::Rust => call.method == "build" && text.contains("Cookie::build"),
    }
}

fn flags(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let on = |names: [&str; 2]| {
        names.iter().find_map(|name| call.named(project, name)).is_some_and(|at| {
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
    if same.as_deref().is_some_and(|one| !one.eq_ignore_ascii_case("none")) {
        names.push("SameSite");
    }
    let choice = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let below = (names.len() < 3).then(|| {
        let missing: Vec<&str> = ["HttpOnly", "Secure", "SameSite"]
            .into_iter()
            .filter(|name| !names.contains(name))
            .collect();
        format!("without {}", missing.join(", "))
    });
    Found::new(index, choice, Origin::HandWritten, call.at)
        .with("SameSite", same)
        .below(below)
}
