//! Which fields an answer names: as validators write them, in words, and as a form that is shown again has them.

use std::collections::BTreeSet;

use serde_json::Value;
use wire::Reply;

use crate::choices::{self, Choices};
use crate::find::json;
use crate::further::is_known;
use crate::hint::Hint;
use crate::html::{self, Control};
use crate::names;

/// A field that an answer names, and what a form gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) value: Option<Value>,
    /// What an answer says that it may be.
    pub(crate) choices: Vec<Value>,
}

/// What an answer names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusal {
    pub(crate) named: Vec<Named>,
    /// By a form that asks for a password once more.
    pub(crate) form_again: bool,
}

impl Refusal {
    pub(crate) fn names(&self, name: &str) -> bool {
        let plain = names::plain(name);
        self.named
            .iter()
            .any(|one| names::plain(&one.name) == plain)
    }

    /// Takes up what fields may be. Those words stand in quotes, as names do.
    fn choose(&mut self, all: Choices) {
        for (name, list) in all {
            if !is_name(&name) {
                continue;
            }
            self.named
                .retain(|one| !list.iter().any(|word| word == one.name.as_str()));
            add(&name, None, &mut self.named);
            let plain = names::plain(&name);
            let known = self.named.iter_mut();
            let known = known.filter(|one| names::plain(&one.name) == plain).take(1);
            known.for_each(|one| one.choices.clone_from(&list));
        }
    }
}

/// Keys under which validators put a field's name.
pub(crate) const PLACES: &[&str] = &["loc", "path", "param", "field", "property", "attribute"];
pub(crate) const COMPLAINT: &[&str] = &["msg", "message", "code", "issues", "stack", "status"];
/// What stands where a name does, and is none.
pub(crate) const NO_NAMES: &[&str] = &[
    "body",
    "query",
    "form",
    "json",
    "data",
    "root",
    "field",
    "fields",
    "value",
    "input",
    "errors",
    "error",
    "fielderrors",
    "formerrors",
    "issues",
    "details",
    "detail",
    "message",
    "messages",
    "msg",
    "nonfielderrors",
    "general",
    "stack",
    "this",
    "it",
    "is",
    "and",
    "or",
    "the",
    "are",
    "request",
    "content",
    "string",
    "object",
    "line",
    "column",
];
const MOST_TEXT: usize = 64 * 1024;
const MOST_NAMED: usize = 24;

/// Reads an answer to a registration.
pub(crate) fn read(reply: &Reply, hint: &Hint) -> Refusal {
    let mut refusal = Refusal::default();
    if let Some(value) = json(reply) {
        validators(&value, false, 8, &mut refusal.named);
        for text in texts(&value) {
            words(&text, hint, &mut refusal.named);
        }
        refusal.choose(choices::read(&value));
    } else {
        let mut text = reply.text();
        let end = (0..=text.len().min(MOST_TEXT))
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        if text.contains('<') {
            refusal.named = form(&text);
            refusal.form_again = !refusal.named.is_empty();
        } else {
            words(&text, hint, &mut refusal.named);
            refusal.choose(choices::told(&text));
        }
    }
    refusal.named.truncate(MOST_NAMED);
    refusal
}

fn is_name(name: &str) -> bool {
    (2..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !NO_NAMES.contains(&names::plain(name).as_str())
}

fn add(name: &str, value: Option<Value>, into: &mut Vec<Named>) {
    // More an answer names only to be long.
    if into.len() >= 4 * MOST_NAMED || !is_name(name) {
        return;
    }
    let plain = names::plain(name);
    if !into.iter().any(|one| names::plain(&one.name) == plain) {
        into.push(Named {
            name: name.to_owned(),
            value,
            choices: Vec::new(),
        });
    }
}

/// `loc`, `path` and their like, and keys that hold messages.
fn validators(value: &Value, among_errors: bool, depth: u8, into: &mut Vec<Named>) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    match value {
        Value::Array(list) => {
            for one in list {
                validators(one, among_errors, depth, into);
            }
        }
        Value::Object(map) => {
            // One complaint, whose texts are its code and its words.
            let complaint = map
                .keys()
                .any(|key| PLACES.contains(&key.as_str()) || COMPLAINT.contains(&key.as_str()));
            // Where it says its place, a list of words is what may stand there, or what was too much.
            let placed = map
                .iter()
                .any(|(key, inner)| PLACES.contains(&key.as_str()) && place(inner).is_some());
            for (key, inner) in map {
                let plain = names::plain(key);
                if PLACES.contains(&plain.as_str()) {
                    if let Some(name) = place(inner) {
                        add(name, None, into);
                    }
                    continue;
                }
                let about = among_errors
                    || plain.contains("error")
                    || matches!(plain.as_str(), "detail" | "details" | "messages" | "issues");
                let told = match inner {
                    Value::Array(list) => {
                        !placed && !list.is_empty() && list.iter().all(Value::is_string)
                    }
                    Value::String(_) => among_errors && !complaint,
                    Value::Object(inner) => inner.contains_key("_errors"),
                    _ => false,
                };
                if told && plain != "errors" {
                    add(key, None, into);
                }
                // What was sent may be repeated under `input`.
                if !matches!(plain.as_str(), "input" | "ctx" | "value" | "type") {
                    validators(inner, about, depth, into);
                }
            }
        }
        _ => {}
    }
}

/// `["body", "full_name"]`, `full_name`, `body.full_name`; `/register` is the request's own.
pub(crate) fn place(value: &Value) -> Option<&str> {
    let text = match value {
        Value::Array(list) => list.iter().rev().find_map(Value::as_str)?,
        Value::String(text) if !text.starts_with('/') => text,
        _ => return None,
    };
    text.rsplit('.').next()
}

/// All texts of an answer but those that repeat what was sent.
fn texts(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) if text.len() < 600 => all.push(text.clone()),
            Value::Array(list) => open.extend(list),
            Value::Object(map) => {
                let told = map
                    .iter()
                    .filter(|(key, _)| !matches!(key.as_str(), "input" | "value"));
                open.extend(told.map(|(_, inner)| inner));
            }
            _ => {}
        }
        if all.len() > 64 {
            break;
        }
    }
    all
}

/// What words name: in quotes, before "is required", after "missing field", or as the source calls it.
fn words(text: &str, hint: &Hint, into: &mut Vec<Named>) {
    let tokens: Vec<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|token| !token.is_empty())
        .collect();
    for quote in ['`', '"', '\''] {
        for inner in text.split(quote).skip(1).step_by(2) {
            if !inner.contains(' ') {
                add(inner, None, into);
            }
        }
    }
    for (index, token) in tokens.iter().enumerate() {
        let next = |step: usize| tokens.get(index + step).copied().unwrap_or_default();
        let lacks = matches!(
            (next(1), next(2)),
            ("is", "required" | "missing")
                | ("should", "not")
                | ("must", "be")
                | ("cannot" | "can", "be" | "t")
        );
        // `Phone is required`, but `Full name is required` is known by the source alone.
        if lacks {
            let mut name = (*token).to_owned();
            if token[1..].bytes().all(|byte| byte.is_ascii_lowercase()) {
                name.make_ascii_lowercase();
            }
            add(&name, None, into);
        }
    }
    let runs: BTreeSet<String> = (1..=3)
        .flat_map(|count| tokens.windows(count))
        .map(|run| names::plain(&run.concat()))
        .collect();
    let fields = hint
        .fields
        .iter()
        .map(|field| crate::json::key(&field.at).to_owned());
    for word in hint.words.iter().cloned().chain(fields) {
        if is_known(&word) && runs.contains(&names::plain(&word)) {
            add(&word, None, into);
        }
    }
}

/// The fields of the form that asks for a password. What a page hides was made for one visit.
fn form(page: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for form in html::forms(page) {
        let all: Vec<Control> = html::controls(form.inside)
            .into_iter()
            .filter(|one| !one.is_pressed() && !matches!(one.kind.as_str(), "hidden" | "file"))
            .collect();
        if form.inside.to_ascii_lowercase().contains("password") && all.len() > 1 {
            for one in all {
                add(&one.name, one.value.map(Value::String), &mut found);
            }
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(body: &str) -> Reply {
        Reply {
            status: 422,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn named_by(body: &str, words: &[&str]) -> Vec<String> {
        let mut hint = Hint::new("POST", "/register");
        hint.words = words.iter().map(|word| (*word).to_owned()).collect();
        let refusal = read(&reply(body), &hint);
        refusal.named.into_iter().map(|one| one.name).collect()
    }

    /// As the validators of these libraries really write them.
    #[test]
    fn what_validators_name_is_read() {
        let wanted = ["full_name", "accept_terms"];
        for (library, body) in [
            (
                "pydantic",
                json!({"detail": [
                    {"type": "missing", "loc": ["body", "full_name"], "msg": "Field required", "input": {"email": "a@b", "motto": "c"}},
                    {"type": "bool_parsing", "loc": ["body", "accept_terms"], "msg": "Input should be a valid boolean", "input": "x"}]}),
            ),
            (
                "marshmallow",
                json!({"full_name": ["Missing data for required field."], "accept_terms": ["Missing data for required field."]}),
            ),
            (
                "marshmallow, wrapped",
                json!({"code": 422, "errors": {"json": {"full_name": ["Missing data."], "accept_terms": ["Missing data."]}}, "status": "Unprocessable Entity"}),
            ),
            (
                "zod",
                json!({"error": {"name": "ZodError", "issues": [
                    {"code": "invalid_type", "expected": "string", "path": ["full_name"], "message": "Required"},
                    {"code": "invalid_literal", "path": ["accept_terms"], "message": "Invalid input"}]}}),
            ),
            (
                "zod, flat",
                json!({"errors": {"formErrors": [], "fieldErrors": {"full_name": ["Required"], "accept_terms": ["Required"]}}}),
            ),
            (
                "zod, format()",
                json!({"_errors": [], "full_name": {"_errors": ["Required"]}, "accept_terms": {"_errors": ["Required"]}}),
            ),
            (
                "express-validator",
                json!({"errors": [
                    {"type": "field", "msg": "Invalid value", "path": "full_name", "location": "body"},
                    {"type": "field", "msg": "Invalid value", "path": "accept_terms", "location": "body"}]}),
            ),
            (
                "class-validator",
                json!({"message": ["full_name should not be empty", "accept_terms must be a boolean value"], "error": "Bad Request", "statusCode": 400}),
            ),
            (
                "joi",
                json!({"error": "\"full_name\" is required. \"accept_terms\" is required"}),
            ),
            (
                "by hand",
                json!({"success": false, "errors": {"full_name": "Enter it", "accept_terms": "Accept them"}}),
            ),
        ] {
            let mut found = named_by(&body.to_string(), &[]);
            found.sort_by_key(|name| wanted.iter().position(|one| one == name));
            assert_eq!(found, wanted, "{library}");
        }
    }

    #[test]
    fn what_a_field_may_be_names_no_field() {
        let zod = json!({"error": {"issues": [{"received": "user", "code": "invalid_enum_value", "options": ["buyer", "seller"],
            "path": ["role"], "message": "Invalid enum value."}]}});
        assert_eq!(named_by(&zod.to_string(), &[]), ["role"]);
        let spring = json!({"path": "/register", "errors": {"full_name": ["Required"]}});
        assert_eq!(named_by(&spring.to_string(), &[]), ["full_name"]);
    }

    #[test]
    fn words_name_what_the_source_calls_so() {
        let axum = "Failed to deserialize the JSON body into the target type: missing field `full_name` at line 1 column 40";
        assert_eq!(named_by(axum, &[]), ["full_name"]);
        let told = json!({"error": "Full name, username and the confirmed password are missing"});
        let source = ["fullName", "username", "row", "confirmed", "the", "missing"];
        assert_eq!(
            named_by(&told.to_string(), &source),
            ["confirmed", "fullName", "username"]
        );
        assert_eq!(
            named_by("{\"error\": \"Phone is required\"}", &[]),
            ["phone"]
        );
        for nothing in [
            "{\"error\": \"This field is required.\"}",
            "{\"id\": 7, \"email\": \"a@b\", \"full_name\": \"Ada\"}",
            "{\"message\": \"User created\", \"path\": \"/register\"}",
            "",
        ] {
            assert!(named_by(nothing, &["user"]).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_form_shown_again_names_its_fields() {
        let page = "<form action=/find><input name=term></form><FORM method=post>\
            <input type='hidden' name='csrf_token' value='x'><input name=\"name\" required><input type=email name=email>\
            <input type=password name=password><input type=checkbox name=terms><input type=checkbox name=news value=yes>\
            <select name=country><option value=''>-</option><option value=NO>Norway</option></select><button name=go></form>";
        let refusal = read(&reply(page), &Hint::new("POST", "/register"));
        let found: Vec<_> = refusal
            .named
            .iter()
            .map(|one| {
                (
                    one.name.as_str(),
                    one.value.as_ref().and_then(Value::as_str),
                )
            })
            .collect();
        let wanted = [
            ("name", None),
            ("email", None),
            ("password", None),
            ("terms", Some("on")),
            ("news", Some("yes")),
            ("country", Some("NO")),
        ];
        assert_eq!(found, wanted);
        assert!(refusal.form_again);
        for hostile in [
            "<",
            "<form",
            "<form><input name",
            "<form>\u{e9}<input name='",
            "<FORM><select name=a password <option",
        ] {
            read(&reply(hostile), &Hint::new("POST", "/register"));
        }
    }
}
