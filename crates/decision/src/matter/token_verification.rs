//! How session tokens are checked: by a library with a pinned algorithm, or by hand, and how signatures are compared.
//!
//! ## What is read
//! Calls that verify, with the algorithms they allow; and functions of the app that take a token apart and compare an HMAC,
//! with the comparison they use.
//!
//! ## Does not see
//! Whether every route asks for the check: that is `route-authorisation`. Tokens that are looked up in a database need no
//! signature, and are none of this matter's.

use model::decision::{Confidence, Origin};

use crate::fold::Value;
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "token verification",
    exploits: &["tampered-token", "unsigned-token"],
    words: &[
        "carries a token this api issued",
        "verify token",
        "verify the token",
        "pinned algorithm",
    ],
    read,
};

const PINNED: &str = "library, algorithm pinned";
const OPEN: &str = "library, algorithm not pinned";
const BLIND: &str = "library, signature not checked";

fn read(index: &Index) -> Outcome {
    let mut found: Vec<Found> = Vec::new();
    for call in index.calls.iter().filter(|call| call.live) {
        let Some(one) = by_library(index, call) else {
            continue;
        };
        match found
            .iter_mut()
            .find(|known| known.choice == one.choice && known.parameters == one.parameters)
        {
            Some(known) => known.spans.extend(one.spans),
            None => found.push(one),
        }
    }
    if found.is_empty() {
        found.extend(by_hand(index));
    }
    if !found.is_empty() {
        return Outcome::Found(found);
    }
    if super::token_signing::MATTER.is_found(index) {
        // Tokens are made, and what reads them cannot be seen.
        return if opaque(index) {
            Outcome::NoPlace
        } else {
            Outcome::Unclear("tokens are made, and what checks them was not found".to_owned())
        };
    }
    Outcome::NoPlace
}

fn opaque(index: &Index) -> bool {
    super::token_signing::MATTER
        .choices(index)
        .iter()
        .all(|choice| choice != "JWT" && choice != "JWT by hand")
}

fn by_library(index: &Index, call: &Call) -> Option<Found> {
    let project = &index.project;
    let lang = project.lang(call.at);
    let name = call.name.as_str();
    let origin = || index.origin(lang, name);
    let found = |choice: &str| Found::new(index, choice, origin(), call.at);
    match (lang, name) {
        (Lang::Python, "jwt.decode" | "jose.jwt.decode") => {
            let options = call.arg(project, 3, "options");
            let off = |key: &str| {
                options
                    .and_then(|map| project.entry(project.definition(map).unwrap_or(map), key))
                    .map(|at| project.fold(at))
                    == Some(Value::Flag(false))
            };
            let unsigned = index.folded(call.named(project, "verify")).flag() == Some(false);
            if off("verify_signature") || unsigned {
                return Some(found(BLIND).below(Some("the signature is not checked".to_owned())));
            }
            let algorithms = call.arg(project, 2, "algorithms");
            Some(
                pinned(index, found(PINNED), found(OPEN), algorithms, Some("exp")).with(
                    "expiry",
                    Some(
                        if off("verify_exp") {
                            "unchecked"
                        } else {
                            "checked"
                        }
                        .to_owned(),
                    ),
                ),
            )
        }
        (Lang::Python, "jwt.get_unverified_claims" | "jose.jwt.get_unverified_claims")
        | (
            Lang::Script,
            "jsonwebtoken.decode" | "jose.decodeJwt" | "jwt-decode" | "jwt-decode.jwtDecode",
        ) => Some(found(BLIND).below(Some("the signature is not checked".to_owned()))),
        (Lang::Script, "jsonwebtoken.verify") => {
            let expiry = index.folded(call.named(project, "ignoreExpiration")).flag() == Some(true);
            let algorithms = call.named(project, "algorithms");
            // Since version 9 a secret allows HMAC alone, whatever the header says.
            let one = match algorithms {
                Some(_) => pinned(index, found(PINNED), found(OPEN), algorithms, None),
                None => found(OPEN).note("jsonwebtoken 9 allows only HMAC with a secret"),
            };
            Some(one.with(
                "expiry",
                Some(if expiry { "unchecked" } else { "checked" }.to_owned()),
            ))
        }
        (Lang::Script, "jose.jwtVerify") => {
            let algorithms = call.named(project, "algorithms");
            let one = match algorithms {
                Some(_) => pinned(index, found(PINNED), found(OPEN), algorithms, None),
                None => found(OPEN).note("jose allows only HMAC with a symmetric key"),
            };
            Some(one.with("expiry", Some("checked".to_owned())))
        }
        (Lang::Rust, "jsonwebtoken.decode") => {
            let blind = index
                .calls_of("insecure_disable_signature_validation")
                .any(|other| other.live);
            if blind {
                return Some(found(BLIND).below(Some("the signature is not checked".to_owned())));
            }
            Some(found(PINNED).with("expiry", Some("checked".to_owned())))
        }
        (Lang::Rust, "jsonwebtoken.dangerous.insecure_decode") => {
            Some(found(BLIND).below(Some("the signature is not checked".to_owned())))
        }
        _ => None,
    }
}

/// Pinned where the list is written out and has no `none`; not pinned where it is missing or comes from the token.
fn pinned(index: &Index, pinned: Found, open: Found, list: Option<At>, _: Option<&str>) -> Found {
    let Some(list) = list else {
        return open.below(Some("any algorithm is allowed".to_owned()));
    };
    match index.project.fold(list) {
        Value::List(all) if !all.is_empty() && all.iter().all(|one| one.text().is_some()) => {
            let names: Vec<&str> = all.iter().filter_map(Value::text).collect();
            if names.iter().any(|name| name.eq_ignore_ascii_case("none")) {
                return open.below(Some("`none` is allowed".to_owned()));
            }
            pinned.with("algorithm", Some(names.join(", ")))
        }
        Value::Text(name) => pinned.with("algorithm", Some(name)),
        Value::Env { .. } => pinned.with("algorithm", index.shown(Some(list))),
        _ => {
            let text = index.project.text(list);
            if text.contains("header") || text.contains("alg\"") {
                open.below(Some(
                    "the token's own header says which algorithm holds".to_owned(),
                ))
            } else {
                pinned.unsure(Confidence::Medium)
            }
        }
    }
}

const CONSTANT: [&str; 5] = [
    "hmac.compare_digest",
    "secrets.compare_digest",
    "crypto.timingSafeEqual",
    "crypto.subtle.verify",
    "django.utils.crypto.constant_time_compare",
];

/// A function that splits at dots and reaches an HMAC.
fn by_hand(index: &Index) -> Vec<Found> {
    let project = &index.project;
    let mut found = Vec::new();
    for call in index.calls.iter().filter(|call| call.live) {
        let splits = matches!(
            call.method.as_str(),
            "split" | "rsplit" | "partition" | "splitn"
        ) && call
            .args
            .iter()
            .any(|arg| project.string(*arg).as_deref() == Some("."));
        if !splits {
            continue;
        }
        let function = index.owner(call.at);
        if function.id == project.tree(call.at).root {
            continue;
        }
        let reached = index.reach(function);
        let calls = index.calls_in(&reached);
        let signs = calls.iter().any(|call| {
            matches!(
                call.name.as_str(),
                "hmac.new" | "hmac.digest" | "crypto.createHmac" | "crypto.subtle.verify"
            ) || call.name.ends_with("new_from_slice")
        });
        if !signs {
            continue;
        }
        let constant = calls.iter().find(|call| {
            CONSTANT.contains(&call.name.as_str())
                || matches!(call.method.as_str(), "verify_slice" | "ct_eq")
        });
        let mut one = match constant {
            Some(how) => Found::new(
                index,
                "by hand, constant time",
                Origin::HandWritten,
                function,
            )
            .also(index, how.at),
            None => Found::new(
                index,
                "by hand, plain comparison",
                Origin::HandWritten,
                function,
            )
            .below(Some(
                "the comparison's time tells how far a guess is right".to_owned(),
            )),
        };
        for part in &reached {
            one = one.by_hand(index, *part);
        }
        let expiry = index
            .nodes_of(&reached)
            .into_iter()
            .any(|at| match project.kind(at) {
                Kind::Str { .. } => project.string(at).as_deref() == Some("exp"),
                Kind::Name => project.text(at) == "exp",
                _ => false,
            });
        let said = if expiry { "checked" } else { "unchecked" };
        found.push(one.with("expiry", Some(said.to_owned())));
        break;
    }
    found
}
