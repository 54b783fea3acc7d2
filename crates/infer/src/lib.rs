//! How an app that nobody described offers its capabilities: routes that its OpenAPI document and its source name are
//! hints, and what is bound was done.
//!
//! A hint proposes, nothing more. A route is bound after an account was registered and opened with its password, a file
//! came back with the same bytes, a note was found by a word that only it has. What cannot be shown so is not bound, with
//! the reason; no path is asked that no hint names, none whose name says that it resets or ends something, and what
//! deletes comes last.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "of JSON's kinds of values a reader wants one or two at a time"
)]

mod accounts;
mod admin;
mod ask;
mod choices;
mod file;
mod files;
mod find;
mod further;
mod hint;
mod html;
mod json;
mod names;
mod notes;
mod openapi;
mod pages;
mod refusal;
mod register;
mod talk;
mod webhooks;

use std::collections::BTreeMap;

use model::{Binding, Capability};

pub use file::{Beside, account, beside, write as write_config};
pub use hint::{Field, Hint, Hints};
pub use openapi::{PLACES as OPENAPI_PLACES, read as read_openapi};
pub use talk::Talk;

/// What the tool set or was told.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub admin: Option<(String, String)>,
    /// Accounts that are no admin's, for an app where nobody can register.
    pub users: Vec<(String, String)>,
    pub webhook_secret: Option<String>,
    /// Whether what this made may be deleted again, to see that deleting works: on a copy alone, since a route that only looks
    /// as if it deletes users may delete something else.
    pub may_delete: bool,
}

/// A capability that could not be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbound {
    pub capability: Capability,
    pub why: String,
    /// Something that looks like it was there: then its absence from the binding says nothing about the app.
    pub seen: bool,
}

/// What was found out.
#[derive(Debug, Clone)]
pub struct Inferred {
    pub binding: Binding,
    pub unbound: Vec<Unbound>,
    pub requests: u32,
    /// The request after which the app no longer answered, if that happened.
    pub died_at: Option<String>,
}

impl Inferred {
    /// Proven capabilities, in the order of the study's steps.
    pub fn bound(&self) -> Vec<Capability> {
        Capability::ALL
            .into_iter()
            .filter(|one| self.binding.route(*one).is_some())
            .collect()
    }

    pub fn why_not(&self, capability: Capability) -> Option<&Unbound> {
        self.unbound.iter().find(|one| one.capability == capability)
    }
}

/// Finds out what an app offers.
pub fn infer(talk: &mut Talk<'_>, hints: &Hints, given: &Given) -> Inferred {
    let mut search = find::Search::new(talk, hints, given);
    search.health();
    search.account_pages();
    let signed_in = search.accounts();
    if signed_in {
        search.files();
        search.notes();
        search.own_pages();
        search.webhooks();
        search.users();
        search.delete_last();
        search.what_forms_hide();
    }
    let (binding, mut why, mut seen) = search.end();
    // What was never looked for may be there.
    let cut = if talk.is_over() {
        Some("the search ended before it was looked for")
    } else if !signed_in
        && (hints.routes.iter().any(find::signs_in) || pages::ask_for_accounts(hints))
    {
        Some("nobody could be signed in")
    } else {
        None
    };
    if let Some(cut) = cut {
        for capability in Capability::ALL {
            if binding.route(capability).is_none() && seen.insert(capability) {
                why.insert(capability, cut.to_owned());
            }
        }
    }
    let mut unbound = Vec::new();
    for capability in Capability::ALL {
        if binding.route(capability).is_some() {
            continue;
        }
        let seen = seen.contains(&capability);
        let missing = if seen {
            "what looks like it did not work as it should"
        } else {
            "no route looks like it"
        };
        unbound.push(Unbound {
            capability,
            why: why
                .remove(&capability)
                .unwrap_or_else(|| missing.to_owned()),
            seen,
        });
    }
    Inferred {
        binding,
        unbound,
        requests: talk.sent(),
        died_at: talk.died_at(),
    }
}

type Reasons = BTreeMap<Capability, String>;
