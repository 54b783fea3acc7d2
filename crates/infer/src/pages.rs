//! Forms whose taker no path names: server actions. A browser without scripts posts them to the page's own path, with hidden
//! fields that say which function is meant; the answer leads on. The hidden fields are of one build.

use std::collections::{BTreeMap, BTreeSet};

use model::{Body, Capability};
use serde_json::Value;

use crate::ask::{Signed, plain};
use crate::find::{Asked, Search, fit};
use crate::hint::{Field, Hint, Hints};
use crate::html::{Control, controls, forms};
use crate::names;
use crate::notes;
use crate::register::opens_accounts;

/// More pages are not looked at for one purpose.
const MOST_PAGES: usize = 8;
const MOST_FORMS: usize = 24;
/// So begin the names of the fields that say which function is meant.
pub(crate) const ACTION: &str = "$ACTION_";

impl Search<'_, '_> {
    /// Looks for forms by which accounts are made and opened.
    pub(crate) fn account_pages(&mut self) {
        self.read_pages(opens_accounts, None);
    }

    /// Looks for forms that only a signed-in user is shown.
    pub(crate) fn own_pages(&mut self) {
        let Some(user) = self.user.clone() else {
            return;
        };
        let score = |hint: &Hint| {
            i32::from(is_note(&hint.words, hint)) * 4
                + i32::from(is_upload(&hint.words)) * 4
                + i32::from(acts(hint))
        };
        self.read_pages(score, Some(&user.signed));
    }

    fn read_pages(&mut self, score: impl Fn(&Hint) -> i32, by: Option<&Signed>) {
        let mut pages: Vec<(i32, String)> = self
            .hints
            .pages
            .iter()
            .filter(|page| page.parameters() == 0 && !page.is_dangerous())
            .map(|page| (-score(page), page.path.clone()))
            .filter(|(points, _)| *points < 0)
            .collect();
        pages.sort();
        for (_, path) in pages.into_iter().take(MOST_PAGES) {
            let asked = Asked {
                by,
                ..Asked::default()
            };
            let Some(page) = self.honest(&plain("GET", &path), &asked) else {
                continue;
            };
            for form in actions(&path, &page.text()) {
                if self.forms.len() < MOST_FORMS && !self.forms.contains(&form) {
                    self.forms.push(form);
                }
            }
        }
    }

    /// Where pages ask for passwords by no form that a browser without scripts could send.
    pub(crate) fn accounts_without_forms(&mut self) {
        let shown = |page: &Hint| self.forms.iter().any(|form| form.path == page.path);
        let asks = |page: &&Hint| opens_accounts(page) > 0 && acts(page) && !shown(page);
        if let Some(page) = self.hints.pages.iter().find(asks) {
            let why = format!(
                "the page {} asks for it, but shows no form of a server action to somebody without scripts",
                page.path
            );
            self.not(Capability::Register, why.clone());
            self.not(Capability::Login, why);
        }
    }

    /// What forms are for that were seen, or that a source names, and why no exploit could use them.
    pub(crate) fn what_forms_hide(&mut self) {
        let mut hidden = Vec::new();
        for form in &self.forms {
            let file = form.fields.iter().any(|field| field.file);
            hidden.push((form.path.clone(), is_note(&form.words, form), file));
        }
        for page in self.hints.pages.iter().filter(|page| acts(page)) {
            let (note, file) = (is_note(&page.words, page), is_upload(&page.words));
            hidden.push((page.path.clone(), note, file));
        }
        for (path, note, file) in hidden {
            let why = format!(
                "the page {path} seems to do it by a server action, which leads on and shows no id"
            );
            let notes = [
                Capability::CreateNote,
                Capability::ReadNote,
                Capability::Search,
            ];
            let files = [
                Capability::Upload,
                Capability::Files,
                Capability::Download,
                Capability::DeleteFile,
            ];
            // What is offered otherwise as well was found there.
            let note = note && self.binding.route(Capability::CreateNote).is_none();
            let file = file && self.binding.route(Capability::Upload).is_none();
            let notes = notes.iter().filter(|_| note);
            for capability in notes.chain(files.iter().filter(|_| file)) {
                self.not(*capability, why.clone());
            }
        }
    }
}

/// Whether a page asks for passwords and has them taken by a function of the server.
pub(crate) fn ask_for_accounts(hints: &Hints) -> bool {
    let asks = |page: &Hint| opens_accounts(page) > 0 && acts(page);
    hints.pages.iter().any(asks)
}

/// Whether what makes this page reaches a function that takes a form.
fn acts(page: &Hint) -> bool {
    let takes = ["formdata", "useformstate", "useactionstate"];
    page.words
        .iter()
        .any(|word| takes.contains(&names::plain(word).as_str()))
}

fn is_note(words: &BTreeSet<String>, hint: &Hint) -> bool {
    let named = |list: &[&str]| words.iter().any(|word| names::rank(word, list).is_some());
    let account = words.iter().any(|word| names::plain(word) == "password");
    let text = named(&names::TITLE[..4]) || named(&names::TEXT[..4]);
    !account && text && (fit(hint, notes::PATHS, &[]) > 0 || named(&names::TITLE[..4]))
}

fn is_upload(words: &BTreeSet<String>) -> bool {
    words.contains("arrayBuffer") || words.contains("File")
}

/// The forms of a page that a server action takes, as hints that say all that is sent.
fn actions(path: &str, page: &str) -> Vec<Hint> {
    let mut found = Vec::new();
    for form in forms(page) {
        let all = controls(form.inside);
        let hides = |one: &&Control| one.kind == "hidden";
        let hidden: BTreeMap<String, Value> = all.iter().filter(hides).map(pair).collect();
        let fields: Vec<Field> = all
            .iter()
            .filter(|one| !one.is_pressed() && one.kind != "hidden")
            .map(|one| Field {
                at: one.name.clone(),
                file: one.kind == "file",
                required: true,
                value: one.value.clone().map(Value::String),
            })
            .collect();
        // Its own, or one for each button that has another.
        let pressed = all
            .iter()
            .filter(|one| one.is_pressed() && one.name.starts_with(ACTION));
        let mut sent: Vec<BTreeMap<String, Value>> = pressed
            .map(|one| {
                let mut sent = hidden.clone();
                sent.retain(|name, _| !name.starts_with("$ACTION_ID_"));
                sent.extend([pair(one)]);
                sent
            })
            .collect();
        if hidden.keys().any(|name| name.starts_with(ACTION)) {
            sent.insert(0, hidden);
        }
        for hidden in sent {
            let to = form.action.as_deref().filter(|to| to.starts_with('/'));
            let mut hint = Hint::new("POST", to.unwrap_or(path));
            hint.words = fields.iter().map(|field| field.at.clone()).collect();
            hint.fields.clone_from(&fields);
            hint.body = Some(Body::Multipart);
            hint.hidden = hidden;
            found.push(hint);
        }
    }
    found
}

fn pair(one: &Control) -> (String, Value) {
    let value = one.value.clone().unwrap_or_default();
    (one.name.clone(), Value::String(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Next.js 14 writes them.
    #[test]
    fn forms_of_server_actions_are_read_with_what_they_hide() {
        let page = r#"<form><input name="q"/></form>
            <form action="" encType="multipart/form-data" method="POST"><input type="hidden" name="$ACTION_REF_1"/><input
            type="hidden" name="$ACTION_1:0" value="{&quot;id&quot;:&quot;8c&quot;,&quot;bound&quot;:&quot;$@1&quot;}"/><input
            type="hidden" name="$ACTION_KEY" value="k9"/><label>Email <input type="email" name="email"/></label><input
            type="password" name="password"/><input type="checkbox" name="terms"/><input type="hidden" name="next" value="/a&amp;b"/></form>
            <form action="" method="POST"><input name="email"/><input name="password"/><button name="$ACTION_ID_in"
            formMethod="POST">In</button><button name="$ACTION_ID_up">Up</button></form>"#;
        let all = actions("/start", page);
        let sent: Vec<Value> = all
            .iter()
            .map(|one| serde_json::json!(one.hidden))
            .collect();
        let wanted = [
            serde_json::json!({"$ACTION_REF_1": "", "$ACTION_1:0": "{\"id\":\"8c\",\"bound\":\"$@1\"}", "$ACTION_KEY": "k9", "next": "/a&b"}),
            serde_json::json!({"$ACTION_ID_in": ""}),
            serde_json::json!({"$ACTION_ID_up": ""}),
        ];
        assert_eq!(sent, wanted);
        let fields: Vec<&str> = all[0].fields.iter().map(|one| one.at.as_str()).collect();
        assert_eq!(fields, ["email", "password", "terms"]);
        assert!(all.iter().all(|one| one.path == "/start"));
        for nothing in [
            "",
            "<form",
            "<form><input type=hidden name=csrf value=1></form>",
        ] {
            assert!(actions("/", nothing).is_empty(), "{nothing}");
        }
    }
}
