//! Finding a known value in a reply of unknown form.

use serde_json::Value;

use crate::names;

/// More is not looked at.
const MOST: usize = 4000;

/// A scalar as people would write it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// All scalars with their pointers, outer ones before inner ones.
pub(crate) fn leaves(value: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    let mut level = vec![(String::new(), value)];
    while !level.is_empty() && found.len() < MOST {
        let mut next = Vec::new();
        for (at, value) in level {
            match value {
                Value::Object(map) => {
                    for (key, inner) in map {
                        next.push((format!("{at}/{}", escaped(key)), inner));
                    }
                }
                Value::Array(list) => {
                    for (index, inner) in list.iter().enumerate() {
                        next.push((format!("{at}/{index}"), inner));
                    }
                }
                scalar => found.push((at, scalar)),
            }
        }
        level = next;
    }
    found
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The last name of a pointer.
pub(crate) fn key(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or_default()
}

/// Where exactly this text stands.
pub(crate) fn at(value: &Value, wanted: &str) -> Option<String> {
    leaves(value)
        .into_iter()
        .find(|(_, one)| text(one) == wanted)
        .map(|(at, _)| at)
}

/// The scalar whose name is the likeliest in a list, and its pointer; empty ones are none.
pub(crate) fn named(value: &Value, list: &[&str]) -> Option<(String, String)> {
    let mut all = all_named(value, list);
    (!all.is_empty()).then(|| all.remove(0))
}

/// All scalars whose names are in a list, the likeliest first.
pub(crate) fn all_named(value: &Value, list: &[&str]) -> Vec<(String, String)> {
    let mut ranked: Vec<(usize, String, String)> = leaves(value)
        .into_iter()
        .filter(|(_, value)| !value.is_null() && !value.is_boolean())
        .filter_map(|(at, value)| Some((names::rank(key(&at), list)?, at, text(value))))
        .filter(|(_, _, text)| !text.is_empty())
        .collect();
    ranked.sort_by_key(|(rank, at, _)| (*rank, at.matches('/').count()));
    ranked.into_iter().map(|(_, at, text)| (at, text)).collect()
}

/// A list, its pointer, and the member in it that holds a text.
pub(crate) struct Found<'a> {
    pub(crate) list: String,
    pub(crate) member: &'a Value,
    /// Where the text stands in the member.
    pub(crate) at: String,
}

/// The outermost array that has a member with exactly this text in it.
pub(crate) fn listed<'a>(value: &'a Value, wanted: &str) -> Option<Found<'a>> {
    let mut level = vec![(String::new(), value)];
    let mut looked = 0;
    while !level.is_empty() && looked < MOST {
        let mut next = Vec::new();
        for (list, value) in level {
            looked += 1;
            match value {
                Value::Array(members) => {
                    for member in members {
                        if member.is_object()
                            && let Some(found) = at(member, wanted)
                        {
                            return Some(Found {
                                list,
                                member,
                                at: found,
                            });
                        }
                    }
                }
                Value::Object(map) => {
                    for (key, inner) in map {
                        next.push((format!("{list}/{}", escaped(key)), inner));
                    }
                }
                _ => {}
            }
        }
        level = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_known_value_is_found_where_it_is() {
        let value = json!({"data": {"people": [{"mail": "a", "key": 1}, {"mail": "b", "key": 2, "x": {"y/z": "c"}}]}});
        let found = listed(&value, "b").unwrap();
        assert_eq!(
            (found.list.as_str(), found.at.as_str()),
            ("/data/people", "/mail")
        );
        assert_eq!(
            named(found.member, names::ID),
            Some(("/key".to_owned(), "2".to_owned()))
        );
        assert_eq!(at(&value, "c").as_deref(), Some("/data/people/1/x/y~1z"));
        assert!(listed(&value, "d").is_none());
        assert_eq!(listed(&json!([{"id": 7}]), "7").unwrap().list, "");
    }

    #[test]
    fn outer_and_likelier_names_come_first() {
        let value = json!({"key": "k", "file": {"id": "f"}, "id": null});
        assert_eq!(named(&value, names::ID).unwrap().0, "/file/id");
        assert_eq!(
            named(&json!({"user": {"id": 1}, "id": 2}), names::ID)
                .unwrap()
                .0,
            "/id"
        );
    }
}
