//! Where the secrets come from that sign tokens and webhook events, and what happens without them.
//!
//! ## What is read
//! The key that each signing and verifying call is given, followed to the environment, to a literal, or to random bytes.
//!
//! ## Does not see
//! Secrets that a platform puts into the code at build time, and checks that a start script makes.

use std::collections::BTreeMap;

use model::decision::{Confidence, Origin};

use crate::fold::{SAME, Value};
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::{At, Project, Thing};
use crate::tree::{Kind, Lang, NONE, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "secret source",
    exploits: &["default-secret"],
    words: &[
        "jwt_secret",
        "webhook_secret",
        "secrets in",
        "secret from",
        "no default secret",
    ],
    read,
};

const RANDOM: [&str; 6] = [
    "secrets.token_hex",
    "secrets.token_urlsafe",
    "secrets.token_bytes",
    "os.urandom",
    "crypto.randomBytes",
    "crypto.randomUUID",
];

fn read(index: &Index) -> Outcome {
    let project = &index.project;
    let mut by_name: BTreeMap<String, Found> = BTreeMap::new();
    let mut unclear = None;
    for call in index.calls.iter().filter(|call| call.live) {
        let Some(key) = key(project, call) else {
            continue;
        };
        // One look at a variable is enough.
        if let Value::Env { name, .. } = project.fold(key)
            && by_name.contains_key(&name)
        {
            continue;
        }
        match source(index, key, 8) {
            Some((name, found)) => {
                by_name.entry(name).or_insert(found);
            }
            None => unclear = unclear.or(Some(call.at)),
        }
    }
    for key in flask_keys(index) {
        if let Some((name, found)) = source(index, key, 8) {
            by_name.entry(name).or_insert(found);
        }
    }
    // A key that is handed over as an argument is seen where the variable is read.
    if by_name.is_empty() || unclear.is_some() {
        for (name, found) in variables(index) {
            by_name.entry(name).or_insert(found);
        }
    }
    match (by_name.is_empty(), unclear) {
        (false, _) => Outcome::Found(by_name.into_values().collect()),
        (true, Some(at)) => {
            let span = project.span(at);
            Outcome::Unclear(format!(
                "{}:{} is given a key that cannot be followed",
                span.file, span.line
            ))
        }
        (true, None) => Outcome::NoPlace,
    }
}

/// `app.secret_key = …`, `app.config["SECRET_KEY"] = …`
fn flask_keys(index: &Index) -> Vec<At> {
    let project = &index.project;
    let mut all = Vec::new();
    for (number, tree) in project
        .trees
        .iter()
        .enumerate()
        .filter(|(_, tree)| tree.lang == Lang::Python)
    {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            let Kind::Assign { target, value } = tree.kind(id) else {
                continue;
            };
            let is_key = match tree.kind(target) {
                Kind::Member { name, .. } => {
                    tree.text(name) == "secret_key"
                        && project.name(at.with(target)).as_deref()
                            == Some("flask.Flask().secret_key")
                }
                Kind::Index { of, at: key } => {
                    tree.string(key).as_deref() == Some("SECRET_KEY")
                        && project.name(at.with(of)).as_deref() == Some("flask.Flask().config")
                }
                _ => false,
            };
            if is_key && value != NONE && index.is_live(at) {
                all.push(at.with(value));
            }
        }
    }
    all
}

/// The key of a call that signs or verifies.
fn key(project: &Project, call: &Call) -> Option<At> {
    match (project.lang(call.at), call.name.as_str()) {
        (Lang::Python, "jwt.encode" | "jwt.decode" | "jose.jwt.encode" | "jose.jwt.decode") => {
            call.arg(project, 1, "key")
        }
        (Lang::Python, "hmac.new" | "hmac.digest") => call.arg(project, 0, "key"),
        (
            Lang::Python,
            "itsdangerous.URLSafeTimedSerializer"
            | "itsdangerous.URLSafeSerializer"
            | "itsdangerous.TimestampSigner",
        ) => call.arg(project, 0, "secret_key"),
        (Lang::Python, _) if call.method == "add_middleware" => call.named(project, "secret_key"),
        (Lang::Script, "express-session") => call.named(project, "secret"),
        (
            Lang::Script,
            "jsonwebtoken.sign" | "jsonwebtoken.verify" | "crypto.createHmac" | "jose.jwtVerify",
        ) => call.args.get(1).copied(),
        (Lang::Script, name) if name.starts_with("jose.SignJWT()") && call.method == "sign" => {
            call.args.first().copied()
        }
        (
            Lang::Rust,
            "jsonwebtoken.EncodingKey.from_secret" | "jsonwebtoken.DecodingKey.from_secret",
        ) => call.args.first().copied(),
        _ => None,
    }
}

/// The secret's name, and the finding.
fn source(index: &Index, key: At, depth: u8) -> Option<(String, Found)> {
    let project = &index.project;
    let depth = depth.checked_sub(1)?;
    if let Some(found) = setting(index, key) {
        return Some(found);
    }
    match project.fold(key) {
        Value::Env { name, default } => {
            let at = read_at(index, key);
            Some((name.clone(), variable(index, at, &name, default.as_deref())))
        }
        Value::Text(text) if !text.is_empty() => {
            let at = project.definition(key).unwrap_or(key);
            let name = label(project, key);
            let found = Found::new(index, "literal in the source", Origin::HandWritten, at)
                .with("secret", Some(name.clone()))
                .below(Some("whoever reads the source can sign".to_owned()));
            Some((name, unowned(found)))
        }
        _ => match project.kind(key) {
            Kind::Name | Kind::Member { .. } => source(index, project.definition(key)?, depth),
            Kind::Call { callee, args } => {
                let name = project.name(key.with(callee)).unwrap_or_default();
                if RANDOM.contains(&name.as_str()) {
                    let label = label(project, key);
                    let found = Found::new(
                        index,
                        "generated at start",
                        index.origin(project.lang(key), &name),
                        key,
                    )
                    .with("secret", Some(label.clone()));
                    return Some((label, unowned(found)));
                }
                let inner = match project.kind(key.with(callee)) {
                    Kind::Member { of, .. } => Some(key.with(of)),
                    _ => None,
                };
                if reads_file(index, key) {
                    let label = label(project, key);
                    let found = Found::new(index, "file", Origin::HandWritten, key)
                        .with("secret", Some(label.clone()));
                    return Some((label, unowned(found)));
                }
                let args = project.list(key, args);
                // A literal that a call is given may be the secret's name only: `vault.read("jwt")`.
                let passes = PASSING.iter().any(|known| name.ends_with(known));
                args.into_iter()
                    .chain(inner)
                    .filter_map(|one| source(index, one, depth))
                    .find(|(_, found)| passes || found.choice != "literal in the source")
            }
            Kind::Binary {
                op: Op::Or | Op::Coalesce,
                left,
                ..
            } => source(index, key.with(left), depth),
            Kind::Await(of) => source(index, key.with(of), depth),
            _ => None,
        },
    }
}

/// A field of pydantic's settings: the environment's variable of the same name.
fn setting(index: &Index, key: At) -> Option<(String, Found)> {
    let project = &index.project;
    let Kind::Member { of, name } = project.kind(key) else {
        return None;
    };
    let Thing::Inside(class) = project.resolve(key.with(of)) else {
        return None;
    };
    let Kind::Class { bases, .. } = project.kind(class) else {
        return None;
    };
    let settings = project.list(class, bases).into_iter().any(|base| {
        matches!(
            project.name(base).as_deref(),
            Some("pydantic_settings.BaseSettings" | "pydantic.BaseSettings")
        )
    });
    let (at, value) =
        project
            .inside(class)
            .into_iter()
            .find_map(|one| match project.kind(one) {
                Kind::Assign { target, value }
                    if project.text(one.with(target)) == project.text(key.with(name)) =>
                {
                    Some((one, value))
                }
                _ => None,
            })?;
    if !settings {
        return None;
    }
    let given = match index.call(at.with(value)) {
        Some(call) if call.name == "pydantic.Field" => call.arg(project, 0, "default"),
        _ => (value != NONE).then(|| at.with(value)),
    };
    let given = given.map(|one| project.fold(one));
    let (choice, below) = match given {
        Some(Value::Text(text)) if text.is_empty() => (
            "environment, may be missing",
            Some("an empty key signs where it is not set"),
        ),
        Some(Value::Text(_)) => (
            "environment, with a default in the source",
            Some("whoever reads the source can sign where it is not set"),
        ),
        Some(Value::Nothing) => (
            "environment, may be missing",
            Some("nothing stops a start without it"),
        ),
        // `Field(...)` asks for it.
        None | Some(_) => ("environment, required", None),
    };
    let variable = project.text(key.with(name)).to_ascii_uppercase();
    let found = Found::new(index, choice, Origin::HandWritten, at)
        .with("secret", Some(variable.clone()))
        .below(below.map(str::to_owned))
        .unsure(Confidence::Medium);
    Some((variable, unowned(found)))
}

/// Calls that make a key of the text that they are given.
const PASSING: [&str; 6] = [
    "createSecretKey",
    "TextEncoder().encode",
    "Buffer.from",
    "importKey",
    "from_secret",
    "Uint8Array",
];

/// `Path(…).read_text()`, `readFileSync(…)`, `open(…).read()`
fn reads_file(index: &Index, at: At) -> bool {
    index.call(at).is_some_and(|call| {
        matches!(
            call.method.as_str(),
            "read_text" | "read_bytes" | "readFileSync" | "readFile" | "read_to_string"
        ) || call.method == "read" && call.name.starts_with("open()")
    })
}

/// The lines around a secret are no work done by hand.
fn unowned(mut found: Found) -> Found {
    found.own.clear();
    found
}

fn label(project: &Project, key: At) -> String {
    let tree = project.tree(key);
    let bound = tree
        .parent(key.id)
        .and_then(|parent| match tree.kind(parent) {
            Kind::Assign { target, value } if value == key.id => Some(tree.text(target)),
            _ => None,
        });
    let text = bound.unwrap_or_else(|| project.text(key));
    let last = text.rsplit(['.', '(']).next().unwrap_or(text);
    let plain: String = last
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '_')
        .take(40)
        .collect();
    if plain.is_empty() {
        "a key".to_owned()
    } else {
        plain
    }
}

/// Where the environment is really read, behind names.
fn read_at(index: &Index, at: At) -> At {
    let project = &index.project;
    let mut at = at;
    for _ in 0..8 {
        match project.kind(at) {
            Kind::Name | Kind::Member { .. } => match project.definition(at) {
                Some(next) if next != at => at = next,
                _ => return at,
            },
            Kind::Call { callee, args } => match project.kind(at.with(callee)) {
                Kind::Member { of, name }
                    if SAME.contains(&project.text(at.with(name)))
                        && matches!(project.fold(at.with(of)), Value::Env { .. }) =>
                {
                    at = at.with(of);
                }
                // `key()` gives what it returns; an encoder what it is handed.
                _ => {
                    let returned = match project.resolve(at.with(callee)) {
                        Thing::Inside(function) if args.len == 0 => project.returns(function),
                        Thing::Inside(_) => return at,
                        _ => project.list(at, args),
                    };
                    let env = |one: &At| matches!(project.fold(*one), Value::Env { .. });
                    match returned.as_slice() {
                        [one] if env(one) => at = *one,
                        _ => return at,
                    }
                }
            },
            _ => return at,
        }
    }
    at
}

fn variable(index: &Index, at: At, name: &str, default: Option<&Value>) -> Found {
    let project = &index.project;
    let text = project.text(at);
    let (choice, below): (&str, Option<&str>) = match default {
        Some(Value::Text(text)) if text.is_empty() => (
            "environment, may be missing",
            Some("an empty key signs where it is not set"),
        ),
        Some(Value::Text(_)) => (
            "environment, with a default in the source",
            Some("whoever reads the source can sign where it is not set"),
        ),
        _ if required(index, at, name) && random_default(index, at) => {
            ("environment, required in production", None)
        }
        _ if random_default(index, at) => ("environment, random when missing", None),
        _ if required(index, at, name) => ("environment, required", None),
        None if text.contains("environ[") => ("environment, required", None),
        _ => (
            "environment, may be missing",
            Some("nothing stops a start without it"),
        ),
    };
    let found = Found::new(index, choice, Origin::HandWritten, at)
        .with("secret", Some(name.to_owned()))
        .below(below.map(str::to_owned));
    unowned(found)
}

/// `env or random()`
fn random_default(index: &Index, at: At) -> bool {
    let project = &index.project;
    let tree = project.tree(at);
    let whole = tree
        .upwards(at.id)
        .take_while(|id| !matches!(tree.kind(*id), Kind::Block(_)))
        .last()
        .unwrap_or(at.id);
    let around = match index.owner(at) {
        owner if owner.id != tree.root => owner,
        _ => at.with(whole),
    };
    let helper = helper(project, at);
    index
        .calls
        .iter()
        .filter(|call| RANDOM.contains(&call.name.as_str()))
        .any(|call| {
            let inside =
                |outer: At| call.at.tree == outer.tree && project.inside(outer).contains(&call.at);
            inside(around) && around.id != tree.root || helper.is_some_and(inside)
        })
}

/// The app's function that a call is of: `required('JWT_SECRET')`.
fn helper(project: &Project, at: At) -> Option<At> {
    let Kind::Call { callee, .. } = project.kind(at) else {
        return None;
    };
    match project.resolve(at.with(callee)) {
        Thing::Inside(function) => Some(function),
        _ => None,
    }
}

/// Whether something is raised, thrown or panics where the variable is missing.
fn required(index: &Index, at: At, name: &str) -> bool {
    let project = &index.project;
    let text = project.text(at);
    if project.lang(at) == Lang::Python && text.starts_with("os.environ[") {
        return true;
    }
    let tree = project.tree(at);
    // `std::env::var(…).expect(…)`
    if project.lang(at) == Lang::Rust
        && (text.contains(".expect(") || text.contains(".unwrap()") || text.ends_with('?'))
    {
        return true;
    }
    let stops = |outer: At| {
        project
            .inside(outer)
            .into_iter()
            .any(|one| match project.kind(one) {
                Kind::Throw(of) => of != NONE,
                Kind::Call { callee, .. } => matches!(
                    project.text(one.with(callee)),
                    "sys.exit" | "process.exit" | "exit" | "panic"
                ),
                _ => false,
            })
    };
    if let Some(helper) = helper(project, at)
        && index.reach(helper).into_iter().any(stops)
    {
        return true;
    }
    // `if not SECRET: raise`, anywhere that runs and names it.
    let bound = tree.upwards(at.id).find_map(|id| match tree.kind(id) {
        Kind::Assign { target, .. } if tree.kind(target) == Kind::Name => {
            Some(tree.text(target).to_owned())
        }
        _ => None,
    });
    let names = |outer: At| {
        project
            .inside(outer)
            .into_iter()
            .any(|one| match project.kind(one) {
                Kind::Name => bound.as_deref() == Some(project.text(one)),
                Kind::Str { .. } => project.string(one).as_deref() == Some(name),
                _ => false,
            })
    };
    project.trees.iter().enumerate().any(|(number, tree)| {
        (0..tree.nodes.len() as u32).any(|id| {
            let one = At {
                tree: number as u32,
                id,
            };
            match tree.kind(id) {
                Kind::If { test, then, .. } => {
                    test != NONE
                        && then != NONE
                        && index.is_live(one)
                        && names(one.with(test))
                        && stops(one.with(then))
                }
                _ => false,
            }
        })
    })
}

/// Variables with SECRET in their names, where they are read.
fn variables(index: &Index) -> Vec<(String, Found)> {
    let project = &index.project;
    let mut all = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            if !matches!(
                tree.kind(id),
                Kind::Call { .. } | Kind::Index { .. } | Kind::Member { .. } | Kind::Binary { .. }
            ) {
                continue;
            }
            // The whole `process.env.X ?? 'y'`, not its part.
            if let Some(parent) = tree.parent(id)
                && matches!(tree.kind(parent), Kind::Binary { op: Op::Or | Op::Coalesce, left, .. } if left == id)
            {
                continue;
            }
            if let Value::Env { name, default } = project.fold(at)
                && name.to_ascii_uppercase().contains("SECRET")
                && index.is_live(at)
                && !all.iter().any(|(known, _)| *known == name)
            {
                let found =
                    variable(index, at, &name, default.as_deref()).unsure(Confidence::Medium);
                all.push((name, found));
            }
        }
    }
    all
}
