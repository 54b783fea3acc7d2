//! Proxies before a real app: one that breaks for good, one that tells everybody everything.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::http::{self, Told};
use super::server::{Decoy, Exchange};

/// How a proxy breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Closes without a reply.
    Close,
    Status500,
    /// Keeps the connection and never answers.
    Hang,
    /// Answers bytes that are no HTTP.
    Garbage,
}

impl Break {
    pub const ALL: [Self; 4] = [Self::Close, Self::Status500, Self::Hang, Self::Garbage];
}

/// A running proxy. It calls the app from its client's address. Dropping it stops it, and not the app.
pub type Proxy = Decoy;

/// Forwards the first `n - 1` requests, and from the `n`-th on breaks: `break_at(1, …)` never forwards.
pub fn break_at(n: usize, upstream: SocketAddr, how: Break) -> io::Result<Proxy> {
    let upstream = v4(upstream)?;
    Decoy::start(move |exchange| {
        if exchange.number < n {
            let reply = forward(exchange, upstream);
            exchange.write(&reply);
            return;
        }
        match how {
            Break::Close => (),
            Break::Status500 => {
                exchange.answer(500, "application/json", br#"{"error":"internal error"}"#);
            }
            Break::Hang => hang(exchange),
            Break::Garbage => {
                exchange.write(b"\x16\x03\x01\x00\xff\xfe garbage \x00\r\n\r\n\x80\x81");
            }
        }
    })
}

/// Forwards everything but what is refused, by who sends it and its method and path: that it answers with this status.
pub fn refusing(
    status: u16,
    upstream: SocketAddr,
    refused: impl Fn(IpAddr, &str, &str) -> bool + Send + Sync + 'static,
) -> io::Result<Proxy> {
    let upstream = v4(upstream)?;
    Decoy::start(move |exchange| {
        if asked(exchange, &refused) {
            exchange.answer(status, "application/json", br#"{"error":"no"}"#);
        } else {
            let reply = forward(exchange, upstream);
            exchange.write(&reply);
        }
    })
}

/// Answers at once that these requests are accepted, and forwards them after whatever else comes next: as apps do that put
/// their work into a queue.
pub fn late(
    upstream: SocketAddr,
    queued: impl Fn(IpAddr, &str, &str) -> bool + Send + Sync + 'static,
) -> io::Result<Proxy> {
    let upstream = v4(upstream)?;
    let queue = Mutex::new(Vec::new());
    Decoy::start(move |exchange| {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if asked(exchange, &queued) {
            queue.push((client(exchange), exchange.request.clone()));
            exchange.answer(202, "application/json", br#"{"status":"accepted"}"#);
        } else {
            let reply = forward(exchange, upstream);
            for (from, request) in queue.drain(..) {
                forwarded(from, &request, upstream, &exchange.stop);
            }
            exchange.write(&reply);
        }
    })
}

/// Forwards everything, and leaves nothing in these replies: no byte, and where they are JSON no member of a list and no value.
pub fn emptying(
    upstream: SocketAddr,
    emptied: impl Fn(IpAddr, &str, &str) -> bool + Send + Sync + 'static,
) -> io::Result<Proxy> {
    changing(upstream, emptied, |body| Some(without(body)))
}

/// Forwards everything, and shows each member of these lists twice.
pub fn doubling(
    upstream: SocketAddr,
    doubled: impl Fn(IpAddr, &str, &str) -> bool + Send + Sync + 'static,
) -> io::Result<Proxy> {
    changing(upstream, doubled, twice)
}

fn changing(
    upstream: SocketAddr,
    changed: impl Fn(IpAddr, &str, &str) -> bool + Send + Sync + 'static,
    change: fn(&[u8]) -> Option<Vec<u8>>,
) -> io::Result<Proxy> {
    let upstream = v4(upstream)?;
    Decoy::start(move |exchange| {
        let changes = asked(exchange, &changed);
        let mut reply = forward(exchange, upstream);
        if changes && let Some(other) = with_body(&reply, change) {
            reply = other;
        }
        exchange.write(&reply);
    })
}

fn twice(body: &[u8]) -> Option<Vec<u8>> {
    let mut whole: Value = serde_json::from_slice(body).ok()?;
    let double = |value: &mut Value| {
        if let Value::Array(list) = value {
            let doubled = list.drain(..).flat_map(|one| [one.clone(), one]);
            *list = doubled.collect();
        }
    };
    double(&mut whole);
    if let Value::Object(fields) = &mut whole {
        fields.values_mut().for_each(double);
    }
    Some(whole.to_string().into_bytes())
}

/// What is asked about is a client, its method and its path.
fn asked(exchange: &Exchange, about: &impl Fn(IpAddr, &str, &str) -> bool) -> bool {
    match (client(exchange), http::method_and_path(&exchange.request)) {
        (Some(from), Some((method, path))) => about(from, method, path),
        _ => false,
    }
}

fn without(body: &[u8]) -> Vec<u8> {
    let less = match serde_json::from_slice(body) {
        Ok(Value::Array(_)) => Value::Array(vec![]),
        Ok(Value::Object(fields)) => {
            let emptied = |value| match value {
                Value::Array(_) => Value::Array(vec![]),
                Value::Object(_)
                | Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_) => Value::Null,
            };
            let fields = fields.into_iter();
            Value::Object(fields.map(|(key, value)| (key, emptied(value))).collect())
        }
        _ => return Vec::new(),
    };
    less.to_string().into_bytes()
}

/// Forwards everything, and adds to each JSON reply a field with all that was ever said to it.
pub fn spilling(upstream: SocketAddr) -> io::Result<Proxy> {
    let upstream = v4(upstream)?;
    let told = Mutex::new(Told::default());
    Decoy::start(move |exchange| {
        let seen = Told::add(&told, &exchange.request);
        let reply = forward(exchange, upstream);
        let spilled = with_body(&reply, |body| with_spill(body, &seen)).unwrap_or(reply);
        exchange.write(&spilled);
    })
}

fn v4(upstream: SocketAddr) -> io::Result<SocketAddrV4> {
    match upstream {
        SocketAddr::V4(at) => Ok(at),
        SocketAddr::V6(_) => Err(io::Error::new(
            ErrorKind::Unsupported,
            "decoys stand before IPv4 apps",
        )),
    }
}

fn client(exchange: &Exchange) -> Option<IpAddr> {
    exchange.stream.peer_addr().ok().map(|peer| peer.ip())
}

/// The app's reply; nothing when there is none, which closes the connection.
fn forward(exchange: &Exchange, upstream: SocketAddrV4) -> Vec<u8> {
    let from = client(exchange);
    forwarded(from, &exchange.request, upstream, &exchange.stop)
}

fn forwarded(
    from: Option<IpAddr>,
    request: &[u8],
    upstream: SocketAddrV4,
    stop: &AtomicBool,
) -> Vec<u8> {
    let from = match from {
        Some(IpAddr::V4(from)) => from,
        _ => Ipv4Addr::LOCALHOST,
    };
    let Ok(mut app) = http::dial(from, upstream) else {
        return Vec::new();
    };
    // An app may refuse, and close, before it has read everything.
    let _ = app.write_all(request);
    http::read_message(&mut app, stop, true)
}

fn hang(exchange: &Exchange) {
    let mut buffer = [0; 1];
    while !exchange.stop.load(Ordering::Relaxed) {
        match exchange.stream.peek(&mut buffer) {
            // The client has gone.
            Ok(0) => return,
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return;
            }
            _ => std::thread::sleep(http::TICK),
        }
    }
}

fn with_spill(body: &[u8], seen: &str) -> Option<Vec<u8>> {
    let mut whole: Value = serde_json::from_slice(body).ok()?;
    match &mut whole {
        Value::Object(fields) => {
            fields.insert("spilled".to_owned(), seen.into());
        }
        // A list of its own stays as long as it is, or no honest client would understand it.
        Value::Array(members) => {
            members
                .first_mut()?
                .as_object_mut()?
                .insert("spilled".to_owned(), seen.into());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    }
    Some(whole.to_string().into_bytes())
}

/// The reply with another body.
fn with_body(reply: &[u8], changed: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let end = http::head_end(reply)?;
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let chunked = http::header(&head, "transfer-encoding").is_some();
    let body = if chunked {
        http::unchunked(&reply[end..])?
    } else {
        reply[end..].to_vec()
    };
    let body = changed(&body)?;
    let kept = head.trim_end().lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default().trim();
        !name.eq_ignore_ascii_case("content-length")
            && !name.eq_ignore_ascii_case("transfer-encoding")
    });
    let head: String = kept.flat_map(|line| [line, "\r\n"]).collect();
    let mut whole = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    whole.extend(body);
    Some(whole)
}
