//! What is known of an app's routes before anything is asked.

use std::collections::{BTreeMap, BTreeSet};

use model::Body;
use serde_json::Value;

use crate::names;

/// A field that a document says a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// A name, or a JSON pointer for what is nested.
    pub at: String,
    pub file: bool,
    pub required: bool,
    /// A value that it allows, where it says so: of a list, a flag, a number, a date.
    pub value: Option<Value>,
}

/// One method of one path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hint {
    /// Upper case; `ANY` where the source does not say.
    pub method: String,
    /// With `{id}` for its parameter.
    pub path: String,
    /// Names near its handler: of fields, parameters, keys.
    pub words: BTreeSet<String>,
    /// Exact, where a document says so.
    pub fields: Vec<Field>,
    pub body: Option<Body>,
    /// What a page's form sends beside what a person fills in, as it is. Its fields are then all there are.
    pub hidden: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default)]
pub struct Hints {
    pub routes: Vec<Hint>,
    /// Pages that may show forms; no routes for anything else.
    pub pages: Vec<Hint>,
    /// Strings of the whole app: names of headers and cookies, what stands before a signature.
    pub words: BTreeSet<String>,
}

impl Hint {
    /// `path` as any framework writes it: `/notes/:id`, `/notes/<int:note>`, `/notes/[id]`.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_ascii_uppercase(),
            path: normal(path),
            ..Self::default()
        }
    }

    /// How many parts of the path are parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.path.matches("{id}").count()
    }

    pub(crate) fn is(&self, methods: &[&str]) -> bool {
        self.method == "ANY" || methods.contains(&self.method.as_str())
    }

    /// The path's own words, lower case: `/api/auth/sign-up` is api, auth, signup.
    pub(crate) fn parts(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|part| !part.is_empty() && *part != "{id}")
            .map(names::plain)
            .collect()
    }

    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether its name says that it resets, ends or signs out: not asked.
    pub(crate) fn is_dangerous(&self) -> bool {
        self.parts().iter().any(|part| {
            names::DANGER
                .iter()
                .any(|word| part.starts_with(word) || part.ends_with(word))
        })
    }
}

impl Hints {
    /// Adds what another source of hints knows; what a document says of fields stands.
    pub fn merge(&mut self, other: Self) {
        self.words.extend(other.words);
        self.pages.extend(other.pages);
        for hint in other.routes {
            let same = |known: &&mut Hint| {
                known.path == hint.path
                    && (known.method == hint.method
                        || hint.method == "ANY"
                        || known.method == "ANY")
            };
            match self.routes.iter_mut().find(same) {
                Some(known) => {
                    known.words.extend(hint.words);
                    if known.fields.is_empty() {
                        known.fields = hint.fields;
                    }
                    known.body = known.body.or(hint.body);
                }
                None => self.routes.push(hint),
            }
        }
    }
}

fn normal(path: &str) -> String {
    let parts: Vec<String> = path
        .split('/')
        .map(|part| {
            let parameter = part.starts_with([':', '<', '{', '[', '*']);
            if !parameter {
                return part.to_owned();
            }
            // A matrix of other forms ends like this: `:id.json`, `{id}:publish`.
            match part.split_once(['}', '>', ']']) {
                Some((_, after)) => format!("{{id}}{}", after.trim_start_matches(']')),
                None => "{id}".to_owned(),
            }
        })
        .collect();
    let whole = parts.join("/");
    let whole = whole
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_owned();
    if whole.starts_with('/') {
        whole
    } else {
        format!("/{whole}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_all_frameworks_are_alike() {
        for path in [
            "/notes/:id/text",
            "/notes/{note_id}/text",
            "/notes/<int:note>/text",
            "/notes/[id]/text",
            "notes/{key:path}/text",
        ] {
            assert_eq!(Hint::new("get", path).path, "/notes/{id}/text", "{path}");
        }
        assert_eq!(Hint::new("GET", "/f/[...all]").path, "/f/{id}");
        assert_eq!(Hint::new("GET", "/a/{x}/b/{y}").parameters(), 2);
    }

    #[test]
    fn a_route_that_resets_is_dangerous() {
        for path in [
            "/createdb",
            "/admin/reset-db",
            "/auth/logout",
            "/api/seed",
            "/users/delete-all",
        ] {
            assert!(Hint::new("GET", path).is_dangerous(), "{path}");
        }
        for path in ["/me", "/api/users", "/settings", "/presets/mine"] {
            assert!(!Hint::new("GET", path).is_dangerous(), "{path}");
        }
    }

    #[test]
    fn a_document_and_the_source_name_the_same_route() {
        let mut one = Hint::new("POST", "/notes");
        one.words = ["title".to_owned()].into();
        let mut other = Hint::new("POST", "/notes");
        other.words = ["body".to_owned()].into();
        other.body = Some(Body::Json);
        let mut hints = Hints {
            routes: vec![one],
            ..Hints::default()
        };
        hints.merge(Hints {
            routes: vec![other],
            ..Hints::default()
        });
        assert_eq!(hints.routes.len(), 1);
        assert_eq!(hints.routes[0].words.len(), 2);
        assert_eq!(hints.routes[0].body, Some(Body::Json));
    }
}
