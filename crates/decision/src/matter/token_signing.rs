//! How session tokens are made: by which library or by hand, with which algorithm, for how long.
//!
//! ## What is read
//! Calls that sign: PyJWT, python-jose, authlib, jsonwebtoken, jose, Rust's jsonwebtoken; itsdangerous and signed sessions;
//! and functions of the app that join parts with dots and sign them with an HMAC. The lifetime is that of the claim `exp`, or
//! of the option that sets it, in seconds.
//!
//! ## Does not see
//! Tokens that another service issues. Tokens kept in a database are recognised where a route that signs people in stores
//! random text.

use model::decision::{Confidence, Origin};

use crate::fold::{Value, duration};
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::{At, Thing};
use crate::routes::Purpose;
use crate::tree::{Kind, Lang, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "token signing",
    exploits: &["tampered-token", "unsigned-token"],
    words: &[
        "24-hour token",
        "token lifetime",
        "tokens expire",
        "expiring token",
        "hs256",
    ],
    read,
};

fn read(index: &Index) -> Outcome {
    let mut found: Vec<Found> = Vec::new();
    for call in index.calls.iter().filter(|call| call.live) {
        found.extend(by_library(index, call));
    }
    if found.is_empty() {
        found.extend(by_hand(index));
    }
    if found.is_empty() {
        found.extend(session(index));
    }
    if found.is_empty() {
        found.extend(opaque(index));
    }
    let mut distinct: Vec<Found> = Vec::new();
    for one in found {
        let same = |known: &&mut Found| {
            known.choice == one.choice
                && known.origin == one.origin
                && known.parameters == one.parameters
        };
        match distinct.iter_mut().find(same) {
            Some(known) => known.spans.extend(one.spans),
            None => distinct.push(one),
        }
    }
    match distinct.is_empty() {
        false => Outcome::Found(distinct),
        true if index.routes_for(Purpose::Login).is_empty() => Outcome::NoPlace,
        true => match index
            .calls
            .iter()
            .find(|call| !call.live && by_library(index, call).is_some())
        {
            Some(dead) => {
                let span = index.project.span(dead.at);
                Outcome::Unclear(format!(
                    "{}:{} signs, and nothing that runs calls it",
                    span.file, span.line
                ))
            }
            None => Outcome::Nothing,
        },
    }
}

/// What Flask and Starlette keep in a cookie that they sign.
fn session(index: &Index) -> Option<Found> {
    let project = &index.project;
    let writes = index
        .live_mentions(&["flask.session"])
        .into_iter()
        .find(|(at, _)| {
            let tree = project.tree(*at);
            let above: Vec<_> = tree.upwards(at.id).skip(1).take(2).collect();
            matches!(above[..], [entry, whole] if matches!(tree.kind(entry), Kind::Index { .. })
            && matches!(tree.kind(whole), Kind::Assign { target, .. } if target == entry))
        });
    let mounted = |at: &At| {
        index
            .calls_of("add_middleware")
            .find(|call| call.args.contains(at))
            .map(|call| call.at)
    };
    let (at, name) = writes.or_else(|| {
        let names = [
            "starlette.middleware.sessions.SessionMiddleware",
            "fastapi.middleware.sessions.SessionMiddleware",
        ];
        index
            .live_mentions(&names)
            .into_iter()
            .find_map(|(at, _)| Some((mounted(&at)?, "starlette".to_owned())))
    })?;
    Some(Found::new(
        index,
        "signed cookie",
        index.origin(Lang::Python, &name),
        at,
    ))
}

fn by_library(index: &Index, call: &Call) -> Option<Found> {
    let project = &index.project;
    let lang = project.lang(call.at);
    let name = call.name.as_str();
    let origin = || index.origin(lang, name);
    match (lang, name) {
        (Lang::Python, "authlib.jose.jwt.encode") => {
            let header = call.arg(project, 0, "header");
            let map = header.map(|at| project.definition(at).unwrap_or(at));
            let algorithm = index.shown(map.and_then(|map| project.entry(map, "alg")));
            let found = Found::new(index, "JWT", origin(), call.at).with("algorithm", algorithm);
            Some(lifetime(index, found, call.arg(project, 1, "payload")))
        }
        (Lang::Python, "jwt.encode" | "jose.jwt.encode") => {
            let claims = call
                .arg(project, 0, "payload")
                .or_else(|| call.named(project, "claims"));
            let algorithm = match call.arg(project, 2, "algorithm") {
                Some(at) => index.shown(Some(at)),
                None => Some("HS256".to_owned()),
            };
            let found = Found::new(index, "JWT", origin(), call.at).with("algorithm", algorithm);
            Some(lifetime(index, found, claims))
        }
        (Lang::Script, "jsonwebtoken.sign") => {
            let options = call.args.get(2).copied();
            let algorithm = match call.named(project, "algorithm") {
                Some(at) => index.shown(Some(at)),
                None => Some("HS256".to_owned()),
            };
            let found = Found::new(index, "JWT", origin(), call.at).with("algorithm", algorithm);
            match call.named(project, "expiresIn") {
                Some(at) => Some(found.with("lifetime s", seconds(&project.fold(at)))),
                None if options
                    .is_some_and(|at| !matches!(project.kind(at), Kind::Map(_) | Kind::Name)) =>
                {
                    Some(found.unsure(Confidence::Medium))
                }
                None => Some(lifetime(index, found, call.args.first().copied())),
            }
        }
        (Lang::Script, name) if name.starts_with("jose.SignJWT()") && call.method == "sign" => {
            Some(jose(index, call, origin()))
        }
        (Lang::Rust, "jsonwebtoken.encode") => {
            let header = call
                .args
                .first()
                .map(|at| project.text(*at))
                .unwrap_or_default();
            let algorithm = ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"]
                .into_iter()
                .find(|one| header.contains(one))
                .unwrap_or("HS256");
            let found = Found::new(index, "JWT", origin(), call.at)
                .with("algorithm", Some(algorithm.to_owned()));
            Some(lifetime(index, found, call.args.get(1).copied()))
        }
        (
            Lang::Python,
            "itsdangerous.URLSafeTimedSerializer"
            | "itsdangerous.TimestampSigner"
            | "itsdangerous.URLSafeSerializer",
        )
        | (Lang::Script, "iron-session.getIronSession" | "cookie-session" | "express-session") => {
            Some(Found::new(index, "signed cookie", origin(), call.at))
        }
        _ => None,
    }
}

/// `new SignJWT(claims).setProtectedHeader({ alg }).setExpirationTime('24h').sign(key)`
fn jose(index: &Index, call: &Call, origin: Origin) -> Found {
    let project = &index.project;
    let (mut algorithm, mut expires, mut claims) = (None, None, None);
    for inner in project.inside(call.at) {
        let Some(part) = index.call(inner) else {
            continue;
        };
        match part.method.as_str() {
            "setProtectedHeader" => algorithm = index.shown(part.named(project, "alg")),
            "setExpirationTime" => {
                expires = Some(
                    part.args
                        .first()
                        .map_or(Value::Unknown, |at| project.fold(*at)),
                );
            }
            "SignJWT" => claims = part.args.first().copied(),
            _ => {}
        }
    }
    let found = Found::new(index, "JWT", origin, call.at).with("algorithm", algorithm);
    match expires {
        Some(value) => found.with("lifetime s", seconds(&value)),
        None => lifetime(index, found, claims),
    }
}

/// A number of seconds, or words for them.
fn seconds(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => duration(text).map(|number| number.to_string()),
        _ => None,
    }
}

/// From the claim `exp`: what is added to the present time.
fn lifetime(index: &Index, found: Found, claims: Option<At>) -> Found {
    let project = &index.project;
    let Some(claims) = claims else {
        return found.unsure(Confidence::Medium);
    };
    let map = match project.kind(claims) {
        Kind::Map(_) | Kind::Call { .. } => Some(claims),
        _ => project.definition(claims),
    };
    let exp = map.and_then(|map| match project.kind(map) {
        Kind::Map(_) => project.entry(map, "exp"),
        // `dict(exp=…)`, a struct, or what a helper returns.
        Kind::Call { .. } => index
            .call(map)
            .and_then(|call| call.named(project, "exp"))
            .or_else(|| {
                let Kind::Call { callee, .. } = project.kind(map) else {
                    return None;
                };
                let Thing::Inside(function) = project.resolve(map.with(callee)) else {
                    return None;
                };
                project
                    .returns(function)
                    .into_iter()
                    .find_map(|one| project.entry(one, "exp"))
            }),
        _ => None,
    });
    match (exp, map.map(|map| project.kind(map))) {
        (Some(exp), _) => match added(index, exp, 6) {
            Some(number) => found.with("lifetime s", Some(number.to_string())),
            None => found.unsure(Confidence::Medium),
        },
        // `claims["exp"] = …` or `claims.update(…)` further down.
        (None, Some(Kind::Map(_))) if !set_later(index, claims) => {
            let below = Some("tokens never expire".to_owned());
            found
                .with("lifetime s", Some("none".to_owned()))
                .below(below)
        }
        _ => found.unsure(Confidence::Medium),
    }
}

/// Whether something called `exp` is set in the function around.
fn set_later(index: &Index, at: At) -> bool {
    let project = &index.project;
    let around = index.owner(at);
    project
        .inside(around)
        .into_iter()
        .any(|one| match project.kind(one) {
            Kind::Assign { target, .. } => match project.kind(one.with(target)) {
                Kind::Index { at: key, .. } => {
                    project.string(one.with(key)).as_deref() == Some("exp")
                }
                Kind::Member { name, .. } => project.text(one.with(name)) == "exp",
                _ => false,
            },
            Kind::Keyword { name, .. } => project.text(one.with(name)) == "exp",
            Kind::Spread(_) => true,
            _ => false,
        })
}

/// `now + lifetime`: the part that is a number.
fn added(index: &Index, at: At, depth: u8) -> Option<f64> {
    let project = &index.project;
    let depth = depth.checked_sub(1)?;
    match project.kind(at) {
        Kind::Binary {
            op: Op::Add,
            left,
            right,
        } => {
            let (left, right) = (at.with(left), at.with(right));
            let now = |one: At| {
                let text = project.text(one).to_ascii_lowercase();
                text.contains("now") || text.contains("time") || text == "iat"
            };
            let value = |one: At| {
                let number = project.fold(one).number();
                // JavaScript's clock counts milliseconds.
                number.map(|number| {
                    if project.text(at).contains("Date.now() +") {
                        number / 1000.0
                    } else {
                        number
                    }
                })
            };
            if now(left) {
                value(right).or_else(|| added(index, right, depth))
            } else {
                value(left).or_else(|| added(index, left, depth))
            }
        }
        Kind::Binary {
            op: Op::Div, left, ..
        } => added(index, at.with(left), depth),
        Kind::Name | Kind::Member { .. } => added(index, project.definition(at)?, depth),
        Kind::Call { callee, args } => {
            // `int(now + x)`, `(now + x).timestamp()`, `Math.floor(…)`
            let args = project.list(at, args);
            let inner = match project.kind(at.with(callee)) {
                Kind::Member { of, .. } => Some(at.with(of)),
                _ => None,
            };
            args.first()
                .and_then(|one| added(index, *one, depth))
                .or_else(|| added(index, inner?, depth))
        }
        _ => None,
    }
}

const HMACS: [&str; 4] = [
    "hmac.new",
    "hmac.digest",
    "crypto.createHmac",
    "crypto.subtle.sign",
];

/// A function of the app that joins parts with dots, and signs them by an HMAC that it reaches.
fn by_hand(index: &Index) -> Vec<Found> {
    let project = &index.project;
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            let dotted = match tree.kind(id) {
                Kind::Template(kids) => project
                    .list(at, kids)
                    .iter()
                    .any(|part| project.string(*part).as_deref() == Some(".")),
                // `".".join(…)`, `[…].join('.')`
                Kind::Call { callee, args } => match tree.kind(callee) {
                    Kind::Member { of, name } if tree.text(name) == "join" => {
                        let given = project.list(at, args);
                        tree.string(of).as_deref() == Some(".")
                            || given
                                .first()
                                .and_then(|one| project.string(*one))
                                .as_deref()
                                == Some(".")
                    }
                    _ => false,
                },
                Kind::Binary {
                    op: Op::Add, right, ..
                } => tree.string(right).as_deref() == Some("."),
                _ => false,
            };
            if !dotted || !index.is_live(at) {
                continue;
            }
            let function = index.owner(at);
            if function.id == tree.root || found.iter().any(|(known, _)| *known == function) {
                continue;
            }
            // It must make a token, not take one apart: what is dotted is given back.
            let returned = project
                .returns(function)
                .iter()
                .any(|one| refers(index, *one, at));
            let reached = index.reach(function);
            let hmac = index
                .calls_in(&reached)
                .into_iter()
                .find(|call| HMACS.contains(&call.name.as_str()) || hmac_in_rust(call));
            if let (true, Some(hmac)) = (returned, hmac) {
                found.push((function, hmac.at));
            }
        }
    }
    found
        .into_iter()
        .map(|(function, hmac)| {
            let mut one = Found::new(index, "JWT by hand", Origin::HandWritten, function);
            for part in index.reach(function) {
                one = one.by_hand(index, part);
            }
            let algorithm = algorithm(index, hmac);
            let one = one.also(index, hmac).with("algorithm", algorithm);
            let exp = index
                .nodes_of(&index.reach(function))
                .into_iter()
                .find_map(|at| project.entry(at, "exp"));
            match exp {
                Some(exp) => match added(index, exp, 6) {
                    Some(number) => one.with("lifetime s", Some(number.to_string())),
                    None => one.unsure(Confidence::Medium),
                },
                None => one
                    .with("lifetime s", Some("none".to_owned()))
                    .below(Some("tokens never expire".to_owned())),
            }
        })
        .collect()
}

/// Whether an expression holds another, or a name for it, other than as what an HMAC is made of.
fn refers(index: &Index, from: At, to: At) -> bool {
    let project = &index.project;
    let tree = project.tree(from);
    project
        .inside(from)
        .into_iter()
        .filter(|one| {
            *one == to || project.kind(*one) == Kind::Name && project.definition(*one) == Some(to)
        })
        .any(|one| {
            tree.upwards(one.id)
                .take_while(|id| *id != from.id)
                .chain([from.id])
                .all(|id| {
                    let hmac = |call: &Call| {
                        HMACS.contains(&call.name.as_str())
                            || call.method == "update" && call.name.contains("createHmac")
                    };
                    index.call(from.with(id)).is_none_or(|call| {
                        !call
                            .args
                            .iter()
                            .any(|arg| hmac(call) && project.inside(*arg).contains(&one))
                    })
                })
        })
}

fn hmac_in_rust(call: &Call) -> bool {
    call.name.ends_with("new_from_slice") && call.name.to_ascii_lowercase().contains("hmac")
}

fn algorithm(index: &Index, at: At) -> Option<String> {
    let text = index.project.text(at).to_ascii_lowercase();
    ["256", "384", "512"]
        .into_iter()
        .find(|bits| text.contains(bits))
        .map(|bits| format!("HS{bits}"))
}

const RANDOM: [&str; 8] = [
    "secrets.token_urlsafe",
    "secrets.token_hex",
    "uuid.uuid4",
    "os.urandom",
    "crypto.randomBytes",
    "crypto.randomUUID",
    "crypto.getRandomValues",
    "nanoid.nanoid",
];

/// Random text that a sign-in route stores and gives out.
fn opaque(index: &Index) -> Vec<Found> {
    let project = &index.project;
    let mut found = Vec::new();
    for route in index.routes_for(Purpose::Login) {
        let code = index.code_of(route);
        let calls = index.calls_in(&code);
        let stores = calls.iter().any(|call| {
            matches!(
                call.method.as_str(),
                "execute" | "run" | "insert" | "add" | "create" | "set"
            )
        });
        let random = calls
            .iter()
            .find(|call| RANDOM.contains(&call.name.as_str()) && named_token(index, call.at));
        if let (true, Some(call)) = (stores, random) {
            let origin = index.origin(project.lang(call.at), &call.name);
            found.push(
                Found::new(index, "opaque token", origin, call.at).unsure(Confidence::Medium),
            );
        }
    }
    found
}

fn named_token(index: &Index, at: At) -> bool {
    let tree = index.project.tree(at);
    tree.upwards(at.id).take(4).any(|id| match tree.kind(id) {
        Kind::Assign { target, .. } => {
            let text = tree.text(target).to_ascii_lowercase();
            text.contains("token") || text.contains("session")
        }
        _ => false,
    })
}
