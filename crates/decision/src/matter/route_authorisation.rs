//! Which routes ask who is asking, and which do not.
//!
//! ## What is read
//! Every route with everything that runs before and in it. A route is guarded where that refuses with 401 or 403, or where a
//! library's guard does; it asks for an admin where a role is compared. Registering, signing in, health and webhooks are open
//! by nature.
//!
//! ## Does not see
//! Guards of a proxy. Whether a guard can be got around: the exploits do.

use std::collections::BTreeSet;

use foldhash::HashMap;
use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::{At, Thing};
use crate::routes::{Purpose, Route};
use crate::tree::{Kind, Lang, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "route authorisation",
    exploits: &[
        "missing-token",
        "upload-anonymous",
        "admin-anonymous",
        "admin-list-as-user",
        "admin-role-change-as-user",
        "admin-delete-as-user",
    ],
    words: &[
        "only admins",
        "signed-in users",
        "a request is signed in",
        "authoris",
        "authoriz",
        "require login",
        "requires login",
    ],
    read,
};

/// Guards of libraries and frameworks, by what their names begin with.
const GUARDS: [&str; 16] = [
    "flask_login.login_required",
    "flask_jwt_extended.jwt_required",
    "fastapi_users",
    "django.contrib.auth.decorators.login_required",
    "passport.authenticate",
    "passport.default.authenticate",
    "express-jwt",
    "@clerk/nextjs",
    "next-auth",
    "@auth/",
    "fastapi.security.HTTPBearer",
    "fastapi.security.OAuth2PasswordBearer",
    "starlette.authentication.requires",
    "iron-session",
    "@nestjs/passport",
    "better-auth",
];

fn read(index: &Index) -> Outcome {
    if index.routes.is_empty() {
        return Outcome::NoPlace;
    }
    let (mut guarded, mut admin) = (0, 0);
    let (mut open, mut missing): (Vec<String>, Vec<(String, At)>) = (Vec::new(), Vec::new());
    let mut guards: Vec<At> = Vec::new();
    let mut origin = Origin::HandWritten;
    let mut known = HashMap::default();
    for route in &index.routes {
        let (guard, role) = look(index, route, &mut known);
        let name = format!("{} {}", route.method, route.path);
        match (&guard, route.purpose()) {
            (Some(_), Purpose::Admin) if role.is_none() => {
                missing.push((format!("{name} (no admin check)"), route.at));
            }
            (None, purpose) if needs(route, purpose) => missing.push((name, route.at)),
            (None, _) => open.push(name),
            (Some(_), _) => guarded += 1,
        }
        if role.is_some() && guard.is_some() {
            admin += 1;
        }
        if let Some((at, from)) = guard {
            guards.push(at);
            origin = from.unwrap_or(origin);
        }
        guards.extend(role);
    }
    let mut seen = BTreeSet::new();
    guards.retain(|at| seen.insert(*at));
    if guards.is_empty() && missing.is_empty() {
        return Outcome::NoPlace;
    }
    let first = guards
        .first()
        .copied()
        .or_else(|| missing.first().map(|(_, at)| *at));
    let Some(first) = first else {
        return Outcome::Nothing;
    };
    if guards.is_empty() {
        return Outcome::Nothing;
    }
    let choice = if missing.is_empty() {
        "on every route that needs it"
    } else {
        "missing on some"
    };
    let below = (!missing.is_empty()).then(|| {
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        format!("without a guard: {}", names.join(", "))
    });
    let mut found = Found::new(index, choice, origin, first)
        .with("guarded", Some(guarded.to_string()))
        .with("open", Some(open.len().to_string()))
        .with("admin", (admin > 0).then(|| admin.to_string()))
        .below(below)
        .unsure(Confidence::Medium);
    for at in &guards {
        found = found.also(index, *at).by_hand(index, *at);
    }
    for name in open {
        found = found.note(format!("open: {name}"));
    }
    Outcome::Found(vec![found])
}

/// Whether a route without a guard is a mistake, as far as its path tells.
fn needs(route: &Route, purpose: Purpose) -> bool {
    match purpose {
        Purpose::Admin | Purpose::Upload | Purpose::Download => true,
        Purpose::Register | Purpose::Login | Purpose::Webhook => false,
        Purpose::Search | Purpose::Other => {
            let path = route.path.to_ascii_lowercase();
            let parts: Vec<&str> = path.split('/').collect();
            [
                "me", "files", "notes", "account", "profile", "search", "users", "settings",
                "orders",
            ]
            .iter()
            .any(|word| parts.contains(word))
                && route.method != "OPTIONS"
        }
    }
}

/// What a function does itself, without those that it calls.
#[derive(Debug, Clone, Copy, Default)]
struct Own {
    refuses: bool,
    asks: bool,
    compares: bool,
}

fn own(index: &Index, function: At, known: &mut HashMap<At, Own>) -> Own {
    *known.entry(function).or_insert_with(|| {
        let nodes = index.own_nodes(function);
        Own {
            refuses: nodes.iter().any(|at| refusal(index, *at)),
            asks: nodes.iter().any(|at| token(index, *at)),
            compares: nodes.iter().any(|at| compares_role(index, *at)),
        }
    })
}

/// The function that guards a route and whose it is, and the one that compares a role.
#[allow(
    clippy::type_complexity,
    reason = "a place with an origin, and a place"
)]
fn look(
    index: &Index,
    route: &Route,
    known: &mut HashMap<At, Own>,
) -> (Option<(At, Option<Origin>)>, Option<At>) {
    let project = &index.project;
    let mut guard = None;
    let lang = project.lang(route.handler);
    for name in &route.before {
        if GUARDS.iter().any(|known| name.starts_with(known)) {
            guard = Some((route.at, Some(index.origin(lang, name))));
        }
    }
    // What runs before, then what the handler asks itself; its own refusals by status count only with a look at a token.
    let mut code = index.reach_all(&route.guards);
    for function in index.reach(route.handler) {
        if !code.contains(&function) {
            code.push(function);
        }
    }
    let mut role = None;
    for function in &code {
        let nodes = index.nodes_of(&[*function]);
        if guard.is_none() {
            let call = nodes.iter().filter_map(|at| index.call(*at)).find(|call| {
                GUARDS
                    .iter()
                    .any(|known| call.name.starts_with(known) && !call.name.contains("Bearer"))
            });
            if let Some(call) = call {
                guard = Some((*function, Some(index.origin(lang, &call.name))));
            }
        }
        let here = own(index, *function, known);
        if guard.is_none() && here.refuses {
            let asks = index
                .reach(*function)
                .into_iter()
                .any(|one| own(index, one, known).asks);
            if asks {
                guard = Some((*function, None));
            }
        }
        if role.is_none() && here.compares {
            role = Some(*function);
        }
    }
    // `if (!signedIn(request)) return refuse(…)`: the refusal stands in the handler, the look at the token elsewhere.
    if guard.is_none() {
        let nodes = index.nodes_of(&[route.handler]);
        let asks = code
            .iter()
            .copied()
            .find(|function| *function != route.handler && own(index, *function, known).asks);
        let refuses = own(index, route.handler, known).refuses
            || nodes.iter().filter_map(|at| index.call(*at)).any(|call| {
                let Kind::Call { callee, .. } = project.kind(call.at) else {
                    return false;
                };
                let Thing::Inside(helper) = project.resolve(call.at.with(callee)) else {
                    return false;
                };
                let reached = index.reach(helper);
                reached
                    .into_iter()
                    .any(|one| own(index, one, known).refuses)
            });
        if let (true, Some(at)) = (refuses, asks) {
            guard = Some((at, None));
        }
    }
    (guard, role)
}

/// A status 401 or 403.
fn refusal(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Num => matches!(project.fold(at).show().as_deref(), Some("401" | "403")),
        Kind::Member { name, .. } => matches!(
            project.text(at.with(name)),
            "HTTP_401_UNAUTHORIZED" | "HTTP_403_FORBIDDEN" | "UNAUTHORIZED" | "FORBIDDEN"
        ),
        Kind::Name => matches!(
            project.name(at).as_deref(),
            Some("werkzeug.exceptions.Unauthorized" | "werkzeug.exceptions.Forbidden")
        ),
        _ => false,
    }
}

/// A look at a token: the header, a cookie, a session.
fn token(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Str { .. } => project.string(at).is_some_and(|text| {
            matches!(text.to_ascii_lowercase().trim(), "authorization" | "bearer")
        }),
        Kind::Name => {
            let text = project.text(at);
            text.eq_ignore_ascii_case("authorization")
                || project.name(at).is_some_and(|name| {
                    name.starts_with("fastapi.security.") || name == "flask.session"
                })
        }
        Kind::Member { name, .. } => {
            let text = project.text(at.with(name));
            text.eq_ignore_ascii_case("authorization")
                || text == "AUTHORIZATION"
                || text == "cookies"
        }
        _ => false,
    }
}

/// `user.role !== 'admin'`, `user["role"] != "admin"`, `user.is_admin`
fn compares_role(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Binary {
            op: Op::Eq | Op::Ne,
            left,
            right,
        } => {
            let admin = |id| {
                let one = at.with(id);
                project.string(one).as_deref() == Some("admin")
                    || project.text(one).ends_with("Admin")
                    || project.text(one).ends_with("ADMIN")
            };
            let role = |id| {
                let text = project.text(at.with(id)).to_ascii_lowercase();
                text.contains("role")
            };
            admin(left) && role(right) || admin(right) && role(left)
        }
        Kind::Not(of) => {
            let text = project.text(at.with(of)).to_ascii_lowercase();
            text.contains("is_admin") || text.contains("isadmin")
        }
        _ => project.lang(at) == Lang::Rust && project.text(at) == "Role::Admin",
    }
}
