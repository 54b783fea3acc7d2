//! Replies: named fields, put where the binding says, and the last step in which a shape may change them.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use model::binding::{Capability, Route};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::body::Pieces;
use crate::refusal::Refusal;
use crate::shape::{LimitStyle, RefusalStyle, Shape};
use crate::site::Site;
use crate::weakness::Weakness;

/// Canonical output names and their values.
pub(crate) type Fields = Vec<(&'static str, Value)>;

pub(crate) enum Reply {
    /// One thing: what it says, and a cookie to set.
    One {
        created: bool,
        fields: Fields,
        cookie: Option<String>,
    },
    Many(Vec<Fields>),
    File {
        kind: Option<String>,
        disposition: String,
        bytes: Vec<u8>,
    },
    Nothing,
}

impl Reply {
    pub(crate) fn ok(fields: Fields) -> Self {
        Self::One {
            created: false,
            fields,
            cookie: None,
        }
    }

    pub(crate) fn created(fields: Fields) -> Self {
        Self::One {
            created: true,
            fields,
            cookie: None,
        }
    }
}

/// Marks the reply to a download for the layer that sets the headers.
#[derive(Clone, Copy)]
pub(crate) struct Downloaded;

pub(crate) fn render(site: &Site, route: &Route, reply: Reply) -> Response<Body> {
    match reply {
        Reply::One {
            created,
            fields,
            cookie,
        } => {
            let leads = route.redirects;
            let status = if leads {
                StatusCode::SEE_OTHER
            } else if created && !site.shaped(Shape::OkForCreated) {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            let mut response = answer(site, status, object(route, fields));
            if leads {
                let home = HeaderValue::from_static("/");
                response.headers_mut().insert(header::LOCATION, home);
            }
            if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Reply::Many(rows) => {
            let rows = rows
                .into_iter()
                .map(|fields| object(route, fields))
                .collect();
            let mut whole = Value::Object(Map::new());
            put(&mut whole, &route.pointer("list"), Value::Array(rows));
            answer(site, StatusCode::OK, whole)
        }
        Reply::File {
            kind,
            disposition,
            bytes,
        } => {
            let mut response = Response::new(body(site, bytes));
            if let Some(kind) = kind.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            if let Ok(disposition) = HeaderValue::from_str(&disposition) {
                response
                    .headers_mut()
                    .insert(header::CONTENT_DISPOSITION, disposition);
            }
            response.extensions_mut().insert(Downloaded);
            response
        }
        Reply::Nothing => with_status(StatusCode::NO_CONTENT),
    }
}

pub(crate) fn refuse(site: &Site, refusal: &Refusal) -> Response<Body> {
    let style = site.refusal_style();
    let (status, with_body) = refusal.styled(style);
    let trace = [
        (Weakness::TraceRust, TRACE_RUST),
        (Weakness::TraceNode, TRACE_NODE),
    ]
    .into_iter()
    .find_map(|(weakness, trace)| site.weak(weakness).then_some(trace))
    .or_else(|| site.is_open_development().then_some(TRACE_RUST));
    let mut response = match (refusal, trace) {
        (Refusal::Invalid(_), _) if site.weak(Weakness::RefusalShowsException) => answer(
            site,
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "error": "'dict' object has no attribute 'strip'" }),
        ),
        (Refusal::Invalid(_) | Refusal::Malformed, None) if site.shaped(Shape::BadInputFails) => {
            answer(
                site,
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({ "error": Refusal::Internal.message() }),
            )
        }
        (Refusal::Malformed, Some(trace)) => answer(
            site,
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "error": "Internal Server Error", "stack": trace }),
        ),
        _ if with_body => answer(site, status, json!({ "error": refusal.message() })),
        _ => with_status(status),
    };
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if style == Some(RefusalStyle::Redirect) && status == StatusCode::SEE_OTHER {
        headers.insert(header::LOCATION, HeaderValue::from_static("/login"));
    }
    if let Refusal::TooMany(wait) = refusal
        && site.limit_style() != Some(LimitStyle::Unannounced)
    {
        // Rounded up, so that who waits that long is let in.
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    }
    response
}

fn with_status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(crate) fn answer(site: &Site, status: StatusCode, mut json: Value) -> Response<Body> {
    if site.shaped(Shape::ExtraFields)
        && let Value::Object(fields) = &mut json
    {
        fields.insert("request_id".to_owned(), Uuid::new_v4().to_string().into());
        fields.insert("served_at".to_owned(), site.now().into());
        fields.insert("api_version".to_owned(), "2".into());
    }
    let text = if site.shaped(Shape::PrettyJson) {
        format!("{json:#}\n")
    } else {
        json.to_string()
    };
    let mut response = Response::new(body(site, text.into_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn body(site: &Site, bytes: Vec<u8>) -> Body {
    if site.shaped(Shape::Chunked) {
        Body::new(Pieces::of(Bytes::from(bytes)))
    } else {
        Body::from(bytes)
    }
}

fn object(route: &Route, fields: Fields) -> Value {
    let mut whole = Value::Object(Map::new());
    for (name, value) in fields {
        put(&mut whole, &route.pointer(name), value);
    }
    whole
}

/// Puts a value where a JSON pointer points, making the objects on the way.
fn put(whole: &mut Value, pointer: &str, value: Value) {
    let mut at = whole;
    for step in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(fields) = at else { return };
        at = fields
            .entry(step.replace("~1", "/").replace("~0", "~"))
            .or_insert(Value::Null);
    }
    *at = value;
}

/// The outputs that a capability has in no binding, but that the contract's readers like to see.
pub(crate) fn acknowledged(capability: Capability) -> Reply {
    Reply::ok(vec![(
        "status",
        if capability == Capability::Webhook {
            "received"
        } else {
            "ok"
        }
        .into(),
    )])
}

const TRACE_RUST: &str = "thread 'tokio-runtime-worker' panicked at src/routes/auth.rs:58:14:\n\
    called `Result::unwrap()` on an `Err` value: Error(\"expected value\", line: 1, column: 2)\n\
    stack backtrace:\n\
    \x20  0: rust_begin_unwind\n\
    \x20            at /rustc/4d91de4e48198da2e33413efdcd9cd2cc0c46688/library/std/src/panicking.rs:692:5\n\
    \x20  1: core::panicking::panic_fmt\n\
    \x20            at /rustc/4d91de4e48198da2e33413efdcd9cd2cc0c46688/library/core/src/panicking.rs:75:14\n\
    \x20  2: app::routes::auth::register::{{closure}}\n\
    \x20            at ./src/routes/auth.rs:58:14\n";

const TRACE_NODE: &str = "SyntaxError: Unexpected token '{', ... is not valid JSON\n\
    \x20   at JSON.parse (<anonymous>)\n\
    \x20   at parse (/app/node_modules/body-parser/lib/types/json.js:92:19)\n\
    \x20   at /app/node_modules/body-parser/lib/read.js:128:18\n\
    \x20   at AsyncResource.runInAsyncScope (node:async_hooks:206:9)\n\
    \x20   at invokeCallback (/app/node_modules/raw-body/index.js:238:16)\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_make_their_way() {
        let mut whole = json!({});
        put(&mut whole, "/user/profile/mail", json!("a"));
        put(&mut whole, "/user/id", json!(1));
        assert_eq!(
            whole,
            json!({ "user": { "profile": { "mail": "a" }, "id": 1 } })
        );
        put(&mut whole, "", json!([1]));
        assert_eq!(whole, json!([1]));
    }
}
