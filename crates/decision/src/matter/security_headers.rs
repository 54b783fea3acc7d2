//! Which headers tell browsers to be careful with the app's answers.
//!
//! ## What is read
//! The names of headers that running code sets, whoever sets them: `Content-Security-Policy` (CSP),
//! `X-Content-Type-Options` (nosniff), `X-Frame-Options` or CSP's `frame-ancestors` (frame), `Strict-Transport-Security`
//! (HSTS), `Referrer-Policy` (referrer); and libraries that set them all.
//!
//! ## Does not see
//! On which answers they are: the exploit does. Whether a policy is a good one.

use model::decision::Origin;

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "security headers",
    exploits: &["security-headers"],
    words: &[
        "csp",
        "content-security-policy",
        "hsts",
        "x-frame-options",
        "security header",
        "nosniff",
    ],
    read,
};

const HEADERS: [(&str, &str); 5] = [
    ("CSP", "content-security-policy"),
    ("nosniff", "x-content-type-options"),
    ("frame", "x-frame-options"),
    ("HSTS", "strict-transport-security"),
    ("referrer", "referrer-policy"),
];

const LIBRARIES: [(Lang, &str, &str); 6] = [
    (
        Lang::Script,
        "helmet",
        "CSP, nosniff, frame, HSTS, referrer",
    ),
    (
        Lang::Script,
        "@fastify/helmet",
        "CSP, nosniff, frame, HSTS, referrer",
    ),
    (
        Lang::Script,
        "hono.secure-headers.secureHeaders",
        "nosniff, frame, HSTS, referrer",
    ),
    (
        Lang::Python,
        "flask_talisman.Talisman",
        "CSP, nosniff, frame, HSTS, referrer",
    ),
    (
        Lang::Python,
        "secure.Secure",
        "nosniff, frame, HSTS, referrer",
    ),
    (
        Lang::Python,
        "secure.Secure.with_default_headers",
        "CSP, nosniff, frame, HSTS, referrer",
    ),
];

/// Options of libraries that leave one out when they are false.
const OPTIONS: [(&str, &[&str]); 5] = [
    ("CSP", &["contentSecurityPolicy", "content_security_policy"]),
    (
        "nosniff",
        &["noSniff", "xContentTypeOptions", "x_content_type_options"],
    ),
    ("frame", &["frameguard", "xFrameOptions", "frame_options"]),
    (
        "HSTS",
        &[
            "hsts",
            "strictTransportSecurity",
            "strict_transport_security",
        ],
    ),
    ("referrer", &["referrerPolicy", "referrer_policy"]),
];

fn read(index: &Index) -> Outcome {
    if index.routes.is_empty() {
        return Outcome::NoPlace;
    }
    for (lang, name, sets) in LIBRARIES {
        let call = index.calls_named(name).find(|call| {
            call.live && index.is_used(call.at) && index.project.lang(call.at) == lang
        });
        if let Some(call) = call {
            let origin = index.origin(lang, name);
            let off = |names: &[&str]| {
                names.iter().any(|name| {
                    index.folded(call.named(&index.project, name)).flag() == Some(false)
                })
            };
            let left: Vec<&str> = sets
                .split(", ")
                .filter(|short| {
                    !OPTIONS
                        .iter()
                        .any(|(one, names)| one == short && off(names))
                })
                .collect();
            return Outcome::Found(vec![Found::new(index, left.join(", "), origin, call.at)]);
        }
    }
    let places = places(index);
    let mut names: Vec<&str> = Vec::new();
    for (short, _) in HEADERS {
        if places.iter().any(|(known, _)| *known == short) {
            names.push(short);
        }
    }
    let Some((_, first)) = places.first() else {
        let dead = LIBRARIES
            .iter()
            .find_map(|(_, name, _)| index.calls_named(name).next());
        return match dead {
            Some(call) => Outcome::Unclear(index.is_dead(call, "headers")),
            None => Outcome::Nothing,
        };
    };
    let in_config = index.project.tree(*first).path.starts_with("next.config");
    let origin = if in_config {
        index.origin(Lang::Script, "next")
    } else {
        Origin::HandWritten
    };
    let mut found = Found::new(index, names.join(", "), origin.clone(), *first);
    let owner = index.owner(*first);
    if origin == Origin::HandWritten && owner.id != index.project.tree(*first).root {
        found = found.by_hand(index, owner);
    }
    for (_, at) in places.iter().skip(1) {
        found = found.also(index, *at);
    }
    Outcome::Found(vec![found])
}

/// Where each header is named in code that runs.
fn places(index: &Index) -> Vec<(&'static str, At)> {
    let project = &index.project;
    let mut found: Vec<(&'static str, At)> = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        let lower = tree.text.to_ascii_lowercase().replace('_', "-");
        if !HEADERS.iter().any(|(_, name)| lower.contains(name)) {
            continue;
        }
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            let (text, is_key) = match tree.kind(id) {
                Kind::Str { .. } => (project.string(at).unwrap_or_default(), false),
                // Rust's typed names: `header::X_FRAME_OPTIONS`.
                Kind::Name if tree.lang == Lang::Rust => (tree.text(id).replace('_', "-"), true),
                _ => continue,
            };
            let text = text.to_ascii_lowercase();
            for (short, name) in HEADERS {
                if text == name
                    && !index.only_asks(at)
                    && !found.iter().any(|(known, _)| *known == short)
                    && index.is_used(at)
                {
                    found.push((short, at));
                }
            }
            if !is_key
                && text.contains("frame-ancestors")
                && !found.iter().any(|(known, _)| *known == "frame")
                && index.is_used(at)
            {
                found.push(("frame", at));
            }
        }
    }
    found.sort_by_key(|(short, at)| (!matches!(*short, "CSP"), *at));
    found
}
