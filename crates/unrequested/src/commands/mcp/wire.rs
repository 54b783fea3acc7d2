//! JSON-RPC 2.0 over lines: what a client may send, read with bounds, and what we answer.
//!
//! Two eras of the protocol are spoken. Until 2025-11-25 a client opens with `initialize`; since 2026-07-28 there is no opening,
//! and each request says its version in `_meta`.

use std::io::{self, BufRead, ErrorKind};

use serde_json::{Map, Value, json};

/// No call of a tool needs more.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// Versions that begin with `initialize`, oldest first.
pub(super) const HANDSHAKE: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The version in which each request says its own.
pub(super) const STATELESS: &str = "2026-07-28";

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";

pub(super) const NOT_JSON: i32 = -32700;
pub(super) const NO_REQUEST: i32 = -32600;
pub(super) const NO_METHOD: i32 = -32601;
pub(super) const BAD_PARAMS: i32 = -32602;
const OTHER_VERSION: i32 = -32022;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// The next line; of one that is too long nothing is kept. `None` at the end.
pub(super) fn next_line(input: &mut impl BufRead, longest: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let chunk = match input.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        };
        let ending = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..ending.unwrap_or(chunk.len())];
        if too_long || line.len() + part.len() > longest {
            too_long = true;
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let used = ending.map_or(chunk.len(), |at| at + 1);
        input.consume(used);
        if ending.is_some() || used == 0 {
            return Ok(match (too_long, line.is_empty(), ending) {
                (true, ..) => Some(Line::TooLong),
                (false, true, None) => None,
                (false, ..) => Some(Line::Text(line)),
            });
        }
    }
}

#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Request {
        id: Value,
        method: String,
        params: Map<String, Value>,
    },
    Notification {
        method: String,
        params: Map<String, Value>,
    },
    /// A reply; we never ask anything.
    Reply,
}

/// Why a message is not served.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    id: Box<Value>,
    code: i32,
    why: String,
    data: Option<Box<Value>>,
}

impl Refusal {
    pub(super) fn new(id: &Value, code: i32, why: impl Into<String>) -> Self {
        Self {
            id: Box::new(id.clone()),
            code,
            why: why.into(),
            data: None,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.why});
        if let Some(data) = &self.data {
            error["data"] = Value::clone(data);
        }
        json!({"jsonrpc": "2.0", "id": self.id, "error": error})
    }
}

/// The messages of one line: one, or the elements of a batch, which 2025-03-26 allowed; each is answered by a line of its own.
pub(super) fn messages(line: &[u8]) -> Vec<Result<Message, Refusal>> {
    match serde_json::from_slice::<Value>(line) {
        Err(error) => vec![Err(Refusal::new(
            &Value::Null,
            NOT_JSON,
            format!("this line is not JSON: {error}"),
        ))],
        Ok(Value::Array(all)) if !all.is_empty() => all.into_iter().map(message).collect(),
        Ok(one) => vec![message(one)],
    }
}

fn message(value: Value) -> Result<Message, Refusal> {
    let bad = |id: &Value, why: &str| Err(Refusal::new(id, NO_REQUEST, why));
    let Value::Object(mut fields) = value else {
        return bad(&Value::Null, "a message is an object");
    };
    let id = fields.remove("id");
    let known = id.clone().filter(is_id).unwrap_or_default();
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return bad(&known, "`jsonrpc` is \"2.0\" in each message");
    }
    let method = match fields.remove("method") {
        Some(Value::String(method)) => method,
        None if fields.contains_key("result") || fields.contains_key("error") => {
            return Ok(Message::Reply);
        }
        Some(_) | None => return bad(&known, "`method` is a text"),
    };
    let params = match fields.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) if id.is_none() => Map::new(),
        Some(_) => return Err(Refusal::new(&known, BAD_PARAMS, "`params` is an object")),
    };
    match id {
        None => Ok(Message::Notification { method, params }),
        Some(id) if is_id(&id) => Ok(Message::Request { id, method, params }),
        Some(_) => bad(&Value::Null, "`id` is a text or a whole number"),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

/// How a request's answer is shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    Handshake,
    Stateless,
}

impl Era {
    /// By what the request says of itself.
    pub(super) fn of(id: &Value, params: &Map<String, Value>) -> Result<Self, Refusal> {
        let meta = params.get("_meta").and_then(Value::as_object);
        let Some(version) = meta.and_then(|meta| meta.get(VERSION_KEY)) else {
            return Ok(Self::Handshake);
        };
        let refuse = |why: String| Err(Refusal::new(id, BAD_PARAMS, why));
        let Some(version) = version.as_str() else {
            return refuse(format!("`_meta` has {VERSION_KEY} as a text"));
        };
        if version != STATELESS {
            let mut refusal = Refusal::new(id, OTHER_VERSION, "Unsupported protocol version");
            let data = json!({"supported": versions(), "requested": version});
            refusal.data = Some(Box::new(data));
            return Err(refusal);
        }
        if !meta.is_some_and(|meta| meta.get(CAPABILITIES_KEY).is_some_and(Value::is_object)) {
            return refuse(format!("`_meta` lacks {CAPABILITIES_KEY}"));
        }
        Ok(Self::Stateless)
    }

    /// The answer to a request.
    pub(super) fn result(self, id: &Value, mut result: Value) -> Value {
        if self == Self::Stateless {
            result["resultType"] = json!("complete");
            result["_meta"] = json!({SERVER_KEY: server()});
        }
        json!({"jsonrpc": "2.0", "id": id, "result": result})
    }
}

/// All versions that are spoken, newest first.
pub(super) fn versions() -> Vec<&'static str> {
    std::iter::once(STATELESS)
        .chain(HANDSHAKE.into_iter().rev())
        .collect()
}

/// The version that answers the one which a client opens with: the same, or the newest that opens so.
pub(super) fn negotiated(asked: &str) -> &'static str {
    let known = HANDSHAKE.into_iter().find(|known| *known == asked);
    known.unwrap_or(HANDSHAKE[HANDSHAKE.len() - 1])
}

pub(super) fn server() -> Value {
    json!({"name": "unrequested", "title": "unrequested", "version": env!("CARGO_PKG_VERSION")})
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8], longest: usize) -> Vec<Line> {
        // A small buffer: lines are put together from pieces.
        let mut input = BufReader::with_capacity(3, text);
        std::iter::from_fn(|| next_line(&mut input, longest).unwrap()).collect()
    }

    #[test]
    fn lines_are_whole_and_bounded_and_one_that_is_too_long_ends_nothing() {
        let text = |text: &str| Line::Text(text.as_bytes().to_vec());
        assert_eq!(lines(b"", 9), []);
        assert_eq!(
            lines(b"12345\n\nab", 5),
            [text("12345"), text(""), text("ab")]
        );
        assert_eq!(
            lines(b"123456\nab\n123456789", 5),
            [Line::TooLong, text("ab"), Line::TooLong]
        );
    }

    fn code(line: &str) -> (i32, Value) {
        match messages(line.as_bytes()).remove(0) {
            Err(refusal) => (refusal.code, *refusal.id),
            Ok(other) => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_id_where_it_has_one() {
        let null = Value::Null;
        for line in ["", "{", "nul", "{\"a\":1}}", "\u{1}"] {
            assert_eq!(code(line), (NOT_JSON, null.clone()), "{line}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(code(&deep).0, NOT_JSON);
        for line in [
            "[]",
            "7",
            "null",
            "{}",
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        ] {
            assert_eq!(code(line), (NO_REQUEST, null.clone()), "{line}");
        }
        for line in [
            r#"{"id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
        ] {
            assert_eq!(code(line), (NO_REQUEST, json!(7)), "{line}");
        }
        assert_eq!(
            code(r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":[1]}"#),
            (BAD_PARAMS, json!("a"))
        );
    }

    #[test]
    fn requests_notifications_replies_and_batches_are_told_apart() {
        let of = |line: &str| messages(line.as_bytes());
        let request = of(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#).remove(0);
        assert!(
            matches!(request, Ok(Message::Request { id, method, .. }) if id == "a" && method == "ping")
        );
        let reply = of(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).remove(0);
        assert_eq!(reply, Ok(Message::Reply));
        let batch =
            of(r#"[{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":1,"method":"y"},3]"#);
        assert!(matches!(
            batch.as_slice(),
            [
                Ok(Message::Notification { .. }),
                Ok(Message::Request { .. }),
                Err(_)
            ]
        ));
    }

    #[test]
    fn a_known_version_is_answered_by_itself_and_another_by_the_newest() {
        for known in HANDSHAKE {
            assert_eq!(negotiated(known), known);
        }
        for other in ["", "1999-01-01", STATELESS, "2025-06-19"] {
            assert_eq!(negotiated(other), "2025-11-25");
        }
    }

    #[test]
    fn a_request_that_says_its_version_is_served_by_that_or_refused() {
        let era = |meta: Value| {
            let params = json!({"_meta": meta});
            Era::of(&json!(1), params.as_object().unwrap()).map_err(|refusal| refusal.code)
        };
        assert_eq!(era(json!({"progressToken": 1})), Ok(Era::Handshake));
        assert_eq!(era(json!(7)), Ok(Era::Handshake));
        let whole = json!({VERSION_KEY: STATELESS, CAPABILITIES_KEY: {}});
        assert_eq!(era(whole), Ok(Era::Stateless));
        assert_eq!(era(json!({VERSION_KEY: STATELESS})), Err(BAD_PARAMS));
        assert_eq!(era(json!({VERSION_KEY: 7})), Err(BAD_PARAMS));
        assert_eq!(era(json!({VERSION_KEY: "2030-01-01"})), Err(OTHER_VERSION));
        let answer = Era::Stateless.result(&json!(1), json!({}));
        assert_eq!(answer["result"]["resultType"], "complete");
        let answer = Era::Handshake.result(&json!(1), json!({}));
        assert_eq!(answer["result"], json!({}));
    }
}
