//! What an answer says that a field may be: `role must be one of the following values: buyer, seller`.

use serde_json::Value;

use crate::names;
use crate::refusal::{COMPLAINT, NO_NAMES, PLACES, place};

/// Keys under which validators list what a field may be.
const LISTS: &[&str] = &["options", "values", "allowedvalues", "enum", "choices"];
/// Words after which messages list it.
const MARKS: &[&str] = &[
    "following values:",
    "one of:",
    "one of ",
    "expected ",
    "input should be ",
    "match pattern ",
];
const MOST: usize = 16;
/// More fields no answer tells of, unless it is made to be long.
const MOST_FIELDS: usize = 64;
/// What messages go on with after their list.
const ENDS: &[&str] = &[
    ", received",
    ", but ",
    " but received",
    " but got",
    ", got",
    " at line ",
];

/// A field by its name, and what it may be.
pub(crate) type Choices = Vec<(String, Vec<Value>)>;

/// Reads all of an answer's lists.
pub(crate) fn read(value: &Value) -> Choices {
    let mut found = Vec::new();
    gather(value, None, 8, &mut found);
    found
}

/// The same for words that are no JSON.
pub(crate) fn told(text: &str) -> Choices {
    let mut found = Vec::new();
    listed(text, None, &mut found);
    found
}

fn gather(value: &Value, name: Option<&str>, depth: u8, into: &mut Choices) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    match value {
        Value::Array(list) => {
            for one in list {
                gather(one, name, depth, into);
            }
        }
        Value::Object(map) => {
            let mut places = map.iter();
            let own = places.find_map(|(key, inner)| {
                let place = place(inner).filter(|_| PLACES.contains(&names::plain(key).as_str()));
                place.filter(|name| !NO_NAMES.contains(name))
            });
            // As Ajv has it, `/role`.
            let instance = map.get("instancePath").and_then(Value::as_str);
            let own = own.or_else(|| instance?.rsplit('/').next().filter(|name| !name.is_empty()));
            for (key, inner) in map {
                let plain = names::plain(key);
                let plain = plain.as_str();
                if PLACES.contains(&plain) || matches!(plain, "input" | "received" | "instancepath")
                {
                    continue;
                }
                if let (Some(name), Value::Array(list), true) =
                    (own.or(name), inner, LISTS.contains(&plain))
                {
                    push(name, list.clone(), into);
                    continue;
                }
                let generic = COMPLAINT.contains(&plain)
                    || NO_NAMES.contains(&plain)
                    || matches!(plain, "ctx" | "params" | "expected" | "pattern");
                let inside = own.or(if generic { name } else { Some(key) });
                gather(inner, inside, depth, into);
            }
        }
        Value::String(text) => listed(text, name, into),
        _ => {}
    }
}

fn push(name: &str, list: Vec<Value>, into: &mut Choices) {
    let fits = |one: &Value| one.is_number() || one.as_str().is_some_and(is_word);
    if into.len() < MOST_FIELDS && (2..=MOST).contains(&list.len()) && list.iter().all(fits) {
        into.push((name.to_owned(), list));
    }
}

fn is_word(text: &str) -> bool {
    (1..=30).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A message's list, of the field before `must be one of` or, where it has none, of the name beside the message.
fn listed(text: &str, name: Option<&str>, into: &mut Choices) {
    if text.len() > 600 {
        return;
    }
    let lower = text.to_ascii_lowercase();
    // `unexpected` expects nothing.
    let mark = |mark: &&str| {
        let at = lower.find(mark)?;
        let whole = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        whole.then_some((at, mark.len()))
    };
    let Some((at, length)) = MARKS.iter().find_map(mark) else {
        return;
    };
    let (before, rest) = (&text[..at], &text[at + length..]);
    let end = ENDS.iter().filter_map(|end| rest.find(end)).min();
    let rest = &rest[..end.unwrap_or(rest.len())];
    let quote = rest.chars().find(|c| "'\"`".contains(*c));
    let list: Vec<Value> = if let Some(quote) = quote {
        let inside: Vec<&str> = rest.split(quote).skip(1).step_by(2).collect();
        let pattern = inside.first().and_then(|one| alternatives(one));
        let all = pattern.unwrap_or(inside);
        all.into_iter().map(Value::from).collect()
    } else {
        let plain = rest.replace(" or ", ",").replace('|', ",");
        plain
            .split(',')
            .map(|one| one.trim_matches(|c: char| c.is_whitespace() || "[]().".contains(c)))
            .map(|one| {
                one.parse::<i64>()
                    .map_or_else(|_| Value::from(one), Value::from)
            })
            .collect()
    };
    let own = [": unknown variant", " must be"].iter().find_map(|mark| {
        let before = &before[..before.rfind(mark)?];
        let last = before.split_whitespace().next_back()?;
        Some(last.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
    });
    if let Some(name) = own.filter(|name| is_word(name)).or(name) {
        push(name, list, into);
    }
}

/// `^(buyer|seller)$`.
fn alternatives(pattern: &str) -> Option<Vec<&str>> {
    let inner = pattern.strip_prefix('^').unwrap_or(pattern);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    let inner = inner.strip_prefix("(?:").or(inner.strip_prefix('('))?;
    Some(inner.strip_suffix(')')?.split('|').collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Pydantic's and Zod 4's as they really wrote them, the others by their documentation.
    #[test]
    fn what_a_field_may_be_is_read() {
        let roles = vec![json!("buyer"), json!("seller")];
        for (library, body) in [
            (
                "pydantic, Literal",
                json!({"detail": [{"type": "literal_error", "loc": ["body", "role"], "msg": "Input should be 'buyer' or 'seller'",
                    "input": "user", "ctx": {"expected": "'buyer' or 'seller'"}}]}),
            ),
            (
                "pydantic, pattern",
                json!({"detail": [{"type": "string_pattern_mismatch", "loc": ["body", "role"],
                    "msg": "String should match pattern '^(buyer|seller)$'", "input": "user", "ctx": {"pattern": "^(buyer|seller)$"}}]}),
            ),
            (
                "zod 3",
                json!({"issues": [{"received": "user", "code": "invalid_enum_value", "options": ["buyer", "seller"], "path": ["role"],
                    "message": "Invalid enum value. Expected 'buyer' | 'seller', received 'user'"}]}),
            ),
            (
                "zod 4",
                json!({"error": {"issues": [{"code": "invalid_value", "values": ["buyer", "seller"], "path": ["role"],
                    "message": "Invalid option: expected one of \"buyer\"|\"seller\""}]}}),
            ),
            (
                "zod, flat",
                json!({"errors": {"formErrors": [], "fieldErrors": {"role": ["Invalid enum value. Expected 'buyer' | 'seller', received 'user'"]}}}),
            ),
            (
                "class-validator",
                json!({"message": ["role must be one of the following values: buyer, seller"], "error": "Bad Request", "statusCode": 400}),
            ),
            (
                "marshmallow",
                json!({"errors": {"json": {"role": ["Must be one of: buyer, seller."]}}}),
            ),
            (
                "joi",
                json!({"error": "\"role\" must be one of [buyer, seller]"}),
            ),
            (
                "by hand",
                json!({"reason": "role must be one of: buyer, seller"}),
            ),
            (
                "valibot",
                json!({"issues": [{"path": "role", "message": "Invalid type: Expected (\"buyer\" | \"seller\") but received \"user\""}]}),
            ),
            (
                "ajv",
                json!({"errors": [{"instancePath": "/role", "keyword": "enum", "params": {"allowedValues": ["buyer", "seller"]},
                    "message": "role must be equal to one of the allowed values"}]}),
            ),
        ] {
            let mut found = read(&body);
            found.dedup();
            assert!(!found.is_empty(), "{library}");
            for one in found {
                assert_eq!(one, ("role".to_owned(), roles.clone()), "{library}");
            }
        }
        let axum = "Failed to deserialize the JSON body into the target type: role: unknown variant `user`, expected `buyer` or \
            `seller` at line 1 column 60";
        assert_eq!(told(axum), [("role".to_owned(), roles)]);
        let numbers =
            json!({"detail": [{"loc": ["body", "kind"], "msg": "Input should be 1, 2 or 3"}]});
        let kinds = vec![json!(1), json!(2), json!(3)];
        assert_eq!(read(&numbers), [("kind".to_owned(), kinds)]);
    }

    #[test]
    fn other_words_are_no_lists() {
        for text in [
            "Input should be a valid boolean",
            "Expected string, received number",
            "expected property name or '}' in JSON at position 2",
            "String should match pattern '^[^@]+@[^@]+$'",
            "Password must contain at least one of the special characters",
            "Value must contain at least one of [username, phone]",
            "Missing fields, expected `username`, `full_name`",
            "Use at least one of a-z, A-Z, 0-9",
            "Unexpected fields 'role', 'plan'",
            "one of ",
            "expected \u{e9}, \u{130} or '",
        ] {
            assert!(told(text).is_empty(), "{text}: {:?}", told(text));
            let said = json!({"error": text});
            assert!(read(&said).is_empty(), "{text}: {:?}", read(&said));
        }
    }
}
