//! The forms in which a route may want its inputs, and a request in one of them.

use std::collections::BTreeMap;

use model::{Body, Carrier, Route};
use serde_json::{Map, Value};
use wire::Request;

use crate::hint::Hint;
use crate::json::text;
use crate::names;

/// More forms of one route are not tried.
const MOST_FORMS: usize = 36;

/// What a signed-in request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) carrier: Carrier,
    pub(crate) token: String,
}

/// The file of an upload.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Something that a request carries: its canonical name and what apps call it.
pub(crate) type Wanted = (&'static str, &'static [&'static str]);

/// A route without inputs.
pub(crate) fn plain(method: &str, path: &str) -> Route {
    Route {
        method: method.to_owned(),
        path: path.to_owned(),
        body: Body::None,
        send: BTreeMap::new(),
        read: BTreeMap::new(),
        also: BTreeMap::new(),
        redirects: false,
    }
}

/// The forms in which a hint may want these inputs, the likeliest first.
pub(crate) fn forms(hint: &Hint, method: &str, wanted: &[Wanted], bodies: &[Body]) -> Vec<Route> {
    let mut all: Vec<Route> = Vec::new();
    if let Some(route) = written(hint, method, wanted) {
        all.push(route);
    }
    if !hint.hidden.is_empty() {
        return all;
    }
    let names: Vec<Vec<String>> = wanted
        .iter()
        .map(|(canonical, list)| called(hint, canonical, list))
        .collect();
    let bodies: Vec<Body> = match hint.body {
        Some(body) if bodies.contains(&body) => vec![body],
        _ => bodies.to_vec(),
    };
    for combination in combinations(&names) {
        for body in &bodies {
            let folders = if *body == Body::Json {
                folders(hint, &combination)
            } else {
                vec![vec![String::new(); wanted.len()]]
            };
            for folder in folders {
                let mut route = plain(method, &hint.path);
                route.body = *body;
                for (index, (canonical, _)) in wanted.iter().enumerate() {
                    let name = &combination[index];
                    let field = if folder[index].is_empty() {
                        name.clone()
                    } else {
                        format!("{}/{name}", folder[index])
                    };
                    if field != *canonical {
                        route.send.insert((*canonical).to_owned(), field);
                    }
                }
                if !all.contains(&route) {
                    all.push(route);
                }
            }
        }
    }
    // What is wrapped is rarer than what is called otherwise: sorted by depth, the order of names stays.
    all.sort_by_key(|route| {
        route
            .send
            .values()
            .map(|field| field.matches('/').count().saturating_sub(1))
            .max()
            .unwrap_or(0)
    });
    all.truncate(MOST_FORMS);
    all
}

/// What a document says, where it names a field for each input.
fn written(hint: &Hint, method: &str, wanted: &[Wanted]) -> Option<Route> {
    let body = hint.body?;
    let mut route = plain(method, &hint.path);
    route.body = body;
    route.also.clone_from(&hint.hidden);
    for (canonical, list) in wanted {
        let mut ranked: Vec<(usize, &str)> = hint
            .fields
            .iter()
            .filter(|field| !field.file)
            .filter_map(|field| {
                Some((
                    names::rank(crate::json::key(&field.at), list)?,
                    field.at.as_str(),
                ))
            })
            .collect();
        ranked.sort_by_key(|(rank, at)| (*rank, at.len()));
        let (_, field) = ranked.first()?;
        if field != canonical {
            route
                .send
                .insert((*canonical).to_owned(), (*field).to_owned());
        }
    }
    Some(route)
}

/// What this route may call an input: the words near its handler that are names for it.
fn called(hint: &Hint, canonical: &str, list: &[&str]) -> Vec<String> {
    let mut ranked: Vec<(usize, String)> = hint
        .words
        .iter()
        .filter_map(|word| Some((names::rank(word, list)?, word.clone())))
        .collect();
    ranked.sort();
    let mut found: Vec<String> = ranked.into_iter().map(|(_, word)| word).take(3).collect();
    // Without any words at all, what is commonest is tried.
    if hint.words.is_empty() {
        found.extend(
            list.iter()
                .filter(|name| **name != canonical)
                .take(2)
                .map(|name| (*name).to_owned()),
        );
        found.insert(0, canonical.to_owned());
    } else if !found.iter().any(|name| name == canonical) {
        found.push(canonical.to_owned());
    }
    found
}

fn combinations(names: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = vec![Vec::new()];
    let unlikely = |combination: &Vec<String>| -> usize {
        let places = combination
            .iter()
            .zip(names)
            .map(|(name, list)| list.iter().position(|one| one == name));
        places.map(Option::unwrap_or_default).sum()
    };
    for list in names {
        all = all
            .iter()
            .flat_map(|start| {
                list.iter()
                    .filter(|name| !start.contains(name))
                    .map(|name| {
                        let mut whole = start.clone();
                        whole.push(name.clone());
                        whole
                    })
            })
            .collect();
    }
    all.sort_by_key(unlikely);
    all.truncate(9);
    all
}

/// The pointers of objects in which each input may stand.
fn folders(hint: &Hint, taken: &[String]) -> Vec<Vec<String>> {
    let count = taken.len();
    let mut wrappers: Vec<(usize, &String)> = hint
        .words
        .iter()
        .filter(|word| !taken.contains(word))
        .filter_map(|word| Some((names::rank(word, names::WRAPPERS)?, word)))
        .collect();
    wrappers.sort();
    wrappers.truncate(4);
    let wrappers: Vec<String> = wrappers
        .into_iter()
        .map(|(_, word)| format!("/{word}"))
        .collect();
    let mut all = vec![vec![String::new(); count]];
    for one in &wrappers {
        all.push(vec![one.clone(); count]);
    }
    for one in &wrappers {
        for two in wrappers.iter().filter(|two| *two != one) {
            let deep = format!("{one}{two}");
            if count > 1 {
                let mut last = vec![one.clone(); count];
                last[count - 1].clone_from(&deep);
                all.push(last);
            }
            all.push(vec![deep; count]);
        }
    }
    all
}

/// One request.
pub(crate) fn request(
    route: &Route,
    id: Option<&str>,
    inputs: &[(&str, Value)],
    file: Option<&File>,
    signed: Option<&Signed>,
) -> Request {
    let mut target = match id {
        Some(id) => route.path_with(&escape(id)),
        None => route.path.clone(),
    };
    let pairs = || -> Vec<String> {
        all_of(route, inputs)
            .map(|(name, value)| format!("{}={}", escape(name), escape(&text(value))))
            .collect()
    };
    let (mut kind, mut body) = (None, Vec::new());
    match route.body {
        Body::None => {
            if !inputs.is_empty() {
                target.push(if target.contains('?') { '&' } else { '?' });
                target.push_str(&pairs().join("&"));
            }
        }
        Body::Json => {
            kind = Some("application/json".to_owned());
            body = object(route, inputs).to_string().into_bytes();
        }
        Body::Form => {
            kind = Some("application/x-www-form-urlencoded".to_owned());
            body = pairs().join("&").into_bytes();
        }
        Body::Multipart => {
            let boundary = "----form7MA4YWxkTrZu0gW";
            kind = Some(format!("multipart/form-data; boundary={boundary}"));
            body = multipart(route, inputs, file, boundary);
        }
    }
    let mut request = Request::new(&route.method, target.into_bytes());
    if let Some(signed) = signed {
        let (name, value) = carried(signed);
        request = request.header(&name, value);
    }
    if let Some(kind) = kind {
        request = request.header("Content-Type", kind);
    }
    request.body = body;
    request
}

fn carried(signed: &Signed) -> (String, String) {
    let token = &signed.token;
    match &signed.carrier {
        Carrier::Header { name, scheme } if scheme.is_empty() => (name.clone(), token.clone()),
        Carrier::Header { name, scheme } => (name.clone(), format!("{scheme} {token}")),
        Carrier::Cookie { name } => ("Cookie".to_owned(), format!("{name}={token}")),
    }
}

/// Inputs as the JSON object that a route wants.
pub(crate) fn object(route: &Route, inputs: &[(&str, Value)]) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in inputs {
        let parts: Vec<&str> = route
            .field(name)
            .trim_start_matches('/')
            .split('/')
            .collect();
        put(&mut root, &parts, value);
    }
    root
}

fn put(at: &mut Value, parts: &[&str], value: &Value) {
    let (Value::Object(map), Some((first, rest))) = (at, parts.split_first()) else {
        return;
    };
    if rest.is_empty() {
        map.insert((*first).to_owned(), value.clone());
        return;
    }
    let inner = map
        .entry((*first).to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    put(inner, rest, value);
}

/// What is sent, and what is sent beside it.
fn all_of<'a>(
    route: &'a Route,
    inputs: &'a [(&'a str, Value)],
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let named = inputs
        .iter()
        .map(|(name, value)| (route.field(name), value));
    named.chain(
        route
            .also
            .iter()
            .map(|(name, value)| (name.as_str(), value)),
    )
}

fn multipart(
    route: &Route,
    inputs: &[(&str, Value)],
    file: Option<&File>,
    boundary: &str,
) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in all_of(route, inputs) {
        let value = text(value);
        out.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    if let Some(file) = file {
        let (field, name, kind) = (route.field("file"), &file.name, file.kind);
        out.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
                 Content-Type: {kind}\r\n\r\n"
            )
            .as_bytes(),
        );
        out.extend_from_slice(&file.bytes);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out
}

fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hint(words: &[&str]) -> Hint {
        let mut hint = Hint::new("POST", "/login");
        hint.words = words.iter().map(|word| (*word).to_owned()).collect();
        hint
    }

    const WANTED: [Wanted; 2] = [("email", names::EMAIL), ("password", names::PASSWORD)];

    #[test]
    fn words_near_the_handler_name_the_fields() {
        let all = forms(
            &hint(&["username", "passphrase", "other"]),
            "POST",
            &WANTED,
            &[Body::Json],
        );
        assert_eq!(all[0].send["email"], "username");
        assert_eq!(all[0].send["password"], "passphrase");
        let all = forms(
            &hint(&["email", "password"]),
            "POST",
            &WANTED,
            &[Body::Json, Body::Form],
        );
        assert!(all[0].send.is_empty() && all[0].body == Body::Json && all[1].body == Body::Form);
    }

    #[test]
    fn wrappers_are_tried_after_what_is_flat() {
        let all = forms(
            &hint(&["user", "mail", "credentials", "passphrase"]),
            "POST",
            &WANTED,
            &[Body::Json],
        );
        let inputs = [("email", json!("a")), ("password", json!("b"))];
        let written: Vec<Value> = all.iter().map(|route| object(route, &inputs)).collect();
        assert_eq!(written[0], json!({"mail": "a", "passphrase": "b"}));
        assert!(written.contains(&json!({"user": {"mail": "a", "passphrase": "b"}})));
        assert!(
            written.contains(&json!({"user": {"mail": "a", "credentials": {"passphrase": "b"}}}))
        );
    }

    #[test]
    fn what_a_document_says_comes_first() {
        let mut one = hint(&["email", "password"]);
        one.body = Some(Body::Json);
        one.fields = ["/user/login", "/user/pass"]
            .iter()
            .map(|at| crate::Field {
                at: (*at).to_owned(),
                file: false,
                required: true,
                value: None,
            })
            .collect();
        let all = forms(&one, "POST", &WANTED, &[Body::Json, Body::Form]);
        let deep = all.iter().position(|route| {
            route
                .send
                .get("email")
                .is_some_and(|at| at == "/user/login")
        });
        assert!(deep.is_some_and(|place| place < 4));
        assert!(all.iter().all(|route| route.body == Body::Json));
    }
}
