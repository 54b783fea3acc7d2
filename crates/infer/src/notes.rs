//! Things that a user writes down: created, read again by id, found by a word that only they hold.

use std::time::Duration;

use model::{Body, Capability, Route};
use serde_json::{Value, json};

use crate::accounts::read_as;
use crate::ask::{Signed, Wanted, forms, plain};
use crate::files::{ids, shared};
use crate::find::{Asked, Search, Shows, absent, fit, json as read, keeps};
use crate::hint::Hint;
use crate::{json as values, names};

pub(crate) const PATHS: &[&str] = &[
    "notes",
    "memos",
    "posts",
    "articles",
    "todos",
    "tasks",
    "items",
    "entries",
    "messages",
    "books",
    "products",
    "documents",
    "snippets",
    "pages",
    "comments",
    "records",
    "recipes",
];
const WORDS: &[&str] = &[
    "title",
    "body",
    "content",
    "text",
    "subject",
    "description",
    "headline",
];
const WANTED: [Wanted; 2] = [("title", names::TITLE), ("body", names::TEXT)];
const SEARCH: &[&str] = &["search", "find", "query", "lookup", "filter"];

/// A note that was written, and the words in it.
struct Written {
    id: String,
    title: String,
    body: String,
}

impl Search<'_, '_> {
    pub(crate) fn notes(&mut self) {
        let Some(user) = self.user.clone() else {
            return;
        };
        let creates = self.ranked(&["POST", "PUT"], 0, |hint| {
            let parts = hint.parts();
            let other = [
                "login", "register", "webhook", "upload", "search", "admin", "auth", "hook",
            ]
            .iter()
            .any(|word| parts.iter().any(|part| part.contains(word)));
            fit(hint, PATHS, WORDS) - if other { 8 } else { 0 }
        });
        let (mut looked, mut likely) = (false, false);
        for (hint, method) in creates.into_iter().take(5) {
            looked = true;
            let named = |list: &[&str]| {
                hint.words
                    .iter()
                    .any(|word| names::rank(word, list).is_some())
            };
            likely |=
                fit(&hint, PATHS, &[]) > 0 || named(&names::TITLE[..4]) && named(&names::TEXT[..4]);
            if self.create(&hint, &method, &user.signed) {
                return;
            }
        }
        if looked {
            self.not(
                Capability::CreateNote,
                "nothing that was created gave its id and its text back",
            );
        }
        if !likely {
            self.never_mind(Capability::CreateNote);
            self.never_mind(Capability::Search);
        }
    }

    fn create(&mut self, hint: &Hint, method: &str, user: &Signed) -> bool {
        for mut form in forms(hint, method, &WANTED, &[Body::Json, Body::Form]) {
            let (title, body) = (self.talk.letters(14), self.talk.letters(18));
            let inputs = [("title", json!(title)), ("body", json!(body))];
            let by = Some(user);
            let Some(reply) = self.ask(
                &form,
                &Asked {
                    inputs: &inputs,
                    by,
                    ..Asked::default()
                },
            ) else {
                return false;
            };
            if absent(&reply) {
                return false;
            }
            if !(200..300).contains(&reply.status) {
                self.not(
                    Capability::CreateNote,
                    format!("{} answered {}", hint.shown(), reply.status),
                );
                continue;
            }
            let Some(value) = read(&reply) else { continue };
            let all = ids(&value);
            let Some((at, _)) = all.first().cloned() else {
                continue;
            };
            let reads = self.ranked(&["GET"], 1, |other| {
                fit(other, PATHS, &[]) + shared(hint, other)
            });
            let mut shown = None;
            'reads: for (other, method) in reads.iter().take(4) {
                let route = plain(method, &other.path);
                for (at, id) in all.iter().take(3) {
                    let Some(reply) = self.honest(
                        &route,
                        &Asked {
                            id: Some(id),
                            by,
                            ..Asked::default()
                        },
                    ) else {
                        continue;
                    };
                    let Some(value) = read(&reply) else { continue };
                    if let Some(text) = values::at(&value, &body) {
                        let mut route = route;
                        read_note(&mut route, &value, "", &text, &title, id);
                        let asked = Asked {
                            id: Some(id),
                            ..Asked::default()
                        };
                        let known = body.as_bytes();
                        let read = Capability::ReadNote;
                        if !self.bind_personal(read, route.clone(), &asked, known, &Shows::Thing)
                            && self.kept_until_read(&form, (at, id), &route, user)
                        {
                            self.bind(read, route);
                        }
                        shown = Some((at.clone(), id.clone()));
                        break 'reads;
                    }
                }
            }
            let note = Written {
                id: shown
                    .as_ref()
                    .map_or_else(|| all[0].1.clone(), |(_, id)| id.clone()),
                title,
                body,
            };
            let found = self.search(hint, &note, &form, user);
            if shown.is_none() && !found {
                continue;
            }
            if shown.is_none() {
                self.not(
                    Capability::ReadNote,
                    "no route gives one note back by its id",
                );
            }
            read_as(&mut form, "id", shown.map_or(at, |(at, _)| at));
            self.bind(Capability::CreateNote, form);
            return true;
        }
        false
    }

    /// Whether strangers are shown another note only once its owner has read it: then that they are comes of the reading, and it
    /// is not for all.
    fn kept_until_read(
        &mut self,
        form: &Route,
        (at, before): (&str, &str),
        read_at: &Route,
        user: &Signed,
    ) -> bool {
        let (title, body) = (self.talk.letters(14), self.talk.letters(18));
        let inputs = [("title", json!(title)), ("body", json!(body))];
        let made = self.honest(
            form,
            &Asked {
                inputs: &inputs,
                by: Some(user),
                ..Asked::default()
            },
        );
        let value = made.as_ref().and_then(read);
        let id = value.as_ref().and_then(|value| value.pointer(at));
        let Some(id) = id.filter(|id| !id.is_null()).map(values::text) else {
            return false;
        };
        // Where the answer is a list, that place may be another note's.
        if id == before {
            return false;
        }
        let asked = Asked {
            id: Some(&id),
            ..Asked::default()
        };
        let body = body.as_bytes();
        for wait in [0, 500] {
            // Some are only late.
            std::thread::sleep(Duration::from_millis(wait));
            let reply = self.ask(read_at, &asked);
            if !reply.is_some_and(|reply| keeps(&reply, body)) {
                return false;
            }
        }
        let own = self.honest(
            read_at,
            &Asked {
                by: Some(user),
                ..asked.clone()
            },
        );
        own.is_some_and(|reply| reply.contains(body)) && self.shows_strangers(read_at, &asked, body)
    }

    /// A route that shows the note when asked for a word of it, and not when asked for nonsense.
    fn search(&mut self, create: &Hint, note: &Written, form: &Route, user: &Signed) -> bool {
        let searches = self.ranked(&["GET", "POST"], 0, |hint| {
            let query = fit(hint, SEARCH, names::QUERY);
            if hint.method == "POST" && fit(hint, SEARCH, &[]) == 0 {
                0
            } else {
                query + shared(create, hint)
            }
        });
        for (hint, method) in searches.into_iter().take(5) {
            let wanted: [Wanted; 1] = [("q", names::QUERY)];
            let bodies: &[Body] = if method == "GET" {
                &[Body::None]
            } else {
                &[Body::Json, Body::Form]
            };
            let mut all = forms(&hint, &method, &wanted, bodies);
            if hint.words.is_empty() && hint.fields.is_empty() {
                all.truncate(3);
            }
            for form_of_search in all.into_iter().take(5) {
                let by = Some(user);
                let word = [("q", json!(note.body))];
                let Some(reply) = self.honest(
                    &form_of_search,
                    &Asked {
                        inputs: &word,
                        by,
                        ..Asked::default()
                    },
                ) else {
                    continue;
                };
                let Some(value) = read(&reply) else { continue };
                let Some(found) = values::listed(&value, &note.body) else {
                    continue;
                };
                let nonsense = [("q", json!(self.talk.letters(16)))];
                let other = self.honest(
                    &form_of_search,
                    &Asked {
                        inputs: &nonsense,
                        by,
                        ..Asked::default()
                    },
                );
                if other.is_none_or(|other| other.contains(note.body.as_bytes())) {
                    self.not(
                        Capability::Search,
                        format!("{} shows all notes, whatever it is asked", hint.shown()),
                    );
                    continue;
                }
                let mut route = form_of_search;
                read_as(&mut route, "list", found.list.clone());
                let (member, at) = (found.member.clone(), found.at.clone());
                read_note(&mut route, &member, "", &at, &note.title, &note.id);
                self.order_and_limit(&mut route, &hint, form, user);
                let asked = Asked {
                    inputs: &word,
                    ..Asked::default()
                };
                let known = note.title.as_bytes();
                // A note that is bound is known to be personal.
                let shows = match self.binding.route(Capability::ReadNote) {
                    Some(_) => Shows::Thing,
                    None => Shows::List(None),
                };
                self.bind_personal(Capability::Search, route, &asked, known, &shows);
                return true;
            }
        }
        let named = |hint: &Hint| hint.is(&["GET", "POST"]) && fit(hint, SEARCH, &[]) > 0;
        if self.hints.routes.iter().any(named) {
            let why = "a route is named so, but none found a new note by its text";
            self.not(Capability::Search, why);
        }
        false
    }

    /// What the search calls its order and its limit: the name under which 1 leaves one of two results.
    fn order_and_limit(&mut self, route: &mut Route, hint: &Hint, create: &Route, user: &Signed) {
        let common = self.talk.letters(13);
        let by = Some(user);
        for start in ["a", "b"] {
            let title = format!("{start}{}", self.talk.letters(8));
            let inputs = [("title", json!(title)), ("body", json!(common))];
            self.ask(
                create,
                &Asked {
                    inputs: &inputs,
                    by,
                    ..Asked::default()
                },
            );
        }
        let titles = |search: &mut Self, route: &Route, inputs: &[(&str, Value)]| -> Vec<String> {
            let reply = search.honest(
                route,
                &Asked {
                    inputs,
                    by,
                    ..Asked::default()
                },
            );
            let value = reply.as_ref().and_then(read).unwrap_or_default();
            let list = value
                .pointer(&route.pointer("list"))
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            list.iter()
                .filter_map(|one| one.pointer(&route.pointer("title")).map(values::text))
                .collect()
        };
        let plain = titles(self, route, &[("q", json!(common))]);
        if plain.len() != 2 {
            return;
        }
        for name in optional(hint, names::LIMIT) {
            let tried = named(route, "limit", &name);
            let got = titles(self, &tried, &[("q", json!(common)), ("limit", json!(1))]);
            if got.len() == 1 {
                *route = tried;
                break;
            }
        }
        for name in optional(hint, names::SORT) {
            let tried = named(route, "sort", &name);
            let by_title = titles(
                self,
                &tried,
                &[("q", json!(common)), ("sort", json!("title"))],
            );
            let by_time = titles(
                self,
                &tried,
                &[("q", json!(common)), ("sort", json!("created_at"))],
            );
            // "a" was written first, so it comes last where the newest is first.
            if by_title.len() == 2
                && (by_title != plain || (by_time.len() == 2 && by_time != by_title))
            {
                *route = tried;
                break;
            }
        }
    }
}

fn named(route: &Route, canonical: &str, name: &str) -> Route {
    let mut tried = route.clone();
    if name == canonical {
        tried.send.remove(canonical);
    } else {
        tried.send.insert(canonical.to_owned(), name.to_owned());
    }
    tried
}

/// The names near a handler that may be an optional input, the likeliest first.
fn optional(hint: &Hint, list: &[&str]) -> Vec<String> {
    let fields = hint
        .fields
        .iter()
        .map(|field| values::key(&field.at).to_owned());
    let mut all: Vec<(usize, String)> = hint
        .words
        .iter()
        .cloned()
        .chain(fields)
        .filter_map(|word| Some((names::rank(&word, list)?, word)))
        .collect();
    all.sort();
    all.dedup();
    all.into_iter().map(|(_, word)| word).take(4).collect()
}

fn read_note(route: &mut Route, value: &Value, folder: &str, text: &str, title: &str, id: &str) {
    read_as(route, "body", format!("{folder}{text}"));
    if let Some(at) = values::at(value, title) {
        read_as(route, "title", at);
    }
    let own = values::all_named(value, names::ID);
    let own = own
        .into_iter()
        .find(|(_, text)| text == id)
        .map(|(at, _)| at);
    if let Some(at) = own.or_else(|| values::at(value, id)) {
        read_as(route, "id", at);
    }
    if let Some((at, _)) = values::named(value, names::CREATED) {
        read_as(route, "created_at", at);
    }
}
