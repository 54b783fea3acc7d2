//! What an app answers over HTTP, and which code stands before each answer: one file a framework.

mod actix;
mod axum;
mod express;
mod fastapi;
mod flask;
mod nextjs;

pub(crate) use nextjs::pages;

use crate::index::Index;
use crate::project::{At, Thing};
use crate::tree::{Kind, NONE};

/// One method of one path.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// `GET`, …; `ANY` where the framework does not say.
    pub(crate) method: String,
    /// With its prefixes: `/api/notes/{id}`.
    pub(crate) path: String,
    /// The function that answers.
    pub(crate) handler: At,
    /// The app's own functions that run before it: dependencies, middleware.
    pub(crate) guards: Vec<At>,
    /// Outside names that run before it: `express.json()`, `fastapi.security.HTTPBearer()`.
    pub(crate) before: Vec<String>,
    /// Where it is declared.
    pub(crate) at: At,
}

/// What a route is for, by its path and method. The names are the contract's and those that others use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Purpose {
    Register,
    Login,
    Upload,
    Download,
    Webhook,
    Admin,
    Search,
    Other,
}

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Webhook => "webhook",
            Self::Admin => "admin",
            Self::Search => "search",
            Self::Other => "other",
        }
    }
}

impl Route {
    pub(crate) fn purpose(&self) -> Purpose {
        let path = self.path.to_ascii_lowercase();
        let parts: Vec<&str> = path
            .split('/')
            .filter(|part| !part.is_empty() && !part.starts_with(['{', ':', '[', '<']))
            .collect();
        let has = |names: &[&str]| parts.iter().any(|part| names.contains(part));
        let last = parts.last().copied().unwrap_or_default();
        let posts = matches!(self.method.as_str(), "POST" | "PUT" | "ANY");
        let gets = matches!(self.method.as_str(), "GET" | "ANY");
        let one = path.trim_end_matches('/').ends_with(['}', ']', '>'])
            || path
                .rsplit('/')
                .next()
                .is_some_and(|part| part.starts_with(':'));
        if has(&["admin", "administration"]) {
            return Purpose::Admin;
        }
        if path.contains("webhook") || has(&["hooks", "stripe"]) {
            return Purpose::Webhook;
        }
        if posts
            && matches!(
                last,
                "login"
                    | "signin"
                    | "sign-in"
                    | "log-in"
                    | "token"
                    | "session"
                    | "sessions"
                    | "authenticate"
            )
        {
            return Purpose::Login;
        }
        if posts
            && matches!(
                last,
                "register" | "signup" | "sign-up" | "registration" | "users" | "user"
            )
        {
            return Purpose::Register;
        }
        if has(&[
            "files",
            "file",
            "upload",
            "uploads",
            "attachments",
            "documents",
            "images",
            "avatar",
        ]) {
            if posts && !one {
                return Purpose::Upload;
            }
            if gets && one {
                return Purpose::Download;
            }
        }
        if has(&["search", "find"]) {
            return Purpose::Search;
        }
        Purpose::Other
    }

    /// The handler and what runs before it.
    pub(crate) fn entries(&self) -> Vec<At> {
        let mut all = vec![self.handler];
        all.extend(&self.guards);
        all
    }
}

pub(crate) fn find(index: &Index) -> Vec<Route> {
    let mut all = Vec::new();
    all.extend(fastapi::find(index));
    all.extend(flask::find(index));
    all.extend(nextjs::find(index));
    all.extend(express::find(index));
    all.extend(axum::find(index));
    all.extend(actix::find(index));
    all.sort_by(|a, b| (a.at, &a.method).cmp(&(b.at, &b.method)));
    all.dedup_by(|a, b| (a.at, &a.method, &a.path) == (b.at, &b.method, &b.path));
    all
}

/// `/api` and `/files/` as one path.
fn joined(prefix: &str, path: &str) -> String {
    let whole = format!(
        "{}/{}",
        prefix.trim_end_matches('/'),
        path.trim_start_matches('/')
    );
    let whole = if path.is_empty() {
        prefix.to_owned()
    } else {
        whole
    };
    if whole.starts_with('/') {
        whole
    } else {
        format!("/{whole}")
    }
}

/// The app's own function that an expression names, or that it makes: `auth`, `limit(5)`, a function written there.
fn function(index: &Index, at: At) -> Option<At> {
    wrapped(index, at).map(|(function, _)| function)
}

/// The function that answers, and those that are wrapped around it: `wrap(handler)` gives `handler` and `wrap`.
fn wrapped(index: &Index, at: At) -> Option<(At, Vec<At>)> {
    let project = &index.project;
    let at = match project.kind(at) {
        Kind::Name | Kind::Member { .. } => match project.definition(at) {
            Some(value) if matches!(project.kind(value), Kind::Call { .. }) => value,
            _ => at,
        },
        _ => at,
    };
    if let Kind::Call { callee, args } = project.kind(at) {
        let wrapper = match project.resolve(at.with(callee)) {
            Thing::Inside(found) => Some(found),
            _ => None,
        };
        let args = project.list(at, args);
        let inner = args.iter().rev().find_map(|arg| {
            matches!(
                project.kind(*arg),
                Kind::Name | Kind::Member { .. } | Kind::Function { .. } | Kind::Call { .. }
            )
            .then(|| wrapped(index, *arg))
            .flatten()
        });
        return match (inner, wrapper) {
            (Some((function, mut around)), wrapper) => {
                around.extend(wrapper);
                Some((function, around))
            }
            (None, Some(wrapper)) => Some((wrapper, Vec::new())),
            (None, None) => None,
        };
    }
    match project.resolve(at) {
        Thing::Inside(found) => Some((found, Vec::new())),
        Thing::Value(value) if matches!(project.kind(value), Kind::Function { .. }) => {
            Some((value, Vec::new()))
        }
        _ => None,
    }
}

/// The last function among a call's arguments with what is wrapped around it, and all before it.
fn split_handlers(index: &Index, args: &[At]) -> Option<(At, Vec<At>, Vec<At>)> {
    let (last, before) = args.split_last()?;
    if last.id == NONE {
        return None;
    }
    let (handler, around) = wrapped(index, *last)?;
    Some((handler, around, before.to_vec()))
}
