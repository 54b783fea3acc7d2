//! The state of a search: what is bound so far, and why what is not is not.

use std::collections::BTreeSet;

use model::binding::{Scheme, Signature};
use model::{Binding, Capability, Carrier, Route};
use serde_json::Value;
use wire::Reply;

use crate::ask::{self, File, Signed, plain};
use crate::hint::{Hint, Hints};
use crate::names;
use crate::register::Made;
use crate::talk::Talk;
use crate::{Given, Reasons};

/// An account that this search made, or was given.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) signed: Signed,
}

/// What a route shows that may be personal.
pub(crate) enum Shows<'a> {
    Thing,
    /// How one of it is shown, its id and what it says, where that is known.
    List(Option<(Route, String, &'a [u8])>),
}

pub(crate) struct Search<'s, 't> {
    pub(crate) talk: &'s mut Talk<'t>,
    pub(crate) hints: &'s Hints,
    pub(crate) given: &'s Given,
    pub(crate) binding: Binding,
    /// Who does what any user does.
    pub(crate) user: Option<Account>,
    pub(crate) admin: Option<Account>,
    /// Another who does what any user does, where one was needed.
    other: Option<Account>,
    /// Where in the login's reply the token stood that opened `me`.
    pub(crate) proven: Option<String>,
    /// How the accounts of this search are made.
    pub(crate) made: Option<Made>,
    /// How they are opened, also where a binding cannot say it.
    pub(crate) opens: Option<Route>,
    /// Paths of logins that open to any password.
    pub(crate) careless: Vec<String>,
    /// Whether the words for roles are known.
    pub(crate) roles_told: bool,
    /// Forms of pages that were looked at.
    pub(crate) forms: Vec<Hint>,
    why: Reasons,
    seen: BTreeSet<Capability>,
}

/// One request, in the app's own terms.
#[derive(Default, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) inputs: &'a [(&'a str, Value)],
    pub(crate) file: Option<&'a File>,
    pub(crate) by: Option<&'a Signed>,
}

impl<'s, 't> Search<'s, 't> {
    pub(crate) fn new(talk: &'s mut Talk<'t>, hints: &'s Hints, given: &'s Given) -> Self {
        Self {
            talk,
            hints,
            given,
            binding: Binding {
                version: 1,
                token: Carrier::Header {
                    name: "Authorization".into(),
                    scheme: "Bearer".into(),
                },
                signature: Signature {
                    header: "X-Signature".into(),
                    prefix: "sha256=".into(),
                    scheme: Scheme::Plain,
                },
                roles: std::collections::BTreeMap::new(),
                routes: std::collections::BTreeMap::new(),
            },
            user: None,
            admin: None,
            other: None,
            proven: None,
            made: None,
            opens: None,
            careless: Vec::new(),
            roles_told: false,
            forms: Vec::new(),
            why: Reasons::new(),
            seen: BTreeSet::new(),
        }
    }

    pub(crate) fn end(self) -> (Binding, Reasons, BTreeSet<Capability>) {
        (self.binding, self.why, self.seen)
    }

    pub(crate) fn ask(&mut self, route: &Route, asked: &Asked<'_>) -> Option<Reply> {
        let request = ask::request(route, asked.id, asked.inputs, asked.file, asked.by);
        self.talk.ask(&request)
    }

    /// Like [`Search::ask`], where only a success is of use.
    pub(crate) fn honest(&mut self, route: &Route, asked: &Asked<'_>) -> Option<Reply> {
        self.ask(route, asked)
            .filter(|reply| (200..300).contains(&reply.status))
    }

    /// Binds what shows `what`, which only its owner knows, unless it shows it to anybody: that may be a hole or meant so (an
    /// article), and only people know which. What another user is not shown is personal, whatever strangers are shown. A list,
    /// only where somebody is refused one of it, too: a gallery shows users their own.
    pub(crate) fn bind_personal(
        &mut self,
        capability: Capability,
        route: Route,
        asked: &Asked<'_>,
        what: &[u8],
        shows: &Shows<'_>,
    ) -> bool {
        let public = self.shows_strangers(&route, asked, what);
        if public && !self.kept_from_others(&route, asked, what, shows) {
            let why = format!(
                "{} {} shows a user's own to anybody, signed in or not: meant so, or a hole? If it is personal, name it in \
                 unrequested.toml",
                route.method, route.path
            );
            self.not(capability, why);
            false
        } else {
            self.bind(capability, route);
            true
        }
    }

    /// Whether somebody without a token is shown `what`.
    pub(crate) fn shows_strangers(
        &mut self,
        route: &Route,
        asked: &Asked<'_>,
        what: &[u8],
    ) -> bool {
        let stranger = Asked {
            by: None,
            ..asked.clone()
        };
        let reply = self.honest(route, &stranger);
        reply.is_some_and(|reply| reply.contains(what))
    }

    /// Whether another user, signed in, is answered without `what`, and strangers go on to be shown it.
    fn kept_from_others(
        &mut self,
        route: &Route,
        asked: &Asked<'_>,
        what: &[u8],
        shows: &Shows<'_>,
    ) -> bool {
        if self.other.is_none() {
            self.other = self.fresh_account().or_else(|| self.second_given());
        }
        let Some(other) = self.other.clone() else {
            return false;
        };
        if let Shows::List(member) = shows {
            let Some((route, id, content)) = member else {
                return false;
            };
            let kept = [None, Some(&other.signed)].into_iter().any(|by| {
                let asked = Asked {
                    id: Some(id),
                    by,
                    ..Asked::default()
                };
                let reply = self.ask(route, &asked);
                reply.is_some_and(|reply| keeps(&reply, content))
            });
            if !kept {
                return false;
            }
        }
        let as_other = Asked {
            by: Some(&other.signed),
            ..asked.clone()
        };
        let kept = self
            .ask(route, &as_other)
            .is_some_and(|reply| keeps(&reply, what));
        kept && self.shows_strangers(route, asked, what)
    }

    fn second_given(&mut self) -> Option<Account> {
        let (email, password) = self.given.users.get(1)?;
        self.sign_in(email, password)
    }

    pub(crate) fn bind(&mut self, capability: Capability, route: Route) {
        self.why.remove(&capability);
        self.binding.routes.insert(capability, route);
    }

    /// Why a capability is not bound: the first reason stands. Something was there.
    pub(crate) fn not(&mut self, capability: Capability, why: impl Into<String>) {
        self.seen.insert(capability);
        self.why.entry(capability).or_insert_with(|| why.into());
    }

    /// Like [`Search::not`], with a reason that says more than the first.
    pub(crate) fn rather(&mut self, capability: Capability, why: String) {
        self.seen.insert(capability);
        self.why.insert(capability, why);
    }

    /// What was tried only by its words was not there after all.
    pub(crate) fn never_mind(&mut self, capability: Capability) {
        self.seen.remove(&capability);
        self.why.remove(&capability);
    }

    /// Whether another capability is bound to this route already.
    pub(crate) fn is_taken(&self, hint: &Hint, method: &str) -> bool {
        self.binding
            .routes
            .values()
            .any(|route| route.path == hint.path && route.method == method)
    }

    /// Hints with so many parameters, by a score; those with none are left out.
    pub(crate) fn ranked(
        &self,
        methods: &[&str],
        parameters: usize,
        score: impl Fn(&Hint) -> i32,
    ) -> Vec<(Hint, String)> {
        self.rank(self.hints.routes.iter(), methods, parameters, score)
    }

    /// The same for what makes and opens accounts, with the forms of pages.
    pub(crate) fn ranked_with_forms(
        &self,
        methods: &[&str],
        score: impl Fn(&Hint) -> i32,
    ) -> Vec<(Hint, String)> {
        let all = self.hints.routes.iter().chain(&self.forms);
        self.rank(all, methods, 0, score)
    }

    fn rank<'h>(
        &self,
        hints: impl Iterator<Item = &'h Hint>,
        methods: &[&str],
        parameters: usize,
        score: impl Fn(&Hint) -> i32,
    ) -> Vec<(Hint, String)> {
        let mut all: Vec<(i32, usize, Hint, String)> = Vec::new();
        for hint in hints {
            if hint.parameters() != parameters || hint.is_dangerous() || !hint.is(methods) {
                continue;
            }
            let points = score(hint);
            if points <= 0 {
                continue;
            }
            for method in methods {
                if (hint.method == *method || hint.method == "ANY") && !self.is_taken(hint, method)
                {
                    all.push((-points, hint.path.len(), hint.clone(), (*method).to_owned()));
                }
            }
        }
        all.sort_by(|a, b| (a.0, a.1, &a.2.path).cmp(&(b.0, b.1, &b.2.path)));
        all.into_iter()
            .map(|(_, _, hint, method)| (hint, method))
            .collect()
    }

    pub(crate) fn health(&mut self) {
        let score = |hint: &Hint| {
            let parts = hint.parts();
            let last = parts.last().map_or("", String::as_str);
            match last {
                "health" | "healthz" | "healthcheck" | "health-check" => 9,
                "ping" | "status" | "ready" | "readyz" | "live" | "livez" | "up" => 5,
                "" => 2,
                "docs" | "version" | "info" => 1,
                _ => 0,
            }
        };
        let mut paths: Vec<String> = self
            .ranked(&["GET"], 0, score)
            .into_iter()
            .map(|(hint, _)| hint.path)
            .take(5)
            .collect();
        if !paths.iter().any(|path| path == "/") {
            paths.push("/".to_owned());
        }
        for path in paths {
            let route = plain("GET", &path);
            if self.honest(&route, &Asked::default()).is_some() {
                return self.bind(Capability::Health, route);
            }
        }
    }
}

/// How well a hint's path and words fit.
pub(crate) fn fit(hint: &Hint, parts: &[&str], words: &[&str]) -> i32 {
    let own = hint.parts();
    let mut points = 0;
    for (index, part) in own.iter().enumerate() {
        let near = own.len() - index;
        let holds =
            |name: &&str| part == *name || part.trim_end_matches('s') == name.trim_end_matches('s');
        if parts.iter().any(holds) {
            // The last part says most.
            points += if near == 1 { 6 } else { 4 };
        } else if parts
            .iter()
            .any(|name| name.len() > 3 && part.contains(*name))
        {
            points += if near == 1 { 3 } else { 2 };
        }
    }
    let known = hint.words.iter().map(|word| names::plain(word));
    let named = hint
        .fields
        .iter()
        .map(|field| names::plain(crate::json::key(&field.at)));
    let mut all: Vec<String> = known.chain(named).collect();
    all.sort();
    all.dedup();
    let named = all
        .iter()
        .filter(|word| words.contains(&word.as_str()))
        .count()
        .min(3);
    points + i32::try_from(named).unwrap_or(0)
}

/// Whether a route looks as if it signed people in.
pub(crate) fn signs_in(hint: &Hint) -> bool {
    let words = ["login", "signin", "sign-in", "token", "session", "auth"];
    hint.is(&["POST"])
        && hint
            .parts()
            .iter()
            .any(|part| words.iter().any(|word| part.contains(word)))
}

/// A reply's JSON.
pub(crate) fn json(reply: &Reply) -> Option<Value> {
    serde_json::from_slice(&reply.body).ok()
}

/// An answer that shows no `what`, and not for another reason than who asks.
pub(crate) fn keeps(reply: &Reply, what: &[u8]) -> bool {
    matches!(reply.status, 200..=299 | 401 | 403 | 404) && !reply.contains(what)
}

/// The route is not there at all: nothing, or a sign to another path.
pub(crate) fn absent(reply: &Reply) -> bool {
    matches!(reply.status, 404 | 405 | 501 | 301 | 307 | 308)
}

/// Success, also when a browser is sent on from there.
pub(crate) fn done(reply: &Reply) -> bool {
    matches!(reply.status, 200..=299 | 302 | 303)
}
