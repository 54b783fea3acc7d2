//! OpenAPI documents, as hints: routes, fields, body formats. Version 3 and Swagger 2, as JSON or YAML.

use std::collections::BTreeSet;

use model::Body;
use serde_json::Value;

use crate::hint::{Field, Hint, Hints};

/// Where apps serve theirs.
pub const PLACES: &[&str] = &[
    "/openapi.json",
    "/api/openapi.json",
    "/swagger.json",
    "/api/swagger.json",
    "/api-docs",
    "/v3/api-docs",
    "/docs/json",
    "/documentation/json",
    "/docs-json",
    "/api-json",
    "/doc",
    "/openapi.yaml",
    "/api/openapi.yaml",
    "/swagger.yaml",
];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// References that refer to references are followed so far.
const DEEPEST: u8 = 6;
/// What no app has: such a document is somebody's joke.
const MOST_ROUTES: usize = 2000;

/// Reads a document; `None` where this is none.
pub fn read(text: &str) -> Option<Hints> {
    let document = parsed(text)?;
    let paths = document.get("paths")?.as_object()?;
    let base = document
        .get("basePath")
        .and_then(Value::as_str)
        .or_else(|| {
            let url = document.pointer("/servers/0/url")?.as_str()?;
            // Another host's prefix is not this one's.
            url.starts_with('/').then_some(url)
        });
    let base = base.unwrap_or_default().trim_end_matches('/');
    let mut hints = Hints::default();
    for (path, item) in paths {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            if hints.routes.len() >= MOST_ROUTES {
                return Some(hints);
            }
            let mut hint = Hint::new(method, &format!("{base}{path}"));
            let parameters = [item, operation]
                .into_iter()
                .filter_map(|place| place.get("parameters")?.as_array())
                .flatten();
            for parameter in parameters {
                parameter_of(&document, parameter, &mut hint, &mut hints.words);
            }
            body_of(&document, operation, &mut hint);
            hints.routes.push(hint);
        }
    }
    if let Some(schemes) = document
        .pointer("/components/securitySchemes")
        .and_then(Value::as_object)
    {
        let named = schemes
            .values()
            .filter_map(|scheme| scheme.get("name")?.as_str());
        hints.words.extend(named.map(str::to_owned));
    }
    Some(hints)
}

/// Only what names itself in the way of YAML is read as such: nearly every text is some YAML. Aliases that grow without end are
/// refused by the reader's own limits.
fn parsed(text: &str) -> Option<Value> {
    let names_itself = |line: &str| line.starts_with("openapi:") || line.starts_with("swagger:");
    if text.lines().any(names_itself) {
        serde_saphyr::from_str(text).ok()
    } else {
        serde_json::from_str(text).ok()
    }
}

fn parameter_of(
    document: &Value,
    parameter: &Value,
    hint: &mut Hint,
    words: &mut BTreeSet<String>,
) {
    let parameter = followed(document, parameter, DEEPEST);
    let Some(name) = parameter.get("name").and_then(Value::as_str) else {
        return;
    };
    let required = parameter
        .get("required")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    match parameter.get("in").and_then(Value::as_str) {
        Some("query") => {
            if matches!(hint.method.as_str(), "GET" | "DELETE") {
                hint.body = Some(Body::None);
            }
            hint.fields.push(Field {
                at: name.to_owned(),
                file: false,
                required,
                value: allowed(parameter.get("schema").unwrap_or(parameter)),
            });
        }
        Some("header") => {
            words.insert(name.to_owned());
        }
        // Swagger 2.
        Some("formData") => {
            let file = parameter.get("type").and_then(Value::as_str) == Some("file");
            hint.body = Some(if file || hint.body == Some(Body::Multipart) {
                Body::Multipart
            } else {
                Body::Form
            });
            hint.fields.push(Field {
                at: name.to_owned(),
                file,
                required,
                value: allowed(parameter),
            });
        }
        Some("body") => {
            hint.body = Some(Body::Json);
            if let Some(schema) = parameter.get("schema") {
                fields(document, schema, "", true, DEEPEST, &mut hint.fields);
            }
        }
        _ => {}
    }
}

fn body_of(document: &Value, operation: &Value, hint: &mut Hint) {
    let Some(body) = operation.get("requestBody") else {
        return;
    };
    let body = followed(document, body, DEEPEST);
    let Some(content) = body.get("content").and_then(Value::as_object) else {
        return;
    };
    let kinds = [
        ("application/json", Body::Json),
        ("application/x-www-form-urlencoded", Body::Form),
        ("multipart/form-data", Body::Multipart),
    ];
    for (kind, format) in kinds {
        let Some(media) = content
            .iter()
            .find(|(name, _)| name.starts_with(kind))
            .map(|(_, media)| media)
        else {
            continue;
        };
        hint.body = Some(format);
        if let Some(schema) = media.get("schema") {
            fields(document, schema, "", true, DEEPEST, &mut hint.fields);
        }
        return;
    }
}

/// The fields of a schema, with pointers for nested ones.
fn fields(
    document: &Value,
    schema: &Value,
    folder: &str,
    needed: bool,
    depth: u8,
    into: &mut Vec<Field>,
) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    if into.len() > 200 {
        return;
    }
    let schema = followed(document, schema, DEEPEST);
    for part in ["allOf", "oneOf", "anyOf"] {
        for one in schema
            .get(part)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            fields(
                document,
                one,
                folder,
                needed && part == "allOf",
                depth,
                into,
            );
        }
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, property) in properties {
        let property = followed(document, property, DEEPEST);
        let here = needed && required.contains(&name.as_str());
        let file = is_file(property);
        let before = into.len();
        if !file {
            fields(
                document,
                property,
                &format!("{folder}/{name}"),
                here,
                depth,
                into,
            );
        }
        if into.len() == before {
            let at = if folder.is_empty() {
                name.clone()
            } else {
                format!("{folder}/{name}")
            };
            into.push(Field {
                at,
                file,
                required: here,
                value: allowed(property),
            });
        }
    }
}

/// A value that a schema allows, where it says more than "a text". Of a list, none that makes an admin if it can be helped.
fn allowed(schema: &Value) -> Option<Value> {
    if let Some(only) = schema.get("const") {
        return Some(only.clone());
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        let plain = |one: &&Value| !one.as_str().unwrap_or_default().contains("admin");
        return list.iter().find(plain).or(list.first()).cloned();
    }
    let kind = schema.get("type").and_then(Value::as_str);
    match (kind, schema.get("format").and_then(Value::as_str)) {
        (Some("boolean"), _) => Some(true.into()),
        (Some("integer" | "number"), _) => {
            Some(schema.get("minimum").cloned().unwrap_or_else(|| 1.into()))
        }
        (Some("array"), _) => Some(Value::Array(Vec::new())),
        (_, Some("date")) => Some("1990-05-17".into()),
        (_, Some("date-time")) => Some("1990-05-17T00:00:00Z".into()),
        (_, Some("uri" | "url")) => Some("https://example.org/".into()),
        _ => None,
    }
}

fn is_file(property: &Value) -> bool {
    let binary = |one: &Value| {
        one.get("format").and_then(Value::as_str) == Some("binary")
            || one.get("contentMediaType").is_some()
    };
    binary(property) || property.get("items").is_some_and(binary)
}

fn followed<'a>(document: &'a Value, value: &'a Value, depth: u8) -> &'a Value {
    let Some(depth) = depth.checked_sub(1) else {
        return value;
    };
    let target = value
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.map_or(value, |target| followed(document, target, depth))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::*;

    fn field(at: &str, file: bool, required: bool) -> Field {
        Field {
            at: at.to_owned(),
            file,
            required,
            value: None,
        }
    }

    #[test]
    fn fields_are_read_through_references() {
        let document = json!({
            "openapi": "3.1.0",
            "servers": [{"url": "/v1"}],
            "paths": {
                "/users": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}}}}},
                "/token": {"post": {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {
                    "required": ["username"], "properties": {"username": {"type": "string"}, "scope": {"type": "string"}}}}}}}},
                "/files/{name}": {"get": {"parameters": [{"name": "q", "in": "query"}, {"name": "X-Api-Token", "in": "header"}]}},
                "/files": {"post": {"requestBody": {"content": {"multipart/form-data": {"schema": {
                    "properties": {"doc": {"type": "string", "contentMediaType": "application/octet-stream"}}}}}}}}
            },
            "components": {"schemas": {
                "New": {"required": ["user"], "properties": {"user": {"$ref": "#/components/schemas/User"}}},
                "User": {"required": ["email"], "properties": {"email": {"type": "string"}, "self": {"$ref": "#/components/schemas/User"}}}
            }}
        });
        let hints = read(&document.to_string()).unwrap();
        let of = |method: &str, path: &str| {
            hints
                .routes
                .iter()
                .find(|hint| hint.method == method && hint.path == path)
                .unwrap()
        };
        assert!(
            of("POST", "/v1/users")
                .fields
                .contains(&field("/user/email", false, true))
        );
        assert_eq!(of("POST", "/v1/token").body, Some(Body::Form));
        assert!(
            of("POST", "/v1/token")
                .fields
                .contains(&field("username", false, true))
        );
        assert_eq!(of("POST", "/v1/files").fields, [field("doc", true, false)]);
        assert_eq!(
            of("GET", "/v1/files/{id}").fields,
            [field("q", false, false)]
        );
        assert!(hints.words.contains("X-Api-Token"));
        assert!(read("{}").is_none() && read("<html>").is_none());
    }

    #[test]
    fn yaml_is_read_as_json_is() {
        let text = "# Notes\nopenapi: 3.0.3\npaths:\n  /sign-up:\n    post:\n      requestBody:\n        content:\n          application/json:\n\
                    \x20           schema: {$ref: '#/components/schemas/New'}\n      responses:\n        200: {description: yes}\n\
                    components:\n  schemas:\n    New:\n      required: [email]\n      properties:\n        email: {type: string}\n";
        let hints = read(text).unwrap();
        assert_eq!(hints.routes.len(), 1);
        assert_eq!(hints.routes[0].path, "/sign-up");
        assert_eq!(hints.routes[0].fields, [field("email", false, true)]);
        assert!(read("openapi: 3.0.3\npaths: [").is_none());
    }

    #[test]
    fn yaml_that_grows_without_end_is_refused() {
        let mut text = "openapi: 3.0.3\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let last = format!("*a{}", level - 1);
            let many = vec![last; 9].join(", ");
            let _ = writeln!(text, "a{level}: &a{level} [{many}]");
        }
        text += "paths: {}\n";
        assert!(read(&text).is_none());
    }
}
